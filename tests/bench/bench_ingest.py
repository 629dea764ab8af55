"""bench_ingest.py - observations applied, stored and published a second, through the real aggregator on one core.

    bench_ingest.py FOLDER [WORKERS] [OBSERVATIONS] [ROUNDS] [OTHER]

FOLDER holds the programs; the stores lie in it and are removed. The aggregator (durability process) has one core with all its
threads, ingest_load speaks and hears on the other. Beside it, in turn, the limit: raw czmq that receives the same messages and
publishes as many of the same size, and no more; and OTHER, another aggregator (a program's path), to compare with. `per_second`
is by the clock, `per_core_second` by the processor time that the process had, which others on the machine change less. The curve
goes over the observations on their way at once: 256 (a turn's worth) to where more change nothing. One line of JSON; which ratio is too little, floors.json says. SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(sys.argv[1]).resolve()
WORKERS, OBSERVATIONS, ROUNDS = (int(sys.argv[n]) if len(sys.argv) > n else value for n, value in ((2, 1000), (3, 300000), (4, 3)))
OTHER = pathlib.Path(sys.argv[5]).resolve() if len(sys.argv) > 5 else None
WINDOWS = [256, 2048, 16384, 65536]
TICKS = os.sysconf("SC_CLK_TCK")

os.environ.setdefault("CMLWATCH_BUILD", str(FOLDER))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
CORES = sorted(os.sched_getaffinity(0))


def processor(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def load(bus, workers, observations, window):
    command = ["taskset", "-c", CORES[-1], FOLDER / "ingest_load", "speak", bus.ingest, bus.feed, workers, observations, window]
    return json.loads(subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=600).stdout)


def measured(pid, bus, workers, observations, window):
    before = processor(pid)
    result = load(bus, workers, observations, window)
    spent = processor(pid) - before
    assert result["gaps"] == 0, result
    # the listing of the workers is in the processor time, and an observation each
    result["per_core_second"] = round((result["observations"] + workers) / spent)
    return result


def pinned(program):
    """All its threads, those that are to come as well."""
    for task in pathlib.Path(f"/proc/{program.process.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {CORES[0]})
    return program


def an_aggregator(harness, folder, bus, binary=None):
    if binary:
        shutil.copy(binary, folder / "cmlwatch-aggregator")
        kept, harness.BUILD = harness.BUILD, folder
    try:
        return pinned(harness.Aggregator(folder, bus, "--store", folder / "store"))
    finally:
        if binary:
            harness.BUILD = kept


def of_aggregator(harness, window, binary=None):
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        bus = harness.Bus()
        program = an_aggregator(harness, pathlib.Path(name), bus, binary)
        result = measured(program.process.pid, bus, WORKERS, OBSERVATIONS, window)
        text = harness.http(program.url + "/metrics")[2]
        text = text.decode() if isinstance(text, bytes) else text
        assert "cmlwatch_bus_lost_total{" not in text and "cmlwatch_ingest_rejected_total{" not in text, "messages were lost or refused"
        program.stop()
        return result


def of_relay(harness, window, like):
    bus = harness.Bus()
    messages = round(1000 * like["feed_messages"] / like["observations"])
    command = [FOLDER / "ingest_load", "relay", bus.ingest, bus.feed, messages, round(like["feed_bytes"] / like["feed_messages"]) - 120]
    process = subprocess.Popen(["taskset", "-c", str(CORES[0])] + [str(part) for part in command], stdin=subprocess.PIPE)
    try:
        return measured(process.pid, bus, WORKERS, OBSERVATIONS, window)
    finally:
        process.stdin.close()
        process.wait(10)


def middle(rows, *names):
    return {name: round(statistics.median(row[name] for row in rows), 2) for name in names}


def main():
    import harness
    names = ("per_second", "per_core_second", "p50_ms", "p99_ms")
    rows, relays, others = {w: [] for w in WINDOWS}, [], []
    for _ in range(ROUNDS):
        for window in WINDOWS:
            rows[window].append(of_aggregator(harness, window))
        relays.append(of_relay(harness, WINDOWS[-1], rows[WINDOWS[-1]][-1]))
        if OTHER:
            others.append(of_aggregator(harness, WINDOWS[-1], OTHER))
    best = rows[WINDOWS[-1]]
    ratio = statistics.median(a["per_core_second"] / b["per_core_second"] for a, b in zip(best, relays))
    result = {"workers": WORKERS, "observations": OBSERVATIONS, "rounds": ROUNDS, "load": os.getloadavg()[0],
              "curve": {w: middle(rows[w], *names) for w in WINDOWS}, "relay": middle(relays, *names), "of_relay": round(ratio, 3),
              **({"other": middle(others, *names)} if others else {}),
              "feed_messages_each": round(best[0]["feed_messages"] / best[0]["observations"], 2),
              "feed_bytes_each": round(best[0]["feed_bytes"] / best[0]["observations"])}
    print(json.dumps(result, separators=(",", ":")))


main()

"""bench_ingest.py - observations applied, stored and published a second, through the real aggregator on one core.

    bench_ingest.py FOLDER [WORKERS] [OBSERVATIONS] [ROUNDS] [OTHER]

FOLDER holds the programs; the stores lie in it and are removed. The aggregator (durability process) has one core with all its
threads, ingest_load speaks and hears on the other. Beside it, in turn, the limit: raw czmq that receives the same messages and
publishes as many of the same size, and no more; and OTHER, another aggregator (a program's path), to compare with. `per_second`
is by the clock, `per_core_second` by the processor time that the process had, which others on the machine change less. The curve
goes over the observations on their way at once: 256 (a turn's worth) to where more change nothing.

Then, with WORKERS ten times as many: memory, a restart until /readyz, the full state by control as a gateway asks for it, and to
a new client of a gateway. One line of JSON. SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

FOLDER = pathlib.Path(sys.argv[1]).resolve()
WORKERS, OBSERVATIONS, ROUNDS = (int(sys.argv[n]) if len(sys.argv) > n else value for n, value in ((2, 1000), (3, 300000), (4, 3)))
OTHER = pathlib.Path(sys.argv[5]).resolve() if len(sys.argv) > 5 else None
WINDOWS = [256, 2048, 16384, 65536]
FLOOR_OF_RELAY = 0.12  # of the raw relay's rate: 0.085 before the work on it, 0.16 since
TICKS = os.sysconf("SC_CLK_TCK")

os.environ.setdefault("CMLWATCH_BUILD", str(FOLDER))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
CORES = sorted(os.sched_getaffinity(0))


def processor(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid):
    """Its own; and pages of the store's file that the kernel has mapped in, which it takes back when it needs them."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {name: round(int(status.split(f"{key}:")[1].split()[0]) / 1024, 1) for name, key in (("own", "RssAnon"), ("mapped", "RssFile"))}


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


def full_state_ms(bus, workers):
    import zmq
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.rcvtimeo = 30000
    socket.connect(bus.control)
    at, cursor, number, had = time.perf_counter(), "", 0, 0
    while cursor is not None:
        number += 1
        socket.send_multipart([b"request", b"state", str(number).encode(), json.dumps({"cursor": cursor, "limit": 1000}).encode()])
        answer = socket.recv_multipart()
        cursor, had = json.loads(answer[3])["next_cursor"], had + (len(answer) - 4) // 2
    assert had == workers, had
    socket.close()
    return round((time.perf_counter() - at) * 1000, 1)


def client_state_ms(gateway):
    """From the request to the last byte of the state, read as fast as it comes."""
    at = time.perf_counter()
    command = ["curl", "-sN", "--max-time", "30", gateway.url + "/api/events/stream?heartbeat=60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
        tail = b""
        while b"event: system.state.end" not in tail:
            got = os.read(curl.stdout.fileno(), 1 << 20)
            assert got, "the stream ended"
            tail = tail[-100:] + got
        took = time.perf_counter() - at
        curl.kill()
    return round(took * 1000, 1)


def large(harness, workers):
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        folder, bus = pathlib.Path(name), harness.Bus()
        program = an_aggregator(harness, folder, bus)
        load(bus, workers, 15 * workers, 16384)
        result = {"workers": workers, "memory_mb": memory_mb(program.process.pid)}
        program.stop()
        at = time.perf_counter()
        program = an_aggregator(harness, folder, bus)
        result["restart_to_ready_ms"] = round((time.perf_counter() - at) * 1000)
        result["store_mb"] = round((folder / "store" / "data.mdb").stat().st_size / 1e6)
        result["memory_after_restart_mb"] = memory_mb(program.process.pid)
        result["full_state_by_control_ms"] = statistics.median(full_state_ms(bus, workers) for _ in range(3))
        gateway = harness.Gateway(folder, bus)
        result["full_state_to_client_ms"] = statistics.median(client_state_ms(gateway) for _ in range(3))
        gateway.stop()
        program.stop()
        return result


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
              "feed_bytes_each": round(best[0]["feed_bytes"] / best[0]["observations"]),
              "large": large(harness, 10 * WORKERS)}
    print(json.dumps(result, separators=(",", ":")))
    if ratio < FLOOR_OF_RELAY:
        sys.exit(f"bench_ingest: {ratio:.2f} of the relay's rate, at least {FLOOR_OF_RELAY} is wanted")


main()

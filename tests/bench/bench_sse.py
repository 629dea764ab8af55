"""bench_sse.py - the gateway beside nginx with nchan and a bare epoll broadcaster, in one run.

    bench_sse.py FOLDER [PART...]

FOLDER holds the programs. PARTs, all of them if none is named: fanout, memory, stopped, gzip, polling.
Servers are pinned to one core, readers to another; the systems take turns (A B C, A B C), and medians of
BENCH_ROUNDS (5; of the slow nchan 2) rounds are told. BENCH_CLIENTS (5000) and BENCH_SECONDS (0.6, of one
measured stretch) make a run larger, or quicker for a look at a change:

    BENCH_ROUNDS=1 BENCH_CLIENTS=1000 BENCH_SECONDS=0.3 /usr/bin/python3 tests/bench/bench_sse.py build/gcc fanout

One line of JSON for each row, then a table, then each floor of floors.json with what was reached; exit
code 1 when one is missed. A ratio is the median of the rounds' own ratios: absolute figures drift with the
machine by 20 to 30 percent, ratios to a peer a second later by less, so floors are ratios wherever there
is a peer; what is absolute and hangs on the machine is an aim. `others` is the part of the processors that other programs took during a row: if it is not
near 0, believe little; for BENCH_PATIENCE (30) seconds in all they are waited for, and stretches that they
disturbed are measured again.
SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import resource
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
os.environ["CMLWATCH_BUILD"] = str(pathlib.Path(sys.argv[1]).resolve())
import harness  # noqa: E402
import polling  # noqa: E402
from systems import Bare, Gateway, Nchan, Quiet  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", 5))
CLIENTS = int(os.environ.get("BENCH_CLIENTS", 5000))
SECONDS = float(os.environ.get("BENCH_SECONDS", 0.6))
CLOSED = (1, 8, 64)
LATENCY = ("p50_ms", "p99_ms", "p999_ms", "cpu_us")
FEW = min(ROUNDS, 3)           # rounds of what needs no more
NCHAN_ROUNDS = min(ROUNDS, 2)  # it takes seconds to end what was begun
PACKED_CLIENTS = 1000  # each unpacks what it gets
STOPPED = (("stopped_5_percent", CLIENTS - CLIENTS // 20, CLIENTS // 20, 10), ("stopped_200", 500, 200, 100))
FILL = 1000            # events, more than a stopped reader's buffers and the server's for it hold
SETTLE = 0.5           # seconds, before memory is read

quiet = Quiet(float(os.environ.get("BENCH_PATIENCE", 30)))
rows = []


class Row:
    """What was measured, by who: one dictionary for each round."""

    def __init__(self, name, what, measures):
        self.name, self.what, self.measures, self.rounds, self.others = name, what, measures, {}, []
        rows.append(self)

    def add(self, who, measured):
        self.rounds.setdefault(who, []).append(measured)

    def stretch(self, who, system, everyone, *words):
        ours = {os.getpid()}.union(*(each.pids() for each in everyone))
        measured, others = quiet.measure(ours, lambda: system.say(*words))
        self.others.append(others)
        self.add(who, measured)
        for fault in ("missing", "wrong", "closed", "refused"):
            if measured[fault] and who != "nchan":
                print(f"bench: {self.name}: {who}: {measured[fault]} {fault}", file=sys.stderr)

    def median(self, who, measure):
        values = [each[measure] for each in self.rounds.get(who, []) if measure in each]
        return statistics.median(values) if values else None

    def ratio(self, measure, who, against):
        pairs = zip(self.rounds.get(who, []), self.rounds.get(against, []))
        values = [a[measure] / b[measure] for a, b in pairs if b[measure] > 0]
        return statistics.median(values) if values else None

    def tell(self):
        told = {who: {measure: round(self.median(who, measure), 3) for measure in (*self.measures, "missing", "wrong")
                      if self.median(who, measure) is not None} for who in self.rounds}
        others = {"others": round(statistics.median(self.others), 2)} if self.others else {}
        print(json.dumps({"row": self.name, "rounds": len(next(iter(self.rounds.values()))), **told, **others},
                         separators=(",", ":")), flush=True)


def fanout(folder):
    with Gateway(folder) as gateway, Bare(folder) as bare, Nchan(folder) as nchan:
        systems = (gateway, bare, nchan)
        for system in systems:
            system.say("clients", CLIENTS)
        closed = {depth: Row(f"closed_{depth}", f"{CLIENTS} clients, {depth} in flight", ("per_second", "cpu_us"))
                  for depth in CLOSED}
        calm = Row("open_5", f"{CLIENTS} clients, 5 events a second", LATENCY)
        slow = Row("open_20", f"{CLIENTS} clients, 20 events a second", LATENCY)
        fast = Row("open_500", f"{CLIENTS} clients, 500 events a second", LATENCY)
        for number in range(ROUNDS):
            few = systems if number < NCHAN_ROUNDS else (gateway, bare)
            for depth, row in closed.items():
                for system in few:
                    row.stretch(system.name, system, systems, "closed", depth, SECONDS)
            for system in few if number < FEW else ():
                calm.stretch(system.name, system, systems, "open", 5, 4 * SECONDS)
            for system in few:
                slow.stretch(system.name, system, systems, "open", 20, 2 * SECONDS)
            for system in (gateway, bare):  # nchan carries a tenth of it
                fast.stretch(system.name, system, systems, "open", 500, 2 * SECONDS)
        for row in (*closed.values(), calm, slow, fast):
            row.tell()


def memory(folder):
    """Resident memory of the server for each idle client, new processes, growing."""
    sizes = [count for count in (1000, 5000, 10000) if count <= resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500]
    table = {count: Row(f"memory_{count}", f"{count} idle clients", ("kib_each",)) for count in sizes}
    for kind in (Gateway, Nchan, Bare):
        with kind(folder) as system:
            system.say("clients", 10)
            before = system.resident_kib()
            for count in sizes:
                system.say("clients", count)
                time.sleep(SETTLE)
                table[count].add(system.name, {"kib_each": (system.resident_kib() - before) / (count - 10)})
    for row in table.values():
        row.tell()


def fill(system, count):
    """So many readers that stop, told more than fits between them and the server."""
    system.say("stopped", count)
    system.say("tell", FILL, 64)
    if system.name == "gateway":
        behind = harness.metric(f"http://127.0.0.1:{system.port}", "cmlwatch_gateway_clients_behind")
        assert behind == count, f"{count} readers stopped, and {behind} are behind"


def stopped(folder):
    for name, live, still, rate in STOPPED:
        row = Row(name, f"{live} clients, {rate}/s, {still} that stopped beside them", LATENCY)
        with Gateway(folder, "--stall-timeout-seconds", 3600) as gateway, Bare(folder) as bare:
            for system in (gateway, bare):
                system.say("clients", live)
            for _ in range(ROUNDS):
                row.stretch("without", gateway, (gateway, bare), "open", rate, 2 * SECONDS)
                for system in (gateway, bare):
                    fill(system, still)
                    row.stretch(system.name, system, (gateway, bare), "open", rate, 2 * SECONDS)
                    system.say("stopped", 0)
        row.tell()


def packed(folder):
    row = Row("gzip", f"{PACKED_CLIENTS} clients, 50/s, compressed", ("bytes_each", "cpu_us"))
    (folder / "plain").mkdir()
    with Gateway(folder, packed=True) as gateway, Gateway(folder / "plain") as plain:
        for system in (gateway, plain):
            system.say("clients", PACKED_CLIENTS)
            system.say("open", 50, 1.5)  # until all share the packer's context
        for _ in range(FEW):
            row.stretch("gateway", gateway, (gateway, plain), "open", 50, 2 * SECONDS)
            row.stretch("plain", plain, (gateway, plain), "open", 50, 2 * SECONDS)
    row.tell()


def against_polling(folder):
    row = Row("stream", f"a fleet of {polling.INSTANCES}, its whole stream", ("bytes_second",))
    counts, by_type = polling.measure(folder)
    for who, bytes_second in counts.items():
        row.add(who, {"bytes_second": bytes_second})
    row.tell()
    print(json.dumps({"row": "stream_by_type", "bytes_second": by_type}, separators=(",", ":")))


#  --- what is told at the end

MEASURES = {"per_second": "events a second", "kib_each": "KiB", "p50_ms": "p50, ms", "p99_ms": "p99, ms",
            "p999_ms": "p99.9, ms", "cpu_us": "processor, us an event", "bytes_each": "bytes an event",
            "bytes_second": "bytes a second"}


def table():
    print(f"\n{'':70}{'gateway':>13}{'bare':>13}{'nchan':>13}{'/ bare':>8}{'/ nchan':>8}")
    for row in rows:
        for measure in row.measures:
            line = f"{row.what + ': ' + MEASURES[measure]:70}"
            for who in ("gateway", "bare", "nchan"):
                line += f"{row.median(who, measure):13,.2f}" if row.median(who, measure) is not None else f"{'':13}"
            for who in ("bare", "nchan"):
                line += f"{row.ratio(measure, 'gateway', who):8.2f}" if row.ratio(measure, "gateway", who) else f"{'':8}"
            for who in [each for each in row.rounds if each not in ("gateway", "bare", "nchan")]:
                line += f"   {who} {row.median(who, measure):,.2f}"
            print(line)


def judge(floor, row):
    """One floor: what was reached, and whether it is missed. An aim is said and not held against anyone."""
    who, against, measure = floor.get("who", "gateway"), floor.get("against"), floor["measure"]
    reached = row.ratio(measure, who, against) if against else row.median(who, measure)
    ok = reached is not None and floor.get("at_least", reached) <= reached <= floor.get("at_most", reached)
    word = "pass" if ok else "aim " if floor.get("aim") else "FAIL"
    bound = f"at least {floor['at_least']}" if "at_least" in floor else f"at most {floor['at_most']}"
    others = f" (others took {statistics.median(row.others):.0%})" if row.others and not ok else ""
    value = "nothing" if reached is None else f"{reached:.3f}"
    print(f"{word}  {row.name} {who} {measure}{' / ' + against if against else ''}: {value}, {bound}{others}")
    return word == "FAIL"


def check():
    by_name = {row.name: row for row in rows}
    print()
    return sum(judge(floor, by_name[floor["row"]])
               for floor in json.loads((HERE / "floors.json").read_text()) if floor["row"] in by_name)


PARTS = {"fanout": fanout, "memory": memory, "stopped": stopped, "gzip": packed, "polling": against_polling}


def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    began = time.monotonic()
    for part in sys.argv[2:] or PARTS:
        with tempfile.TemporaryDirectory(prefix="cmlwatch-bench-") as folder:
            PARTS[part](pathlib.Path(folder))
    table()
    missed = check()
    print(f"\nbench: {time.monotonic() - began:.0f} s, {missed} floors missed")
    sys.exit(1 if missed else 0)


main()

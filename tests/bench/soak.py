"""soak.py - the whole stack for as long as one likes, and nothing in it may grow: make soak MINUTES=30.

    soak.py FOLDER [MINUTES] [INSTANCES] [CMLS] [CLIENTS]

FOLDER holds the programs. INSTANCES workers in five regions, CMLS of them running with a CML server each; CLIENTS streams
that come, go, stall and resume; a second collector of CML and a second gateway that come and go; jobs all the time, some
of whose runners vanish. Each process' memory and descriptors, queues and lag are looked at every few seconds. The last quarter
of the time is held against the second: memory may differ by a tenth and a little, descriptors by a few, no queue may stand.
Some streams are followed event by event: no id may be missing or twice, but for what a slow reader is told of. One line of JSON at the end; code 1 when it fails.
SPDX-License-Identifier: MIT"""
import collections
import json
import os
import pathlib
import random
import selectors
import socket
import statistics
import sys
import tempfile
import threading
import time

FOLDER = pathlib.Path(sys.argv[1]).resolve()
MINUTES, INSTANCES, CMLS, CLIENTS = (float(sys.argv[n]) if len(sys.argv) > n else value for n, value in ((2, 30), (3, 1000), (4, 200), (5, 500)))
FOLLOWED = 10
REGIONS = "us-east-1,us-west-2,eu-west-1,eu-central-1,ap-southeast-2"
GROWTH, SLACK_KIB, DESCRIPTORS = 0.10, 6 * 1024, 16
LOG_MAX = 5000   # events of a gateway, for those who come back
SLOW_MOST = 0.02  # of the looks
QUEUES = ("cmlwatch_webhook_waiting", "cmlwatch_jobs_pending_age_seconds")
FAULTS = ("cmlwatch_bus_lost_total", "cmlwatch_ingest_rejected_total", "cmlwatch_store_failures_total", "cmlwatch_feed_send_refused_total")

os.environ["CMLWATCH_BUILD"] = str(FOLDER)
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness  # noqa: E402  the folder of the programs is known from here on
import runner  # noqa: E402


class Followed(threading.Thread):
    """A stream read event by event; it resumes where it was whenever it ends, or by chance."""

    def __init__(self, gateways, over):
        super().__init__(daemon=True)
        self.gateways, self.over, self.last, self.events, self.resumes, self.faults = gateways, over, None, 0, 0, []
        self.left_out, self.resets = 0, 0

    def run(self):
        while not self.over.is_set():
            try:
                self.follow(random.choice(self.gateways()))
            except (OSError, AssertionError):
                time.sleep(random.uniform(0.1, 1))

    def follow(self, gateway):
        stream = harness.Stream(gateway.port, "?heartbeat=5", {"Last-Event-ID": self.last} if self.last else {})
        self.resumes += self.last is not None
        end, inside, told = time.monotonic() + random.uniform(20, 120), False, Told(self.last)
        stream.socket.settimeout(20)
        while time.monotonic() < end and not self.over.is_set() and (event := stream.next()):
            if event.type in ("system.state.begin", "system.reset"):
                inside = True
                told.reset_from = self.last if event.type == "system.reset" else told.reset_from
            if not inside and event.body["seq"] is not None:
                self.events += 1
                told.take(event.sequence, self.faults)
            if event.type == "heartbeat" and not inside:
                self.left_out += told.hear(event.body["data"], self.faults)
            if event.type == "system.state.end":
                self.resets += told.begin(event.id, self.faults)
                inside = False
            if event.id:
                self.last = event.id
        stream.close()


class Told:
    """Who reads too slowly is left out of what later events say as well, and its heartbeats say of how many: so many may be
    missing since the stream began, and no more. Who was away for longer than the log goes back has the state again."""

    def __init__(self, last):
        self.at, self.missing, self.told, self.reset_from = number_of(last), 0, 0, None

    def begin(self, identity, faults):
        self.at, self.missing = number_of(identity), 0
        if self.reset_from and self.at - number_of(self.reset_from) < LOG_MAX:
            faults.append(f"reset from {self.reset_from} at {identity}")
        was_reset, self.reset_from = self.reset_from is not None, None
        return was_reset

    def take(self, sequence, faults):
        if self.at is not None and sequence <= self.at:
            faults.append(f"{sequence} after {self.at}")
        self.missing += max(0, sequence - self.at - 1) if self.at is not None else 0
        self.at = sequence

    def hear(self, heartbeat, faults):
        told = heartbeat["conflated"] + heartbeat["events_missed"]
        if self.missing > told:
            faults.append(f"{self.missing} events are missing at {self.at}, and {told} were said to be")
        more, self.told = told - self.told, told
        return more


def number_of(identity):
    return int(identity.split("-")[1]) if identity else None


class Crowd(threading.Thread):
    """Streams that are read and thrown away; some stall, some leave, others come for them."""

    def __init__(self, gateways, over, size):
        super().__init__(daemon=True)
        self.gateways, self.over, self.size = gateways, over, size
        self.selector, self.ends, self.came, self.bytes = selectors.DefaultSelector(), {}, 0, 0

    def come(self):
        gateway = random.choice(self.gateways())
        try:
            stream = socket.create_connection(("127.0.0.1", gateway.port), timeout=2)
        except OSError:
            return
        gzip = "\r\nAccept-Encoding: gzip" if random.random() < 0.3 else ""
        stream.sendall(f"GET /api/events/stream?heartbeat=10&max_hz={random.choice([1, 5, 50])} HTTP/1.1\r\nHost: x{gzip}\r\n\r\n".encode())
        stream.setblocking(False)
        stalls = random.random() < 0.05
        self.ends[stream] = time.monotonic() + random.expovariate(1 / 60)
        self.came += 1
        if not stalls:
            self.selector.register(stream, selectors.EVENT_READ)

    def leave(self, stream):
        self.ends.pop(stream)
        try:
            self.selector.unregister(stream)
        except KeyError:
            pass
        stream.close()

    def run(self):
        while not self.over.is_set():
            for _ in range(min(20, int(self.size) - len(self.ends))):
                self.come()
            for key, _ in self.selector.select(0.1):
                try:
                    chunk = key.fileobj.recv(262144)
                    self.bytes += len(chunk)
                except OSError:
                    chunk = b""
                if not chunk:
                    self.leave(key.fileobj)
            now = time.monotonic()
            for stream in [each for each, end in self.ends.items() if end < now]:
                self.leave(stream)
        for stream in list(self.ends):
            self.leave(stream)


class Work(threading.Thread):
    """Ten jobs a second, and two who run them; one in twenty vanishes with what it has."""

    def __init__(self, bus, over):
        super().__init__(daemon=True)
        self.bus, self.over, self.submitted, self.completed, self.fault = bus, over, 0, 0, None

    def run(self):
        try:
            control, names = runner.Control(self.bus), [f"soak-{n}" for n in range(2)]
            held = collections.defaultdict(list)
            while not self.over.is_set():
                for _ in range(5):
                    control.submit("soak.work", priority=random.randint(-10, 10))
                    self.submitted += 1
                for name in names:
                    answer, _ = control.ask("runner", runner_id=name, job_types=["soak.work"], concurrency=50, wait_ms=0,
                                            running=[{"job_id": j, "attempt": a} for j, a in held[name]])
                    held[name] += [(each["job_id"], each["attempt"]) for each in answer["assigned"]]
                    if random.random() < 0.005:
                        held[name] = []
                        continue
                    done = [{"job_id": j, "attempt": a, "event": "completed", "result": {}} for j, a in held[name]]
                    if done:
                        control.ask("report", runner_id=name, reports=done)
                        self.completed += len(done)
                    held[name] = []
                time.sleep(0.5)
        except Exception as error:  # the main thread tells of it
            self.fault = repr(error)


def look(program):
    process = pathlib.Path(f"/proc/{program.process.pid}")
    memory = int((process / "status").read_text().split("RssAnon:")[1].split()[0])  # the store's file, mapped, is the kernel's to keep
    return memory, len(list((process / "fd").iterdir()))


def start(folder):
    bus = harness.Bus()
    sim = harness.Simulator(folder, "--regions", REGIONS, instances=int(INSTANCES))
    for instance in [i for i in sim.instances() if i["state"] == "running"][int(CMLS):]:
        sim.control(f"instances/{instance['instance_id']}", {"state": "stopped"})
    pins = folder / "pins"
    pins.write_text(sim.control("pins"))
    aggregator = harness.Aggregator(folder, bus, "--store", folder / "store", "--events-max", 20000, "--jobs-keep", 2000, "--history-minutes", 5)
    environment = sim.environment()
    cml_environment = {**environment, "CMLWATCH_COLLECTOR_CML_PASSWORD": "cmlwatch-demo"}

    def collector(kind, name):
        own = ("--regions", REGIONS) if kind != "cml" else ("--port", sim.cml_port, "--verify", "fingerprint", "--fingerprints", pins, "--username", "cmlwatch")
        return harness.Collector(folder, kind, bus, *own, environment=cml_environment if kind == "cml" else environment, collector_id=name)
    return bus, sim, aggregator, collector


def rescale(folder, bus, collector, gateways, stays, turn):
    """One more collector and gateway; or they go again. What went must have ended well."""
    if turn % 2 == 0:
        return [collector("cml", f"more-{turn}"), harness.Gateway(folder, bus, "--event-log-max", LOG_MAX)]
    for program in stays:
        if isinstance(program, harness.Gateway):
            gateways.remove(program)
        assert program.stop() == 0, f"{program.name} ended badly"
    return []


def judge(samples, programs, followed, work):
    faults = []
    for program in programs:
        rows = samples[program.name]
        second, last = rows[len(rows) // 4:len(rows) // 2], rows[3 * len(rows) // 4:]
        before, after = (statistics.median(row[0] for row in part) for part in (second, last))
        if after > before * (1 + GROWTH) + SLACK_KIB:
            faults.append(f"{program.name}: {before / 1024:.1f} to {after / 1024:.1f} MB")
        before, after = (max(row[1] for row in part) for part in (second, last))
        if "gateway" not in program.name and after > before + DESCRIPTORS:
            faults.append(f"{program.name}: {before} to {after} descriptors")
    faults += [fault for each in followed for fault in each.faults]
    faults += [work.fault] if work.fault else []
    return faults


def main():
    over, samples, turn = threading.Event(), collections.defaultdict(list), 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        bus, sim, aggregator, collector = start(folder)
        gateways = [harness.Gateway(folder, bus, "--event-log-max", LOG_MAX)]
        programs = [aggregator, gateways[0], collector("ec2", "ec2"), collector("cloudwatch", "cw"), collector("cml", "cml")]
        programs[1].name = "gateway"
        for program, label in zip(programs, ("aggregator", "gateway", "collector-ec2", "collector-cloudwatch", "collector-cml")):
            program.name = label
        threads = [Followed(lambda: list(gateways), over) for _ in range(FOLLOWED)]
        crowd, work = Crowd(lambda: list(gateways), over, CLIENTS), Work(bus, over)
        for thread in (*threads, crowd, work):
            thread.start()
        begin, more, lags, slow = time.monotonic(), [], [], 0
        try:
            while (passed := time.monotonic() - begin) < MINUTES * 60:
                time.sleep(3)
                for program in programs:
                    assert program.alive(), f"{program.name} has ended:\n{program.log[-2000:]}"
                    samples[program.name].append(look(program))
                try:
                    lags.append(harness.metric(gateways[0].url, "cmlwatch_gateway_clients_behind"))
                except OSError:  # a machine that others work on; told, and a fault when it is often
                    slow += 1
                if passed > (turn + 1) * max(20, MINUTES * 60 / 20):
                    more = rescale(folder, bus, collector, gateways, more, turn)
                    gateways += [each for each in more if isinstance(each, harness.Gateway)]
                    turn += 1
        finally:
            over.set()
            for thread in (*threads, crowd, work):
                thread.join(30)
            if sys.exc_info()[0]:
                for program in [*more, *programs, sim]:
                    program.kill()
        counted = {metric: harness.metric(aggregator.url, metric) for metric in (*QUEUES, *FAULTS)}
        faults = judge(samples, programs, threads, work)
        faults += [f"{metric} is {value}" for metric, value in counted.items() if metric in FAULTS and value]
        faults += [f"{metric} is {counted[metric]}" for metric in QUEUES if counted[metric] > 30]
        faults += [f"{slow} of {slow + len(lags)} looks had no answer in {harness.PATIENCE} s"] if slow > SLOW_MOST * (slow + len(lags)) else []
        for program in [*more, *reversed(programs), sim]:
            if program.stop() != 0:
                faults.append(f"{program.name} ended badly")
    print(json.dumps({
        "minutes": MINUTES, "workers": INSTANCES, "clients": CLIENTS, "streams": crowd.came, "gigabytes_streamed": round(crowd.bytes / 1e9, 3),
        "events_followed": sum(each.events for each in threads), "resumes": sum(each.resumes for each in threads),
        "left_out_and_told": sum(each.left_out for each in threads), "resets_of_late_comers": sum(each.resets for each in threads), "rescales": turn,
        "jobs": {"submitted": work.submitted, "completed": work.completed}, "clients_behind_median": statistics.median(lags), "slow_looks": slow,
        "memory_mb": {name: [round(rows[len(rows) // 4][0] / 1024, 1), round(rows[-1][0] / 1024, 1)] for name, rows in samples.items()},
        "faults": faults}))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

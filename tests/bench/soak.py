"""soak.py - the whole stack for as long as one likes, and nothing in it may grow: make soak MINUTES=30.

    soak.py FOLDER [MINUTES] [INSTANCES] [CMLS] [CLIENTS]

FOLDER holds the programs. INSTANCES workers in five regions, CMLS of them running with a CML server each; CLIENTS streams
that come, go, stall and resume (crowd.c); a second collector of CML and a second gateway that come and go; jobs all the time,
some of whose runners vanish (soak_load.py). Each process' memory and descriptors, queues, and how far behind streams are, is looked
at every few seconds, and judged at the end (judge.py). Some streams are followed event by event: no id may be missing or
twice, but for what a slow reader is told of. One line of JSON at the end; code 1 when it fails, 2 when something could not be
judged, as on a machine that others have: a run that shows little is no proof.
SPDX-License-Identifier: MIT"""
import collections
import json
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

FOLDER = pathlib.Path(sys.argv[1]).resolve()
MINUTES, INSTANCES, CMLS, CLIENTS = (float(sys.argv[n]) if len(sys.argv) > n else value for n, value in ((2, 30), (3, 1000), (4, 200), (5, 500)))
FOLLOWED = 6
REGIONS = "us-east-1,us-west-2,eu-west-1,eu-central-1,ap-southeast-2"
LOG_MAX = 5000  # events of a gateway, for those who come back
HELD_MAX = 64 << 20  # bytes of a gateway, for those who take nothing
LOOK_SECONDS = 3
QUEUES = {"cmlwatch_webhook_waiting": 30, "cmlwatch_jobs_pending_age_seconds": 30, "cmlwatch_gateway_clients_waiting": 50}
FAULTS = ("cmlwatch_bus_lost_total", "cmlwatch_ingest_rejected_total", "cmlwatch_store_failures_total", "cmlwatch_feed_send_refused_total")

os.environ["CMLWATCH_BUILD"] = str(FOLDER)
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness  # noqa: E402  the folder of the programs is known from here on
import judge  # noqa: E402
import soak_load  # noqa: E402


def look(program):
    process = pathlib.Path(f"/proc/{program.process.pid}")
    memory = int((process / "status").read_text().split("RssAnon:")[1].split()[0])  # the store's file, mapped, is the kernel's to keep
    ran, waited = (int(word) / 1e9 for word in (process / "schedstat").read_text().split()[:2])
    return judge.Look(time.monotonic(), memory, len(list((process / "fd").iterdir())), ran, waited)


def metrics_of(url):
    """Each metric's sum over its labels."""
    from prometheus_client.parser import text_string_to_metric_families
    sums = collections.Counter()
    for family in text_string_to_metric_families(harness.http(url + "/metrics")[2].decode()):
        for sample in family.samples:
            sums[sample.name] += sample.value
    return sums


class Asking(threading.Thread):
    """Asks the gateway that stays, again and again, who listens, how late they are and what is in its queues. It may have to wait for
    an answer, where others have the processor; looks at the programs do not."""

    def __init__(self, gateway, aggregator, crowd, over):
        super().__init__(daemon=True)
        self.gateway, self.aggregator, self.crowd, self.over = gateway, aggregator, crowd, over
        self.sums, self.queues, self.lateness = collections.Counter(), collections.defaultdict(list), []
        self.behind, self.held, self.answers, self.looks, self.before, self.fault = [], [], [], [], look(gateway), None

    def run(self):
        while not self.over.wait(LOOK_SECONDS):
            try:
                sums = self.timed(lambda: metrics_of(self.gateway.url))
                clients = self.timed(lambda: harness.http_json(self.gateway.url + "/api/clients")["clients"])
                if sums and clients is not None:
                    sums.update({name: value for name, value in metrics_of(self.aggregator.url).items() if name in QUEUES})
                    self.take(sums, clients)
            except Exception as error:  # the main thread tells of it
                self.fault = f"asking: {error!r}"

    def timed(self, ask):
        before, answer = look(self.gateway), None
        try:
            answer = ask()
        except OSError:  # a machine that others work on; or a gateway that does not come to it, which its processor time tells
            pass
        now = look(self.gateway)
        self.answers.append(judge.Answer(answer is not None, now.at - before.at, now.processor - before.processor))
        return answer

    def take(self, sums, clients):
        readers = [client for client in clients if client["name"] == "crowd-reads"]
        late = sum(client["lag_ms"] > judge.LATE_MS for client in readers)
        now, before = look(self.gateway), self.before
        ran, waited = ((after - earlier) / (now.at - before.at) for after, earlier in ((now.processor, before.processor), (now.waited, before.waited)))
        self.lateness.append(judge.Lateness(len(readers), late, self.crowd.counts()["longest_turn_ms"], ran, waited))
        self.sums, self.before = sums, now
        self.looks.append(now._replace(descriptors=now.descriptors - sums["cmlwatch_gateway_clients"]))  # each stream has one
        self.behind.append(sum(client["mode"] == "behind" for client in readers))
        self.held.append(sums["cmlwatch_gateway_held_bytes"])
        for name in QUEUES:
            self.queues[name].append(sums[name])

    def faults(self):
        faults = [self.fault] if self.fault else []
        faults += [fault for name, values in self.queues.items() for fault in judge.queue(name, values, QUEUES[name])]
        faults += judge.lateness(self.lateness) + judge.answers(self.answers) + judge.descriptors("gateway", self.looks)
        faults += [f"held for streams: {max(self.held) / 1e6:.1f} MB, at most {HELD_MAX / 1e6:.1f}"] if self.held and max(self.held) > HELD_MAX else []
        return faults

    def notes(self):
        return judge.notes(self.lateness, len(self.answers) // 2)

    def told(self):
        return {"held_mb_most": round(max(self.held, default=0) / 1e6, 1), "readers_behind_median": median(self.behind),
                "readers_late_median": median([row.late for row in self.lateness]), "crowd_turn_ms_most": max((row.turn_ms for row in self.lateness), default=0),
                "answers": sum(answer.came for answer in self.answers), "no_answers": sum(not answer.came for answer in self.answers),
                "longest_answer": {field: round(max((getattr(answer, field) for answer in self.answers), default=0), 2) for field in ("seconds", "processor")}}


class Looks:
    """Memory, descriptors and processor time of each program, over time."""

    def __init__(self, programs, asking):
        self.programs, self.asking, self.rows = programs, asking, collections.defaultdict(list)

    def look(self):
        for program in self.programs:
            assert program.alive(), f"{program.name} has ended:\n{program.log[-2000:]}"
            row = look(program)
            if program is self.asking.gateway:  # what it holds for streams has its own bound
                row = row._replace(memory_kib=row.memory_kib - self.asking.sums["cmlwatch_gateway_held_bytes"] / 1024)
            self.rows[program.name].append(row)

    def faults(self):
        return [fault for name, rows in self.rows.items()
                for fault in judge.memory(name, rows) + (judge.descriptors(name, rows) if name != self.asking.gateway.name else [])]

    def notes(self):
        return [note for name, rows in self.rows.items() for note in judge.starved(name, rows)]

    def told(self):
        return {"memory_mb_by_quarter": {name: [round(statistics.median(row.memory_kib for row in part) / 1024, 1) for part in judge.quarters(rows) if part]
                                         for name, rows in self.rows.items()},
                "processor": {name: [round(judge.share(rows, field), 2) for field in ("processor", "waited")] for name, rows in self.rows.items()}}


def median(values):
    return statistics.median(values) if values else None


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


def gateway_of(folder, bus):
    return harness.Gateway(folder, bus, "--event-log-max", LOG_MAX, "--held-max-bytes", HELD_MAX)


class Rescales:
    """One more collector and gateway; or they go again. What went must have ended well."""

    def __init__(self, folder, bus, collector, gateways, crowd):
        self.folder, self.bus, self.collector, self.gateways, self.crowd = folder, bus, collector, gateways, crowd
        self.more, self.turns, self.every = [], 0, max(20, MINUTES * 60 / 20)

    def go_on(self, passed):
        if passed > (self.turns + 1) * self.every:
            self.turns += 1
            self.end() if self.more else self.begin()

    def begin(self):
        self.more = [self.collector("cml", f"more-{self.turns}"), gateway_of(self.folder, self.bus)]
        self.gateways.append(self.more[1])
        self.crowd.tell("+", self.more[1])

    def end(self):
        for program in self.more:
            if program in self.gateways:
                self.gateways.remove(program)
                self.crowd.tell("-", program)
            assert program.stop() == 0, f"{program.name} ended badly"
        self.more = []


def main():
    over = threading.Event()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        bus, sim, aggregator, collector = start(folder)
        gateways = [gateway_of(folder, bus)]
        programs = [aggregator, gateways[0], collector("ec2", "ec2"), collector("cloudwatch", "cw"), collector("cml", "cml")]
        threads = [soak_load.Followed(lambda: list(gateways), over, LOG_MAX) for _ in range(FOLLOWED)]
        crowd, work = soak_load.Crowd(FOLDER / "crowd", CLIENTS), soak_load.Work(bus, over)
        crowd.tell("+", gateways[0])
        asking, rescales = Asking(gateways[0], aggregator, crowd, over), Rescales(folder, bus, collector, gateways, crowd)
        looks = Looks(programs, asking)
        for thread in (*threads, work, asking):
            thread.start()
        begin = time.monotonic()
        try:
            while (passed := time.monotonic() - begin) < MINUTES * 60:
                time.sleep(LOOK_SECONDS)
                looks.look()
                rescales.go_on(passed)
        finally:
            over.set()
            for thread in (*threads, work, asking):
                thread.join(2 * harness.PATIENCE)
            if sys.exc_info()[0]:
                for program in [*rescales.more, *programs, sim]:
                    program.kill()
        counts = crowd.end()
        sums = metrics_of(aggregator.url)
        notes = looks.notes() + asking.notes()
        faults = looks.faults() + asking.faults() + [f"{metric} is {sums[metric]}" for metric in FAULTS if sums[metric]]
        faults += [fault for each in threads for fault in each.faults] + ([work.fault] if work.fault else [])
        closed = asking.timed(lambda: {reason: harness.metric(gateways[0].url, "cmlwatch_gateway_closed_total", reason=reason) for reason in ("gone", "stalled", "memory")})
        faults += [f"{program.name} ended badly" for program in [*rescales.more, *reversed(programs), sim] if program.stop() != 0]
    print(json.dumps({
        "minutes": MINUTES, "workers": INSTANCES, "clients": CLIENTS, "crowd": counts, "closed": closed,
        "events_followed": sum(each.events for each in threads), "resumes": sum(each.resumes for each in threads),
        "left_out_and_told": sum(each.left_out for each in threads), "resets_of_late_comers": sum(each.resets for each in threads),
        "rescales": rescales.turns, "jobs": {"submitted": work.submitted, "completed": work.completed}, **looks.told(), **asking.told(), "notes": notes, "faults": faults}))
    return 1 if faults else 2 if notes else 0


if __name__ == "__main__":
    sys.exit(main())

"""Monitors: many streams that each want something else of the jobs, and get exactly that.
The aggregator is the test's own (stand_in.py), whose log is what there was to tell. SPDX-License-Identifier: MIT"""
import collections
import json
import random
import socket
import time

import pytest

import harness
import stand_in
from harness import http, http_json, metric

REGIONS = ("us-east-1", "eu-west-1")
TYPES = ("metrics.refresh", "render", "lab.start", "report")
ENDS = ("job.completed", "job.failed", "job.cancelled")
TOPICS = {"jobs": lambda kind: kind.startswith("job."), "jobs:progress": lambda kind: kind == "job.progress",
          "jobs:status": lambda kind: kind.startswith("job.") and kind != "job.progress",
          "alerts": lambda kind: kind.startswith("alert."), "workers": lambda kind: kind.startswith("worker."),
          "system_stats": lambda kind: kind == "system.stats", "heartbeat": lambda kind: False}


class Hub:
    def __init__(self, start, bus, *arguments, workers=8):
        self.workers = [stand_in.make_worker(n, REGIONS[n % 2]) for n in range(workers)]
        self.ids = [worker["worker_id"] for worker in self.workers]
        self.broker = stand_in.StandIn(bus, self.workers)
        try:
            self.gateway = start(harness.Gateway, bus, *arguments)
        except BaseException:
            self.broker.stop()
            raise

    def traffic(self, chance, steps):
        """So many things that happen, of all kinds, as chance has it."""
        for _ in range(steps):
            job = chance.choice(list(self.broker.jobs.values())[-60:]) if self.broker.jobs else None
            what = chance.random()
            if job is None or what < 0.15:
                self.broker.submit(chance.choice(TYPES), chance.choice([*self.ids, None]), chance.randint(-10, 10))
            elif what < 0.2:
                worker = chance.choice(self.ids)
                self.broker.say("worker.license.updated", {"worker_id": worker, "license_status": "expired", "updated_at": stand_in.now()}, worker)
            elif what < 0.23:
                self.broker.raise_alert("cpu", chance.choice([*self.ids, None]))
            elif what < 0.25:
                self.broker.say("system.stats", self.broker.stats())
            elif job["status"] == "pending":
                self.broker.assign(job) if what < 0.9 else self.broker.cancel(job)
            elif job["status"] == "assigned":
                self.broker.begin(job)
            elif job["status"] == "in_progress":
                end = self.broker.complete if what > 0.95 else self.broker.fail if what > 0.93 else \
                    self.broker.give_back if what > 0.91 else None
                end(job) if end else self.broker.progress(job, round(chance.random() * 100, 1), "on its way")


    def settle(self):
        """The gateway has all that was said."""
        last = f"{stand_in.EPOCH}-{self.broker.seq}"
        harness.wait_until(lambda: http_json(f"{self.gateway.url}/api/events?limit=1")["last_event_id"] == last, "the gateway has all")


@pytest.fixture
def hub(start, bus):
    hub = Hub(start, bus)
    yield hub
    hub.broker.stop()


def told(log, after=0, **wanted):
    """The events behind this number that a filter lets through; by the words of the documentation, not by the gateway's code."""
    def passes(frames, body):
        _, kind, region, worker, job_type, priority, *_ = frames[0].decode().split("|")
        one_of = lambda name, value: name not in wanted or value in wanted[name].split(",")
        if "topics" in wanted and not any(TOPICS[topic](kind) for topic in wanted["topics"].split(",")):
            return False
        if not job_type:
            return one_of("regions", region or wanted.get("regions", "").split(",")[0]) and \
                one_of("worker_ids", worker or wanted.get("worker_ids", "").split(",")[0])
        return one_of("regions", region) and one_of("worker_ids", worker) and one_of("job_types", job_type) and \
            int(wanted.get("min_priority", -1000)) <= int(priority) <= int(wanted.get("max_priority", 1000))
    return [body for frames, body in log if body["seq"] > after and passes(frames, body)]


def a_filter(chance, hub):
    some = lambda values: ",".join(chance.sample(values, chance.randint(1, min(3, len(values)))))
    low = chance.randint(-12, 12)
    whole = {"topics": some(list(TOPICS)), "job_types": some(TYPES), "worker_ids": some(hub.ids), "regions": some(REGIONS),
             "min_priority": str(low), "max_priority": str(low + chance.randint(0, 12))}
    return {name: whole[name] for name in chance.sample(list(whole), chance.randint(2, 4))}


def query(wanted, **more):
    return "?" + "&".join(f"{name}={value}" for name, value in {**wanted, **more}.items())


def read_all(stream, hub):
    """The stream's events of the log, up to the last there is; each under its number."""
    last = f"{stand_in.EPOCH}-{hub.broker.seq}"
    stream.wait(lambda event: event.type == "heartbeat" and event.data["last_event_id"] == last, "all that there is")
    bodies = [(event, event.body) for event in stream.events]
    assert all(body["seq"] is None or event.sequence == body["seq"] for event, body in bodies)
    return [body for _, body in bodies if body["seq"] is not None]


def test_fifty_monitors_each_see_exactly_their_events_in_order(hub):
    chance = random.Random(50)
    filters = [{}, *({"topics": topic} for topic in TOPICS), *(a_filter(chance, hub) for _ in range(42))]
    streams = [hub.gateway.stream(query(wanted, state=0, heartbeat=1),
                                  headers={"Accept-Encoding": "identity"}) for wanted in filters]
    for stream in streams:
        stream.wait("connected", "it is open")

    hub.traffic(chance, 1200)

    assert len(streams) == 50 and len({json.dumps(wanted) for wanted in filters}) > 45
    sizes = []
    for wanted, stream in zip(filters, streams):
        got = read_all(stream, hub)
        assert got == told(hub.broker.log, **wanted), wanted
        sizes.append(len(got))
    assert sizes[0] == len(hub.broker.log) == hub.broker.seq and len(set(sizes)) > 20


def test_filter_that_is_changed_while_open_is_followed_from_there_and_brings_the_jobs_it_adds(hub):
    chance = random.Random(7)
    hub.traffic(chance, 300)
    hub.settle()
    before = {"topics": "jobs:status", "job_types": "render", "worker_ids": hub.ids[0]}
    after = {"topics": "jobs", "job_types": "render,report", "min_priority": "-5"}
    stream = hub.gateway.stream(query(before, heartbeat=1))
    client = stream.next().data["client_id"]
    stream.wait("system.state.end", "it is live")
    opened = hub.broker.seq
    hub.traffic(chance, 300)
    had = read_all(stream, hub)
    seen = len(stream.events)
    open_jobs = {job["id"]: {"job_id": job["id"], **job} for job in hub.broker.jobs.values() if job["status"] in stand_in.OPEN}
    added = {identity: job for identity, job in open_jobs.items() if job["job_type"] in ("render", "report") and job["priority"] >= -5
             and not (job["job_type"] == "render" and job["worker_id"] == hub.ids[0])}
    changed = hub.broker.seq

    status, _, body = hub.gateway.ask(f"/api/clients/{client}", "PATCH", {**after, "min_priority": -5, "worker_ids": None})
    hub.traffic(chance, 300)

    assert status == 200 and "min_priority=-5" in json.loads(body)["filter"]
    got = [body for body in read_all(stream, hub) if body["seq"] > changed]
    assert had == told(hub.broker.log[:changed], opened, **before) and len(had) > 3
    assert got == told(hub.broker.log, changed, **after)
    brought = [event.data for event in stream.events[seen:] if event.type == "job.submitted" and event.body["seq"] is None]
    assert len(added) > 3 and {job["id"]: job for job in brought} == added and len(brought) == len(added)


def test_what_was_missed_is_had_again_by_request_or_by_coming_back(hub):
    chance = random.Random(3)
    hub.traffic(chance, 200)
    wanted = {"topics": "jobs:status,alerts", "regions": "us-east-1", "max_priority": "3"}
    hub.settle()
    opened = hub.broker.seq
    stream = hub.gateway.stream(query(wanted, state=0, heartbeat=1))
    stream.wait("connected", "it is open")
    hub.traffic(chance, 200)
    had = read_all(stream, hub)
    last, left = stream.last_id, hub.broker.seq
    stream.close()
    hub.traffic(chance, 400)
    hub.settle()
    missed = told(hub.broker.log, left, **wanted)

    again = hub.gateway.stream(query(wanted, heartbeat=1), {"Last-Event-ID": last})
    by_request, after = [], last
    while True:
        page = http_json(f"{hub.gateway.url}/api/events{query(wanted, after=after, limit=17)}")
        by_request, after = by_request + page["events"], page["next"]
        if not page["more"]:
            break

    assert last == f"{stand_in.EPOCH}-{left}" and had == told(hub.broker.log[:left], opened, **wanted)
    assert by_request == missed == read_all(again, hub) and len(missed) > 30
    assert http(f"{hub.gateway.url}/api/events?after={stand_in.EPOCH}-99999")[0] == 410


@pytest.mark.parametrize("name,value", [("topics", "jobs:all"), ("topics", ""), ("min_priority", "x"), ("max_priority", "1.5"),
                                        ("job_types", ""), ("worker_ids", "i-1")])
def test_filter_that_is_wrong_is_refused_by_name(hub, name, value):
    status, _, body = http(f"{hub.gateway.url}/api/events/stream?{name}={value}")

    assert status == 400 and name in json.loads(body)["detail"]


class Stalled(harness.Stream):
    """Its window is small, so that little waits in the kernel on its behalf."""

    def __init__(self, port, query):
        create = socket.create_connection

        def small(address, **more):
            made = socket.socket()
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            made.settimeout(more["timeout"])
            made.connect(address)
            return made
        socket.create_connection = small
        try:
            super().__init__(port, query)
        finally:
            socket.create_connection = create


@pytest.mark.parametrize("topics", ["jobs", "jobs:progress"])
def test_reader_that_stalls_gets_the_newest_progress_of_each_job_and_never_misses_an_end(start, bus, topics):
    hub = Hub(start, bus, "--queue-max-bytes", 65536, "--slow-after-ms", 0, "--send-buffer-bytes", 4096)
    try:
        slow = Stalled(hub.gateway.port, f"?topics={topics}&state=0&heartbeat=1")
        slow.wait("connected", "it is open")
        jobs = [hub.broker.submit("render", hub.ids[n % 8]) for n in range(20)]
        for job in jobs:
            hub.broker.assign(job)
            hub.broker.begin(job)
        for step in range(200):
            for job in jobs[:15 if step > 100 else 20]:
                hub.broker.progress(job, step / 2, f"step {step} " + "x" * 400)
            if step == 100:
                for job in jobs[15:]:
                    hub.broker.complete(job)
        for job in jobs[:10]:
            (hub.broker.fail if jobs.index(job) % 2 else hub.broker.complete)(job)

        got = read_all(slow, hub)

        everything = told(hub.broker.log, topics=topics)
        numbers = [body["seq"] for body in got]
        assert numbers == sorted(set(numbers)) and {body["seq"]: body for body in everything}.items() >= {body["seq"]: body for body in got}.items()
        of = lambda events, kind: [body for body in events if (body["type"] == "job.progress") == (kind == "progress")]
        assert of(got, "status") == of(everything, "status")
        assert len(of(got, "progress")) < len(of(everything, "progress")) / 2
        for job in jobs:
            mine = lambda events: [body for body in events if body["data"]["job_id"] == job["id"]]
            assert of(mine(got), "progress")[-1] == of(mine(everything), "progress")[-1]
            ends = [body["type"] for body in mine(got) if body["type"] in ENDS]
            assert not ends or mine(got)[-1]["type"] == ends[0] and len(ends) == 1
        conflated = slow.events[-1].data["conflated"]
        assert conflated == len(everything) - len(got) == metric(hub.gateway.url, "cmlwatch_gateway_conflated_total")
    finally:
        hub.broker.stop()


def test_rhythm_tells_the_newest_progress_of_each_job_and_none_behind_its_end(hub):
    stream = hub.gateway.stream("?topics=jobs&state=0&heartbeat=1&max_hz=5")
    stream.wait("connected", "it is open")
    jobs = [hub.broker.submit("render", hub.ids[n % 8]) for n in range(6)]
    for job in jobs:
        hub.broker.assign(job)
        hub.broker.begin(job)
    for step in range(60):
        for job in jobs:
            hub.broker.progress(job, step, "on its way")
        time.sleep(0.01)  # the traffic's pace, not a wait
    for job in jobs[:3]:
        hub.broker.complete(job)
    last = f"{stand_in.EPOCH}-{hub.broker.seq}"
    stream.wait(lambda event: event.type == "heartbeat" and event.data["last_event_id"] == last, "all that there is")

    by_job = collections.defaultdict(list)
    for event in stream.events:
        if event.type.startswith("job."):
            by_job[event.data["job_id"]].append(event.body)
    for job in jobs:
        mine = by_job[job["id"]]
        progress = [body for body in mine if body["type"] == "job.progress"]
        assert 1 <= len(progress) < 60
        assert [body["seq"] for body in progress] == sorted(body["seq"] for body in progress)
        if job["status"] == "completed":
            assert mine[-1]["type"] == "job.completed"
        else:
            assert progress[-1]["data"]["progress"] == 59

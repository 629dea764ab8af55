"""Built-in jobs: their steps, gates and owners, with collectors of the test's own that speak the lease
and the runner operations, and report as collectors do, on the ingest bus.
SPDX-License-Identifier: MIT"""
import pytest

import harness
import outside
from harness import metric, wait_until
from runner import Collector, Control, Told

INSTANCE = "i-0job"
SUBJECT = f"r/{INSTANCE}"
REFRESH = {"ec2": "metrics.refresh:ec2", "cloudwatch": "metrics.refresh:cloudwatch", "cml": "metrics.refresh:cml"}
MORE = {"ec2": ("worker.pause", "worker.resume", "monitoring.enable"), "cloudwatch": (), "cml": ("labs.refresh",)}


class World:
    """An aggregator, one collector of each kind, and a worker."""

    def __init__(self, start, bus, folder, *arguments):
        self.bus = bus
        self.aggregator = start(harness.Aggregator, bus, "--store", folder / "store", "--refresh-min-seconds", 0, "--renew-ms", 10000, *arguments)
        self.control, self.told = Control(bus), Told(bus)
        self.collectors = {kind: Collector(bus, kind, REFRESH[kind], *MORE[kind]) for kind in REFRESH}
        self.mouths = {kind: outside.Publisher(bus.ingest, collector.id).joined() for kind, collector in self.collectors.items()}
        for collector in self.collectors.values():
            collector.lease()

    def known(self):
        return self.told.until(lambda: any(e["type"] == "worker.created" for e in self.told.events), "the worker")

    def instance(self, state="running", **more):
        return self.mouths["ec2"].instance("r", INSTANCE, state=state, **{"public_ip": "10.0.0.1", "interval_seconds": 60, **more})

    def is_(self, state):
        """Says so until it is believed: PUB drops what nobody hears yet."""
        def told():
            self.instance(state)
            return self.control.ask("jobs", worker=INSTANCE)[0]["status"] == 200 and any(
                e["type"] == "worker.snapshot" and e["data"]["status"] == state for e in self.told.events)
        self.told.until(told, f"it is {state}")

    def cml(self, available):
        def told():
            self.mouths["cml"].publish("system.observed", SUBJECT, {"reachable": available, "ready": available, "interval_seconds": 60})
            return any(e["type"] == "worker.snapshot" and e["data"]["service_status"] == "available" for e in self.told.events) or not available
        self.told.until(told, "its CML answers")

    def given(self, kind):
        """What the collector of the kind is given; all keep their leases meanwhile."""
        def assigned():
            for collector in self.collectors.values():
                collector.lease()
            return self.collectors[kind].poll(20)["assigned"]
        return wait_until(assigned, f"work for {kind}")[0]

    def says(self, kind, job, event, **data):
        self.mouths[kind].publish(f"job.{event}", SUBJECT, {"job_id": job["job_id"], "attempt": job["attempt"],
                                                           **({"step": job["step"]} if job["step"] else {}), **data})
        if event != "progress":
            self.collectors[kind].running.pop(job["job_id"])

    def close(self):
        for one in (self.control, self.told, *self.collectors.values()):
            one.close()


@pytest.fixture
def world(start, bus, tmp_path):
    world = World(start, bus, tmp_path)
    world.is_("running")
    yield world
    world.close()


def test_refresh_goes_through_its_steps_in_their_order(world):
    world.cml(True)
    job = world.control.submit("metrics.refresh", worker=INSTANCE)

    ec2 = world.given("ec2")
    world.says("ec2", ec2, "progress", progress=50)
    world.says("ec2", ec2, "completed", result={"calls": 2})
    cloudwatch = world.given("cloudwatch")
    world.says("cloudwatch", cloudwatch, "completed")
    cml = world.given("cml")
    world.mouths["cml"].publish("system.observed", SUBJECT, {"reachable": True, "ready": True, "version": "2.9.1", "interval_seconds": 60})
    world.says("cml", cml, "completed")

    world.told.until(lambda: world.told.records[job["id"]]["status"] == "completed", "it is over")
    assert (ec2["step"], cloudwatch["step"], cml["step"]) == ("ec2", "cloudwatch", "cml")
    assert {key: ec2[key] for key in ("region", "instance_id", "worker_id")} == {
        "region": "r", "instance_id": INSTANCE, "worker_id": job["worker_id"]}
    events = world.told.of(job["id"])
    assert [e["data"]["progress"] for e in events if e["type"] == "job.progress"] == [25]
    assert [(e["data"]["reason"], e["data"]["progress"]) for e in events
            if e["type"] == "job.status.updated" and e["data"]["new_status"] == "pending"] == [("next_step", 50), ("next_step", 75)]
    assert events[-1]["data"]["progress"] == 100 and events[-1]["data"]["result"] == {"ec2": {"calls": 2}}
    snapshots = [n for n, e in enumerate(world.told.events) if e["type"] == "worker.snapshot" and e["data"].get("_reason") == "refresh"]
    assert len(snapshots) == 1 and snapshots[0] < world.told.events.index(events[-1])
    assert world.told.events[snapshots[0]]["data"]["cml_version"] == "2.9.1", "what it brought is in the snapshot"
    assert world.told.records[job["id"]] == world.control.job(job["id"])


def test_shut_gate_skips_its_step(world):
    job = world.control.submit("metrics.refresh", worker=INSTANCE)

    world.says("ec2", world.given("ec2"), "completed")
    world.says("cloudwatch", world.given("cloudwatch"), "completed")

    events = world.told.life(job["id"], "job.submitted", "job.assigned", "job.status.updated", "job.status.updated",
                             "job.assigned", "job.status.updated", "job.completed")
    assert events[-1]["data"]["result"] == {"skipped": ["cml"]}, "its CML is not available"


def test_gate_that_shuts_while_the_job_waits_skips_too(world):
    world.cml(True)
    job = world.control.submit("metrics.refresh", worker=INSTANCE)
    world.says("ec2", world.given("ec2"), "completed")
    world.told.until(lambda: world.told.records[job["id"]]["step"] == "cloudwatch", "it waits for CloudWatch")

    world.instance("stopping")

    world.told.until(lambda: world.told.records[job["id"]]["status"] == "completed", "there is nothing left to do")
    assert world.control.job(job["id"])["result"] == {"skipped": ["cloudwatch", "cml"]}


def asked_until(world, job, status):
    """All collectors ask on, as who lives does."""
    def over():
        for collector in world.collectors.values():
            collector.lease()
            collector.poll(20)
        return world.told.records[job["id"]]["status"] == status
    world.told.until(over, f"it is {status}")


def test_gate_that_shut_while_somebody_had_the_job_ends_it_when_it_is_given_back(world):
    job = world.control.submit("labs.refresh", worker=INSTANCE)
    taken = world.given("cml")
    world.is_("stopped")

    world.says("cml", taken, "failed", error_code="not_owned", error_message="the worker is read by another collector")

    asked_until(world, job, "failed")
    assert world.control.job(job["id"])["error_code"] == "not_running"


def test_step_that_is_given_back_after_its_gate_has_shut_is_skipped(world):
    world.cml(True)
    job = world.control.submit("metrics.refresh", worker=INSTANCE)
    world.says("ec2", world.given("ec2"), "completed")
    taken = world.given("cloudwatch")
    world.is_("stopped")

    world.says("cloudwatch", taken, "failed", error_code="not_owned", error_message="the region is read by another collector")

    asked_until(world, job, "completed")
    assert world.control.job(job["id"])["result"] == {"skipped": ["cloudwatch", "cml"]}


def test_command_for_a_worker_that_does_not_run_is_refused(world):
    world.is_("stopped")

    for job_type in ("metrics.refresh", "labs.refresh"):
        answer = world.control.submit(job_type, status=409, worker=INSTANCE)
        assert "not running" in answer["detail"] and "job_id" not in answer
    resume = world.control.submit("worker.resume", worker=INSTANCE)

    assert resume["priority"] == 8 and resume["timeout_seconds"] == 900
    assert metric(world.aggregator.url, "cmlwatch_jobs_refused_total", reason="not_running") == 2


def test_such_a_job_is_on_its_way_once(world):
    job = world.control.submit("metrics.refresh", worker=INSTANCE)

    answer = world.control.submit("metrics.refresh", status=409, worker=job["worker_id"])

    assert answer["job_id"] == job["id"]


def test_refresh_is_not_asked_for_again_at_once(start, bus, tmp_path):
    world = World(start, bus, tmp_path, "--refresh-min-seconds", 600)
    world.is_("running")
    job = world.control.submit("labs.refresh", worker=INSTANCE)
    world.control.cancel(job["id"])

    answer = world.control.submit("labs.refresh", status=429, worker=INSTANCE)

    assert 590 <= answer["retry_after_seconds"] <= 600
    world.control.submit("metrics.refresh", worker=INSTANCE)
    world.close()


def test_work_is_the_owners_and_follows_the_lease(world):
    second = Collector(world.bus, "ec2", *MORE["ec2"], name="second")
    second.lease()
    first, job = world.collectors["ec2"], world.control.submit("monitoring.enable", worker=INSTANCE)
    owner, other = (second, first) if "r" in second.lease()["regions"] else (first, second)

    assert other.poll(50)["assigned"] == []
    owner.lease(leaving=True)
    owner.poll(leaving=True)
    other.lease()
    given = wait_until(lambda: other.poll(50)["assigned"], "the other has it")[0]

    assert given["job_id"] == job["id"]
    other.report(given, "completed")
    assert world.control.job(job["id"])["status"] == "completed"
    second.close()


def test_paused_and_resumed_by_us_is_told_so(world):
    pause = world.control.submit("worker.pause", worker=INSTANCE, by="ada")
    world.says("ec2", world.given("ec2"), "completed")
    world.told.life(pause["id"], "job.submitted", "job.assigned", "job.status.updated", "job.completed")
    world.is_("stopped")
    world.control.submit("worker.resume", worker=INSTANCE, by="bob")
    world.says("ec2", world.given("ec2"), "completed")
    world.told.until(lambda: any(e["type"] == "worker.resumed" for e in world.told.events), "it is resumed")

    paused, = (e["data"] for e in world.told.events if e["type"] == "worker.paused")
    resumed, = (e["data"] for e in world.told.events if e["type"] == "worker.resumed")
    assert (paused["pause_reason"], paused["paused_by"], resumed["resume_reason"], resumed["resumed_by"]) == ("manual", "ada", "manual", "bob")


def test_jobs_of_a_terminated_worker_fail(world):
    job = world.control.submit("monitoring.enable", worker=INSTANCE)

    world.mouths["ec2"].publish("instance.gone", SUBJECT, {"instance_id": INSTANCE, "region": "r", "reason": "terminated"})

    events = world.told.life(job["id"], "job.submitted", "job.failed")
    assert events[-1]["data"]["error_code"] == "worker_gone"
    assert world.control.submit("monitoring.enable", status=409, worker=INSTANCE)


def test_report_without_what_names_its_job_is_refused(world):
    world.mouths["ec2"].publish("job.completed", SUBJECT, {"attempt": 1})

    wait_until(lambda: metric(world.aggregator.url, "cmlwatch_ingest_rejected_total", reason="malformed") == 1, "it is counted")

"""Jobs that the collectors run, through the real programs against the simulator.
SPDX-License-Identifier: MIT"""
import pytest

import harness
from harness import metric, wait_until
from runner import Control, Told

PRICES = ",".join(f"{kind}={price}" for kind, price in (("m5zn.metal", 3.9641), ("c5.metal", 4.08), ("m5.metal", 4.608), ("m7i.metal-24xl", 4.8384)))
PRICE = dict(entry.split("=") for entry in PRICES.split(","))


class Fleet:
    """Simulator, aggregator and collectors, a client of control and one of the feed."""

    def __init__(self, start, bus, folder, *aggregator, instances=2, sim=(), kinds=("ec2", "cloudwatch", "cml"), renew_ms=4000):
        self.start, self.bus, self.folder = start, bus, folder
        self.sim = start(harness.Simulator, *sim, instances=instances)
        self.store = folder / "store"
        self.arguments = ("--store", self.store, "--renew-ms", renew_ms, *aggregator)  # a collector asks more often
        self.aggregator = start(harness.Aggregator, bus, *self.arguments)
        self.told, self.control = Told(bus), Control(bus)
        self.pins = folder / "pins"
        self.pins.write_text(self.sim.control("pins"))
        self.collectors = {kind: self.collector(kind) for kind in kinds}

    def collector(self, kind, name="a"):
        own = {
            "ec2": ("--interval-ms", 60000, "--job-look-ms", 100),
            "cloudwatch": ("--interval-ms", 60000),
            "cml": ("--interval-ms", 1000, "--activity-interval-ms", 500, "--push", "off", "--port", self.sim.cml_port, "--verify", "fingerprint",
                    "--fingerprints", self.pins, "--username", "cmlwatch"),
        }[kind]
        environment = {**self.sim.environment(), **({"CMLWATCH_COLLECTOR_CML_PASSWORD": "cmlwatch-demo"} if kind == "cml" else {})}
        return self.start(harness.Collector, kind, self.bus, "--renew-ms", 300, *own, environment=environment, collector_id=name)

    def snapshots(self):
        """By instance id, the last that was told."""
        return {e["data"]["aws_instance_id"]: e["data"] for e in self.told.events if e["type"] == "worker.snapshot"}

    def ready(self, **wanted):
        """An instance whose snapshot has these."""
        def found():
            return next((i for i, s in self.snapshots().items() if all(s[k] == v for k, v in wanted.items())), None)
        return self.told.until(found, f"a worker with {wanted}")

    def runners(self, *kinds):
        return self.told.until(lambda: {r["runner_id"].split("/")[2] for r in self.control.state()["stats"]["runners"]} >= set(kinds), "runners")

    def of(self, kind, worker_id, since=0):
        return [e["data"] for e in self.told.events[since:] if e["type"] == kind and e["data"].get("worker_id") == worker_id]

    def end(self, job):
        return self.told.until(lambda: next((e for e in self.told.of(job["id"]) if e["type"] in ("job.completed", "job.failed", "job.cancelled")), None), "the job ends")

    def is_now(self, instance, state):
        """The passage that takes so long here is over."""
        self.sim.control(f"instances/{instance}", {"state": state})

    def state(self, instance):
        return next(i["state"] for i in self.sim.instances() if i["instance_id"] == instance)

    def close(self):
        self.told.close()
        self.control.close()


@pytest.fixture
def fleet(start, bus, tmp_path):
    made = []

    def make(*arguments, **more):
        made.append(Fleet(start, bus, tmp_path, *arguments, **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


def test_refresh_goes_from_source_to_source_and_ends_with_a_snapshot(fleet):
    own = fleet()
    instance = own.ready(status="running", service_status="available")
    own.runners("ec2", "cloudwatch", "cml")
    since = len(own.told.events)

    job = own.control.submit("metrics.refresh", worker=instance)
    end = own.end(job)

    events = own.told.events[since:]
    assert end["type"] == "job.completed", end
    assert [e["data"]["step"] for e in own.told.of(job["id"]) if e["type"] == "job.assigned"] == ["ec2", "cloudwatch", "cml"]
    assert [e["data"]["runner_id"].split("/")[2] for e in own.told.of(job["id"]) if e["type"] == "job.assigned"] == ["ec2", "cloudwatch", "cml"]
    progress = [e["data"]["progress"] for e in own.told.of(job["id"]) if e["data"].get("progress") is not None]
    assert progress == sorted(progress) and progress[-1] == 100 and {50, 75} <= set(progress)
    at = next(i for i, e in enumerate(events) if e["type"] == "job.completed")
    refreshed = [i for i, e in enumerate(events) if e["type"] == "worker.snapshot" and e["data"]["_reason"] == "refresh"]
    assert len(refreshed) == 1 and refreshed[0] < at and events[refreshed[0]]["data"]["aws_instance_id"] == instance
    snapshot = events[refreshed[0]]["data"]
    assert all(snapshot[f"{source}_freshness"] == "fresh" for source in ("ec2", "cloudwatch", "cml"))


def test_refresh_skips_a_cml_that_does_not_answer(fleet):
    own = fleet(kinds=("ec2", "cloudwatch"))
    instance = own.ready(status="running")
    own.runners("ec2", "cloudwatch")

    job = own.control.submit("metrics.refresh", worker=instance)
    end = own.end(job)

    assert end["type"] == "job.completed" and end["data"]["progress"] == 100
    assert end["data"]["result"]["skipped"] == ["cml"]


def test_refresh_of_a_stopped_worker_is_refused(fleet):
    own = fleet(kinds=("ec2",))
    instance = own.ready(status="running")
    own.runners("ec2")
    own.sim.control(f"instances/{instance}", {"state": "stopped"})
    own.end(own.control.submit("worker.pause", worker=instance))
    own.ready(aws_instance_id=instance, status="stopped")

    answer = own.control.submit("metrics.refresh", 409, worker=instance)

    assert "job_id" not in answer or answer["job_id"] is None


def test_labs_are_refreshed_on_request(fleet):
    own = fleet()
    instance = own.ready(status="running", service_status="available")
    own.runners("cml")
    own.sim.control("labs", {"instance": instance, "lab": "exam 7", "state": "STARTED"})

    end = own.end(own.control.submit("labs.refresh", worker=instance))

    assert end["type"] == "job.completed"
    labs = [lab["title"] for e in own.told.events if e["type"] == "worker.labs.updated" for lab in e["data"]["labs"]]
    assert "exam 7" in labs


def test_pause_and_resume_are_told_with_who_asked_and_not_as_external(fleet):
    own = fleet(kinds=("ec2",), sim=("--transition-ms", 600000))
    instance = own.ready(status="running")
    own.runners("ec2")

    pause = own.control.submit("worker.pause", worker=instance, by="ann")
    own.ready(aws_instance_id=instance, status="stopping")
    own.is_now(instance, "stopped")
    paused_end = own.end(pause)
    assert paused_end["type"] == "job.completed" and paused_end["data"]["result"]["state"] == "stopped"
    assert own.state(instance) == "stopped"
    worker = pause["worker_id"]
    told = own.of("worker.paused", worker)
    assert [(t["pause_reason"], t["paused_by"], t["auto_pause_count"], t["manual_pause_count"]) for t in told] == [("manual", "ann", 0, 1)]
    types = [e["type"] for e in own.told.events if e["data"].get("worker_id") == worker]
    assert types.index("worker.paused") < types.index("job.completed"), "the listing came before the job's end"
    assert [(s["old_status"], s["new_status"]) for s in own.of("worker.status.updated", worker)] == [("running", "stopping"), ("stopping", "stopped")]

    resume = own.control.submit("worker.resume", worker=instance, by="bob")
    own.ready(aws_instance_id=instance, status="pending")
    own.is_now(instance, "running")
    assert own.end(resume)["type"] == "job.completed"
    own.ready(aws_instance_id=instance, status="running")
    resumed = own.of("worker.resumed", worker)
    assert [(r["resume_reason"], r["resumed_by"], r["manual_resume_count"]) for r in resumed] == [("manual", "bob", 1)]


def test_a_stop_by_others_is_still_external(fleet):
    own = fleet(kinds=("ec2",))
    instance = own.ready(status="running")
    own.runners("ec2")
    own.sim.control(f"instances/{instance}", {"state": "stopped"})

    job = own.control.submit("metrics.refresh", worker=instance)
    assert own.end(job)["type"] == "job.completed"

    assert own.of("worker.paused", job["worker_id"])[0]["pause_reason"] == "external"


def test_detailed_monitoring_is_switched_on(fleet):
    own = fleet(kinds=("ec2",), instances=6)
    instance = own.ready(status="running", cloudwatch_detailed_monitoring_enabled=False)
    own.runners("ec2")

    end = own.end(own.control.submit("monitoring.enable", worker=instance))

    assert end["type"] == "job.completed" and end["data"]["result"] == {"monitoring": "enabled", "changed": True}
    own.ready(aws_instance_id=instance, cloudwatch_detailed_monitoring_enabled=True)


def test_what_iam_forbids_fails_as_forbidden_and_leaves_the_worker_alone(fleet):
    own = fleet(kinds=("ec2",))
    instance = own.ready(status="running")
    own.runners("ec2")
    own.sim.fault(api="StopInstances", kind="deny")

    job = own.control.submit("worker.pause", worker=instance)
    end = own.end(job)

    assert end["type"] == "job.failed" and end["data"]["error_code"] == "forbidden" and "ec2:StopInstances" in end["data"]["error"]
    assert own.of("worker.paused", job["worker_id"]) == []
    own.sim.control("reset", {})
    own.sim.control(f"instances/{instance}", {"state": "stopped"})
    own.end(own.control.submit("metrics.refresh", worker=instance))
    assert own.of("worker.paused", job["worker_id"])[0]["pause_reason"] == "external", "the job that failed lends it nothing"


def test_throttling_costs_time_and_not_the_job(fleet):
    own = fleet(kinds=("ec2",))
    instance = own.ready(status="running")
    own.runners("ec2")
    own.sim.fault(api="StopInstances", kind="throttle", count=2)

    job = own.control.submit("worker.pause", worker=instance)

    assert own.end(job)["type"] == "job.completed" and own.control.job(job["id"])["attempts"] == 1


def test_a_collector_killed_in_the_middle_of_a_job_has_it_finished_by_another(fleet):
    own = fleet("--refresh-min-seconds", 0, kinds=("ec2",), sim=("--transition-ms", 600000), renew_ms=1500)
    instance = own.ready(status="running")
    own.runners("ec2")

    job = own.control.submit("worker.pause", worker=instance, by="ann")
    own.told.until(lambda: own.of("worker.paused", job["worker_id"]), "the stop is seen")
    own.collectors["ec2"].kill()
    own.collector("ec2", name="b")
    own.told.until(lambda: own.control.job(job["id"])["runner_id"] == "/collector/ec2/b", "the other has it")
    own.is_now(instance, "stopped")
    end = own.end(job)

    assert end["type"] == "job.completed" and end["data"]["runner_id"] == "/collector/ec2/b"
    assert own.control.job(job["id"])["attempts"] == 2
    assert [t["pause_reason"] for t in own.of("worker.paused", job["worker_id"])] == ["manual"]


def test_a_collector_that_ends_hands_its_job_over_at_once(fleet):
    own = fleet(kinds=("ec2",), sim=("--transition-ms", 600000))
    instance = own.ready(status="running")
    own.runners("ec2")
    job = own.control.submit("worker.pause", worker=instance, by="ann")
    own.told.until(lambda: own.of("worker.paused", job["worker_id"]), "the stop is seen")

    own.collector("ec2", name="b")
    assert own.collectors["ec2"].stop() == 0
    own.told.until(lambda: own.control.job(job["id"])["runner_id"] == "/collector/ec2/b", "the other has it")
    own.is_now(instance, "stopped")
    end = own.end(job)

    assert end["type"] == "job.completed" and end["data"]["runner_id"] == "/collector/ec2/b"
    assert own.control.job(job["id"])["attempts"] == 1, "what is handed over is no attempt"


def test_an_aggregator_killed_in_the_middle_still_knows_whose_stop_it_is(fleet):
    own = fleet(kinds=("ec2",), sim=("--transition-ms", 5000))
    instance = own.ready(status="running")
    own.runners("ec2")
    own.sim.fault(api="StopInstances", kind="slow", delay_ms=5000)  # the aggregator is killed, and there again, before it is answered
    job = own.control.submit("worker.pause", worker=instance, by="ann")
    own.told.until(lambda: own.control.job(job["id"])["status"] == "in_progress", "it is under way")

    own.aggregator.kill()
    own.aggregator = own.start(harness.Aggregator, own.bus, *own.arguments)
    paused = lambda: [e["data"] for e in own.control.ask("events", after=0, limit=1000)[1] if e["type"] == "worker.paused"]  # of the log: also what was said before we heard

    assert wait_until(paused, "the stop is seen")[0]["paused_by"] == "ann"
    wait_until(lambda: own.control.job(job["id"])["status"] == "completed", "the job ends")
    assert own.control.job(job["id"])["attempts"] == 1


IDLE = ("--idle-timeout-minutes", 1, "--snooze-minutes", 0, "--idle-ignores-running-labs", "yes", "--instance-prices", PRICES)


def price_of(own, instance):
    return float(PRICE[own.snapshots()[instance]["instance_type"]])


def test_auto_pause_stops_an_idle_worker_and_counts_what_it_saves(fleet):
    own = fleet("--auto-pause", "on", *IDLE, instances=1, sim=("--speed", 1))
    instance = own.ready(status="running")
    assert own.snapshots()[instance]["hourly_cost"] == round(price_of(own, instance), 3)
    paused = own.told.until(lambda: [e["data"] for e in own.told.events if e["type"] == "worker.paused"], "it is paused")[0]

    own.ready(aws_instance_id=instance, status="stopped")

    assert (paused["pause_reason"], paused["paused_by"], paused["auto_pause_count"], paused["manual_pause_count"]) == ("idle_timeout", "system", 1, 0)
    job = next(e["data"] for e in own.told.events if e["type"] == "job.submitted")
    assert job["job_type"] == "worker.pause" and job["submitted_by"] == "system" and job["payload"] == {"reason": "idle_timeout"}
    assert own.snapshots()[instance]["hourly_cost"] == 0 and own.state(instance) == "stopped"
    assert metric(own.aggregator.url, "cmlwatch_cost_usd_per_hour") == 0
    saved = lambda: metric(own.aggregator.url, "cmlwatch_auto_pause_saved_usd_total")
    before = wait_until(saved, "it saves")
    wait_until(lambda: saved() > before, "and goes on to")
    assert metric(own.aggregator.url, "cmlwatch_auto_pause_would_save_usd_total") == 0


def test_a_dry_run_says_once_what_it_would_do_and_does_nothing(fleet):
    own = fleet("--auto-pause", "dry-run", *IDLE, instances=1)
    said = own.told.until(lambda: [e["data"] for e in own.told.events if e["type"] == "job.completed"], "it says what it would do")[0]
    instance = own.ready(status="running")

    assert said["result"]["would"] == "stop" and said["result"]["hourly_cost"] == round(price_of(own, instance), 3)
    assert said["old_status"] == "pending"
    assert own.control.job(said["job_id"])["payload"] == {"reason": "idle_timeout", "dry_run": True}
    assert own.snapshots()[instance]["target_pause_at"] is None
    assert metric(own.aggregator.url, "cmlwatch_idle_cost_usd_per_hour") == pytest.approx(price_of(own, instance))
    would_save = lambda: metric(own.aggregator.url, "cmlwatch_auto_pause_would_save_usd_total")
    before = wait_until(would_save, "it would save")
    wait_until(lambda: would_save() > before, "and go on to")

    own.told.close()
    assert own.aggregator.stop() == 0
    own.aggregator = own.start(harness.Aggregator, own.bus, *own.arguments)
    looks = own.sim.control("calls")["cml"]
    wait_until(lambda: sum(n for path, n in own.sim.control("calls")["cml"].items() if "telemetry" in path)
               >= sum(n for path, n in looks.items() if "telemetry" in path) + 3, "it is looked at again")
    own.told, own.control = Told(own.bus), Control(own.bus)
    assert len(own.control.jobs()) == 1, "a restart says nothing twice"
    assert own.state(instance) == "running" and "StopInstances" not in own.sim.control("calls")["aws"]


def test_an_auto_pause_that_is_forbidden_is_not_tried_at_each_look(fleet):
    own = fleet("--auto-pause", "yes", *IDLE, instances=1, kinds=())
    own.sim.fault(api="StopInstances", kind="deny")
    own.collectors = {kind: own.collector(kind) for kind in ("ec2", "cml")}
    failed = own.told.until(lambda: [e for e in own.told.events if e["type"] == "job.failed"], "it fails")[0]
    looks = lambda: sum(n for path, n in own.sim.control("calls")["cml"].items() if "telemetry" in path)
    then = looks()

    wait_until(lambda: looks() >= then + 4, "it is looked at again and again")

    assert failed["data"]["error_code"] == "forbidden" and len(own.control.jobs()) == 1

"""A worker's life, event by event, through the real programs; what REST says of it; the switch.
SPDX-License-Identifier: MIT"""
import datetime
import json
import uuid

import pytest

import harness
import outside
from harness import http, http_json, metric, wait_until
from test_schema import validator

REGION, INSTANCE = "us-east-1", "i-0life"
#  What is told of it and by whom is written to build/<compiler>/life.log.
SUBJECT = f"{REGION}/{INSTANCE}"


def ago(minutes):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=minutes)
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Life:
    """One worker, told by three collectors of our own; every event of the stream is accounted for."""

    def __init__(self, start, bus, *arguments):
        self.aggregator = start(harness.Aggregator, bus, *arguments)
        self.gateway = start(harness.Gateway, bus)
        self.ec2 = outside.Publisher(bus.ingest, "/collector/ec2/life")
        self.cloudwatch = outside.Publisher(bus.ingest, "/collector/cloudwatch/life")
        self.cml = outside.Publisher(bus.ingest, "/collector/cml/life")
        #  PUB drops until the other side has joined: each is heard once about a worker that is not ours.
        self.ec2.until_heard(self.gateway, REGION, "i-0other")
        for publisher in (self.cloudwatch, self.cml):
            self.until_counted(publisher)
        self.stream = self.gateway.stream("?event_types=worker.*,job.*")
        self.stream.state()
        self.told = []

    def until_counted(self, publisher):
        def beats():
            return metric(self.aggregator.url, "cmlwatch_ingest_messages_total", type="collector.heartbeat")

        def counted(before=beats()):
            publisher.publish("collector.heartbeat", "", {"last_sequence": publisher.sequence})
            return beats() > before
        wait_until(counted, f"{publisher.source} is heard")

    def instance(self, state, **data):
        self.ec2.instance(REGION, INSTANCE, state=state, interval_seconds=3600, private_ip="10.0.0.9", **data)

    def runs(self):
        """It is known; what another collector says before that is refused, and their sockets keep no order among each other."""
        self.instance("running")
        return self.events("worker.snapshot created")

    def load(self, **data):
        self.cloudwatch.publish("utilization.observed", SUBJECT, {"interval_seconds": 3600, **data})

    def system(self, **data):
        self.cml.publish("system.observed", SUBJECT,
                         {"endpoint": "https://10.0.0.9", "reachable": True, "interval_seconds": 3600, **data})

    def events(self, last):
        """The types told until `last` came, with what tells them apart."""
        seen = []
        while True:
            event = self.stream.next()
            if event.type == "heartbeat" or event.data.get("worker_id") == self.other():
                continue
            self.told.append(event)
            seen.append(label(event))
            if seen[-1] == last:
                return seen

    def other(self):
        return self.gateway.worker("i-0other")["worker_id"]


def label(event):
    data = event.data
    more = {"worker.snapshot": lambda: data["_reason"], "worker.status.updated": lambda: data["new_status"],
            "worker.service_status.updated": lambda: data["new_service_status"],
            "worker.freshness.changed": lambda: f"{data['metric_source']} {data['new']}",
            "worker.metrics.updated": lambda: event.body["source"].rsplit(".", 1)[1]}.get(event.type, lambda: "")()
    return f"{event.type} {more}".strip()


@pytest.fixture
def life(start, bus):
    return Life(start, bus)


LAB = {"lab_id": "l1", "title": "ospf", "state": "STARTED", "owner": "ada", "node_count": 4, "link_count": 3,
       "created": "2026-11-01T10:00:00.000Z", "modified": "2026-11-02T10:00:00.000Z"}


def test_life_of_a_worker_is_told_event_by_event(life, tmp_path):
    life.instance("pending")
    assert life.events("worker.snapshot created") == ["worker.created", "worker.snapshot created"]

    life.instance("running", system_status="ok", instance_status="ok")
    assert life.events("worker.snapshot status_updated") == [
        "worker.status.updated running", "worker.service_status.updated starting",
        "worker.metrics.updated ec2_metrics", "worker.snapshot status_updated"]

    life.load(cpu_percent=7.925, memory_percent=31)
    assert life.events("worker.snapshot metrics_collected") == [
        "worker.metrics.updated cloudwatch_metrics", "worker.freshness.changed cloudwatch fresh",
        "worker.snapshot metrics_collected"]

    life.load(cpu_percent=7.925, memory_percent=31)
    assert life.events("worker.snapshot metrics_collected") == ["worker.snapshot metrics_collected"], \
        "an unchanged metric makes no event"

    life.system(version="2.9.0", ready=True, licensing={"registration": {"status": "COMPLETED"},
                                                        "authorization": {"status": "IN_COMPLIANCE"}},
                system_stats={"computes": {"a": {"stats": {"cpu": {"count": 4, "percent": 50}}}}})
    assert life.events("worker.snapshot metrics_collected") == [
        "worker.details.updated", "worker.service_status.updated available", "worker.connected",
        "worker.metrics.updated cml_metrics", "worker.freshness.changed cml fresh", "worker.license.updated",
        "worker.snapshot metrics_collected"]

    life.cml.publish("labs.observed", SUBJECT, {"labs": [LAB]})
    assert life.events("worker.snapshot metrics_collected") == [
        "worker.metrics.updated cml_metrics", "worker.labs.updated", "worker.snapshot metrics_collected"]
    life.cml.publish("lab.state_changed", SUBJECT, {"lab_id": "l1", "element_type": "lab", "element_id": "l1",
                                                    "event": "STOPPED", "state": "STOPPED"})
    assert life.events("worker.lab.state_changed") == ["worker.lab.state_changed"]
    life.cml.publish("labs.observed", SUBJECT, {"labs": [{**LAB, "state": "STOPPED"}]})
    assert life.events("worker.snapshot metrics_collected") == [
        "worker.metrics.updated cml_metrics", "worker.labs.updated", "worker.snapshot metrics_collected"]

    life.cml.publish("activity.observed", SUBJECT, {"last_activity_at": ago(90), "interval_seconds": 60, "events": [
        {"category": "stop_lab", "timestamp": ago(90)}]})
    assert life.events("worker.activity.updated") == ["worker.activity.updated"]

    worker = life.gateway.worker(INSTANCE)
    status, _, answer = http(f"{life.gateway.url}/api/workers/{INSTANCE}/idle-detection", "PUT", '{"enabled":false}',
                             {"Content-Type": "application/json"})
    assert status == 202 and json.loads(answer) == {"worker_id": worker["worker_id"], "changed": True,
                                                    "is_idle_detection_enabled": False}
    assert life.events("worker.idle_detection.toggled") == ["worker.idle_detection.toggled"]
    life.load(cpu_percent=8, memory_percent=31)
    assert life.events("worker.snapshot metrics_collected") == [
        "worker.metrics.updated cloudwatch_metrics", "worker.snapshot metrics_collected"], \
        "no snapshot for the switch; the next round carries it"
    assert life.told[-1].data["is_idle_detection_enabled"] is False

    life.instance("stopping", system_status="ok", instance_status="ok")
    assert life.events("worker.paused") == [
        "worker.status.updated stopping", "worker.details.updated", "worker.service_status.updated unavailable",
        "worker.disconnected", "worker.freshness.changed cloudwatch absent", "worker.freshness.changed cml absent",
        "worker.snapshot status_updated", "worker.paused"]
    assert life.told[-1].data["pause_reason"] == "external" and life.told[-1].data["idle_duration_minutes"] == 90
    life.instance("stopped", system_status="ok", instance_status="ok")
    assert life.events("worker.snapshot status_updated") == [
        "worker.status.updated stopped", "worker.snapshot status_updated"]
    assert life.told[-1].data["manual_pause_count"] == 1 and life.told[-1].data["cpu_utilization"] is None

    life.instance("pending", system_status="ok", instance_status="ok")
    assert life.events("worker.resumed") == [
        "worker.status.updated pending", "worker.snapshot status_updated", "worker.resumed"]
    assert life.told[-1].data["resume_reason"] == "external" and life.told[-1].data["was_auto_paused"] is False
    life.instance("running", system_status="ok", instance_status="ok")
    assert life.events("worker.snapshot status_updated") == [
        "worker.status.updated running", "worker.service_status.updated starting", "worker.snapshot status_updated"]

    life.instance("shutting-down", system_status="ok", instance_status="ok")
    assert life.events("worker.snapshot status_updated") == [
        "worker.status.updated shutting-down", "worker.service_status.updated unavailable",
        "worker.snapshot status_updated"]
    life.ec2.publish("instance.gone", SUBJECT, {"instance_id": INSTANCE, "region": REGION, "reason": "not_listed"})
    assert life.events("worker.snapshot terminated") == [
        "worker.status.updated terminated", "worker.terminated", "worker.freshness.changed ec2 absent",
        "worker.snapshot terminated"]

    for event in life.told:
        validator(event.type).validate(event.body)
    numbers = [event.sequence for event in life.told]
    assert numbers == sorted(set(numbers))
    (harness.BUILD / "life.log").write_text("".join(f"{e.sequence:4} {label(e):60} {e.raw}\n" for e in life.told))


def test_second_switch_to_the_same_side_changes_nothing(life):
    url = f"{life.gateway.url}/api/workers/i-0other/idle-detection"
    for changed in (True, False):
        _, _, answer = http(url, "PUT", '{"enabled":false}', {"Content-Type": "application/json"})
        assert json.loads(answer)["changed"] is changed

    snapshot = wait_until(lambda: (w := life.gateway.worker("i-0other"))["is_idle_detection_enabled"] is False and w,
                          "the replica has it")

    assert snapshot["is_idle_detection_enabled"] is False


@pytest.mark.parametrize("path,body,kind,status,says", [
    ("i-0other/idle-detection", '{"enabled":"yes"}', "application/json", 400, "enabled"),
    ("i-0other/idle-detection", '{"enab', "application/json", 400, ""),
    ("i-0other/idle-detection", '', "application/json", 400, ""),
    ("i-0other/idle-detection", '{"enabled":true}', "text/plain", 415, "application/json"),
    ("i-0other/idle-detection", '{"enabled":true,"x":"' + "y" * 30000 + '"}', "application/json", 413, "enabled"),
    ("i-0nobody/idle-detection", '{"enabled":true}', "application/json", 404, "i-0nobody"),
    ("i-0other/labs", '{"enabled":true}', "application/json", 404, "idle-detection"),
    ("i-0other/" + "x" * 300, '{"enabled":true}', "application/json", 404, ""),
])
def test_bad_command_is_refused_and_says_why(life, path, body, kind, status, says):
    got, headers, answer = http(f"{life.gateway.url}/api/workers/{path}", "PUT", body, {"Content-Type": kind})

    assert got == status and headers["content-type"] == "application/problem+json"
    assert says in json.loads(answer)["detail"]


def test_labs_activity_and_samples_are_told_by_rest(life):
    life.runs()
    life.load(cpu_percent=7.925)
    life.events("worker.snapshot metrics_collected")
    life.cml.publish("labs.observed", SUBJECT, {"labs": [LAB, {**LAB, "lab_id": "l2", "state": "STOPPED"}]})
    life.cml.publish("activity.observed", SUBJECT, {"last_activity_at": ago(5), "events": [
        {"category": "start_lab", "timestamp": ago(5)}]})
    life.events("worker.activity.updated")
    base = f"{life.gateway.url}/api/workers/{INSTANCE}"

    labs, activity = http_json(f"{base}/labs"), http_json(f"{base}/activity")
    cpu = http_json(f"{base}/history?metric=cpu_utilization&since={ago(10)}")

    assert labs["labs_count"] == 2 and labs["labs"][0] == LAB and labs["synced_at"]
    assert activity["events"][0]["category"] == "start_lab" and activity["is_idle_detection_enabled"] is True
    labs_count = http_json(f"{base}/history?metric=cml_labs_count")
    #  One a minute: there are two when a minute ends between what was said.
    for history, value in ((cpu, 7.925), (labs_count, 1)):
        assert {s["value"] for s in history["samples"]} == {value}
        assert len({s["at"][:16] for s in history["samples"]}) == len(history["samples"])
    assert cpu["unit"] == "percent"
    assert http_json(f"{base}/history?metric=cpu_utilization&since={ago(-10)}")["samples"] == []


@pytest.mark.parametrize("query,says", [
    ("", "metric"), ("?metric=nonsense", "cpu_utilization"), ("?metric=cpu_utilization&since=yesterday", "since"),
    ("?metric=cpu_utilization&limit=0", "limit"), ("?metric=cpu_utilization&limit=many", "limit"),
    ("?metric=cpu_utilization&sinse=1", "sinse")])
def test_bad_question_about_samples_is_named(life, query, says):
    status, _, answer = http(f"{life.gateway.url}/api/workers/i-0other/history{query}")

    assert status == 400 and says in json.loads(answer)["detail"]


@pytest.mark.parametrize("path,status", [("i-0nobody/labs", 404), ("i-0other/nothing", 404), ("i-0other/others", 404)])
def test_what_is_not_there_is_404(life, path, status):
    got, _, answer = http(f"{life.gateway.url}/api/workers/{path}")

    assert got == status and json.loads(answer)["detail"]


def test_parts_are_503_and_the_worker_is_shown_while_the_aggregator_is_away(start, bus):
    life = Life(start, bus)
    impatient = start(harness.Gateway, bus, "--ask-timeout-ms", 1000, log_name="impatient")
    life.aggregator.kill()

    status, _, answer = http(f"{impatient.url}/api/workers/i-0other/labs")
    whole = http_json(f"{impatient.url}/api/workers/i-0other")

    assert status == 503 and "aggregator" in json.loads(answer)["detail"]
    assert whole["id"] and whole["others"] is None


def test_other_source_of_utilisation_is_kept_apart_and_fills_gaps(life):
    life.runs()
    agent = outside.Publisher(life.ec2.socket.getsockopt_string(32), "/collector/agent/one")  # 32: ZMQ_LAST_ENDPOINT

    def counted():
        agent.publish("utilization.observed", SUBJECT, {"cpu_percent": 12.5, "disk_percent": 70})
        return life.gateway.worker(INSTANCE)["cpu_utilization"] == 12.5
    wait_until(counted, "the agent's value counts")
    told = life.stream.wait(lambda e: e.type == "worker.metrics.updated", "its change is told")
    whole = http_json(f"{life.gateway.url}/api/workers/{INSTANCE}")

    assert told.body["source"] == "domain.cml_worker.agent_metrics" and told.data["storage_utilization"] == 70
    assert life.gateway.worker(INSTANCE)["cloudwatch_cpu_utilization"] is None
    assert [(o["kind"], o["cpu_utilization"], o["memory_utilization"]) for o in whole["others"]] == [("agent", 12.5, None)]


def test_legacy_update_fills_the_cloudwatch_fields(life):
    life.runs()
    life.cloudwatch.publish("worker.telemetry.observed", SUBJECT,
                            {"cpu_utilization": 33.25, "memory_utilization": 50, "active_labs_count": 2})
    life.events("worker.snapshot metrics_collected")

    worker = life.told[-1].data

    assert worker["cloudwatch_cpu_utilization"] == 33.25 and worker["cpu_utilization"] == 33.25
    assert worker["cloudwatch_memory_utilization"] == 50 and worker["cml_labs_count"] == 2


def test_terminated_instance_that_nobody_knows_makes_no_worker(life):
    life.ec2.instance(REGION, "i-0past", state="terminated")
    life.ec2.publish("instance.gone", f"{REGION}/i-0never", {"instance_id": "i-0never", "region": REGION})
    life.instance("running")
    life.events("worker.snapshot created")

    assert {w["aws_instance_id"] for w in life.gateway.workers()} == {"i-0other", INSTANCE}


@pytest.mark.parametrize("ahead", [datetime.timedelta(days=36500), datetime.timedelta(minutes=1)])
def test_observation_from_the_future_does_not_hide_the_next(life, ahead):
    """As when a source's clock was wrong, and is set right."""
    then = (datetime.datetime.now(datetime.timezone.utc) + ahead).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    life.runs()
    life.cloudwatch.publish("utilization.observed", SUBJECT, {"cpu_percent": 1}, time=then)
    wait_until(lambda: life.gateway.worker(INSTANCE)["cpu_utilization"] == 1, "it is taken")

    def next_counts():
        life.load(cpu_percent=2)
        return life.gateway.worker(INSTANCE)["cpu_utilization"] == 2
    wait_until(next_counts, "the next one counts")

    assert metric(life.aggregator.url, "cmlwatch_ingest_clock_ahead_total") == 1


def test_idle_worker_is_asked_to_be_paused_once_and_let_off_when_someone_works(start, bus):
    life = Life(start, bus, "--auto-pause", "on", "--idle-timeout-minutes", 60, "--snooze-minutes", 0)
    life.runs()
    life.cml.publish("labs.observed", SUBJECT, {"labs": []})
    for _ in range(2):
        life.cml.publish("activity.observed", SUBJECT, {"last_activity_at": ago(61), "interval_seconds": 60})
    job = life.stream.wait("job.submitted", "the pause is asked for")
    fresh = life.gateway.stream()
    fresh.wait("system.state.begin", "the state begins")
    assert fresh.wait("job.submitted", "the open job is part of the state").data == job.data
    pending = http_json(f"{life.gateway.url}/api/state")["jobs"]["pending"]
    life.cml.publish("activity.observed", SUBJECT, {"last_activity_at": ago(1), "interval_seconds": 60})
    cancelled = life.stream.wait("job.cancelled", "it is withdrawn")

    assert job.data["job_type"] == "worker.pause" and job.data["payload"] == {"reason": "idle_timeout"}
    assert cancelled.data["job_id"] == job.data["job_id"] and [{"job_id": each["id"], **each} for each in pending] == [job.data]
    wait_until(lambda: http_json(f"{life.gateway.url}/api/state")["jobs"]["pending"] == [], "it is open no more")
    assert len([e for e in life.stream.events if e.type == "job.submitted"]) == 1
    activity = [e for e in life.stream.events if e.type == "worker.activity.updated"]
    assert activity[0].data["target_pause_at"] < activity[-1].data["target_pause_at"]


def test_nothing_is_paused_unless_it_is_turned_on(life):
    life.runs()
    life.cml.publish("labs.observed", SUBJECT, {"labs": []})
    life.cml.publish("activity.observed", SUBJECT, {"last_activity_at": ago(600), "interval_seconds": 60})
    life.events("worker.activity.updated")
    life.load(cpu_percent=3)
    life.events("worker.snapshot metrics_collected")

    assert not any(e.type.startswith("job.") for e in life.told)
    assert life.told[-1].data["target_pause_at"] is None


#  What a worker's life is made of; between these come rounds, as many as time allows.
MILESTONES = {"worker.created", "worker.status.updated", "worker.service_status.updated", "worker.connected",
              "worker.disconnected", "worker.labs.updated", "worker.idle_detection.toggled", "worker.paused",
              "worker.resumed", "worker.terminated"}
PASSING = {"worker.status.updated stopping", "worker.status.updated pending", "worker.status.updated shutting-down"}


def test_life_of_a_simulated_worker_through_the_real_collectors(start):
    """Simulated AWS and CML, the three collectors, aggregator, gateway: the same life, seen by polling."""
    stack = start(harness.Stack, instances=1)
    stream = stack.gateway.stream()
    stream.state()
    instance = stack.sim.control("instances", {})
    born = instance["instance_id"]
    mine = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"cmlwatch/{instance['region']}/{born}"))
    worker = f"{stack.gateway.url}/api/workers/{born}"

    def until(last):
        """Milestones of the new worker until `last`; states that a poll may miss are left out."""
        seen = []
        while not seen or seen[-1] != last:
            event = stream.wait(lambda e: e.type in MILESTONES and e.data["worker_id"] == mine, last)
            if label(event) not in PASSING:
                seen.append(label(event))
        return seen

    assert until("worker.created") == ["worker.created"]
    alive = until("worker.service_status.updated available")
    alive += [] if "worker.labs.updated" in alive else until("worker.labs.updated")
    first = [e for n, e in enumerate(alive) if e not in alive[:n] and e != "worker.status.updated running"]
    assert set(first) <= {"worker.service_status.updated starting", "worker.connected", "worker.labs.updated",
                          "worker.service_status.updated available"}
    assert abs(first.index("worker.connected") - first.index("worker.service_status.updated available")) <= 2
    wait_until(lambda: stack.gateway.worker(born)["cpu_utilization"] is not None, "values (CloudWatch has no point yet)")

    stack.sim.control("labs", {"instance": born, "lab": "exam", "state": "STARTED"})
    assert set(until("worker.labs.updated")) == {"worker.labs.updated"}
    wait_until(lambda: any(e["category"] == "start_lab" for e in http_json(f"{worker}/activity")["events"]), "activity")
    wait_until(lambda: any(lab["title"] == "exam" and lab["state"] == "STARTED" for lab in http_json(f"{worker}/labs")["labs"]), "the lab")
    assert http_json(f"{worker}/history?metric=cpu_utilization")["samples"]

    http(f"{worker}/idle-detection", "PUT", '{"enabled":false}', {"Content-Type": "application/json"})
    assert set(until("worker.idle_detection.toggled")) <= {"worker.labs.updated", "worker.idle_detection.toggled"}

    stack.sim.control(f"instances/{born}", {"state": "stopped"})
    stopped = until("worker.status.updated stopped")
    assert set(stopped) <= {"worker.disconnected", "worker.paused", "worker.service_status.updated unavailable",
                            "worker.labs.updated", "worker.status.updated stopped"}
    wait_until(lambda: stack.gateway.worker(born)["manual_pause_count"] == 1, "the stop counts as one pause")

    stack.sim.control(f"instances/{born}", {"state": "running"})
    until("worker.connected")
    wait_until(lambda: stack.gateway.worker(born)["manual_resume_count"] == 1, "the start counts as one resume")

    stack.sim.control(f"instances/{born}", {"state": "terminated"})
    assert until("worker.terminated")[-1] == "worker.terminated"
    told = [e for e in stream.events if e.data.get("worker_id") == mine]
    assert [e.type for e in told].count("worker.paused") == [e.type for e in told].count("worker.resumed") == 1
    for event in told:
        validator(event.type).validate(event.body)

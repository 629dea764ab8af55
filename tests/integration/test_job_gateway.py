"""Jobs the whole way: a command over HTTP, the aggregator's broker, a runner, and what monitors see of it.
SPDX-License-Identifier: MIT"""
import concurrent.futures
import json
import threading
import time

import pytest

import harness
import outside
from harness import http_json, wait_until
from runner import Collector, Runner

ENDS = ("job.completed", "job.failed", "job.cancelled")
JOBS, SUBMITTERS, RUNNERS = 120, 24, 4


class Hub:
    def __init__(self, start, bus, tmp_path):
        self.bus, self.start = bus, start
        self.arguments = ("--store", tmp_path / "store", "--renew-ms", 10000)  # nobody is lost who does not ask for a while
        self.aggregator = start(harness.Aggregator, bus, *self.arguments)
        self.gateways = [start(harness.Gateway, bus, log_name=name) for name in ("one", "two")]
        self.publisher = outside.Publisher(bus.ingest, "/collector/ec2/jobs")
        self.publisher.until_heard(self.gateways[0], "r", "i-0aa")
        self.worker = self.gateways[0].worker("i-0aa")["worker_id"]

    def submit(self, job_type="build", gateway=0, status=202, headers=None, **more):
        got, _, body = self.gateways[gateway].ask("/api/jobs", "POST", {"job_type": job_type, **more}, headers)
        assert got == status, body
        return json.loads(body)

    def job(self, identity, gateway=0):
        return http_json(f"{self.gateways[gateway].url}/api/jobs/{identity}")

    def state(self, gateway=0):
        return http_json(f"{self.gateways[gateway].url}/api/state")["jobs"]

    def shown(self, gateway=0):
        return {job["id"]: job for group in self.state(gateway).values() for job in group}


@pytest.fixture
def hub(start, bus, tmp_path):
    return Hub(start, bus, tmp_path)


def assert_shown_as_kept(hub, gateway=0):
    """What the gateway has by merging is what the aggregator has."""
    def same():
        kept = {job["id"]: job for job in http_json(f"{hub.gateways[gateway].url}/api/jobs?limit=1000")["jobs"] if job["status"] != "cancelled"}
        return kept == hub.shown(gateway)
    wait_until(same, "the replica has all")


def test_life_of_a_job_as_a_monitor_sees_it(hub):
    monitor = hub.gateways[1].stream("?topics=jobs&job_types=build&state=0")
    monitor.wait("connected", "it is open")
    hub.submit("other")
    job = hub.submit(priority=-3, workflow_id="nightly", payload={"branch": "main"})
    runner = Runner(hub.bus, "/runner/a", "build")

    given = runner.work()
    runner.report(given, "progress", progress=40, step="compile", message="half of it")
    runner.report(given, "completed", result={"artifact": "a.tar"})
    monitor.wait("job.completed", "its end")

    told = [event for event in monitor.events if event.type.startswith("job.")]
    assert [event.type for event in told] == ["job.submitted", "job.assigned", "job.status.updated", "job.progress", "job.completed"]
    assert {event.data["job_id"] for event in told} == {job["id"]}
    assert hub.state(1)["completed"] == [hub.job(job["id"])] and hub.job(job["id"])["priority"] == -3
    runner.close()


def test_key_is_the_same_job_at_every_gateway_and_cancelling_stops_its_runner(hub):
    first = hub.submit(headers={"Idempotency-Key": "k"})
    again = hub.submit(gateway=1, status=200, client_key="k")
    runner = Runner(hub.bus, "/runner/a", "build")
    runner.work()

    status, _, body = hub.gateways[1].ask(f"/api/jobs/{first['id']}", "DELETE")

    assert again["id"] == first["id"] and status == 202
    assert (json.loads(body)["status"], json.loads(body)["cancelled_by"]) == ("cancelled", "anonymous")
    assert first["id"] in wait_until(lambda: runner.poll(50)["stop"], "it is told to stop")
    assert hub.gateways[0].ask(f"/api/jobs/{first['id']}", "DELETE")[0] == 409
    assert_shown_as_kept(hub)
    runner.close()


def test_command_goes_to_the_collector_that_owns_the_worker_and_conflicts_until_it_is_done(hub):
    command = lambda what, gateway=0: hub.gateways[gateway].ask(f"/api/workers/i-0aa/{what}", "POST")
    collector = Collector(hub.bus, "ec2", "worker.pause", "metrics.refresh:ec2")
    collector.lease()
    status, headers, body = command("pause")
    job = json.loads(body)

    conflict = command("pause", 1)
    given = collector.work()
    collector.report(given, "completed", result={})
    wait_until(lambda: hub.job(job["id"])["status"] == "completed", "it is done")
    refresh = command("refresh")
    collector.report(collector.work(), "completed")
    measurer = Collector(hub.bus, "cloudwatch", "metrics.refresh:cloudwatch")
    measurer.lease()
    measurer.report(measurer.work(), "completed")
    wait_until(lambda: hub.job(json.loads(refresh[2])["id"])["status"] == "completed", "refreshed")
    soon = command("refresh")

    assert status == 202 and headers["Location"] == f"/api/jobs/{job['id']}"
    assert conflict[0] == 409 and json.loads(conflict[2])["job_id"] == job["id"]
    assert (given["job_id"], given["instance_id"], given["region"]) == (job["id"], "i-0aa", "r")
    assert refresh[0] == 202 and soon[0] == 429 and 1 <= int(soon[1]["Retry-After"]) <= 10
    hub.publisher.instance("r", "i-0aa", state="stopped")
    wait_until(lambda: hub.gateways[0].worker("i-0aa")["status"] == "stopped", "it stands still")
    stopped = command("labs/refresh")
    assert stopped[0] == 409 and "job_id" not in json.loads(stopped[2])
    assert_shown_as_kept(hub)
    collector.close()
    measurer.close()


class Follower(threading.Thread):
    """A monitor that notes when it hears what, and reads on by itself."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.stream, self.heard, self.ended = gateway.stream("?topics=jobs&state=0"), [], set()
        self.stream.wait("connected", "it is open")
        self.start()

    def run(self):
        try:
            while event := self.stream.next():
                if event.type.startswith("job."):
                    self.heard.append((time.monotonic(), event.type, event.sequence, event.data))
                    self.ended |= {event.data["job_id"]} if event.type in ENDS else set()
        except OSError:
            pass


def work(hub, name, done):
    runner = Runner(hub.bus, name, "build", concurrency=JOBS)
    while not done.is_set():
        for job in runner.poll(50)["assigned"]:
            runner.report(job, "progress", progress=50)
            runner.report(job, "completed" if job["priority"] >= 0 else "failed", error_code="x", error_message="below nothing")
    runner.close()


def test_a_hundred_at_once_by_two_gateways_are_all_run_once_and_told_in_order(hub):
    followers, done = [Follower(gateway) for gateway in hub.gateways], threading.Event()
    runners = [threading.Thread(target=work, args=(hub, f"/runner/{n}", done)) for n in range(RUNNERS)]
    for runner in runners:
        runner.start()

    def submit(n):
        asked = time.monotonic()
        return hub.submit(gateway=n % 2, priority=n % 21 - 10)["id"], asked
    with concurrent.futures.ThreadPoolExecutor(SUBMITTERS) as many:
        asked = dict(many.map(submit, range(JOBS)))
    try:
        for follower in followers:
            wait_until(lambda: follower.ended == set(asked), "every job has ended")
    finally:
        done.set()
        for runner in runners:
            runner.join()

    assert [what[1:] for what in followers[0].heard] == [what[1:] for what in followers[1].heard]
    for identity in asked:
        mine = [what for what in followers[0].heard if what[3]["job_id"] == identity]
        kinds = [kind for _, kind, _, _ in mine if kind != "job.progress"]
        assert kinds[:3] == ["job.submitted", "job.assigned", "job.status.updated"] and len(kinds) == 4 and mine[-1][1] in ENDS
        assert [sequence for _, _, sequence, _ in mine] == sorted(sequence for _, _, sequence, _ in mine)
    late = sorted(at - asked[data["job_id"]] for at, kind, _, data in followers[0].heard if kind == "job.submitted")
    print(f"from the request to a monitor: median {late[len(late) // 2] * 1e3:.1f} ms, 99 of 100 within {late[-2] * 1e3:.1f} ms")
    assert_shown_as_kept(hub, 1)


def test_jobs_are_shown_as_they_are_kept_over_a_kill_of_the_aggregator(hub):
    jobs = [hub.submit(priority=n) for n in range(6)]
    runner = Runner(hub.bus, "/runner/a", "build", concurrency=3)
    wait_until(lambda: runner.poll(50) and len(runner.running) == 3, "three jobs")
    given = list(runner.running.values())
    runner.report(given[0], "progress", progress=12.5, message='a "word" }')
    runner.report(given[1], "failed", error_code="broken", error_message="it broke")
    assert_shown_as_kept(hub)

    hub.aggregator.kill()
    before = hub.shown()
    hub.aggregator.start()
    harness.wait_ready(hub.aggregator)

    assert_shown_as_kept(hub)
    assert_shown_as_kept(hub, 1)
    after = hub.shown()
    assert set(after) == set(before) == {job["id"] for job in jobs}
    assert after[given[1]["job_id"]]["error"] == "it broke"
    runner.close()

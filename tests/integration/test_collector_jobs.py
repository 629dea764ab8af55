"""What collectors do when they are asked to, against the simulator; the test is their aggregator.
SPDX-License-Identifier: MIT"""
import signal

import pytest

import harness
from harness import metric, wait_until
from router import Router

LOOK = ("--job-look-ms", 100, "--interval-ms", 60000, "--renew-ms", 2000)


@pytest.fixture
def router(bus):
    own = Router(bus)
    yield own
    own.close()


def ec2(start, bus, sim, *arguments, **more):
    return start(harness.Collector, "ec2", bus, *LOOK, *arguments, environment=sim.environment(), collector_id="ec2-test", **more)


def running(sim):
    return next(i for i in sim.instances() if i["state"] == "running")


def state_of(sim, instance):
    return next(i["state"] for i in sim.instances() if i["instance_id"] == instance)


def observed(router, instance, since=0):
    return [e["data"] for e in router.all[since:] if e["type"] == "instance.observed" and e["data"]["instance_id"] == instance]


def is_now(sim, instance, state):
    """The passage that takes so long here is over: what comes before it has been seen, however slow the machine is."""
    sim.control(f"instances/{instance}", {"state": state})


def settle(router, instances=6):
    """The collector has its lease, and its first round is over."""
    router.wait(lambda: router.runners and sum(e["type"] == "instance.observed" for e in router.all) == instances, "the collector is up")


def test_a_collector_registers_with_what_it_can_do(start, bus, sim, router):
    ec2(start, bus, sim, "--jobs-concurrency", 7)

    question = router.wait(lambda: router.runners and router.runners[0], "it asks for work")

    assert question["runner_id"] == "/collector/ec2/ec2-test" and question["kind"] == "ec2"
    assert set(question["job_types"]) == {"metrics.refresh:ec2", "worker.pause", "worker.resume", "monitoring.enable"}
    assert question["concurrency"] == 7 and question["running"] == [] and question["leaving"] is False
    assert 0 < question["wait_ms"] <= 5000


def test_a_source_without_capabilities_asks_for_none(start, bus, router):
    start(harness.Collector, "prometheus", bus, "--renew-ms", 100)

    router.wait(lambda: len(router.leases) >= 5, "it has a lease")

    assert router.runners == []


@pytest.mark.parametrize("mode", ["--once", "--print", "--dry-run"])
def test_a_tool_takes_no_jobs(start, bus, sim, router, mode):
    program = harness.Program(sim.log_path.parent, "collector-ec2", "--ingest", bus.ingest, "--control", bus.control, "--admin", "",
                              *LOOK, mode, environment=sim.environment(), log_name="tool")
    router.wait(lambda: router.leases and (not program.alive() or mode == "--print" and "instance.observed" in program.log), "it has done what a tool does")
    program.stop()

    assert router.runners == []


def test_refresh_reads_the_instance_then_its_status_and_publishes_before_it_ends(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)
    instance = running(sim)["instance_id"]
    before, since = sim.control("calls")["aws"], len(router.all)

    job = router.give("metrics.refresh", instance, step="ec2")
    end = router.end(job)

    calls = sim.control("calls")["aws"]
    assert end["type"] == "job.completed" and end["data"]["result"]["state"] == "running"
    assert calls["DescribeInstances"] == before["DescribeInstances"] + 1
    assert calls["DescribeInstanceStatus"] == before["DescribeInstanceStatus"] + 1
    told = [e["type"] for e in router.all[since:] if e["type"].startswith("job.") or e["type"] == "instance.observed"]
    assert told == ["job.progress", "instance.observed", "job.completed"]
    assert all(r["data"]["step"] == "ec2" and r["data"]["attempt"] == 1 for r in router.reports(job))
    assert router.reports(job)[0]["data"]["progress"] == 50
    assert observed(router, instance, since)[0]["system_status"] == "ok"


def test_a_pause_stops_the_instance_and_is_done_when_it_is_stopped(start, bus, router):
    sim = start(harness.Simulator, "--transition-ms", 600000)
    program = ec2(start, bus, sim)
    settle(router)
    instance, since = running(sim)["instance_id"], len(router.all)

    job = router.give("worker.pause", instance)
    router.wait(lambda: "the instance is stopping" in [r["data"].get("message") for r in router.reports(job)], "it is on its way")
    is_now(sim, instance, "stopped")
    end = router.end(job)

    assert end["type"] == "job.completed" and end["data"]["result"] == {"state": "stopped", "changed": True}
    assert state_of(sim, instance) == "stopped"
    states = [o["state"] for o in observed(router, instance, since)]
    assert states[0] == "stopping" and states[-1] == "stopped"
    messages = [r["data"]["message"] for r in router.reports(job)[:-1]]
    assert messages == ["StopInstances was accepted", "the instance is stopping"]
    assert [r["data"]["progress"] for r in router.reports(job)] == [25, 50, 100]
    assert metric(program.url, "cmlwatch_collector_jobs_total", type="worker.pause", outcome="completed") == 1


def test_a_pause_of_a_stopped_worker_is_done_at_once(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)
    instance = running(sim)["instance_id"]
    sim.control(f"instances/{instance}", {"state": "stopped"})

    end = router.end(router.give("worker.pause", instance))

    assert end["type"] == "job.completed" and end["data"]["result"] == {"state": "stopped", "changed": False}


def test_a_resume_starts_the_instance_and_is_done_when_it_runs(start, bus, router):
    sim = start(harness.Simulator, "--transition-ms", 600000)
    ec2(start, bus, sim)
    settle(router)
    instance = running(sim)["instance_id"]
    sim.control(f"instances/{instance}", {"state": "stopped"})
    since = len(router.all)

    job = router.give("worker.resume", instance)
    router.wait(lambda: "pending" in [o["state"] for o in observed(router, instance, since)], "it is on its way")
    is_now(sim, instance, "running")
    end = router.end(job)

    assert end["type"] == "job.completed" and end["data"]["result"] == {"state": "running", "changed": True}
    seen = observed(router, instance, since)
    assert [o["state"] for o in seen][0] == "pending" and seen[-1]["state"] == "running" and seen[-1]["public_ip"]


def test_detailed_monitoring_is_done_when_it_is_enabled(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)
    instance = next(i for i in sim.instances() if i["monitoring"] == "disabled" and i["state"] == "running")["instance_id"]

    end = router.end(router.give("monitoring.enable", instance))
    again = router.end(router.give("monitoring.enable", instance))

    assert end["data"]["result"] == {"monitoring": "enabled", "changed": True}
    assert again["data"]["result"] == {"monitoring": "enabled", "changed": False}
    assert observed(router, instance)[-1]["detailed_monitoring"] is True


@pytest.mark.parametrize("job_type, action", [("worker.pause", "StopInstances"), ("worker.resume", "StartInstances"),
                                              ("monitoring.enable", "MonitorInstances")])
def test_what_the_policy_forbids_is_forbidden_and_says_what_is_lacking(start, bus, sim, router, job_type, action):
    ec2(start, bus, sim)
    settle(router)
    sim.fault(api=action, kind="deny")

    end = router.end(router.give(job_type, running(sim)["instance_id"]))

    assert end["type"] == "job.failed" and end["data"]["error_code"] == "forbidden"
    assert f"ec2:{action}" in end["data"]["error_message"]


def test_a_resume_while_it_stops_is_the_wrong_state(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)
    instance = running(sim)["instance_id"]
    sim.control(f"instances/{instance}", {"state": "stopping"})

    end = router.end(router.give("worker.resume", instance))

    assert end["data"]["error_code"] == "wrong_state" and "IncorrectInstanceState" in end["data"]["error_message"]


def test_an_instance_nobody_has_is_not_found(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)

    assert router.end(router.give("worker.pause", "i-0123456789abcdef0"))["data"]["error_code"] == "not_found"


def test_throttling_is_outlived_by_retries_and_told_when_it_is_not(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)
    instance = running(sim)["instance_id"]

    sim.fault(api="StopInstances", kind="throttle", count=1)
    end = router.end(router.give("worker.pause", instance))
    sim.fault(api="StartInstances", kind="throttle")
    throttled = router.end(router.give("worker.resume", instance))

    assert end["type"] == "job.completed"
    assert throttled["type"] == "job.failed" and throttled["data"]["error_code"] == "throttled"


def test_a_look_that_fails_does_not_fail_the_order(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)
    sim.fault(api="DescribeInstances", kind="html", count=2)

    assert router.end(router.give("worker.pause", running(sim)["instance_id"]))["type"] == "job.completed"


@pytest.fixture
def slow_sim(start):
    """On which what stops goes on stopping until the test says otherwise."""
    return start(harness.Simulator, "--transition-ms", 3600000)


def stopping(router, instance):
    """A pause that is under way."""
    job = router.give("worker.pause", instance)
    router.wait(lambda: any(r["data"].get("message") == "the instance is stopping" for r in router.reports(job)), "it is stopping")
    return job


@pytest.mark.parametrize("state", ["running", "terminated"])
def test_a_pause_that_somebody_undoes_is_the_wrong_state(start, bus, slow_sim, router, state):
    ec2(start, bus, slow_sim)
    settle(router)
    instance = running(slow_sim)["instance_id"]
    job = stopping(router, instance)

    slow_sim.control(f"instances/{instance}", {"state": state})

    end = router.end(job)
    assert end["type"] == "job.failed" and end["data"]["error_code"] == "wrong_state"
    assert f"StopInstances was accepted, but the instance is {state}" in end["data"]["error_message"]


def test_a_pause_of_an_instance_that_vanishes_is_not_found(start, bus, slow_sim, router):
    ec2(start, bus, slow_sim)
    settle(router)
    instance = running(slow_sim)["instance_id"]
    job = stopping(router, instance)

    slow_sim.control(f"instances/{instance}", {"state": "vanished"})

    end = router.end(job)
    assert end["type"] == "job.failed" and end["data"]["error_code"] == "not_found"


def test_a_pause_that_cannot_be_followed_any_more_says_why(start, bus, slow_sim, router):
    ec2(start, bus, slow_sim)
    settle(router)
    job = stopping(router, running(slow_sim)["instance_id"])

    slow_sim.fault(api="DescribeInstances", kind="deny")

    end = router.end(job)
    assert end["type"] == "job.failed" and end["data"]["error_code"] == "forbidden"
    assert "ec2:DescribeInstances" in end["data"]["error_message"]


@pytest.mark.parametrize("api", ["DescribeInstances", "DescribeInstanceStatus"])
def test_a_refresh_of_what_may_not_be_read_is_forbidden(start, bus, sim, router, api):
    ec2(start, bus, sim)
    settle(router)
    sim.fault(api=api, kind="deny")

    end = router.end(router.give("metrics.refresh", running(sim)["instance_id"], "ec2"))

    assert end["type"] == "job.failed" and end["data"]["error_code"] == "forbidden"
    assert f"ec2:{api}" in end["data"]["error_message"]


def test_a_refresh_of_an_instance_nobody_has_is_not_found(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)

    assert router.end(router.give("metrics.refresh", "i-0123456789abcdef0", "ec2"))["data"]["error_code"] == "not_found"


def test_a_job_of_a_region_that_is_not_leased_is_not_owned(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)

    end = router.end(router.give("worker.pause", running(sim)["instance_id"], region="eu-west-1"))

    assert end["data"]["error_code"] == "not_owned"


def test_what_is_stopped_is_followed_no_more(start, bus, sim, router):
    program = ec2(start, bus, sim)
    settle(router)
    instance = running(sim)["instance_id"]
    sim.fault(api="StopInstances", kind="slow", delay_ms=600000)

    job = router.give("worker.pause", instance)
    router.wait(lambda: any(r["job_id"] == job for q in router.runners for r in q["running"]), "it has the job")
    router.stop(job)
    router.wait(lambda: router.runners[-1]["running"] == [], "it has let go")

    assert router.reports(job) == []
    assert metric(program.url, "cmlwatch_collector_jobs_total", type="worker.pause", outcome="stopped") == 1


def test_a_lost_end_is_told_again(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)
    router.over = lambda: set()  #  as if it had not been heard
    job = router.give("metrics.refresh", running(sim)["instance_id"], step="ec2")
    router.wait(lambda: sum(r["type"] == "job.completed" for r in router.reports(job)) >= 2, "it is told again")
    del router.over
    router.wait(lambda: router.runners[-1]["running"] == [], "it is let go when it was heard")


def test_a_later_attempt_takes_the_place_of_the_one_before(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)
    instance = running(sim)["instance_id"]
    sim.fault(api="DescribeInstances", kind="slow", delay_ms=600000, count=1)

    job = router.give("metrics.refresh", instance, step="ec2")
    router.wait(lambda: any(r["job_id"] == job for q in router.runners for r in q["running"]), "it has the job")
    router.give("metrics.refresh", instance, step="ec2", job_id=job, attempt=2)
    router.end(job)

    assert {r["data"]["attempt"] for r in router.reports(job)} == {2}


def test_an_aggregator_that_is_away_does_not_end_a_job(start, bus, sim, router):
    ec2(start, bus, sim)
    settle(router)
    job = router.give("worker.pause", running(sim)["instance_id"])
    router.wait(lambda: job in router.given, "it is given")

    router.silent = True
    end = router.end(job)

    assert end["type"] == "job.completed"
    router.silent = False
    router.wait(lambda: router.runners[-1]["running"] == [], "it asks again")


def test_at_its_end_a_collector_gives_back_what_it_cannot_finish(start, bus, tmp_path, router):
    sim = start(harness.Simulator, "--transition-ms", 600000)
    program = ec2(start, bus, sim)
    settle(router)
    job = router.give("worker.pause", running(sim)["instance_id"])
    router.wait(lambda: router.reports(job), "it is under way")

    program.process.send_signal(signal.SIGTERM)
    end = router.end(job)
    last = router.wait(lambda: router.runners[-1] if router.runners[-1]["leaving"] else None, "it says good-bye")

    assert end["type"] == "job.failed" and end["data"]["error_code"] == "not_owned"
    assert last["runner_id"] == "/collector/ec2/ec2-test"
    wait_until(lambda: program.process.poll() == 0, "it ends")


def cloudwatch_worker(sim):
    chosen = running(sim)
    return chosen["instance_id"], {"worker_id": "00000000-0000-5000-8000-000000000000", "region": "us-east-1", "instance_id": chosen["instance_id"],
                                   "account_id": None, "name": chosen["name"], "status": "running", "public_ip": chosen["public_ip"],
                                   "private_ip": chosen["private_ip"], "detailed_monitoring": False}


def test_cloudwatch_reads_the_worker_now_and_counts_it_in_the_bill(start, bus, sim, router):
    instance, worker = cloudwatch_worker(sim)
    router.workers = [worker]
    program = start(harness.Collector, "cloudwatch", bus, "--renew-ms", 2000, "--api", "data", environment=sim.environment())
    router.collect("utilization.observed", lambda events: events)
    billed = metric(program.url, "cmlwatch_cloudwatch_metrics_requested_total")
    since = len(router.all)

    job = router.give("metrics.refresh", instance, step="cloudwatch")
    end = router.end(job)

    told = [e["type"] for e in router.all[since:] if e["type"] in ("utilization.observed", "job.completed")]
    assert end["type"] == "job.completed" and told == ["utilization.observed", "job.completed"]
    assert metric(program.url, "cmlwatch_cloudwatch_metrics_requested_total") > billed


def test_cloudwatch_forbidden_is_forbidden(start, bus, sim, router):
    instance, worker = cloudwatch_worker(sim)
    router.workers = [worker]
    start(harness.Collector, "cloudwatch", bus, "--renew-ms", 2000, "--api", "data", environment=sim.environment())
    router.collect("utilization.observed", lambda events: events)
    sim.fault(api="GetMetricData", kind="deny")

    end = router.end(router.give("metrics.refresh", instance, step="cloudwatch"))

    assert end["type"] == "job.failed" and end["data"]["error_code"] == "forbidden"
    assert "cloudwatch:GetMetricData" in end["data"]["error_message"]


def cml(start, bus, sim, tmp_path, *arguments):
    pins = tmp_path / "pins"
    pins.write_text(sim.control("pins"))
    return start(harness.Collector, "cml", bus, "--renew-ms", 2000, "--interval-ms", 60000, "--port", sim.cml_port, "--verify", "fingerprint",
                 "--fingerprints", pins, "--username", "cmlwatch", *arguments,
                 environment={**sim.environment(), "CMLWATCH_COLLECTOR_CML_PASSWORD": "cmlwatch-demo"})


@pytest.mark.parametrize("push", ["auto", "off"])
def test_cml_asks_everything_though_nothing_is_due(start, bus, sim, tmp_path, router, push):
    instance, worker = cloudwatch_worker(sim)
    router.workers = [worker]
    cml(start, bus, sim, tmp_path, "--push", push)
    router.collect("activity.observed", lambda events: events)
    before, since = sim.control("calls")["cml"], len(router.all)

    end = router.end(router.give("metrics.refresh", instance, step="cml"))

    calls = sim.control("calls")["cml"]
    told = [e["type"] for e in router.all[since:]]
    assert end["type"] == "job.completed"
    for path in ("system_information", "system_stats", "labs", "telemetry"):
        count = lambda of: sum(n for name, n in of.items() if path in name)
        assert count(calls) > count(before), path
    assert told.index("job.completed") > max(told.index(t) for t in ("system.observed", "labs.observed", "activity.observed"))


def test_labs_are_refreshed(start, bus, sim, tmp_path, router):
    instance, worker = cloudwatch_worker(sim)
    router.workers = [worker]
    cml(start, bus, sim, tmp_path, "--push", "off")
    router.collect("labs.observed", lambda events: events)
    sim.control("labs", {"instance": instance, "lab": "a new one", "state": "STARTED"})
    router.clear()

    assert router.end(router.give("labs.refresh", instance))["type"] == "job.completed"
    assert any(lab["title"] == "a new one" for e in router.events if e["type"] == "labs.observed" for lab in e["data"]["labs"])


def test_a_cml_that_does_not_answer_fails_the_refresh_and_says_why(start, bus, sim, tmp_path, router):
    instance, worker = cloudwatch_worker(sim)
    router.workers = [worker]
    cml(start, bus, sim, tmp_path, "--push", "off")
    router.collect("labs.observed", lambda events: events)
    sim.fault(api="cml", kind="unreachable", instance=instance)

    end = router.end(router.give("labs.refresh", instance))

    assert end["type"] == "job.failed" and end["data"]["error_code"] == "unreachable" and end["data"]["error_message"]


def test_a_worker_that_left_the_lease_is_not_owned(start, bus, sim, tmp_path, router):
    instance, worker = cloudwatch_worker(sim)
    cml(start, bus, sim, tmp_path)
    router.wait(lambda: router.runners, "it asks for work")

    assert router.end(router.give("labs.refresh", instance))["data"]["error_code"] == "not_owned"

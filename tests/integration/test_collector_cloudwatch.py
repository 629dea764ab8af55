"""cmlwatch-collector-cloudwatch against the simulator; the test is its aggregator.
SPDX-License-Identifier: MIT"""
import pytest

import harness
from harness import metric, wait_until
from listener import Listener


@pytest.fixture
def listener(bus):
    own = Listener(bus)
    yield own
    own.close()


def lease(sim, only=None):
    return [{"worker_id": f"00000000-0000-5000-8000-{n:012d}", "region": i["region"], "instance_id": i["instance_id"],
             "name": i["name"], "status": "running", "public_ip": i["public_ip"], "private_ip": i["private_ip"],
             "detailed_monitoring": i["monitoring"] == "enabled"}
            for n, i in enumerate(sim.instances()) if i["state"] == "running" and (only is None or i["instance_id"] in only)]


def collector(start, bus, sim, *arguments, **changes):
    return start(harness.Collector, "cloudwatch", bus, "--interval-ms", 500, *arguments,
                 environment={**sim.environment(), **changes}, collector_id="cw-test")


def test_running_workers_of_the_lease_have_values_and_no_others(start, bus, sim, listener):
    leased = lease(sim)[:2]
    listener.workers = leased
    collector(start, bus, sim)
    wanted = {f"{w['region']}/{w['instance_id']}" for w in leased}

    listener.collect("utilization.observed", lambda events: {e["subject"] for e in events
                                                             if "cpu_percent" in e["data"]} == wanted)

    for event in listener.events:
        if event["type"] == "utilization.observed" and "cpu_percent" in event["data"]:
            assert 0 <= event["data"]["cpu_percent"] <= 100
            assert event["data"]["cpu_measured_at"] < event["time"]
    assert {e["subject"] for e in listener.events if e["type"] == "utilization.observed"} == wanted


def test_nothing_leased_asks_nothing(start, bus, sim, listener):
    program = collector(start, bus, sim)
    listener.collect("collector.heartbeat", lambda events: len(events) >= 2)

    assert metric(program.url, "cmlwatch_aws_calls_total", api="GetMetricData") == 0


def test_a_thousand_workers_are_asked_in_few_calls(start, bus, listener):
    sim = start(harness.Simulator, instances=1000)
    listener.workers = lease(sim)
    program = collector(start, bus, sim, "--interval-ms", 600000)

    listener.collect("utilization.observed", lambda events: len({e["subject"] for e in events}) == len(listener.workers))

    calls = metric(program.url, "cmlwatch_aws_calls_total", api="GetMetricData")
    metrics = metric(program.url, "cmlwatch_cloudwatch_metrics_requested_total")
    assert metrics >= len(listener.workers) and calls <= metrics / 500 + 2


def test_absent_series_is_absent_not_zero(start, bus, sim, listener):
    listener.workers = [{**lease(sim)[0], "instance_id": "i-0000000000000dead"}]
    collector(start, bus, sim)

    event = listener.collect("utilization.observed", lambda events: events)[0]

    assert not {"cpu_percent", "memory_percent", "disk_percent"} & set(event["data"])


@pytest.mark.parametrize("kind, said", [("throttle", "Throttling"), ("cut", ""), ("html", ""), ("huge", "")])
def test_failed_read_is_an_observation_and_is_outlived(start, bus, sim, listener, kind, said):
    listener.workers = lease(sim)[:1]
    program = collector(start, bus, sim)
    listener.collect("utilization.observed", lambda events: any("cpu_percent" in e["data"] for e in events))

    sim.fault(api="GetMetricData", kind=kind, count=6)
    failed = listener.collect("utilization.observed", lambda events: any("error_code" in e["data"] for e in events))
    listener.clear()
    listener.collect("utilization.observed", lambda events: any("cpu_percent" in e["data"] for e in events))

    error = next(e["data"] for e in failed if "error_code" in e["data"])
    assert said in error["error_code"] and error["error_message"] and "cpu_percent" not in error
    assert program.alive()


def bill(sim):
    return sim.control("calls")["metrics_billed"]


def values(listener, leased):
    """The newest point of each worker, by subject."""
    return {e["subject"]: (e["data"]["cpu_measured_at"], e["data"]["cpu_percent"]) for e in listener.events
            if e["type"] == "utilization.observed" and "cpu_percent" in e["data"]}


@pytest.mark.parametrize("api", ["data", "statistics"])
def test_counter_of_what_is_billed_equals_the_bill_also_while_aws_throttles(start, bus, sim, listener, api):
    listener.workers = lease(sim)
    program = collector(start, bus, sim, "--api", api, "--interval-ms", 1000)
    action = "GetMetricData" if api == "data" else "GetMetricStatistics"
    listener.collect("utilization.observed", lambda events: len(values(listener, None)) == len(listener.workers))
    sim.fault(api=action, kind="throttle", count=3)
    #  The listener is an aggregator: whoever it does not answer has no lease any more, and nothing to read.
    wait_until(lambda: listener.turn() or metric(program.url, "cmlwatch_aws_calls_total", api=action, outcome="throttled") == 3, "it is throttled")
    asked = metric(program.url, "cmlwatch_aws_calls_total", api=action, outcome="ok")
    wait_until(lambda: listener.turn() or metric(program.url, "cmlwatch_aws_calls_total", api=action, outcome="ok") > asked + 1, "and goes on")
    program.stop()
    assert "cmlwatch" in program.log

    calls = sim.control("calls")
    assert calls["aws"].get({"GetMetricData": "GetMetricStatistics"}.get(action, "GetMetricData"), 0) == 0, "one way alone"
    if api == "statistics":
        assert calls["metrics_billed"] == 0


def test_metrics_asked_for_are_billed_to_the_unit(start, bus, sim, listener):
    listener.workers = lease(sim)
    program = collector(start, bus, sim, "--api", "data", "--interval-ms", 700)
    listener.collect("utilization.observed", lambda events: len(events) > 30)
    sim.fault(api="GetMetricData", kind="throttle", count=2)
    listener.collect("utilization.observed", lambda events: len(events) > 60)

    def equal():  # between two rounds
        listener.turn()
        before = bill(sim)
        return metric(program.url, "cmlwatch_cloudwatch_metrics_requested_total") == before == bill(sim) > 0
    wait_until(equal, "the counter equals the bill")


def test_both_ways_tell_the_same(start, bus, listener):
    sim = start(harness.Simulator, "--seed", 7)
    listener.workers = lease(sim)
    seen = {}
    for api in ("data", "statistics"):
        listener.events.clear()
        program = collector(start, bus, sim, "--api", api, "--interval-ms", 60000)
        listener.collect("utilization.observed", lambda events: len(values(listener, None)) == len(listener.workers))
        seen[api] = values(listener, None)
        program.stop()
    same = [s for s in seen["data"] if seen["data"][s][0] == seen["statistics"][s][0]]
    assert same, "some points are of one period"
    assert all(seen["data"][s] == seen["statistics"][s] for s in same)


def test_auto_takes_what_costs_less(start, bus, sim, listener):
    listener.workers = lease(sim)
    small = collector(start, bus, sim, "--interval-ms", 300000)
    listener.collect("utilization.observed", lambda events: len(values(listener, None)) == len(listener.workers))
    assert metric(small.url, "cmlwatch_aws_calls_total", api="GetMetricStatistics") > 0 and bill(sim) == 0
    assert metric(small.url, "cmlwatch_cloudwatch_cost_usd_month") == 0
    small.stop()
    large = collector(start, bus, sim, "--interval-ms", 500)
    listener.collect("collector.heartbeat", lambda events: bill(sim) > 0)
    wait_until(lambda: listener.turn() or metric(large.url, "cmlwatch_cloudwatch_cost_usd_month") > 100, "what it costs is told")


def test_budget_is_kept_by_longer_intervals_and_said_once(start, bus, sim, listener):
    listener.workers = lease(sim)
    program = collector(start, bus, sim, "--api", "data", "--interval-ms", 500, "--budget-usd", 1)
    error = listener.collect("collector.error", lambda events: any(e["data"]["api"] == "budget" for e in events))
    data = next(e["data"] for e in error if e["data"]["api"] == "budget")

    assert data["error_code"] == "exceeded" and "budget of 1" in data["error_message"]
    wait_until(lambda: listener.turn() or metric(program.url, "cmlwatch_cloudwatch_interval_stretch") > 100, "they are longer")
    asked = metric(program.url, "cmlwatch_aws_calls_total", api="GetMetricData")
    listener.collect("collector.heartbeat", lambda events: len(events) >= 5)
    assert metric(program.url, "cmlwatch_aws_calls_total", api="GetMetricData") <= asked + 3, "rounds come rarely now"

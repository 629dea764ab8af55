"""cmlwatch-collector-cloudwatch against the simulator; the test is its aggregator.
SPDX-License-Identifier: MIT"""
import pytest

import harness
from harness import metric
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

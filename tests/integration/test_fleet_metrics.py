"""The fleet as Prometheus gauges, read by Prometheus' own parser.
SPDX-License-Identifier: MIT"""
import datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

import harness
import outside
from harness import http, metric, wait_until


@pytest.fixture
def fleet(start, bus):
    class Fleet:
        aggregator = start(harness.Aggregator, bus, "--metrics-workers-max", 2)
        gateway = start(harness.Gateway, bus)
        publisher = outside.Publisher(bus.ingest, "/collector/cml/fleet")
    fleet = Fleet()
    fleet.bus = bus
    fleet.publisher.until_heard(fleet.gateway, "us-east-1", "i-0one")
    return fleet


def samples(fleet):
    _, headers, text = http(f"{fleet.aggregator.url}/metrics")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    return [(s.name, s.labels, s.value) for family in text_string_to_metric_families(text.decode())
            for s in family.samples]


def of(fleet, name, **labels):
    return [value for found, own, value in samples(fleet)
            if found == name and all(own.get(k) == v for k, v in labels.items())]


def test_worker_is_told_in_base_units_by_source(fleet):
    fleet.publisher.publish("system.observed", "us-east-1/i-0one", {
        "reachable": True, "ready": True, "version": "2.9.0",
        "licensing": {"registration": {"status": "COMPLETED"}, "authorization": {"status": "IN_COMPLIANCE"}},
        "system_stats": {"computes": {"a": {"stats": {"cpu": {"count": 4, "percent": 50},
                                                      "memory": {"total": 100, "used": 25}}}}}})
    fleet.publisher.publish("labs.observed", "us-east-1/i-0one", {"labs": [
        {"lab_id": "a", "state": "STARTED"}, {"lab_id": "b", "state": "STOPPED"}]})
    worker = wait_until(lambda: (w := fleet.gateway.worker("i-0one"))["cml_labs_count"] == 1 and w, "labs")["worker_id"]

    assert of(fleet, "cmlwatch_worker_cpu_utilization_ratio", worker_id=worker, source="cml") == [0.5]
    assert of(fleet, "cmlwatch_worker_cpu_utilization_ratio", worker_id=worker, source="calculated") == [0.5]
    assert of(fleet, "cmlwatch_worker_cpu_utilization_ratio", worker_id=worker, source="cloudwatch") == [], "not 0"
    assert of(fleet, "cmlwatch_worker_memory_utilization_ratio", worker_id=worker, source="cml") == [0.25]
    assert of(fleet, "cmlwatch_worker_storage_utilization_ratio") == []
    assert of(fleet, "cmlwatch_worker_info", worker_id=worker, instance_id="i-0one", region="us-east-1") == [1]
    assert of(fleet, "cmlwatch_worker_status", worker_id=worker, status="running") == [1]
    assert of(fleet, "cmlwatch_worker_service_status", worker_id=worker, service_status="available") == [1]
    assert of(fleet, "cmlwatch_worker_license_status", worker_id=worker, license_status="registered") == [1]
    assert of(fleet, "cmlwatch_worker_labs", worker_id=worker) == [2]
    assert of(fleet, "cmlwatch_worker_labs_running", worker_id=worker) == [1]
    assert 0 <= of(fleet, "cmlwatch_worker_freshness_age_seconds", worker_id=worker, source="cml")[0] < 60
    assert 0 <= of(fleet, "cmlwatch_worker_unused_seconds", worker_id=worker)[0] < 60
    assert of(fleet, "cmlwatch_fleet_labs_running") == [1] and of(fleet, "cmlwatch_fleet_labs") == [2]
    assert of(fleet, "cmlwatch_fleet_cpu_utilization_ratio") == [0.5]
    assert of(fleet, "cmlwatch_workers", status="running") == [1] and of(fleet, "cmlwatch_workers", status="stopped") == [0]
    assert of(fleet, "cmlwatch_workers_by_license_status", license_status="registered") == [1]
    assert of(fleet, "cmlwatch_workers_by_freshness", source="cml", freshness="fresh") == [1]


def test_workers_beyond_the_bound_count_in_the_sums_alone(fleet):
    for name in ("i-0two", "i-0three", "i-0four"):
        fleet.publisher.instance("us-east-1", name)
    wait_until(lambda: len(fleet.gateway.workers()) == 4, "four workers")

    assert of(fleet, "cmlwatch_workers", status="running") == [4]
    assert len(of(fleet, "cmlwatch_worker_status")) == 2 and of(fleet, "cmlwatch_workers_not_told") == [2]


def test_idle_workers_are_counted(fleet):
    long_ago = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    fleet.publisher.publish("labs.observed", "us-east-1/i-0one", {"labs": []})
    fleet.publisher.publish("activity.observed", "us-east-1/i-0one", {"last_activity_at": long_ago})

    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_workers_idle") == 1, "it is counted as idle")

    assert of(fleet, "cmlwatch_worker_unused_seconds")[0] >= 3 * 3600


def test_hostile_names_stay_within_their_label(fleet):
    fleet.publisher.instance("us-east-1", "i-0bad", name='a"} 1\nevil{x="\\')
    wait_until(lambda: len(fleet.gateway.workers()) == 2, "two workers")

    names = [labels["name"] for name, labels, _ in samples(fleet) if name == "cmlwatch_worker_info"]

    assert 'a"} 1\nevil{x="\\' in names

"""The whole way: simulated AWS and CML, three collectors, aggregator, gateway, client.
SPDX-License-Identifier: MIT"""
import json
import time

import pytest

import harness
from harness import http_json, wait_until


def running(stack):
    return [i for i in stack.sim.instances() if i["state"] == "running"]


def fleet_is_whole(stack):
    """Every instance is a worker, and each running one has values of all three sources."""
    workers = {w["aws_instance_id"]: w for w in stack.gateway.workers()}
    if set(workers) != {i["instance_id"] for i in stack.sim.instances()}:
        return False
    return all(workers[i["instance_id"]]["cml_version"] and workers[i["instance_id"]]["ec2_system_status_check"]
               and workers[i["instance_id"]]["cloudwatch_cpu_utilization"] is not None
               and workers[i["instance_id"]]["storage_utilization"] is not None for i in running(stack))


def test_whole_stack_shows_the_fleet_with_values_of_all_three_sources(stack):
    wait_until(lambda: fleet_is_whole(stack), "all workers with all sources")

    worker = stack.gateway.worker(running(stack)[0]["instance_id"])

    assert worker["worker_id"] == worker["id"]
    assert worker["status"] == "running" and worker["service_status"] == "available"
    assert worker["https_endpoint"].startswith("https://127.")
    assert 0 <= worker["cpu_utilization"] <= 100 and 0 < worker["memory_utilization"] <= 100
    sources = ("ec2_freshness", "cml_freshness", "cloudwatch_freshness")  # for three rounds of half a second and more
    wait_until(lambda: {stack.gateway.worker(worker["aws_instance_id"])[source] for source in sources} == {"fresh"}, "all are fresh")
    assert worker["cml_system_info"]["computes"]


def test_worker_id_is_the_uuid_of_region_and_instance(stack):
    import uuid
    wait_until(lambda: stack.gateway.workers(), "workers")

    for worker in stack.gateway.workers():
        name = f"cmlwatch/{worker['region']}/{worker['aws_instance_id']}"
        assert worker["worker_id"] == str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def test_stopping_an_instance_shows_on_the_stream_and_in_the_list(stack):
    wait_until(lambda: fleet_is_whole(stack), "all workers with all sources")
    victim = running(stack)[0]["instance_id"]
    worker_id = stack.gateway.worker(victim)["worker_id"]
    stream = stack.gateway.stream()
    stream.state()

    stack.sim.control(f"instances/{victim}", {"state": "stopped"})
    change = stream.wait(lambda e: e.type == "worker.status.updated" and e.data["worker_id"] == worker_id
                         and e.data["new_status"] == "stopped", "the worker stops")
    snapshot = stream.wait(lambda e: e.type == "worker.snapshot" and e.data["worker_id"] == worker_id
                           and e.data["status"] == "stopped", "and its snapshot says so")

    assert change.body["source"] == "domain.cml_worker"
    assert snapshot.body["source"] == "domain.cml_worker.snapshot"
    assert snapshot.data["_reason"] in ("status_updated", "metrics_collected")
    assert snapshot.sequence > change.sequence
    assert stack.gateway.worker(victim)["status"] == "stopped"


def test_terminated_instance_becomes_a_terminated_worker(stack):
    wait_until(lambda: fleet_is_whole(stack), "all workers with all sources")
    victim = running(stack)[-1]["instance_id"]
    worker_id = stack.gateway.worker(victim)["worker_id"]
    stream = stack.gateway.stream()
    stream.state()

    stack.sim.control(f"instances/{victim}", {"state": "terminated"})
    event = stream.wait(lambda e: e.type == "worker.terminated" and e.data["worker_id"] == worker_id, "it terminates")

    assert event.data["terminated_at"].endswith("Z")
    wait_until(lambda: stack.gateway.worker(victim)["status"] == "terminated", "its snapshot follows")


def test_a_new_instance_becomes_a_worker_with_its_first_snapshot(start):
    stack = start(harness.Stack, instances=3)
    wait_until(lambda: len(stack.gateway.workers()) == 3, "the first workers")
    stream = stack.gateway.stream()
    stream.state()

    stack.sim.control("instances", {})
    created = stream.wait("worker.created", "a worker is created")
    snapshot = stream.wait(lambda e: e.type == "worker.snapshot" and e.data.get("_reason") == "created"
                           and e.data["worker_id"] == created.data["worker_id"], "its first snapshot")

    assert created.data["name"] and created.data["region"]
    assert snapshot.sequence > created.sequence


def test_live_ids_count_without_gaps_or_repeats(stack):
    stream = stack.gateway.stream()
    stream.state()
    position = int(stream.last_id.rsplit("-", 1)[1])

    for _ in range(60):
        event = stream.next()
        if event.type in ("heartbeat", "connected"):
            continue
        assert event.sequence == position + 1, f"{event} after {position}"
        assert event.body["seq"] == event.sequence and event.body["type"] == event.type
        position = event.sequence


def test_labs_of_a_worker_reach_the_stream(stack):
    wait_until(lambda: fleet_is_whole(stack), "all workers with all sources")
    instance = running(stack)[0]["instance_id"]
    worker_id = stack.gateway.worker(instance)["worker_id"]
    stream = stack.gateway.stream()
    stream.state()

    stack.sim.control("labs", {"instance": instance, "lab": "exam-42", "state": "STARTED"})
    event = stream.wait(lambda e: e.type == "worker.labs.updated" and e.data["worker_id"] == worker_id
                        and any(lab["title"] == "exam-42" for lab in e.data["labs"]), "the lab appears")

    lab = next(lab for lab in event.data["labs"] if lab["title"] == "exam-42")
    assert lab["state"] == "STARTED" and lab["lab_id"] and event.data["labs_count"] >= 1


def test_a_dead_cml_is_unavailable_and_the_other_sources_go_on(stack):
    wait_until(lambda: fleet_is_whole(stack), "all workers with all sources")
    victim = running(stack)[0]["instance_id"]
    before = stack.gateway.worker(victim)

    stack.sim.fault(api="cml", instance=victim, kind="unreachable", for_ms=600000)
    wait_until(lambda: stack.gateway.worker(victim)["service_status"] == "unavailable", "the CML is unavailable")
    after = wait_until(lambda: (w := stack.gateway.worker(victim))["cloudwatch_last_collected_at"] >
                       before["cloudwatch_last_collected_at"] and w, "CloudWatch goes on")

    assert after["cml_freshness"] in ("error", "stale")
    assert after["cml_version"] == before["cml_version"], "last values stay"
    assert after["status"] == "running"
    wait_until(lambda: stack.gateway.worker(victim)["ec2_freshness"] == "fresh", "EC2 goes on")
    others = [w for w in stack.gateway.workers() if w["aws_instance_id"] != victim and w["status"] == "running"]
    assert all(w["service_status"] == "available" for w in others)


def test_gateway_that_starts_late_has_the_same_state(stack, start):
    wait_until(lambda: fleet_is_whole(stack), "all workers with all sources")

    late = start(harness.Gateway, stack.bus)

    quiet = ("worker_id", "name", "status", "aws_instance_id", "created_at", "cml_version", "private_ip")
    assert [[w[k] for k in quiet] for w in late.workers()] == [[w[k] for k in quiet] for w in stack.gateway.workers()]


def test_aggregator_restart_is_a_new_epoch_and_clients_get_the_whole_state(stack):
    wait_until(lambda: fleet_is_whole(stack), "all workers with all sources")
    stream = stack.gateway.stream()
    stream.state()
    epoch = stream.last_id.rsplit("-", 1)[0]

    stack.aggregator.kill()
    stack.aggregator.start()
    reset = stream.wait("system.reset", "the stream says that the state begins anew")
    stream.wait("system.state.end", "and gives it")
    wait_until(lambda: fleet_is_whole(stack), "the fleet is whole again")

    assert reset.data["reason"]
    stream.wait(lambda e: e.id.rsplit("-", 1)[0] not in ("", epoch), "ids of the new epoch")


def test_collector_killed_and_started_again_goes_on(stack):
    wait_until(lambda: fleet_is_whole(stack), "all workers with all sources")

    stack.ec2.kill()
    stack.ec2.start()
    victim = running(stack)[0]["instance_id"]
    stack.sim.control(f"instances/{victim}", {"state": "stopped"})

    wait_until(lambda: stack.gateway.worker(victim)["status"] == "stopped", "the new process is heard")


@pytest.mark.skipif(harness.VALGRIND, reason="a latency says nothing under valgrind")
def test_latency_from_publish_to_client_is_measured(start, tmp_path):
    """Prints the figure that README.md quotes; asserts only that every event arrives, in order."""
    import outside
    bus = harness.Bus()
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus)
    publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/latency")
    publisher.until_heard(gateway, "us-east-1", "i-0latency")
    stream = gateway.stream("?event_types=worker.metrics.updated")
    stream.state()

    took = []
    for value in range(200):
        sent = time.perf_counter()
        publisher.publish("utilization.observed", "us-east-1/i-0latency", {"cpu_percent": 10 + value / 10})
        event = stream.wait("worker.metrics.updated", "the event comes")
        took.append(time.perf_counter() - sent)
        assert event.data["cloudwatch_cpu_utilization"] == pytest.approx(10 + value / 10)
    took.sort()
    figure = {"events": len(took), "p50_us": round(took[100] * 1e6), "p99_us": round(took[198] * 1e6)}
    print("publish-to-client latency", json.dumps(figure))
    (harness.BUILD / "latency.json").write_text(json.dumps(figure) + "\n")


class Budget(harness.Stack):
    """Its CloudWatch costs more than it may."""

    def collector(self, kind, *arguments, **more):
        return super().collector(kind, *(("--budget-usd", 1) if kind == "cloudwatch" else ()), *arguments, **more)


def test_collectors_say_what_they_ask_and_what_it_costs(start):
    stack = start(Budget)
    told = lambda: {c["kind"]: c for c in http_json(f"{stack.gateway.url}/api/state")["system_stats"]["collectors"]}
    def whole(known):
        return len(known) == 3 and all(c["calls"] for c in known.values()) and known["cml"]["units"] == len(running(stack)) and \
            known["cloudwatch"]["cost_usd_month"] and known["cloudwatch"]["billed"] and (known["cloudwatch"]["interval_stretch"] or 0) > 1
    collectors = wait_until(lambda: whole(known := told()) and known, "each has told")

    assert collectors["cml"]["units"] == len(running(stack))
    for kind, collector in collectors.items():
        assert [(row["account"], row["region"]) for row in collector["usage"]] == [("", "us-east-1")]
        assert collector["usage"][0]["calls"] == collector["calls"] and collector["lost"] == 0, kind
    assert collectors["ec2"]["billed"] == 0 and collectors["ec2"]["cost_usd_month"] is None
    billed = collectors["cloudwatch"]
    assert billed["billed"] > 0 and billed["cost_usd_month"] > billed["budget_usd"] == 1 and billed["interval_stretch"] > 1

    stack.cml.stop()
    wait_until(lambda: sorted(told()) == ["cloudwatch", "ec2"], "who is silent is told of no more")

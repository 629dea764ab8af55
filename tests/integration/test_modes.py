"""A collector as a tool: --once, --print, --dry-run.
SPDX-License-Identifier: MIT"""
import json
import os
import signal
import subprocess
import threading

import pytest
import zmq

import harness
from harness import wait_until


def run(kind, bus, sim, *arguments, timeout=harness.PATIENCE, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CMLWATCH_"))}
    environment.update({"AWS_EC2_METADATA_DISABLED": "true", **(sim.environment() if sim else {}), **variables})
    command = [harness.BUILD / f"cmlwatch-collector-{kind}", "--ingest", bus.ingest, "--control", bus.control,
               "--collector-id", "tool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment)


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


CML = ("--username", "cmlwatch", "--verify", "off", "--interval-ms", 1000)
CML_KEYS = {"CMLWATCH_COLLECTOR_CML_PASSWORD": "cmlwatch-demo"}


def test_print_once_needs_no_aggregator(bus, sim):
    result = run("ec2", bus, sim, "--once", "--print")

    events = lines(result)
    assert result.returncode == 0, result.stderr
    assert {e["subject"] for e in events} == {f"us-east-1/{i['instance_id']}" for i in sim.instances()}
    assert all(e["type"] == "instance.observed" and e["specversion"] == "1.0" for e in events)
    assert len({e["id"] for e in events}) == len(events) and events[0]["source"] == "/collector/ec2/tool"
    assert sim.control("calls")["aws"]["DescribeInstances"] == 1


def test_once_with_a_round_that_fails_is_1_and_says_what(bus, sim):
    result = run("ec2", bus, sim, "--once", "--print", AWS_SECRET_ACCESS_KEY="wrong")

    events = lines(result)
    assert result.returncode == 1
    assert [e["type"] for e in events] == ["collector.error"] and events[0]["data"]["error_code"] == "AuthFailure"


def test_once_reads_every_region_once(start, bus):
    sim = start(harness.Simulator, "--regions", "us-east-1,eu-central-1,eu-west-1")

    result = run("ec2", bus, sim, "--once", "--print", "--interval-ms", 100, "--concurrency", 1,
                 "--regions", "us-east-1,eu-central-1,eu-west-1")

    assert result.returncode == 0 and len({e["data"]["region"] for e in lines(result)}) == 3
    assert sim.control("calls")["aws"]["DescribeInstances"] == 3


def test_once_on_the_bus_is_heard_whole(start, bus, sim):
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus)

    result = run("ec2", bus, sim, "--once")

    assert result.returncode == 0 and result.stdout == "", result.stderr
    wait_until(lambda: len(gateway.workers()) == len(sim.instances()), "all of them are known")


def test_once_on_a_bus_without_an_aggregator_is_1(bus, sim):
    result = run("ec2", bus, sim, "--once")

    assert result.returncode == 1 and "could not be handed on" in result.stderr and "--print" in result.stderr


@pytest.mark.parametrize("kind, arguments, keys", [("cloudwatch", (), {}), ("cml", CML, CML_KEYS)])
def test_without_an_aggregator_there_are_no_workers_to_read(bus, sim, kind, arguments, keys):
    result = run(kind, bus, sim, "--once", "--print", *arguments, **keys)

    assert result.returncode == 1 and result.stdout == ""
    assert "the workers to read come from an aggregator, and none answers" in result.stderr and bus.control in result.stderr


def test_print_takes_no_work_from_the_collectors_that_serve(stack):
    wait_until(lambda: all(w["cml_freshness"] == "fresh" for w in stack.gateway.workers()) and stack.gateway.workers(), "all are read")
    leased = wait_until(lambda: (n := harness.metric(stack.aggregator.url, "cmlwatch_collectors")) == 3 and n, "all three collectors")

    result = run("cml", stack.bus, stack.sim, "--once", "--print", *CML, "--port", stack.sim.cml_port, **CML_KEYS)
    looked = run("ec2", stack.bus, stack.sim, "--once", "--print")
    metrics = run("cloudwatch", stack.bus, stack.sim, "--once", "--print")

    running = {i["instance_id"] for i in stack.sim.instances()}
    assert result.returncode == looked.returncode == metrics.returncode == 0, result.stderr + looked.stderr + metrics.stderr
    assert {e["subject"].split("/")[1] for e in lines(result) if e["type"] == "system.observed"} == running
    assert {e["subject"].split("/")[1] for e in lines(looked)} == running
    assert {e["subject"].split("/")[1] for e in lines(metrics) if e["type"] == "utilization.observed"} == running
    assert harness.metric(stack.aggregator.url, "cmlwatch_collectors") == leased == 3
    assert "/tool" not in stack.aggregator.log


def test_dry_run_says_what_would_be_called_and_calls_nothing(bus, sim, tmp_path):
    path = tmp_path / "accounts"
    path.write_text("[own]\n[other]\nrole_arn = arn:aws:iam::444455556666:role/reader\nregions = eu-west-1\n")

    result = run("ec2", bus, sim, "--dry-run", "--accounts", path, "--tag-filter", "Team=a b")

    calls = {(c["api"], c["account"], c["region"]): c for c in lines(result)}
    assert result.returncode == 0, result.stderr
    assert set(calls) == {(api, *where) for api in ("DescribeInstances", "DescribeInstanceStatus")
                          for where in (("own", "us-east-1"), ("other", "eu-west-1"))}
    own = calls["DescribeInstances", "own", "us-east-1"]
    assert own["url"].startswith(sim.aws_url) and own["keys"] == "the environment"
    assert "Filter.1.Name=tag%3ATeam" in own["parameters"] and "MaxResults" in own["parameters"]
    assert "arn:aws:iam::444455556666:role/reader" in calls["DescribeInstances", "other", "eu-west-1"]["keys"]
    assert not sim.control("calls").get("aws")


def test_dry_run_of_cloudwatch_and_cml_shows_the_aggregators_workers(stack):
    wait_until(lambda: len(stack.gateway.workers()) == len(stack.sim.instances()), "all are known")
    running = {i["instance_id"] for i in stack.sim.instances()}

    metrics = run("cloudwatch", stack.bus, stack.sim, "--dry-run", "--api", "data")
    cml = run("cml", stack.bus, stack.sim, "--dry-run", *CML, "--port", stack.sim.cml_port, **CML_KEYS)

    assert metrics.returncode == cml.returncode == 0, metrics.stderr + cml.stderr
    assert running == {c["parameters"] for c in lines(cml)}
    assert all(c["url"].endswith(f":{stack.sim.cml_port}/api/v0") for c in lines(cml))
    asked = "".join(c["parameters"] for c in lines(metrics) if c["api"] == "GetMetricData")
    assert all(instance in asked for instance in running)
    assert "cmlwatch-demo" not in cml.stdout + cml.stderr


def test_dry_run_of_a_source_without_a_plan_is_refused(bus):
    result = run("prometheus", bus, None, "--dry-run")

    assert result.returncode == 2 and "this collector has none" in result.stderr


def test_reader_that_leaves_ends_it(bus, sim):
    environment = {**os.environ, **sim.environment()}
    command = [harness.BUILD / "cmlwatch-collector-ec2", "--ingest", bus.ingest, "--control", bus.control,
               "--print", "--interval-ms", "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as program:
        assert json.loads(program.stdout.readline())["type"] == "instance.observed"
        program.stdout.close()
        _, log = program.communicate(timeout=harness.PATIENCE)

    assert program.returncode == 0 and "nobody reads what is printed" in log


def test_tool_waits_for_an_aggregator_that_stands_still_for_a_moment(start, bus, sim):
    aggregator = start(harness.Aggregator, bus)
    aggregator.process.send_signal(signal.SIGSTOP)
    goes_on = threading.Timer(1.5, aggregator.process.send_signal, [signal.SIGCONT])
    goes_on.start()

    result = run("cloudwatch", bus, sim, "--once", "--print")

    goes_on.join()
    assert result.returncode == 0 and "none answers" not in result.stderr, result.stderr


def test_observer_is_told_all_and_holds_nothing(start, bus, sim):
    aggregator = start(harness.Aggregator, bus)
    start(harness.Collector, "ec2", bus, "--interval-ms", 300, environment=sim.environment(), collector_id="serves")
    gateway = start(harness.Gateway, bus)
    wait_until(lambda: len(gateway.workers()) == len(sim.instances()), "all are known")

    with zmq.Context.instance().socket(zmq.DEALER) as control:
        control.connect(bus.control)
        control.send_multipart([b"request", b"lease", b"1", json.dumps({
            "collector_id": "/collector/ec2/another", "kind": "ec2", "regions": ["us-east-1", "eu-west-1"],
            "revision": "", "observing": True}).encode()])
        assert control.poll(harness.PATIENCE * 1000)
        answer = json.loads(control.recv_multipart()[3])

    assert answer["regions"] == ["us-east-1", "eu-west-1"] and "resend" not in answer
    assert harness.metric(aggregator.url, "cmlwatch_collectors") == 1

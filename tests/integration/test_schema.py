"""Everything the running programs say is valid by the schemas they publish, judged by python3-jsonschema.
SPDX-License-Identifier: MIT"""
import json
import subprocess

import jsonschema
import pytest

import harness
from harness import wait_until
from listener import Listener

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (harness.ROOT / "common/schema").glob("*.json")}


def validator(name):
    return jsonschema.Draft202012Validator(SCHEMAS[name], format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schema_is_itself_valid(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_event_of_the_stream_is_valid(stack):
    wait_until(lambda: any(w["cml_system_info"] for w in stack.gateway.workers()), "values of CML")
    stream = stack.gateway.stream()
    stream.state()
    for _ in range(40):
        stream.next()

    assert len([e for e in stream.events if e.type == "worker.snapshot"]) > 6
    for event in stream.events:
        validator(event.type).validate(event.body)


def test_printed_schemas_are_those_of_the_tables(tmp_path):
    subprocess.run([harness.BUILD / "print_schemas", tmp_path], check=True)

    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == \
           {p.name: p.read_text() for p in (harness.ROOT / "common/schema").iterdir()}, "run `make schemas`"


def test_answers_of_rest_are_valid(stack):
    wait_until(lambda: any(w["cml_system_info"] for w in stack.gateway.workers()), "values of CML")
    url = stack.gateway.url
    worker = stack.gateway.workers()[0]["worker_id"]

    for name, path, status in [("workers", "/api/workers?limit=3", 200), ("worker", f"/api/workers/{worker}", 200),
                               ("state", "/api/state", 200), ("problem", "/api/workers/nobody", 404),
                               ("healthz", "/healthz", 200), ("readyz", "/readyz", 200)]:
        got, _, body = harness.http(url + path)
        assert got == status
        validator(f"rest.{name}").validate(json.loads(body))


def test_schemas_are_served(stack):
    index = harness.http_json(stack.gateway.url + "/api/schema")
    assert set(index["schemas"]) == {f"{name}.json" for name in SCHEMAS}
    for name, schema in SCHEMAS.items():
        assert harness.http_json(f"{stack.gateway.url}/api/schema/{name}.json") == schema


def test_every_observation_of_the_real_collectors_is_valid(start, sim, bus, tmp_path):
    """The test is the aggregator: it hears what the three collectors say about the simulator."""
    listener = Listener(bus)
    listener.workers = [{"worker_id": f"00000000-0000-5000-8000-{n:012d}", "region": i["region"], "name": i["name"],
                         "instance_id": i["instance_id"], "status": "running", "public_ip": i["public_ip"],
                         "private_ip": i["private_ip"], "detailed_monitoring": False}
                        for n, i in enumerate(sim.instances()) if i["state"] == "running"]
    pins = tmp_path / "pins"
    pins.write_text(sim.control("pins"))
    start(harness.Collector, "ec2", bus, "--interval-ms", 500, environment=sim.environment())
    start(harness.Collector, "cloudwatch", bus, "--interval-ms", 500, environment=sim.environment())
    start(harness.Collector, "cml", bus, "--interval-ms", 500, "--port", sim.cml_port, "--verify", "fingerprint",
          "--fingerprints", pins, "--username", "cmlwatch",
          environment={"CMLWATCH_COLLECTOR_CML_PASSWORD": "cmlwatch-demo"})

    for kind in ("instance.observed", "utilization.observed", "system.observed", "labs.observed", "activity.observed",
                 "collector.heartbeat"):
        listener.collect(kind, lambda events: len(events) >= 3)
    listener.close()

    for event in listener.all:
        validator(event["type"]).validate(event)

"""Everything the running programs say is valid by the schemas they publish, judged by python3-jsonschema.
SPDX-License-Identifier: MIT"""
import hashlib
import json
import subprocess

import jsonschema
import pytest

import harness
from harness import wait_until
from listener import Listener

FILES = {path.stem: json.loads(path.read_text()) for path in (harness.ROOT / "common/schema").glob("*.json")}
CONTRACT = {name: FILES[name] for name in ("openapi", "asyncapi")}
SCHEMAS = {name: schema for name, schema in FILES.items() if name not in CONTRACT}


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
                               ("problem", "/api/nothing", 404),
                               ("healthz", "/healthz", 200), ("readyz", "/readyz", 200)]:
        #  At once, but for /readyz, which is 503 when the aggregator stands still for a moment.
        answer = wait_until(lambda: (got := harness.http(url + path)) and (got[0] == status or path != "/readyz") and got, "it is ready")
        assert answer[0] == status
        validator(f"rest.{name}").validate(json.loads(answer[2]))


def test_schemas_are_served(stack):
    index = harness.http_json(stack.gateway.url + "/api/schema")
    assert set(index["schemas"]) == {f"{name}.json" for name in SCHEMAS}
    assert set(index["documents"]) == {f"{name}.json" for name in CONTRACT}
    for name, schema in FILES.items():
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


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_every_reference_of_a_document_leads_somewhere(name):
    found = list(references(CONTRACT[name]))

    assert len(found) > 10
    for reference in found:
        file, _, pointer = reference.partition("#")
        assert not file or file.removesuffix(".json") in SCHEMAS, reference
        node = CONTRACT[name]
        for step in pointer.split("/")[1:]:
            node = node[step]


def test_every_type_is_a_message_of_the_asyncapi_document():
    document = CONTRACT["asyncapi"]
    types = {name for name in SCHEMAS if not name.startswith("rest.") and name != "snapshot"}

    channels = [set(channel["messages"]) for channel in document["channels"].values()]

    assert set(document["components"]["messages"]) == types == set().union(*channels)
    assert sum(map(len, channels)) == len(types)
    assert "deprecated" in SCHEMAS["worker.telemetry.observed"]


OPERATIONS = [(path, method) for path, item in CONTRACT["openapi"]["paths"].items() for method in item]
VALUES = {"metric": "cpu_utilization", "since": "2026-01-01T00:00:00.000Z", "limit": "3", "region": "us-east-1",
          "status": "running", "topics": "workers", "event_types": "worker.*", "regions": "us-east-1",
          "job_types": "labs.refresh", "min_priority": "0", "max_priority": "9",
          "worker_ids": "00000000-0000-5000-8000-000000000000", "cursor": "00000000-0000-5000-8000-000000000000"}


TOKEN = "a-token-of-a-test"
BODIES = {"beginSession": json.dumps({"token": TOKEN}), "setIdleDetection": '{"enabled": true}', "changeClient": '{"regions": "us-east-1"}'}


def call(stack, path, method, query=""):
    operation = CONTRACT["openapi"]["paths"][path][method]
    body = BODIES[operation["operationId"]] if "requestBody" in operation else None
    name, stream = stack.gateway.workers()[0]["worker_id"], None
    if path.startswith("/api/clients"):
        stream = stack.gateway.stream("?heartbeat=1")
        name = stream.next().data["client_id"]
        stream.wait("heartbeat", "it is live")
    gateway, headers = stack.gateway, {"Content-Type": "application/json"} if body else {}
    if path == "/api/session":  # where one has to log in
        gateway, headers = stack.secured, {**headers, "Authorization": f"Bearer {TOKEN}"}
    return harness.http(gateway.url + path.replace("{id}", name) + query, method.upper(), body, headers)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract")
    stack = harness.Stack(folder)
    tokens = folder / "tokens"
    tokens.write_text(f"test admin sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}\n")
    stack.secured = harness.Gateway(folder, stack.bus, "--auth", "token", "--tokens-file", tokens, log_name="secured")
    yield stack
    stack.secured.stop()
    stack.stop()


def is_of_jobs(path, method):
    """Those are tried in test_commands.py, with an aggregator that has jobs and alerts of each kind."""
    return path.startswith(("/api/jobs", "/api/alerts")) or (path.startswith("/api/workers/") and method == "post")


@pytest.mark.parametrize("path,method", [o for o in OPERATIONS if o[0] != "/api/events/stream" and not is_of_jobs(*o)])
def test_every_operation_is_answered_as_the_openapi_document_says(shared, path, method):
    wait_until(lambda: shared.gateway.workers(), "a worker")
    operation = CONTRACT["openapi"]["paths"][path][method]
    parameters = [p for p in operation["parameters"] if p["in"] == "query"]
    VALUES["after"] = harness.http_json(shared.gateway.url + "/api/state")["last_event_id"]
    query = "?" + "&".join(f"{p['name']}={VALUES[p['name']]}" for p in parameters) if parameters else ""

    status, headers, body = call(shared, path, method, query)

    assert status in (200, 201, 202, 204)
    if status == 204:
        assert not body and "content" not in operation["responses"]["204"]
        return
    answer = operation["responses"][str(status)]["content"]
    assert headers["content-type"] in answer
    schema = answer[headers["content-type"]]["schema"]
    if "$ref" in schema:
        validator(schema["$ref"].removesuffix(".json")).validate(json.loads(body))


@pytest.mark.parametrize("path,method", [o for o in OPERATIONS if "400" in
                                         CONTRACT["openapi"]["paths"][o[0]][o[1]]["responses"] and o[1] == "get"])
def test_parameter_that_the_document_does_not_know_is_refused(shared, path, method):
    wait_until(lambda: shared.gateway.workers(), "a worker")
    status, headers, body = call(shared, path, method, "?nonsense=1")

    assert status == 400 and "nonsense" in json.loads(body)["detail"]
    validator("rest.problem").validate(json.loads(body))


def test_stream_takes_every_parameter_that_the_document_names(shared):
    parameters = CONTRACT["openapi"]["paths"]["/api/events/stream"]["get"]["parameters"]
    values = {"topics": "workers", "event_types": "worker.*", "worker_ids": VALUES["cursor"], "regions": "us-east-1",
              "job_types": "labs.refresh", "min_priority": "-3", "max_priority": "9", "max_hz": "0.5", "batch_ms": "100",
              "state": "0", "heartbeat": "5", "last_event_id": "deadbeef-1", "client": "test"}

    stream = shared.gateway.stream("?" + "&".join(f"{p['name']}={values[p['name']]}" for p in parameters))

    assert stream.status == 200 and stream.next().type == "connected"

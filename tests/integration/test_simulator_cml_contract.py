"""Every answer of a simulated CML is valid by Cisco's OpenAPI document of CML 2.9.0, judged by python3-jsonschema.
SPDX-License-Identifier: MIT"""
import base64
import hashlib
import json
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import jsonschema
import pytest

import harness
from harness import SHARED, wait_until

DOCUMENT = SHARED / "data/cml/openapi-2.9.0.json"
UNVERIFIED = ssl._create_unverified_context()
LOGIN = {"username": "cmlwatch", "password": "cmlwatch-demo"}


@pytest.fixture(scope="session")
def openapi():
    if not DOCUMENT.is_file():
        pytest.skip("../shared/data/cml/openapi-2.9.0.json is not there")
    return json.loads(DOCUMENT.read_text())


class Cml:
    """A client of one simulated CML, with the certificate unverified: what it pins is a test of its own."""

    def __init__(self, sim, instance=None):
        self.instance = instance or sim.instances()[0]
        self.host, self.port = self.instance["public_ip"], sim.cml_port
        self.token = None

    def ask(self, path, method="GET", body=None, token=None):
        headers = {"Content-Type": "application/json"}
        if token or self.token:
            headers["Authorization"] = f"Bearer {token or self.token}"
        request = urllib.request.Request(f"https://{self.host}:{self.port}/api/v0{path}", method=method, headers=headers,
                                         data=json.dumps(body).encode() if body is not None else None)
        try:
            with urllib.request.urlopen(request, context=UNVERIFIED, timeout=harness.PATIENCE) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def login(self):
        status, self.token = self.ask("/authenticate", "POST", LOGIN)
        assert status == 200
        return self


@pytest.fixture
def cml(sim):
    return Cml(sim).login()


def validate(openapi, template, method, status, value):
    responses = openapi["paths"][template][method.lower()]["responses"]
    answer = responses.get(str(status), responses["default"])
    schema = answer["content"]["application/json"]["schema"] if "$ref" not in answer else {"$ref": answer["$ref"] + "/content/application~1json/schema"}
    jsonschema.Draft202012Validator({**openapi, **schema}, format_checker=jsonschema.FormatChecker()).validate(value)


PATHS = ["/system_information", "/system_stats", "/system_health", "/licensing", "/labs", "/telemetry/events", "/authok"]


@pytest.mark.parametrize("path", PATHS)
def test_answer_is_valid_by_the_openapi_document(openapi, cml, path):
    status, value = cml.ask(path + ("?show_all=true" if path == "/labs" else ""))

    assert status == 200 and value not in ({}, [])
    validate(openapi, path, "GET", status, value)


def test_labs_of_all_cmls_are_valid(openapi, sim):
    for instance in sim.instances():
        cml = Cml(sim, instance).login()
        for lab_id in cml.ask("/labs?show_all=true")[1]:
            for template in ("/labs/{lab_id}", "/labs/{lab_id}/state", "/labs/{lab_id}/lab_element_state"):
                status, value = cml.ask(template.replace("{lab_id}", lab_id))
                assert status == 200
                validate(openapi, template, "GET", status, value)


def test_every_cml_of_the_fleet_is_valid_in_what_differs_between_them(openapi, start):
    sim = start(harness.Simulator, instances=12)
    for instance in sim.instances():
        cml = Cml(sim, instance).login()
        for path in ("/system_stats", "/system_health", "/licensing"):
            validate(openapi, path, "GET", *cml.ask(path))


def test_cml_that_comes_up_is_valid_before_it_is_ready(openapi, start):
    sim = start(harness.Simulator, "--transition-ms", 5000, instances=2)  # what is asked is asked within the second of them
    own = sim.instances()[0]["instance_id"]
    sim.control(f"instances/{own}", {"state": "stopped"})
    sim.control(f"instances/{own}", {"state": "running"})
    instance = wait_until(lambda: (i := sim.instances()[0])["cml_answers"] and i, "it answers")

    cml = Cml(sim, instance).login()
    health, information = cml.ask("/system_health"), cml.ask("/system_information")

    assert information[1]["ready"] is False and health[1]["valid"] is None
    validate(openapi, "/system_health", "GET", *health)
    validate(openapi, "/system_information", "GET", *information)


def test_login_gives_a_token_that_says_when_it_ends(openapi, sim):
    cml = Cml(sim)

    status, token = cml.ask("/authenticate", "POST", LOGIN)
    extended = cml.ask("/auth_extended", "POST", LOGIN)

    validate(openapi, "/authenticate", "POST", status, token)
    validate(openapi, "/auth_extended", "POST", *extended)
    claims = token.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"] > time.time()
    assert cml.ask("/authok", token=extended[1]["token"])[0] == 200


def test_refusals_have_cmls_own_form(openapi, sim):
    cml = Cml(sim)

    for answer, template, method, expected in [
            (cml.ask("/authenticate", "POST", {**LOGIN, "password": "wrong"}), "/authenticate", "POST", 403),
            (cml.ask("/authenticate", "POST", "nonsense"), "/authenticate", "POST", 403),
            (cml.ask("/system_stats"), "/system_stats", "GET", 401),
            (cml.ask("/system_stats", token="a.b.c"), "/system_stats", "GET", 401),
            (cml.login().ask("/labs/00000000-0000-4000-8000-000000000000"), "/labs/{lab_id}", "GET", 404)]:
        assert answer[0] == expected == answer[1]["code"]
        validate(openapi, template, method, *answer)
    assert cml.ask("/no_such_path")[0] == 404
    assert cml.ask("/authenticate", "GET")[0] == 405


def test_token_ends_by_time(start):
    cml = Cml(start(harness.Simulator, "--token-seconds", 2))

    wait_until(lambda: cml.login().ask("/authok")[0] == 200, "it is good, if it is used in its time")
    wait_until(lambda: cml.ask("/authok")[0] == 401, "it ends")


def test_token_ends_by_logout_and_command(sim):
    cml = Cml(sim)
    assert cml.login().ask("/logout", "DELETE") == (200, True)
    assert cml.ask("/authok")[0] == 401
    cml.login()
    sim.fault(api="cml", kind="expire_tokens", count=1)
    assert cml.ask("/authok")[0] == 401
    assert cml.login().ask("/authok")[0] == 200


def test_token_of_one_cml_is_nothing_to_another(sim):
    first, second = (Cml(sim, instance) for instance in sim.instances()[:2])
    first.login()

    assert second.ask("/authok", token=first.token)[0] == 401


def pin_of(host, port):
    """What curl and RFC 7469 pin: the SHA-256 of the SubjectPublicKeyInfo."""
    with socket.create_connection((host, port), timeout=harness.PATIENCE) as plain, UNVERIFIED.wrap_socket(plain) as tls:
        certificate = tls.getpeercert(binary_form=True)
    key = subprocess.run(["openssl", "x509", "-inform", "DER", "-pubkey", "-noout"], input=certificate,
                         capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, capture_output=True, check=True).stdout
    return "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def test_certificates_are_those_pinned_and_differ(sim):
    pins = dict(line.split() for line in sim.control("pins").splitlines())

    for instance in sim.instances()[:3]:
        assert pin_of(instance["public_ip"], sim.cml_port) == pins[instance["instance_id"]] == instance["pin"]
    assert len(set(pins.values())) > 1


def test_wrong_certificate_is_another_key_also_for_open_connections(sim):
    instance = sim.instances()[0]
    sim.fault(api="cml", instance=instance["instance_id"], kind="wrong_certificate", for_ms=60000)

    assert pin_of(instance["public_ip"], sim.cml_port) not in {i["pin"] for i in sim.instances()}
    sim.control("reset", {})
    assert pin_of(instance["public_ip"], sim.cml_port) == instance["pin"]


def test_cml_of_a_stopped_instance_refuses_connections(sim):
    instance = sim.instances()[0]
    address = (instance["public_ip"], sim.cml_port)
    socket.create_connection(address, timeout=harness.PATIENCE).close()

    sim.control(f"instances/{instance['instance_id']}", {"state": "stopped"})

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=harness.PATIENCE)


def test_unreachable_cml_refuses_and_comes_back(sim):
    instance = sim.instances()[0]
    address = (instance["public_ip"], sim.cml_port)

    sim.fault(api="cml", instance=instance["instance_id"], kind="unreachable", for_ms=60000)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=harness.PATIENCE)
    sim.control("reset", {})

    assert Cml(sim, instance).login().ask("/authok")[0] == 200


def test_denied_login_is_403_and_ends(sim):
    sim.fault(api="cml", kind="deny_login", count=1)
    cml = Cml(sim)

    assert cml.ask("/authenticate", "POST", LOGIN)[0] == 403
    assert cml.ask("/authenticate", "POST", LOGIN)[0] == 200


def test_lab_that_starts_moves_nodes_telemetry_and_load(cml, sim):
    own = cml.instance["instance_id"]
    before = cml.ask("/system_stats")[1]["computes"].popitem()[1]["stats"]["dominfo"]["running_nodes"]

    sim.control("labs", {"instance": own, "lab": "exam-42", "state": "STARTED"})
    labs = {lab["lab_title"]: lab for lab in (cml.ask(f"/labs/{i}")[1] for i in cml.ask("/labs?show_all=true")[1])}
    lab = labs["exam-42"]
    nodes = cml.ask(f"/labs/{lab['id']}/lab_element_state")[1]["nodes"]
    events = cml.ask("/telemetry/events")[1]

    assert lab["state"] == "STARTED" and len(nodes) == lab["node_count"]
    assert set(nodes.values()) <= {"QUEUED", "STARTED", "BOOTED"}
    assert {"category": "start_lab", "data": {"lab_id": lab["id"]}}.items() <= events[-2].items()
    assert cml.ask("/system_stats")[1]["computes"].popitem()[1]["stats"]["dominfo"]["running_nodes"] == before + lab["node_count"]


def test_calls_are_counted_by_path(cml, sim):
    cml.ask("/system_stats")

    calls = sim.control("calls")["cml"]

    assert calls["/authenticate"] == 1 and calls["/system_stats"] == 1


def test_instance_that_is_yet_to_appear_is_pinned_already(start):
    sim = start(harness.Simulator, "--transition-ms", 100)
    pins = dict(line.split() for line in sim.control("pins").splitlines())

    appeared = sim.control("instances", {})
    instance = wait_until(lambda: next(i for i in sim.instances() if i["instance_id"] == appeared["instance_id"]
                                       ) if sim.instances()[-1]["cml_answers"] else None, "its CML answers")

    assert pin_of(instance["public_ip"], sim.cml_port) == pins[instance["instance_id"]]

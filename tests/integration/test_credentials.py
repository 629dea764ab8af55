"""Where the AWS collectors take their keys: each provider with a real collector against the simulator, which
checks signature, session token and end of every key; the test is the aggregator.
SPDX-License-Identifier: MIT"""
import http.server
import json
import os
import pathlib
import signal
import stat
import threading
import time

import pytest

import harness
from harness import metric, wait_until
from listener import Listener

ROLE = "arn:aws:iam::111122223333:role/{}"
KEYS = f"aws_access_key_id = {harness.ACCESS_KEY_ID}\naws_secret_access_key = {harness.SECRET_ACCESS_KEY}\n"


@pytest.fixture
def listener(bus):
    own = Listener(bus)
    yield own
    own.close()


class Home:
    """A home folder whose ~/.aws is the test's."""

    def __init__(self, folder):
        self.folder = folder / "home"
        (self.folder / ".aws").mkdir(parents=True)

    def write(self, name, text):
        path = self.folder / ".aws" / name
        path.write_text(text)
        return path


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def collector(start, bus, sim, home, *arguments, kind="ec2", **variables):
    environment = {"AWS_ENDPOINT_URL": sim.aws_url, "HOME": str(home.folder), **variables}
    return start(harness.Collector, kind, bus, "--interval-ms", 300, *arguments, environment=environment,
                 collector_id="keys-test")


def reads(listener):
    listener.clear()
    return listener.collect("instance.observed", lambda events: events)


def calls(sim, group="aws"):
    return sim.control("calls").get(group, {})


def fetched(program, outcome="ok"):
    return metric(program.url, "cmlwatch_aws_keys_fetched_total", outcome=outcome)


# --- each provider

def test_keys_of_the_shared_file(start, bus, sim, listener, home):
    home.write("credentials", f"[default]\n{KEYS}")
    collector(start, bus, sim, home)

    assert reads(listener)


def test_profile_gives_keys_and_region(start, bus, listener, home):
    sim = start(harness.Simulator, "--regions", "us-east-1,eu-central-1")
    home.write("config", f"[profile lab]\nregion = eu-central-1\n{KEYS}")
    collector(start, bus, sim, home, AWS_PROFILE="lab")

    assert {e["data"]["region"] for e in reads(listener)} == {"eu-central-1"}


def test_role_of_a_profile_is_assumed_with_the_keys_of_another(start, bus, sim, listener, home):
    home.write("credentials", f"[base]\n{KEYS}")
    home.write("config", f"[profile lab]\nrole_arn = {ROLE.format('external-4711')}\nsource_profile = base\n"
                         "external_id = 4711\n")
    program = collector(start, bus, sim, home, AWS_PROFILE="lab")

    assert reads(listener)
    assert calls(sim)["AssumeRole"] == 1 and fetched(program) >= 1


def test_role_upon_role_upon_keys(start, bus, sim, listener, home):
    home.write("config", f"[profile a]\nrole_arn = {ROLE.format('one')}\nsource_profile = b\n"
                         f"[profile b]\nrole_arn = {ROLE.format('two')}\nsource_profile = c\n"
                         f"[profile c]\n{KEYS}")
    collector(start, bus, sim, home, AWS_PROFILE="a")

    assert reads(listener) and calls(sim)["AssumeRole"] == 2


def test_web_identity_reads_its_token_anew_and_signs_nothing(start, bus, sim, listener, home):
    token = home.write("token", "expired\n")
    program = collector(start, bus, sim, home, AWS_ROLE_ARN=ROLE.format("pod"),
                        AWS_WEB_IDENTITY_TOKEN_FILE=str(token))
    error = listener.collect("collector.error", lambda events: events)[0]
    assert "ExpiredTokenException" in f"{error['data']['error_code']} {error['data']['error_message']}"

    token.write_text("eyJhbGciOi")

    assert reads(listener) and program.alive()


def test_container_endpoint_with_its_token_out_of_a_file(start, bus, listener, home):
    sim = start(harness.Simulator, "--container-token", "eks-token")
    token = home.write("token", "eks-token\n")
    collector(start, bus, sim, home, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sim.aws_url}/container/credentials",
              AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token))

    assert reads(listener) and calls(sim, "metadata")["/container/credentials"] == 1


def test_container_endpoint_elsewhere_is_never_asked(start, bus, sim, listener, home):
    program = collector(start, bus, sim, home, AWS_CONTAINER_CREDENTIALS_FULL_URI="http://198.51.100.7/keys")

    program.wait_log("neither https nor at this machine")
    assert not calls(sim, "metadata")


def test_instance_metadata(start, bus, sim, listener, home):
    collector(start, bus, sim, home, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=sim.aws_url,
              http_proxy="http://127.0.0.1:9", no_proxy="nowhere.example")
    #  The proxy that is not there takes the calls to the endpoint with it, but not those for keys.
    wait_until(lambda: calls(sim, "metadata").get("/latest/meta-data/iam/security-credentials/cmlwatch-instance"),
               "keys are fetched without the proxy")


def test_keys_of_instance_metadata_are_good(start, bus, sim, listener, home):
    collector(start, bus, sim, home, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=sim.aws_url)

    assert reads(listener)


def process(home, text):
    path = home.write("give-keys", "#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    home.write("config", f"[default]\ncredential_process = '{path}' --for \"the lab\"\n")
    return path


def test_credential_process(start, bus, sim, listener, home):
    process(home, 'test "$2" = "the lab" || exit 3\n'
                  f'echo \'{{"Version": 1, "AccessKeyId": "{harness.ACCESS_KEY_ID}", '
                  f'"SecretAccessKey": "{harness.SECRET_ACCESS_KEY}"}}\'\n')
    collector(start, bus, sim, home)

    assert reads(listener)


@pytest.mark.parametrize("script, said", [
    ("echo the vault is sealed >&2; exit 7", "code 7: the vault is sealed"),
    ("echo '<html>'", "does not print a JSON object"),
    ("echo '{\"Version\": 2}'", "Version"),
    ("yes 0123456789 | head -c 200000", "more than"),
    ("sleep 600 & sleep 600", "did not end within"),
])
def test_credential_process_that_fails_is_bounded_and_told(start, bus, sim, listener, home, script, said):
    path = process(home, script + "\n")
    program = collector(start, bus, sim, home)

    program.wait_log(said)

    assert program.alive() and not calls(sim)
    assert metric(program.url, "cmlwatch_aws_keys_fetched_total", outcome="failed") >= 1
    wait_until(lambda: not running(path), "nothing of it is left")


@pytest.mark.parametrize("script", ["sleep 600 & echo $! >{0}; sleep 600", "sleep 600 & echo $! >{0}; exit 0"])
def test_child_of_a_credential_process_does_not_outlive_the_deadline(start, bus, sim, listener, home, script):
    child = home.folder / "child"
    process(home, script.format(child) + "\n")
    program = collector(start, bus, sim, home)
    wait_until(lambda: child.exists() and child.read_text().strip(), "the child runs")
    first = child.read_text().strip()

    program.wait_log("did not end within")

    wait_until(lambda: not lives(first), f"process {first} has ended")


def test_agent_that_a_credential_process_leaves_behind_is_left_alone(start, bus, sim, listener, home):
    child = home.folder / "agent"
    process(home, f"sleep 600 >/dev/null 2>&1 & echo $! >{child}\n"
                  f'echo \'{{"Version": 1, "AccessKeyId": "{harness.ACCESS_KEY_ID}", '
                  f'"SecretAccessKey": "{harness.SECRET_ACCESS_KEY}"}}\'\n')
    program = collector(start, bus, sim, home)
    try:
        assert reads(listener)
        assert program.stop() == 0
        assert lives(child.read_text().strip())
    finally:
        os.kill(int(child.read_text()), signal.SIGKILL)


def lives(pid):
    """A process that has ended and that nobody has asked about is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def running(path):
    for stat_file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(path).encode() in stat_file.read_bytes():
                return stat_file.parent.name
        except OSError:
            continue
    return None


# --- none, and the wrong ones

def test_no_provider_names_each_place_looked_at(start, bus, sim, listener, home):
    program = collector(start, bus, sim, home)

    error = listener.collect("collector.error", lambda events: events)[0]["data"]

    assert error["error_code"] == "NoCredentials"
    for place in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "profile 'default'", ".aws/credentials",
                  ".aws/config", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_EC2_METADATA_DISABLED"):
        assert place in error["error_message"], (place, error["error_message"])
    assert program.alive() and not calls(sim)


def test_no_answer_of_instance_metadata_names_each_place_too(start, bus, sim, listener, home):
    dead = f"http://127.0.0.1:{harness.free_port()}"
    collector(start, bus, sim, home, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=dead)

    error = listener.collect("collector.error", lambda events: events)[0]["data"]

    for place in ("AWS_ACCESS_KEY_ID", "profile 'default'", dead):
        assert place in error["error_message"], (place, error["error_message"])


# --- a metadata service, or a container's endpoint, that answers wrongly

TOKEN, ROLES = "/latest/api/token", "/latest/meta-data/iam/security-credentials/"
RIGHT = {TOKEN: (200, "a-token"), ROLES: (200, "lab-role")}


class Answers:
    """What stands in for such a service: for each path the answers that are left, the last one for ever."""

    def __init__(self):
        self.left, self.asked, owner = {}, [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.asked.append(self.path)
                answers = owner.left.get(self.path, [(404, "")])
                status, body = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_PUT = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", harness.free_port()), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def say(self, **answers):
        self.left.update({path: list(each) for path, each in answers.items()})

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def service():
    own = Answers()
    yield own
    own.close()


def of_instance(service):
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url}


def keys_of(sim):
    """As the simulator's own metadata service gives them."""
    token = harness.http(sim.aws_url + TOKEN, "PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})[2].decode()
    return json.loads(harness.http(f"{sim.aws_url}{ROLES}cmlwatch-instance", headers={"X-aws-ec2-metadata-token": token})[2])


@pytest.mark.parametrize("path, status, body, said", [
    (TOKEN, 403, "", "HTTP 403 for a token"),
    (TOKEN, 200, "<html> <body>It works!", "what it gives for a token is none"),
    (ROLES, 404, "", "the instance has no role"),
    (ROLES, 200, "two\nroles", "what it gives for the role's name is none"),
    (ROLES, 200, "../../user-data", "what it gives for the role's name is none"),
    (ROLES + "lab-role", 500, "", "HTTP 500 for the role's keys"),
    (ROLES + "lab-role", 200, "<html>", "what it gives for the role's keys is none"),
    (ROLES + "lab-role", 200, '{"Code":"Failed","Message":"no trust"}', "it says Failed: no trust"),
    (ROLES + "lab-role", 200, '{"Code":"Success","AccessKeyId":"AKIA"}', "its answer has no SecretAccessKey"),
])
def test_what_instance_metadata_answers_wrongly_is_said_and_signs_nothing(start, bus, sim, listener, home, service, path, status, body, said):
    service.say(**{**{each: [answer] for each, answer in RIGHT.items()}, path: [(status, body)]})
    program = collector(start, bus, sim, home, **of_instance(service))

    #  One that was asked while we stood still for its second says that instead, and asks again; so the way is begun anew at any time.
    error = listener.collect("collector.error", lambda events: said in events[-1]["data"]["error_message"] if events else False)[-1]["data"]

    way = [TOKEN, ROLES, ROLES + "lab-role"]
    assert error["error_code"] == "NoCredentials", error
    assert program.alive() and not calls(sim) and set(service.asked) == set(way[:way.index(path) + 1])


def test_a_metadata_token_that_has_ended_is_asked_for_anew(start, bus, sim, listener, home, service):
    service.say(**{TOKEN: [(200, "ended"), (200, "a-token")], ROLES: [(401, ""), (200, "lab-role")],
                   ROLES + "lab-role": [(200, json.dumps(keys_of(sim)))]})
    collector(start, bus, sim, home, **of_instance(service))

    assert reads(listener)
    #  Not one by one: what is not answered within a second is asked again.
    asked = service.asked[service.asked.index(ROLES) + 1:]
    assert TOKEN in asked[:asked.index(ROLES + "lab-role")]


def test_ended_keys_of_instance_metadata_serve_while_its_own_source_is_away(start, bus, sim, listener, home, service):
    #  "Static stability": AWS takes them for some hours more.
    service.say(**{**{each: [answer] for each, answer in RIGHT.items()},
                   ROLES + "lab-role": [(200, json.dumps({**keys_of(sim), "Expiration": "2020-01-01T00:00:00Z"}))]})
    program = collector(start, bus, sim, home, **of_instance(service))

    assert reads(listener)
    assert metric(program.url, "cmlwatch_aws_keys_end_timestamp_seconds", account="") > time.time() + 60


@pytest.mark.parametrize("status, body, said", [
    (403, '{"code":"AccessDenied","message":"not this task"}', "HTTP 403: not this task"),
    (200, "<html>", "no"), (200, '{"AccessKeyId":"AKIA"}', "its answer has no SecretAccessKey"),
    (200, '{"AccessKeyId":"A","SecretAccessKey":"s","Token":"t","Expiration":"2020-01-01T00:00:00Z"}', "the keys it gives have ended already"),
])
def test_what_a_containers_endpoint_answers_wrongly_is_said(start, bus, sim, listener, home, service, status, body, said):
    service.say(**{"/keys": [(status, body)]})
    collector(start, bus, sim, home, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{service.url}/keys")

    error = listener.collect("collector.error", lambda events: events)[0]["data"]

    assert error["error_code"] == "NoCredentials" and said in error["error_message"], error
    assert not calls(sim)


def test_a_containers_token_never_breaks_out_of_its_header(start, bus, sim, listener, home, service):
    program = collector(start, bus, sim, home, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{service.url}/keys",
                        AWS_CONTAINER_AUTHORIZATION_TOKEN="right\r\nX-Other: header")

    program.wait_log("AWS_CONTAINER_AUTHORIZATION_TOKEN has a line break in it")
    assert not service.asked


def test_configured_provider_that_fails_is_not_passed_over(start, bus, sim, listener, home):
    #  The container's endpoint would give keys, but the profile decides.
    home.write("credentials", "[default]\naws_access_key_id = AKIAWRONG\naws_secret_access_key = wrong\n")
    collector(start, bus, sim, home, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sim.aws_url}/container/credentials")

    error = listener.collect("collector.error", lambda events: events)[0]["data"]

    assert error["error_code"] == "AuthFailure"
    assert not calls(sim, "metadata")


def test_keys_changed_in_the_file_are_taken_when_the_old_are_refused(start, bus, sim, listener, home):
    home.write("credentials", "[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = old\n")
    collector(start, bus, sim, home)
    listener.collect("collector.error", lambda events: events)

    home.write("credentials", f"[default]\n{KEYS}")

    assert reads(listener)


# --- in time

def test_keys_are_fetched_anew_before_they_end(start, bus, listener, home):
    sim = start(harness.Simulator, "--key-seconds", 16)  # fetched anew after half of them: what is left is for a slow machine
    program = collector(start, bus, sim, home, AWS_EC2_METADATA_DISABLED="false",
                        AWS_EC2_METADATA_SERVICE_ENDPOINT=sim.aws_url)
    assert reads(listener)  # the first may be asked for twice: a simulator that stands still for a second is none
    listener.all.clear()
    first, without = fetched(program), metric(program.url, "cmlwatch_aws_calls_total", outcome="auth")

    listener.collect("instance.observed", lambda events: fetched(program) >= first + 2)

    assert not [e for e in listener.all if e["type"] == "collector.error"], "no call met an ended key"
    assert metric(program.url, "cmlwatch_aws_calls_total", outcome="auth") == without


def test_failed_refresh_keeps_the_keys_until_they_end_and_recovers(start, bus, listener, home):
    sim = start(harness.Simulator, "--key-seconds", 16)
    program = collector(start, bus, sim, home, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sim.aws_url}/container/credentials")
    reads(listener)

    sim.fault(api="container", kind="error500")
    program.wait_log("those in hand serve until they end")
    assert reads(listener), "the old keys serve"
    assert not [e for e in listener.all if e["type"] == "collector.error"]
    error = listener.collect("collector.error", lambda events: events)[0]["data"]
    assert error["error_code"] == "NoCredentials" and "HTTP 500" in error["error_message"]
    sim.control("reset", {})

    assert reads(listener)
    program.wait_log("AWS keys again")


def test_outage_that_outlives_the_keys_is_got_over(start, bus, listener, home):
    sim = start(harness.Simulator, "--key-seconds", 10)
    program = collector(start, bus, sim, home, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sim.aws_url}/container/credentials")
    reads(listener)

    sim.kill()
    wait_until(lambda: listener.turn() or metric(program.url, "cmlwatch_aws_circuit_open", service="ec2") == 1, "the circuit opens")
    wait_until(lambda: listener.turn() or metric(program.url, "cmlwatch_aws_calls_total", outcome="auth") >= 2, "the keys have ended", 60)
    sim.start()
    wait_until(sim.answers, "it is there again")

    wait_until(lambda: listener.turn() or metric(program.url, "cmlwatch_aws_circuit_open", service="ec2") == 0, "one call goes to see", 60)
    assert reads(listener)


def test_call_waits_for_its_keys(start, bus, sim, listener, home):
    sim.fault(api="container", kind="slow", delay_ms=1500, count=1)
    program = collector(start, bus, sim, home, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sim.aws_url}/container/credentials")

    assert reads(listener)

    assert not [e for e in listener.all if e["type"] == "collector.error"]
    assert metric(program.url, "cmlwatch_aws_calls_total", outcome="auth") == 0


def test_keys_that_end_early_are_replaced_and_the_call_is_tried_again(start, bus, sim, listener, home):
    program = collector(start, bus, sim, home, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sim.aws_url}/container/credentials")
    reads(listener)

    sim.control("keys", {"expire": True})
    wait_until(lambda: listener.turn() or fetched(program) == 2, "others are fetched")

    assert reads(listener)
    assert not [e for e in listener.all if e["type"] == "collector.error"], "nobody noticed"


def test_collector_stops_while_its_keys_are_being_fetched(start, bus, sim, home):
    path = process(home, "sleep 600\n")
    program = collector(start, bus, sim, home)
    wait_until(lambda: running(path), "the command runs")

    assert program.stop() == 0
    wait_until(lambda: not running(path), "and it with the collector")


def test_cloudwatch_takes_keys_the_same_way(start, bus, sim, home):
    own = sim.instances()[0]
    listener = Listener(bus, [{"worker_id": "w", "region": "us-east-1", "instance_id": own["instance_id"],
                               "status": "running"}])
    home.write("credentials", f"[base]\n{KEYS}")
    home.write("config", f"[default]\nrole_arn = {ROLE.format('reader')}\nsource_profile = base\n")
    collector(start, bus, sim, home, kind="cloudwatch")

    told = listener.collect("utilization.observed", lambda events: events)[0]
    listener.close()

    assert told["subject"] == f"us-east-1/{own['instance_id']}" and "error_code" not in told["data"]

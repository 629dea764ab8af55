"""cmlwatch-collector-cml against the simulator's CML servers; the test is its aggregator.
SPDX-License-Identifier: MIT"""
import datetime
import subprocess
import time

import pytest

import harness
from harness import metric, wait_until
from listener import Listener

INTERVAL_MS = 300


def leased(instance):
    return {"worker_id": instance["instance_id"], "region": instance["region"], "name": instance["name"],
            "instance_id": instance["instance_id"], "status": "running", "public_ip": instance["public_ip"],
            "private_ip": instance.get("private_ip") or "", "detailed_monitoring": False}


@pytest.fixture
def workers(sim):
    return [i for i in sim.instances() if i["state"] == "running"][:3]


@pytest.fixture
def listener(bus, workers):
    own = Listener(bus, [leased(worker) for worker in workers])
    yield own
    own.close()


@pytest.fixture
def pins(sim, tmp_path):
    path = tmp_path / "pins"
    path.write_text(sim.control("pins"))
    return path


def collector(start, bus, sim, *arguments, verify="fingerprint", password="cmlwatch-demo", push="off"):
    return start(harness.Collector, "cml", bus, "--interval-ms", INTERVAL_MS, "--port", sim.cml_port, "--push", push,
                 "--username", "cmlwatch", "--verify", verify, "--activity-interval-ms", 0, *arguments,
                 environment={"CMLWATCH_COLLECTOR_CML_PASSWORD": password}, collector_id="cml-test")


@pytest.fixture
def reading(start, bus, sim, listener, pins):
    """A collector that reads all workers well."""
    program = collector(start, bus, sim, "--fingerprints", pins)
    listener.collect("activity.observed", lambda events: len({e["subject"] for e in events}) == len(listener.workers))
    return program


def of(instance, **members):
    """A condition: an event of this instance whose data has these members (None: has not)."""
    def holds(event):
        return event["subject"].endswith("/" + instance["instance_id"]) and \
            all(event["data"].get(key) == value for key, value in members.items())
    return holds


def hear(listener, kind, condition):
    """The first event of a kind from now on for which the condition holds."""
    listener.clear()
    return next(e for e in listener.collect(kind, lambda events: any(map(condition, events))) if condition(e))


def rounds(listener, instance, count):
    listener.clear()
    listener.collect("system.observed", lambda events: sum(map(of(instance), events)) >= count)


def logins(sim):
    return sim.control("calls")["cml"].get("/authenticate", 0)


def test_system_labs_and_activity_of_each_worker_are_observed(sim, listener, reading, workers):
    for worker in workers:
        system = hear(listener, "system.observed", of(worker, error_code=None))
        labs = hear(listener, "labs.observed", of(worker))
        activity = hear(listener, "activity.observed", of(worker))

        data = system["data"]
        assert system["source"] == "/collector/cml/cml-test" and system["subject"].startswith(worker["region"])
        assert data["endpoint"] == f"https://{worker['public_ip']}:{sim.cml_port}"
        assert data["reachable"] is True and data["ready"] is True and data["version"].startswith("2.")
        assert data["system_stats"]["computes"]
        assert all(lab["lab_id"] and lab["title"] and lab["state"] and lab["created"].endswith("Z")
                   for lab in labs["data"]["labs"])
        assert len(activity["data"]["events"]) <= 10
        assert all(set(e) == {"category", "timestamp"} for e in activity["data"]["events"])
        if activity["data"]["events"]:
            assert activity["data"]["last_activity_at"] == activity["data"]["events"][0]["timestamp"]


def test_our_own_login_is_nobodys_activity(listener, reading, workers):
    last = hear(listener, "activity.observed", of(workers[0]))["data"]

    assert not any(e["category"] == "user_activity" and e["timestamp"] > time.strftime("%Y-%m-%dT%H:%M", time.gmtime(
        time.time() - 120)) for e in last["events"]), last


def test_one_token_serves_all_rounds(sim, listener, reading, workers):
    rounds(listener, workers[0], 8)

    assert logins(sim) == len(workers)


def test_expired_token_costs_one_login_and_no_observation(sim, listener, reading, workers):
    victim = workers[0]
    before = logins(sim)

    sim.fault(api="cml", instance=victim["instance_id"], kind="expire_tokens")
    rounds(listener, victim, 5)

    assert logins(sim) == before + 1
    assert not [e for e in listener.all if of(victim)(e) and e["data"].get("error_code")]


def test_refused_login_is_reported_once_and_not_tried_each_round(sim, listener, reading, workers):
    victim = workers[0]
    sim.fault(api="cml", instance=victim["instance_id"], kind="deny_login", for_ms=600000)
    before = logins(sim)

    sim.fault(api="cml", instance=victim["instance_id"], kind="expire_tokens")
    system = hear(listener, "system.observed", of(victim, error_code="login"))["data"]
    rounds(listener, victim, 6)

    assert logins(sim) == before + 1
    assert system["reachable"] is True and system["version"] and "403" in system["error_message"]
    errors = [e["data"] for e in listener.all if e["type"] == "collector.error"]
    assert len(errors) == 1 and errors[0]["api"] == "authenticate" and victim["instance_id"] in errors[0]["error_message"]
    assert metric(reading.url, "cmlwatch_collector_errors_total", api="authenticate") == 1


def test_wrong_certificate_is_a_fault_of_tls_and_nothing_is_sent_to_it(sim, listener, reading, workers):
    victim = workers[0]

    sim.fault(api="cml", instance=victim["instance_id"], kind="wrong_certificate", for_ms=600000)
    system = hear(listener, "system.observed", of(victim, error_code="tls"))["data"]

    assert system["reachable"] is False and victim["public_ip"] in system["error_message"]
    assert "version" not in system and "system_stats" not in system


def test_worker_without_a_fingerprint_is_not_asked(start, bus, sim, listener, workers, tmp_path):
    path = tmp_path / "some"
    path.write_text(f"{workers[1]['instance_id']} sha256//" + "A" * 43 + "=\n")
    collector(start, bus, sim, "--fingerprints", path)

    unknown = hear(listener, "system.observed", of(workers[0], error_code="tls"))["data"]
    mismatch = hear(listener, "system.observed", of(workers[1], error_code="tls"))["data"]

    assert str(path) in unknown["error_message"] and str(path) not in mismatch["error_message"]
    assert not sim.control("calls")["cml"]


@pytest.mark.parametrize("kind, code, count, meanwhile", [("unreachable", "unreachable", 6, 3), ("slow", "timeout", 1, 3)])
def test_dead_or_slow_cml_delays_no_other(start, bus, sim, listener, pins, workers, kind, code, count, meanwhile):
    """Counted in rounds, not in seconds: while one is waited for in vain, the others are read as ever."""
    collector(start, bus, sim, "--fingerprints", pins, "--total-ms", 5000)
    listener.collect("activity.observed", lambda events: len({e["subject"] for e in events}) == len(workers))
    victim, other = workers[0], workers[1]
    more = {"delay_ms": 20000} if kind == "slow" else {}

    sim.fault(api="cml", instance=victim["instance_id"], kind=kind, for_ms=600000, **more)
    dead = hear(listener, "system.observed", of(victim, error_code=code))["data"]
    listener.clear()
    told = listener.collect("system.observed", lambda events: sum(map(of(victim, error_code=code), events)) >= count)

    assert sum(map(of(other, error_code=None), told)) >= meanwhile
    assert dead["reachable"] is False and victim["public_ip"] in dead["error_message"]


@pytest.mark.parametrize("kind, codes, said", [
    ("cut", ("json", "http"), ""), ("huge", ("too_large",), ""), ("error500", ("http",), "500"),
    ("throttle", ("http",), "429"),
])
def test_bad_answer_names_path_and_host_and_the_rest_is_read(sim, listener, reading, workers, kind, codes, said):
    victim = workers[0]

    sim.fault(api="/system_stats", instance=victim["instance_id"], kind=kind, for_ms=600000)
    system = hear(listener, "system.observed", lambda e: of(victim)(e) and e["data"].get("error_code"))["data"]
    hear(listener, "labs.observed", of(victim, error_code=None))

    assert system["error_code"] in codes and said in system["error_message"]
    assert "/system_stats" in system["error_message"] and victim["public_ip"] in system["error_message"]
    assert system["reachable"] is True and system["version"] and "system_stats" not in system
    assert metric(reading.url, "cmlwatch_cml_requests_total", request="system_stats", outcome=system["error_code"]) > 0


def test_cut_list_of_labs_claims_no_labs(sim, listener, reading, workers):
    victim = workers[0]

    sim.fault(api="/labs", instance=victim["instance_id"], kind="cut", for_ms=600000)
    labs = hear(listener, "labs.observed", lambda e: of(victim)(e) and e["data"].get("error_code"))["data"]

    assert "labs" not in labs and "/labs" in labs["error_message"]


def test_booting_cml_is_not_ready_and_no_fault(sim, listener, reading, workers):
    victim = workers[0]

    sim.fault(api="cml", instance=victim["instance_id"], kind="html", for_ms=600000)
    system = hear(listener, "system.observed", of(victim, ready=False))["data"]

    assert system["reachable"] is True and "error_code" not in system and "version" not in system


def test_health_and_licence_are_told_once_and_again_to_a_new_aggregator(listener, reading, workers):
    victim = workers[0]
    rounds(listener, victim, 4)
    told = [e for e in listener.all if e["type"] == "system.observed" and of(victim)(e) and "licensing" in e["data"]]
    assert len(told) == 1 and "system_health" in told[0]["data"]

    listener.epoch = "ffffffff"
    again = hear(listener, "system.observed", lambda e: of(victim)(e) and "licensing" in e["data"])["data"]

    assert again["system_health"]


def test_worker_that_left_the_lease_is_asked_no_more(sim, listener, reading, workers):
    listener.workers = listener.workers[1:]
    wait_until(lambda: listener.turn() or metric(reading.url, "cmlwatch_collector_units") == len(workers) - 1,
               "the worker is let go")
    let_go = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"

    listener.collect("system.observed", lambda events: sum(
        of(workers[1])(e) and e["time"] > let_go for e in events) >= 4)

    assert not [e for e in listener.all if of(workers[0])(e) and e["time"] > let_go]


def test_verify_off_is_never_silent(start, bus, sim, listener, workers):
    program = collector(start, bus, sim, verify="off")

    hear(listener, "system.observed", of(workers[0], error_code=None))

    assert "verify = off" in program.log
    assert metric(program.url, "cmlwatch_cml_tls_unverified") == 1


def test_self_signed_certificate_is_refused_when_the_chain_is_to_be_verified(start, bus, sim, listener, workers):
    collector(start, bus, sim, verify="full")

    assert hear(listener, "system.observed", of(workers[0], error_code="tls"))["data"]["reachable"] is False


def refused(*arguments, **environment):
    result = subprocess.run([harness.BUILD / "cmlwatch-collector-cml", "--check-config", *map(str, arguments)],
                            capture_output=True, text=True, timeout=harness.PATIENCE,
                            env={"PATH": "/usr/bin:/bin", **environment})
    assert result.returncode == 2, result
    return result.stderr


def test_wrong_line_of_the_fingerprints_is_named(tmp_path):
    path = tmp_path / "pins"
    path.write_text("# ours\ni-1 md5//AAAA\n")

    said = refused("--username", "u", "--verify", "fingerprint", "--fingerprints", path,
                   CMLWATCH_COLLECTOR_CML_PASSWORD="p")

    assert f"{path}:2" in said and "sha256//" in said


def secret(folder, name, text):
    path = folder / name
    path.write_text(text + "\n")
    return path


def test_login_and_address_follow_a_workers_name_and_tags(start, bus, sim, listener, pins, workers, tmp_path):
    by_tag, by_name, stranger = workers
    listener.workers = [
        {**leased(by_tag), "public_ip": "", "tags": {"team": "exam", "host": by_tag["public_ip"]}},
        {**leased(by_name), "name": "train 7", "tags": {"host": f"https://{by_name['public_ip']}:{sim.cml_port}/"}},
        {**leased(stranger), "tags": {"team": "dev", "host": stranger["public_ip"]}},
    ]
    good, bad = secret(tmp_path, "good", "cmlwatch-demo"), secret(tmp_path, "bad", "no such password")
    logins = tmp_path / "logins"
    logins.write_text(f"tag:team=exam cmlwatch {good}\ntrain * cmlwatch {good}\ni-* cmlwatch {bad}\n")
    collector(start, bus, sim, "--fingerprints", pins, "--logins-file", logins, "--address", "tag:host",
              password="not this either")

    hear(listener, "labs.observed", of(by_tag, error_code=None))
    hear(listener, "labs.observed", of(by_name, error_code=None))
    refused_one = hear(listener, "system.observed", of(stranger, error_code="login"))["data"]

    assert refused_one["endpoint"] == f"https://{stranger['public_ip']}:{sim.cml_port}"


def test_worker_that_no_login_fits_is_not_asked(start, bus, sim, listener, pins, workers, tmp_path):
    logins = tmp_path / "logins"
    logins.write_text(f"{workers[0]['instance_id']} cmlwatch {secret(tmp_path, 'good', 'cmlwatch-demo')}\n")
    start(harness.Collector, "cml", bus, "--interval-ms", INTERVAL_MS, "--port", sim.cml_port, "--verify", "fingerprint",
          "--fingerprints", pins, "--logins-file", logins, "--address", "https://{public_ip}")

    hear(listener, "labs.observed", of(workers[0], error_code=None))
    refused_one = hear(listener, "system.observed", of(workers[1], error_code="login"))["data"]

    assert str(logins) in refused_one["error_message"] and workers[1]["instance_id"] in refused_one["error_message"]


@pytest.mark.parametrize("line, said", [("train-* cmlwatch", ":1"), ("a cmlwatch /nonexistent/secret", "/nonexistent/secret")])
def test_wrong_line_of_the_logins_is_named(tmp_path, line, said):
    path = tmp_path / "logins"
    path.write_text(line + "\n")

    assert said in refused("--logins-file", path)


def test_address_that_cannot_be_one_is_refused():
    assert "{nmae}" in refused("--username", "u", "--address", "https://{nmae}.example.com",
                               CMLWATCH_COLLECTOR_CML_PASSWORD="p")


def test_login_has_no_default():
    assert "username" in refused(CMLWATCH_COLLECTOR_CML_PASSWORD="p")
    assert "password" in refused("--username", "u")


def test_states_of_labs_and_nodes_are_told_as_they_change(reading, sim, workers, listener):
    worker = workers[0]
    sim.control("labs", {"instance": worker["instance_id"], "lab": "ospf", "state": "STOPPED"})
    listener.collect("labs.observed", lambda events: any(
        of(worker)(e) and any(lab["title"] == "ospf" for lab in e["data"]["labs"]) for e in events))
    listener.clear()

    sim.control("labs", {"instance": worker["instance_id"], "lab": "ospf", "state": "STARTED"})
    started = listener.collect("lab.state_changed", lambda events: any(
        of(worker, element_type="lab", state="STARTED")(e) for e in events))
    lab = next(e for e in started if of(worker, element_type="lab", state="STARTED")(e))["data"]
    listener.clear()
    #  The nodes are read after the lab: a round later they have been, as they are while it runs.
    listener.collect("system.observed", lambda events: len([e for e in events if of(worker)(e)]) >= 2)
    sim.control("labs", {"instance": worker["instance_id"], "lab": "ospf", "state": "STOPPED"})
    nodes = listener.collect("lab.state_changed", lambda events: any(
        of(worker, element_type="node", lab_id=lab["lab_id"])(e) for e in events))

    assert lab["element_id"] == lab["lab_id"] and lab["event"] == "STARTED"
    node = next(e for e in nodes if of(worker, element_type="node", lab_id=lab["lab_id"])(e))["data"]
    assert node["element_id"] != lab["lab_id"] and node["state"] == node["event"]

"""What CML servers push by themselves, as the collector takes it; the test is its aggregator.
SPDX-License-Identifier: MIT"""
import datetime
import signal

import pytest

import harness
from harness import metric, wait_until
from listener import Listener
from test_collector_cml import collector, hear, leased, logins, of

OLD_IMAGE = "ami-07d4be19c6a2f8053"  # CML 2.8.1, which has no push
REASONS = ("unreachable", "timeout", "tls", "absent", "refused", "handshake", "login", "closed", "cut", "silent",
           "protocol", "too_large")


@pytest.fixture
def sim(start):
    return start(harness.Simulator, "--push-stats-ms", 200, instances=8)


@pytest.fixture
def workers(sim):
    return [i for i in sim.instances() if i["state"] == "running" and i["image_id"] != OLD_IMAGE][:2]


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


@pytest.fixture
def pushed(start, bus, sim, listener, pins):
    """Starts a collector to which all workers push, once they do."""
    def starter(*arguments, report_ms=100, idle_ms=20000):
        program = collector(start, bus, sim, "--fingerprints", pins, "--report-interval-ms", report_ms,
                            "--push-idle-ms", idle_ms, "--push-poll-ms", 1000, *arguments, push="auto")
        connected(program, listener, len(listener.workers))
        return program
    return starter


def until(listener, condition, what):
    """The listener is an aggregator: it has to be kept going while one waits."""
    wait_until(lambda: listener.turn() or condition(), what)


def connected(program, listener, count):
    until(listener, lambda: metric(program.url, "cmlwatch_cml_push_connected") == count, f"{count} push")


def until_pushed_alone(listener, workers):
    """Rounds that ask for all, begun before a server pushed, are over: of two that end, the second began later."""
    for worker in workers:
        for _ in range(2):
            hear(listener, "activity.observed", of(worker))


def reconnects(program, reason):
    return metric(program.url, "cmlwatch_cml_push_reconnects_total", reason=reason) or 0


def dropped(program, reason):
    return metric(program.url, "cmlwatch_cml_push_dropped_total", reason=reason) or 0


def calls(sim, path):
    return sim.control("calls")["cml"].get(path, 0)


def faulty(listener):
    return [e for e in listener.all if e["data"].get("error_code")]


def told_labs(worker, title):
    def holds(event):
        return of(worker)(event) and any(lab["title"] == title for lab in event["data"].get("labs") or ())
    return holds


def at(event):
    return datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def test_load_comes_by_itself_and_is_asked_no_more(sim, listener, pushed, workers):
    program = pushed()
    until_pushed_alone(listener, workers)
    asked, health = calls(sim, "/system_stats"), calls(sim, "/system_health")

    for worker in workers:
        for _ in range(5):
            event = hear(listener, "system.observed", lambda e: of(worker)(e) and "system_stats" in e["data"])
    until(listener, lambda: calls(sim, "/system_health") >= health + 4, "what is not pushed is read on")

    assert calls(sim, "/system_stats") == asked
    data = event["data"]
    assert data["reachable"] is True and data["system_stats"]["computes"]
    assert data["endpoint"] == f"https://{worker['public_ip']}:{sim.cml_port}"
    assert not faulty(listener)
    assert metric(program.url, "cmlwatch_cml_push_messages_total", type="system_stats") > 0


def test_labs_and_nodes_are_told_as_they_change(sim, listener, pushed, workers):
    worker = workers[0]
    sim.control("labs", {"instance": worker["instance_id"], "lab": "ospf", "state": "STOPPED"})
    pushed()
    hear(listener, "labs.observed", told_labs(worker, "ospf"))
    until_pushed_alone(listener, workers)
    asked = calls(sim, "/labs/{}/lab_element_state")

    sim.control("labs", {"instance": worker["instance_id"], "lab": "ospf", "state": "STARTED"})
    lab = hear(listener, "lab.state_changed", of(worker, element_type="lab", state="STARTED"))["data"]
    node = hear(listener, "lab.state_changed", of(worker, element_type="node", lab_id=lab["lab_id"]))["data"]
    labs = hear(listener, "labs.observed", lambda e: told_labs(worker, "ospf")(e) and any(
        row["title"] == "ospf" and row["state"] == "STARTED" for row in e["data"]["labs"]))

    assert lab["element_id"] == lab["lab_id"] and lab["event"] == "STARTED"
    assert node["element_id"] != lab["lab_id"] and node["state"] in ("QUEUED", "STARTED", "BOOTED")
    assert labs["data"]["labs"]
    assert calls(sim, "/labs/{}/lab_element_state") == asked


def test_new_lab_is_read_and_a_deleted_one_gone_without_waiting_for_a_round(sim, listener, pushed, workers):
    worker = workers[0]
    pushed("--push-poll-ms", 86400000)

    sim.control("labs", {"instance": worker["instance_id"], "lab": "fresh", "state": "DEFINED_ON_CORE"})
    hear(listener, "labs.observed", told_labs(worker, "fresh"))
    sim.control("labs", {"instance": worker["instance_id"], "lab": "fresh", "state": "REMOVED"})

    hear(listener, "labs.observed", lambda e: of(worker)(e) and not told_labs(worker, "fresh")(e))


def test_the_same_state_is_told_once_whichever_way_it_came(sim, listener, pushed, workers):
    worker = workers[0]
    sim.control("labs", {"instance": worker["instance_id"], "lab": "bgp", "state": "STOPPED"})
    pushed()
    hear(listener, "labs.observed", told_labs(worker, "bgp"))
    health = calls(sim, "/system_health")
    listener.all.clear()

    sim.control("labs", {"instance": worker["instance_id"], "lab": "bgp", "state": "STARTED"})
    until(listener, lambda: calls(sim, "/system_health") >= health + 3 * len(workers), "rounds have read it too")

    told = [e["data"] for e in listener.all if e["type"] == "lab.state_changed" and e["data"]["element_type"] == "lab"]
    assert len(told) == 1, told


def test_reports_of_load_are_throttled(listener, pushed, workers):
    pushed(report_ms=1000)
    until_pushed_alone(listener, workers)
    worker = workers[0]
    listener.clear()

    events = listener.collect("system.observed", lambda events: len(
        [e for e in events if of(worker)(e) and "system_stats" in e["data"]]) >= 4)

    times = [at(e) for e in events if of(worker)(e) and "system_stats" in e["data"]]
    assert min(b - a for a, b in zip(times, times[1:])) >= 0.95


@pytest.mark.parametrize("kind, reason", [
    ("push_garbage", "protocol"), ("push_huge", "too_large"), ("push_cut", "cut"), ("push_refuse", "login"),
])
def test_spoilt_connection_is_counted_and_made_anew(sim, listener, pushed, workers, kind, reason):
    program = pushed()

    sim.fault(api="/ws/ui", instance=workers[0]["instance_id"], kind=kind, count=1)
    until(listener, lambda: reconnects(program, reason) == 1, f"the connection ended: {reason}")
    connected(program, listener, len(workers))

    assert sum(reconnects(program, other) for other in REASONS) == 1
    assert not faulty(listener)


def test_close_3000_is_a_reason_to_log_in_again(sim, listener, pushed, workers):
    program = pushed()
    before = logins(sim)

    sim.fault(api="cml", instance=workers[0]["instance_id"], kind="expire_tokens")
    until(listener, lambda: reconnects(program, "login") == 1, "it was closed with 3000")
    connected(program, listener, len(workers))

    assert logins(sim) == before + 1
    assert not faulty(listener)


def test_silent_connection_is_found_dead(sim, listener, pushed, workers):
    program = pushed(idle_ms=1200)

    sim.fault(api="/ws/ui", instance=workers[0]["instance_id"], kind="push_silent", for_ms=600000)
    until(listener, lambda: reconnects(program, "silent") >= 1, "silence is noticed")
    sim.control("reset", {})

    connected(program, listener, len(workers))


def test_message_that_is_no_json_is_dropped_and_the_connection_kept(sim, listener, pushed, workers):
    program = pushed()

    sim.fault(api="/ws/ui", instance=workers[0]["instance_id"], kind="push_text", count=3)
    until(listener, lambda: dropped(program, "malformed") == 3, "three are dropped")
    hear(listener, "system.observed", lambda e: of(workers[0])(e) and "system_stats" in e["data"])

    assert sum(reconnects(program, reason) for reason in REASONS) == 0


def test_flood_of_states_is_bounded_and_counted(sim, listener, pushed, workers):
    program = pushed("--push-events-max", 3, idle_ms=60000)
    listener.all.clear()

    program.process.send_signal(signal.SIGSTOP)  # so many are a flood only when they come within a second
    for number in range(40):
        sim.control("push", {"instance": workers[0]["instance_id"], "message": {
            "event_type": "state_change", "element_type": "node", "element_id": f"n{number}", "event": "BOOTED",
            "lab_id": "flood"}})
    program.process.send_signal(signal.SIGCONT)
    until(listener, lambda: dropped(program, "flood") > 0, "some are too many")
    until(listener, lambda: metric(program.url, "cmlwatch_cml_push_messages_total", type="state_change") >= 40, "all came")

    def told():
        return [e for e in listener.all if e["type"] == "lab.state_changed" and e["data"]["lab_id"] == "flood"]
    until(listener, lambda: told() and len(told()) + dropped(program, "flood") == 40, "each was told or counted")


def test_fragments_are_one_message(sim, listener, pushed, workers):
    program = pushed()
    sim.fault(api="/ws/ui", instance=workers[0]["instance_id"], kind="push_fragment", for_ms=600000)

    for _ in range(3):
        hear(listener, "system.observed", lambda e: of(workers[0])(e) and "system_stats" in e["data"])

    assert sum(reconnects(program, reason) for reason in REASONS) == 0
    assert dropped(program, "malformed") == 0


def test_server_that_keeps_failing_is_polled_whole_and_tried_again_later(sim, listener, pushed, workers):
    program = pushed()
    sim.fault(api="/ws/ui", instance=workers[0]["instance_id"], kind="push_cut", for_ms=600000)
    until(listener, lambda: reconnects(program, "cut") >= 3, "three failures in a row")
    asked = calls(sim, "/system_stats")

    until(listener, lambda: calls(sim, "/system_stats") >= asked + 3, "its load is asked")
    hear(listener, "system.observed", lambda e: of(workers[0], error_code=None)(e) and "system_stats" in e["data"])
    sim.control("reset", {})

    connected(program, listener, len(workers))


def test_server_without_the_path_is_polled_and_not_pestered(start, bus, sim, pins):
    old = [i for i in sim.instances() if i["state"] == "running" and i["image_id"] == OLD_IMAGE][:1]
    listener = Listener(bus, [leased(worker) for worker in old])
    program = collector(start, bus, sim, "--fingerprints", pins, push="auto")

    until(listener, lambda: calls(sim, "/system_stats") >= 5, "it is polled")

    assert calls(sim, "/ws/ui") == 1 and reconnects(program, "absent") == 1
    assert not faulty(listener)
    listener.close()


def test_dead_server_is_told_unreachable_and_listened_to_when_it_is_back(sim, listener, pushed, workers):
    program = pushed()
    victim = workers[0]

    sim.fault(api="cml", instance=victim["instance_id"], kind="unreachable", for_ms=600000)
    dead = hear(listener, "system.observed", of(victim, error_code="unreachable"))["data"]
    hear(listener, "system.observed", lambda e: of(workers[1])(e) and "system_stats" in e["data"])
    sim.control("reset", {})

    assert dead["reachable"] is False
    connected(program, listener, len(workers))


def test_wrong_certificate_gets_no_token(sim, listener, pushed, workers):
    program = pushed()

    sim.fault(api="cml", instance=workers[0]["instance_id"], kind="wrong_certificate", for_ms=600000)
    until(listener, lambda: reconnects(program, "tls") >= 1, "the key was looked at")

    connected(program, listener, len(workers) - 1)


def test_worker_that_left_the_lease_or_stops_is_listened_to_no_more(listener, pushed, workers):
    program = pushed()

    listener.workers = [{**listener.workers[0], "status": "stopping"}, listener.workers[1]]
    connected(program, listener, len(workers) - 1)
    listener.workers = []

    connected(program, listener, 0)


def test_push_off_asks_only(start, bus, sim, listener, pins):
    collector(start, bus, sim, "--fingerprints", pins, push="off")

    until(listener, lambda: calls(sim, "/system_stats") >= 6, "rounds go on")

    assert calls(sim, "/ws/ui") == 0

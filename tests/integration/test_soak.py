"""What `make soak` judges, and how: true growth is a fault and what fills up is none; who is late, and why; and what a stream may say.

SPDX-License-Identifier: MIT"""
import json
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import judge  # noqa: E402
import soak_load  # noqa: E402

import harness  # noqa: E402

MB = 1024  # KiB
HOUR = range(120)


def looks(memory=lambda n: 50 * MB, descriptors=lambda n: 20):
    return [judge.Look(n, memory(n), descriptors(n), 0.1 * n, 0.2 * n) for n in HOUR]


@pytest.mark.parametrize("memory, fault", [
    (lambda n: 50 * MB, False),
    (lambda n: (50 + n) * MB, True),                      # a leak
    (lambda n: (50 + min(n, 20)) * MB, False),            # filled up within the first quarter
    (lambda n: (50 + min(n, 70)) * MB, False),            # filled up later, and then stood
    (lambda n: (50 + (n % 10) * 4) * MB, False),          # up and down
    (lambda n: (50 + n * n / 200) * MB, True),            # faster and faster
    (lambda n: (50 + 0.04 * n) * MB, False)])             # within a tenth and a little
def test_memory_that_goes_on_growing_is_a_fault(memory, fault):
    assert bool(judge.memory("gateway", looks(memory=memory))) == fault


@pytest.mark.parametrize("growth_mb, waited, fault", [(1, 0.1, True), (1, 0.9, False), (10, 0.9, True)])
def test_what_a_program_without_a_processor_cannot_read_may_wait_in_its_memory_up_to_a_bound(growth_mb, waited, fault):
    rows = [judge.Look(n, (50 + growth_mb * n) * MB, 20, 0.05 * n, waited * n) for n in HOUR]

    assert bool(judge.memory("gateway", rows)) == fault
    assert bool(judge.starved("gateway", rows)) == (waited > 0.5)


def test_descriptors_that_go_on_growing_are_a_fault():
    assert judge.descriptors("gateway", looks(descriptors=lambda n: 20 + n // 2))
    assert not judge.descriptors("gateway", looks(descriptors=lambda n: 20 + n % 30))
    assert not judge.descriptors("collector", looks(descriptors=lambda n: 500 if n > 80 or n % 10 == 0 else 250))  # shared less later


def test_queue_may_be_used_and_never_stand():
    assert not judge.queue("queue", [n % 5 for n in HOUR], 30)
    assert judge.queue("queue", [40 for _ in HOUR], 30)
    assert judge.queue("queue", [n / 5 for n in HOUR], 30)  # below its bound, and never empty, and growing
    assert not judge.queue("queue", [], 30)


@pytest.mark.parametrize("row, fault", [
    (lambda n: judge.Lateness(400, 0, 20, 0.5, 0), None),
    (lambda n: judge.Lateness(400, 80, 20, 0.5, 0), "while the gateway has time"),
    (lambda n: judge.Lateness(400, 80, 20, 0.9, 0.1), None),                 # it works all the time: the load
    (lambda n: judge.Lateness(400, 3 * n, 20, 0.9, 0.1), "more and more"),   # but that must not go on growing
    (lambda n: judge.Lateness(400, 3 * n, 20, 0.2, 0.8), None),              # the machine
    (lambda n: judge.Lateness(400, 80, 5000, 0.5, 0), None)])                # the crowd itself was not at it
def test_late_readers_are_a_fault_where_the_gateway_could_have_served_them(row, fault):
    faults = judge.lateness([row(n) for n in HOUR])

    assert (fault in faults[0]) if fault else not faults


def test_what_could_not_be_judged_is_said():
    assert not judge.notes([judge.Lateness(400, 0, 20, 0.5, 0) for _ in HOUR], 120)
    assert "in 120 looks the gateway waited" in judge.notes([judge.Lateness(400, 0, 20, 0.1, 0.9) for _ in HOUR], 120)[0]
    assert "of 50 questions 50 had no answer" in judge.notes([], 50)[0]


def test_answer_may_wait_for_the_machine_and_not_for_the_gateway():
    assert not judge.answers([judge.Answer(True, 0.1, 0.0), judge.Answer(False, 60, 1.2)])
    assert "1 of 2 answers" in judge.answers([judge.Answer(True, 0.1, 0.0), judge.Answer(True, 20, 9.5)])[0]


def say(told, kind, sequence=None, **data):
    body = json.dumps({"type": kind, "source": "x", "time": "x", "seq": sequence, "data": data}, separators=(",", ":"))
    return told.hear(harness.Event(kind, body, f"0badcafe-{sequence}"))


def end_state(told, sequence):
    return told.hear(harness.Event("system.state.end", '{"seq":null,"data":{}}', f"0badcafe-{sequence}"))


def test_numbers_come_once_and_in_order_and_what_is_missing_was_told():
    told = soak_load.Told("0badcafe-10", 5000)

    assert not say(told, "worker.created", 11) and not say(told, "worker.created", 14)
    assert not say(told, "heartbeat", conflated=2, events_missed=0)
    assert say(told, "worker.created", 14) == ["14 after 14"]
    assert not say(told, "worker.created", 16)
    assert "3 events are missing" in say(told, "heartbeat", conflated=2, events_missed=0)[0]


def test_stream_that_was_within_the_log_must_not_be_reset():
    told = soak_load.Told("0badcafe-10", 5000)
    say(told, "connected", last_event_id="0badcafe-4000")

    assert "the log went back to 1" in say(told, "system.reset", reason="too old", oldest_id="0badcafe-1", requested_id="0badcafe-10")[0]


def test_log_that_is_shorter_than_it_should_be_is_a_fault():
    told = soak_load.Told("0badcafe-10", 5000)
    say(told, "connected", last_event_id="0badcafe-4000")

    assert "of 10 at 4000" in say(told, "system.reset", reason="too old", oldest_id="0badcafe-3000", requested_id="0badcafe-10")[0]


def test_state_behind_a_reset_may_be_older_than_the_reset():
    told = soak_load.Told("0badcafe-10", 5000)
    say(told, "connected", last_event_id="0badcafe-5100")

    assert not say(told, "system.reset", reason="too old", oldest_id="0badcafe-101", requested_id="0badcafe-10")
    assert not say(told, "system.state.begin") and not end_state(told, 4835)
    assert not say(told, "worker.created", 4836) and told.resets == 1


def test_crowd_comes_reads_and_leaves_and_says_so(tmp_path):
    program = harness.BUILD / "crowd"
    if not program.exists():
        subprocess.run(["make", "-s", f"B={harness.BUILD}", str(program)], cwd=harness.ROOT, check=True)
    bus = harness.Bus()
    aggregator = harness.Aggregator(tmp_path, bus, "--store", tmp_path / "store")
    gateway = harness.Gateway(tmp_path, bus)
    crowd = soak_load.Crowd(program, 30)

    crowd.tell("+", gateway)
    harness.wait_until(lambda: gateway_clients(gateway) == 30 and crowd.counts()["here"] == 30, "thirty listen")
    names = {client["name"] for client in harness.http_json(gateway.url + "/api/clients")["clients"]}
    counts = crowd.end()
    harness.wait_until(lambda: gateway_clients(gateway) == 0, "nobody listens any more")

    assert names <= {"crowd-reads", "crowd-stalls"} and "crowd-reads" in names
    assert counts["came"] >= 30 and counts["refused"] == 0 and counts["bytes"] > 0
    assert gateway.stop() == 0 and aggregator.stop() == 0


def gateway_clients(gateway):
    return harness.metric(gateway.url, "cmlwatch_gateway_clients")

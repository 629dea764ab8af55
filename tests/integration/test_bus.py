"""An outside publisher on the ingest bus, and everything that must not stop the aggregator.
SPDX-License-Identifier: MIT"""
import json
import uuid

import pytest
import zmq

import harness
import outside
from harness import metric, wait_until


@pytest.fixture
def aggregator(start, bus):
    return start(harness.Aggregator, bus, "--resend-wait-ms", 300)


@pytest.fixture
def gateway(start, bus, aggregator):
    return start(harness.Gateway, bus)


@pytest.fixture
def publisher(bus, gateway):
    own = outside.Publisher(bus.ingest, "/collector/pyzmq/outside")
    own.until_heard(gateway, "eu-west-1", "i-0first")
    return own


def test_a_cloudevent_from_pyzmq_becomes_a_worker_on_the_stream(gateway, publisher):
    stream = gateway.stream()
    stream.state()

    publisher.instance("eu-west-1", "i-0abc", tags={"team": "exam"}, private_ip="10.1.2.3")
    created = stream.wait("worker.created", "the worker is created")
    snapshot = stream.wait(lambda e: e.type == "worker.snapshot" and e.data["aws_instance_id"] == "i-0abc", "snapshot")

    assert created.data["worker_id"] == str(uuid.uuid5(uuid.NAMESPACE_DNS, "cmlwatch/eu-west-1/i-0abc"))
    assert snapshot.data["aws_tags"] == {"team": "exam"} and snapshot.data["private_ip"] == "10.1.2.3"
    assert snapshot.data["cpu_utilization"] is None, "what nobody has read is null"


def test_older_observation_after_a_newer_one_changes_nothing(gateway, publisher):
    newer = publisher.instance("eu-west-1", "i-0order", state="stopped")
    publisher.publish("instance.observed", "eu-west-1/i-0order", {**newer["data"], "state": "running"},
                      time="2026-01-01T00:00:00.000Z")
    publisher.instance("eu-west-1", "i-0marker")
    wait_until(lambda: gateway.worker("i-0marker"), "everything before it was taken")

    assert gateway.worker("i-0order")["status"] == "stopped"


def test_the_same_message_twice_makes_one_event(gateway, publisher):
    stream = gateway.stream()
    stream.state()
    event = publisher.envelope("instance.observed", "eu-west-1/i-0twice",
                               {"instance_id": "i-0twice", "region": "eu-west-1", "state": "running"})
    frames = [b"instance.observed|eu-west-1|i-0twice", json.dumps(event).encode()]

    publisher.send(frames)
    publisher.send(frames)
    publisher.instance("eu-west-1", "i-0marker")
    stream.wait(lambda e: e.type == "worker.created" and e.data["name"] == "i-0marker", "everything before was told")

    told = [e for e in stream.events if e.type == "worker.created"]
    assert len(told) == 2


def test_unchanged_metric_makes_no_metrics_event(gateway, publisher):
    stream = gateway.stream()
    stream.state()

    for _ in range(3):
        publisher.publish("utilization.observed", "eu-west-1/i-0first", {"cpu_percent": 7.925})
    publisher.instance("eu-west-1", "i-0marker")
    stream.wait(lambda e: e.type == "worker.created", "everything before was told")

    told = [e for e in stream.events if e.type == "worker.metrics.updated"]
    assert len(told) == 1
    assert '7.925' in told[0].raw and '7.9249' not in told[0].raw


BAD = {
    "no frames but one": [b"instance.observed|r|i"],
    "three frames": [b"a", b"{}", b"c"],
    "not JSON": [b"instance.observed|r|i", b"hello"],
    "cut JSON": [b"instance.observed|r|i", b'{"specversion":"1.0","type":"instance.obs'],
    "not an object": [b"instance.observed|r|i", b"[1,2,3]"],
    "empty": [b"", b""],
    "bytes": [b"\xff\x00\xfe", bytes(range(256))],
    "deep": [b"x", b"[" * 100000],
    "no attributes": [b"instance.observed|r|i", b"{}"],
    "wrong specversion": [b"instance.observed|r|i", b'{"specversion":"7","type":"instance.observed"}'],
    "unknown type": [b"x|r|i", json.dumps({"specversion": "1.0", "type": "worker.created", "source": "/collector/x/y",
                                          "id": "00000000-000000000001", "time": "2026-11-20T10:00:00Z",
                                          "subject": "r/i", "data": {}}).encode()],
    "huge": [b"instance.observed|r|i", b'{"a":"' + b"x" * 400000 + b'"}'],
}


@pytest.mark.parametrize("subject", ["r|x/i-0bad", "r/i|0bad", "r/", "/i-0bad", "r" * 64 + "/i-0bad", "r/" + "i" * 64])
def test_subject_that_could_not_be_a_key_is_refused_and_names_no_worker(gateway, aggregator, publisher, subject):
    region, _, key = subject.partition("/")

    publisher.publish("instance.observed", subject, {"instance_id": key, "region": region, "state": "running"})

    aggregator.wait_log("must be <region>/<instance id>")
    assert [w["aws_instance_id"] for w in gateway.workers()] == ["i-0first"]


@pytest.mark.parametrize("name", BAD)
def test_bad_message_is_counted_and_the_next_good_one_is_heard(gateway, aggregator, publisher, name):
    before = metric(aggregator.url, "cmlwatch_ingest_rejected_total") + \
        metric(aggregator.url, "cmlwatch_bus_malformed_total")

    publisher.send(BAD[name])
    publisher.instance("eu-west-1", "i-0after")

    wait_until(lambda: gateway.worker("i-0after"), "the next message")
    after = metric(aggregator.url, "cmlwatch_ingest_rejected_total") + \
        metric(aggregator.url, "cmlwatch_bus_malformed_total")
    assert after > before
    assert aggregator.alive()


def test_member_of_a_wrong_type_is_named_in_the_log(gateway, aggregator, publisher):
    publisher.publish("utilization.observed", "eu-west-1/i-0first", {"cpu_percent": "many"})

    aggregator.wait_log("cpu_percent")
    assert "/collector/pyzmq/outside" in aggregator.log


def test_lost_messages_are_counted_by_their_sequence(gateway, aggregator, publisher):
    publisher.sequence += 7
    publisher.instance("eu-west-1", "i-0gap")
    wait_until(lambda: gateway.worker("i-0gap"), "the message after the gap")

    wait_until(lambda: metric(aggregator.url, "cmlwatch_bus_lost_total", source="/collector/pyzmq/outside") == 7,
               "what did not come when its time was over is lost")


def ask_lease(bus, collector_id, kind="pyzmq"):
    """The lease's answer, as any program may ask for it."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.connect(bus.control)
    socket.send_multipart([b"request", b"lease", b"1", json.dumps({"collector_id": collector_id, "kind": kind}).encode()])
    assert socket.poll(harness.PATIENCE * 1000), "an answer"
    answer = json.loads(socket.recv_multipart()[3])
    socket.close(linger=0)
    return answer


def test_tags_are_leased_to_those_who_choose_a_login_by_them(start, bus):
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus)
    publisher = outside.Publisher(bus.ingest, "/collector/ec2/outside")
    publisher.until_heard(gateway, "eu-west-1", "i-0tagged", public_ip="203.0.113.7", tags={"team": "exam", "host": "x"})

    to_cml = ask_lease(bus, "/collector/cml/one", "cml")["workers"]
    to_other = ask_lease(bus, "/collector/pyzmq/one")["workers"]

    assert to_cml[0]["tags"] == {"team": "exam", "host": "x"}
    assert to_other and "tags" not in to_other[0]


def test_collector_beyond_the_bound_gets_nothing_and_is_counted(start, bus):
    aggregator = start(harness.Aggregator, bus, "--collectors-max", 1)
    ask_lease(bus, "/collector/pyzmq/one")
    before = metric(aggregator.url, "cmlwatch_leases_refused_total")
    ask_lease(bus, "/collector/pyzmq/one")
    ask_lease(bus, "/collector/pyzmq/two")

    assert before == 0 and metric(aggregator.url, "cmlwatch_leases_refused_total") == 1
    assert metric(aggregator.url, "cmlwatch_collectors") == 1


def test_missing_messages_are_asked_for_again_and_taken_when_they_come(start, bus):
    aggregator = start(harness.Aggregator, bus, "--resend-wait-ms", 60000)
    gateway = start(harness.Gateway, bus)
    publisher = outside.Publisher(bus.ingest, "/collector/pyzmq/outside")
    publisher.until_heard(gateway, "eu-west-1", "i-0first")
    kept = [publisher.envelope("instance.observed", f"eu-west-1/i-0lost{n}", {
        "instance_id": f"i-0lost{n}", "region": "eu-west-1", "state": "running"}) for n in range(3)]
    publisher.instance("eu-west-1", "i-0gap")
    wait_until(lambda: gateway.worker("i-0gap"), "the message after the gap")

    answer = ask_lease(bus, publisher.source)
    second = ask_lease(bus, publisher.source)
    for event in kept:
        publisher.send([f"instance.observed|eu-west-1|{event['data']['instance_id']}".encode(), json.dumps(event).encode()])
    wait_until(lambda: gateway.worker("i-0lost2"), "what was missing")

    assert answer["resend"] == [{"from": int(kept[0]["sequence"]), "to": int(kept[2]["sequence"])}]
    assert second["resend"] == [], "it is asked for once"
    assert metric(aggregator.url, "cmlwatch_bus_recovered_total") == 3
    assert metric(aggregator.url, "cmlwatch_bus_lost_total") == 0


def test_source_of_which_something_is_lost_for_good_is_told_to_begin_anew(gateway, aggregator, publisher, bus):
    publisher.sequence += 2
    publisher.instance("eu-west-1", "i-0gap")
    wait_until(lambda: metric(aggregator.url, "cmlwatch_bus_lost_total") == 2, "it is lost")

    assert ask_lease(bus, publisher.source)["fresh"] is True
    assert "fresh" not in ask_lease(bus, publisher.source)


def test_a_lost_tail_is_seen_by_the_heartbeat(gateway, aggregator, publisher):
    publisher.sequence += 5
    publisher.publish("collector.heartbeat", "", {"last_sequence": publisher.sequence})

    wait_until(lambda: metric(aggregator.url, "cmlwatch_bus_lost_total", source="/collector/pyzmq/outside") == 5,
               "the tail is counted")


def test_feed_can_be_read_by_an_outside_program(gateway, bus, publisher):
    feed = zmq.Context.instance().socket(zmq.SUB)
    feed.connect(bus.feed)
    feed.subscribe(b"")
    feed.rcvtimeo = harness.PATIENCE * 1000

    frames = feed.recv_multipart()
    while not frames[0].startswith(b"tick"):
        frames = feed.recv_multipart()
    fields = frames[0].decode().split("|")
    feed.close(linger=0)

    assert len(fields) == 10 and len(fields[5 + 1]) == 8

"""A client proves that its picture is the server's: the digest of heartbeats, of the state's end and of /api/state
against one computed from what came over the stream.
SPDX-License-Identifier: MIT"""
import json

import pytest

import harness
import outside
from harness import http_json, wait_until
from picture import Picture, digest_of


class Fleet:
    def __init__(self, start, bus, count=8):
        self.aggregator, self.gateway = start(harness.Aggregator, bus), start(harness.Gateway, bus)
        self.publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/digest")
        self.names = [f"i-0d{n}" for n in range(count)]
        self.publisher.until_heard(self.gateway, self.region(0), self.names[0])
        for n in range(count):
            self.publisher.instance(self.region(n), self.names[n], tags={"note": "é\"ec2_freshness\":"},
                                    interval_seconds=3600)
        wait_until(lambda: len(self.gateway.workers()) == count, "all of them")

    def region(self, n):
        return ("us-east-1", "eu-west-1")[n % 2]

    def change(self, value):
        for n, name in enumerate(self.names):
            subject = f"{self.region(n)}/{name}"
            self.publisher.publish("utilization.observed", subject, {"cpu_percent": (value + n) % 100,
                                                                     "interval_seconds": 3600})
            self.publisher.publish("labs.observed", subject, {"labs": [{"lab_id": f"lab{value}", "state": "STARTED"}] * (value % 3)})
            self.publisher.publish("activity.observed", subject, {"last_activity_at": "2026-11-20T10:30:00.000Z"})
        self.publisher.publish("instance.observed", f"{self.region(0)}/{self.names[0]}", {
            "instance_id": self.names[0], "region": self.region(0), "name": f"mark {value}", "state": "running"})
        wait_until(lambda: self.gateway.worker(self.names[0])["name"] == f"mark {value}", "the last change")


@pytest.fixture
def fleet(start, bus):
    return Fleet(start, bus)


def follow(stream, picture, condition, what):
    def seen(event):
        picture.take(event)
        return condition(event)
    return stream.wait(seen, what)


def beat(stream, picture, mark):
    """The first heartbeat behind the snapshot with this name."""
    follow(stream, picture, lambda e: e.type == "worker.snapshot" and e.data["name"] == mark, mark)
    return follow(stream, picture, lambda e: e.type == "heartbeat", "a heartbeat").data


@pytest.mark.parametrize("query", ["", "&regions=eu-west-1,us-east-1", "&event_types=worker.snapshot,system.*"])
def test_picture_of_the_stream_equals_the_servers(fleet, query):
    stream, picture = fleet.gateway.stream("?heartbeat=1" + query), Picture()
    end = follow(stream, picture, lambda e: e.type == "system.state.end", "the state").data

    assert end["digest"] == picture.digest() == http_json(f"{fleet.gateway.url}/api/state")["digest"]
    digests = set()
    for value in range(1, 5):
        fleet.change(value)
        said = beat(stream, picture, f"mark {value}")["digest"]
        assert said == picture.digest()
        digests.add(said)
    assert len(digests) == 4, "it tells states apart"
    assert http_json(f"{fleet.gateway.url}/api/state")["digest"] == said


def test_filtered_client_gets_the_digest_of_what_it_sees(fleet):
    ids = [fleet.gateway.worker(name)["worker_id"] for name in fleet.names]
    queries = {"&regions=eu-west-1": 4, f"&worker_ids={ids[1]},{ids[2]}": 2, f"&worker_ids={ids[1]},{ids[2]}&regions=eu-west-1": 1,
               "&regions=nowhere": 0}
    for query, count in queries.items():
        stream, picture = fleet.gateway.stream("?heartbeat=1" + query), Picture()
        end = follow(stream, picture, lambda e: e.type == "system.state.end", "the state").data
        said = follow(stream, picture, lambda e: e.type == "heartbeat", "a heartbeat").data["digest"]

        assert len(picture.workers) == count and said == end["digest"] == picture.digest(), query


def test_stream_without_snapshots_has_no_digest(fleet):
    stream = fleet.gateway.stream("?heartbeat=1&event_types=worker.status.updated")

    assert stream.wait("heartbeat", "a heartbeat").data["digest"] is None


def test_terminated_worker_does_not_count_and_its_leaving_changes_nothing(start, bus):
    aggregator = start(harness.Aggregator, bus, "--terminated-keep-minutes", 0)
    gateway = start(harness.Gateway, bus)
    publisher = outside.Publisher(bus.ingest, "/collector/ec2/digest")
    publisher.until_heard(gateway, "us-east-1", "i-0stays")
    publisher.until_heard(gateway, "us-east-1", "i-0goes")
    stream, picture = gateway.stream("?heartbeat=1"), Picture()
    follow(stream, picture, lambda e: e.type == "system.state.end", "the state")

    publisher.publish("instance.gone", "us-east-1/i-0goes", {"reason": "not listed"})
    follow(stream, picture, lambda e: e.type == "worker.snapshot" and e.data["_reason"] == "terminated", "its end")
    wait_until(lambda: len(gateway.workers()) == 1, "it has left")

    said = follow(stream, picture, lambda e: e.type == "heartbeat", "a heartbeat").data["digest"]
    assert said == picture.digest() == http_json(f"{gateway.url}/api/state")["digest"]
    assert len(picture.workers) == 2 and aggregator.alive()


def test_two_gateways_and_a_restarted_aggregator_have_one_digest(start, bus, tmp_path):
    arguments = ("--store", tmp_path / "store")
    aggregator, gateway = start(harness.Aggregator, bus, *arguments), start(harness.Gateway, bus)
    publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/digest")
    publisher.until_heard(gateway, "us-east-1", "i-0one", tags={"a": "b"})
    publisher.publish("utilization.observed", "us-east-1/i-0one", {"cpu_percent": 7.925})
    wait_until(lambda: gateway.worker("i-0one")["cloudwatch_cpu_utilization"] == 7.925, "its load")
    digests = [http_json(f"{gateway.url}/api/state")["digest"]]

    digests.append(http_json(f"{start(harness.Gateway, bus).url}/api/state")["digest"])
    aggregator.kill()
    start(harness.Aggregator, bus, *arguments)
    digests.append(http_json(f"{start(harness.Gateway, bus).url}/api/state")["digest"])

    status, _, body = harness.http(f"{gateway.url}/api/workers")
    text = body.decode()
    snapshot = text[text.index("[") + 1:text.rindex("]")]
    assert json.loads(snapshot)["aws_instance_id"] == "i-0one"
    assert set(digests) == {f"{digest_of(snapshot):016x}"}

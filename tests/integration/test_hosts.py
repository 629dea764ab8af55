"""Two hosts: aggregator and gateway on one, the collectors and what they read on the other, and the cable between them is
drawn for a while. The bus has keys, as between hosts it must. SPDX-License-Identifier: MIT"""
import contextlib
import threading

import pytest

import harness
from harness import metric, wait_until
from netns import Cable
from picture import Picture
from keys import Keys, locked

INTERVAL_MS, RENEW_MS = 1000, 2000  # a collector is given up after three times the second, a worker is stale after three of the first
COLLECTORS = 4
FIELDS = ("ec2_freshness", "cml_freshness")


@pytest.fixture
def cable():
    try:
        made = Cable()
    except OSError as error:
        pytest.skip(f"no network of its own can be made here, as needs root: {error}")
    yield made
    made.remove()


class Bus:
    """The aggregator's endpoints, as the other host reaches them."""

    def __init__(self, address):
        self.ingest, self.control, self.feed = (f"tcp://{address}:{harness.free_port()}" for _ in range(3))


class Follower(threading.Thread):
    """A client: what the stream told it all along, kept as pictures are."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.stream, self.picture, self.events, self.sequences = gateway.stream("?heartbeat=1"), Picture(), [], []
        self.equal = self.other = 0

    def run(self):
        with contextlib.suppress(OSError, ValueError):
            while (event := self.stream.next()) is not None:
                self.picture.take(event)
                self.events.append(event)
                if event.body["seq"] is not None:
                    self.sequences.append(event.body["seq"])
                if event.type == "heartbeat" and event.data["digest"]:
                    same = event.data["digest"] == self.picture.digest()
                    self.equal, self.other = self.equal + same, self.other + (not same)

    def told(self, kind, **data):
        return [e for e in list(self.events) if e.type == kind and all(e.data.get(k) == v for k, v in data.items())]


class Deployment:
    def __init__(self, start, cable, folder):
        self.near, self.far = cable.near, cable.far
        self.bus, keys = Bus(cable.near.address), Keys(folder)
        for name, role in (("gateway", "gateway"), ("collector", "collector")):
            keys.make(name, role)
        held = keys.arguments("collector")
        with self.near.inside():
            self.aggregator = start(harness.Aggregator, self.bus, "--renew-ms", RENEW_MS, *locked(keys))
            self.gateway = start(harness.Gateway, self.bus, *keys.arguments("gateway"))
            self.follower = Follower(self.gateway)
        self.follower.start()
        with self.far.inside():
            self.sim = start(harness.Simulator, instances=8)
            environment = self.sim.environment()
            pins = folder / "pins"
            pins.write_text(self.sim.control("pins"))
            self.ec2 = start(harness.Collector, "ec2", self.bus, *held, "--interval-ms", INTERVAL_MS, environment=environment, collector_id="far")
            self.cloudwatch = start(harness.Collector, "cloudwatch", self.bus, *held, "--interval-ms", INTERVAL_MS, environment=environment,
                                    collector_id="far")
            self.cmls = [start(harness.Collector, "cml", self.bus, *held, "--interval-ms", INTERVAL_MS, "--push", "off", "--port", self.sim.cml_port,
                               "--verify", "fingerprint", "--fingerprints", pins, "--username", "cmlwatch",
                               environment={**environment, "CMLWATCH_COLLECTOR_CML_PASSWORD": "cmlwatch-demo"}, collector_id=f"far{n}")
                         for n in range(2)]

    def workers(self):
        with self.near.inside():
            return self.gateway.workers()

    def metric(self, name, **labels):
        with self.near.inside():
            return metric(self.aggregator.url, name, **labels)

    def all_are(self, freshness):
        running = [w for w in self.workers() if w["status"] == "running"]
        return len(running) >= 4 and all(w[field] == freshness for w in running for field in FIELDS)

    def leases_are_held(self):
        return (self.metric("cmlwatch_collectors") == COLLECTORS and
                all(self.metric(f"cmlwatch_workers_{what}", kind="cml") == 0 for what in ("unowned", "multi_owned")))

    def control(self, *arguments):
        with self.far.inside():
            return self.sim.control(*arguments)

    def instances(self):
        with self.far.inside():
            return self.sim.instances()


def test_cable_that_is_drawn_for_a_while_loses_nothing_and_workers_are_told_by_the_state(cable, start, tmp_path):
    fleet = Deployment(start, cable, tmp_path)
    wait_until(lambda: fleet.all_are("fresh") and fleet.leases_are_held(), "the other host's workers are read")
    chosen = next(w["aws_instance_id"] for w in fleet.workers() if w["status"] == "running")
    told = len(fleet.follower.events)

    cable.far.down()
    wait_until(lambda: fleet.all_are("stale"), "the state says that nothing is known any more")
    wait_until(lambda: fleet.metric("cmlwatch_collectors") == 0, "all collectors are given up")
    fleet.control(f"instances/{chosen}", {"state": "stopped"})
    wait_until(lambda: next(i for i in fleet.instances() if i["instance_id"] == chosen)["state"] == "stopped", "one stops meanwhile")
    with fleet.far.inside():
        read = fleet.ec2.metric(fleet.ec2.url, "cmlwatch_bus_published_total", type="instance.observed")
        wait_until(lambda: fleet.ec2.metric(fleet.ec2.url, "cmlwatch_bus_published_total", type="instance.observed") > read,
                   "the collectors read on")
    assert next(w for w in fleet.workers() if w["aws_instance_id"] == chosen)["status"] == "running"
    cable.far.up()

    wait_until(lambda: fleet.all_are("fresh"), "all are read again")
    wait_until(fleet.leases_are_held, "leases return")
    wait_until(lambda: next(w for w in fleet.workers() if w["aws_instance_id"] == chosen)["status"] == "stopped", "what was missed is known")
    follower = fleet.follower
    seen = follower.equal
    wait_until(lambda: follower.equal > seen, "the client's picture is the server's")

    assert fleet.metric("cmlwatch_bus_lost_total") == 0
    assert follower.sequences == list(range(follower.sequences[0], follower.sequences[0] + len(follower.sequences)))
    assert follower.other == 0
    after = follower.events[told:]
    left = [e.data["collector_id"] for e in after if e.type == "collector.left"]
    assert len(left) == COLLECTORS and len([e for e in after if e.type == "collector.joined"]) >= COLLECTORS, left
    for source in ("ec2", "cml"):
        for new in ("stale", "fresh"):
            assert len(follower.told("worker.freshness.changed", metric_source=source, new=new)) >= 4, (source, new)
    assert follower.told("worker.status.updated", new_status="stopped")
    follower.stream.close()

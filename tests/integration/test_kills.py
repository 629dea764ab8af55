"""kill -9 of any process at any moment, under load, with clients that come back.

What each client sees is checked as it comes: ids without a gap, a repetition or a step back, over all
its connections and both gateways; no reset; and in the end the digest of its picture is the servers'.

    CMLWATCH_KILLS=100 CMLWATCH_RATE=2000   harder; `make faults`
    CMLWATCH_SEED=<number>                  the same moments and victims again
    CMLWATCH_SUMMARY=<file>                 what came of it, as JSON

SPDX-License-Identifier: MIT"""
import json
import os
import random
import statistics
import threading
import time

import pytest

import harness
import outside
from follower import Follower, quiet
from harness import http_json, metric, wait_until

REGION, WORKERS, CLIENTS = "us-east-1", 10, 20
KILLS = int(os.environ.get("CMLWATCH_KILLS", "8"))
RATE = int(os.environ.get("CMLWATCH_RATE", "300"))
SEED = int(os.environ.get("CMLWATCH_SEED", "20261127"))


class Load(threading.Thread):
    """Observations of three sources, RATE a second in all."""

    def __init__(self, bus, stop):
        super().__init__(daemon=True)
        self.stop, self.said, self.chance = stop, 0, random.Random(SEED)
        self.ec2, self.cloudwatch, self.cml = (outside.Publisher(bus.ingest, f"/collector/{kind}/kills")
                                               for kind in ("ec2", "cloudwatch", "cml"))
        for publisher in (self.ec2, self.cloudwatch, self.cml):
            publisher.socket.set_hwm(1000000)

    def one(self):
        worker, self.said = self.chance.randrange(WORKERS), self.said + 1
        subject, kind = f"{REGION}/i-0kill{worker}", self.chance.randrange(10)
        if kind < 6:
            self.cloudwatch.publish("utilization.observed", subject, {
                "cpu_percent": self.chance.randrange(10000) / 100, "interval_seconds": 3600})
        elif kind < 8:
            self.cml.publish("labs.observed", subject, {"labs": [
                {"lab_id": f"l{n}", "state": self.chance.choice(["STARTED", "STOPPED"])}
                for n in range(self.chance.randrange(4))]})
        elif kind < 9:
            self.cml.publish("system.observed", subject, {"reachable": True, "ready": self.chance.random() < 0.9,
                                                          "version": f"2.{self.chance.randrange(10)}.0"})
        else:
            self.ec2.instance(REGION, f"i-0kill{worker}", state=self.chance.choice(["running"] * 5 + ["stopped"]),
                              interval_seconds=3600)

    def run(self):
        from_at = time.monotonic()
        while not self.stop.is_set():
            due = int((time.monotonic() - from_at) * RATE)
            while self.said < due:
                self.one()
            time.sleep(0.002)


@pytest.mark.skipif(harness.VALGRIND, reason="the load is not for valgrind")
@pytest.mark.timeout(1200)
def test_no_client_sees_a_gap_whatever_is_killed(start, sim, bus, tmp_path):
    chance, stop_load, stop = random.Random(SEED), threading.Event(), threading.Event()
    make = {"aggregator": lambda: start(harness.Aggregator, bus, "--store", tmp_path / "store", "--events-max", 1000000),
            "gateway": lambda: start(harness.Gateway, bus),
            "collector": lambda: start(harness.Collector, "ec2", bus, "--interval-ms", 500,
                                       environment=sim.environment())}
    aggregator = make["aggregator"]()
    gateways, collector = [make["gateway"](), make["gateway"]()], make["collector"]()
    load = Load(bus, stop_load)
    for worker in range(WORKERS):
        load.ec2.until_heard(gateways[0], REGION, f"i-0kill{worker}", interval_seconds=3600)
    clients = [Follower(number, lambda: [gateway.port for gateway in gateways], stop, SEED) for number in range(CLIENTS)]
    for thread in [*clients, load]:
        thread.start()
    wait_until(lambda: all(client.last for client in clients), "all clients have the state")

    recoveries = {"aggregator": [], "gateway": [], "collector": []}
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.1, 0.6))
        victim = chance.choices(["aggregator", "gateway", "collector"], [5, 4, 1])[0]
        place = chance.randrange(2)
        at = time.monotonic()
        if victim == "aggregator":
            aggregator.kill()
            time.sleep(chance.choice([0, 0, chance.uniform(0, 0.5)]))
            aggregator = make[victim]()
            before = max(client.last for client in clients)
            wait_until(lambda: max(client.last for client in clients) > before, "clients hear of it again")
        elif victim == "gateway":
            gateways[place].kill()
            gateways[place] = make[victim]()
            wait_until(lambda: min(client.last_at for client in clients) > at, "all its clients are back")
        else:
            collector.kill()
            collector = make[victim]()
        recoveries[victim].append(time.monotonic() - at)
    stop_load.set()
    load.join(harness.PATIENCE)
    for worker in range(WORKERS):  # what was said to an aggregator that was away is lost; this is not
        load.ec2.until_heard(gateways[1], REGION, f"i-0kill{worker}", interval_seconds=3600, name=f"final {worker}")
        wait_until(lambda: gateways[1].worker(f"i-0kill{worker}")["name"] == f"final {worker}", "the last word")
    collector.stop()
    last = int(quiet(gateways[0].url).rsplit("-", 1)[1])
    wait_until(lambda: min(client.last for client in clients) >= last, "every client has all of it")
    digests = set()

    def agree():
        digests.clear()
        digests.update([http_json(f"{gateway.url}/api/state")["digest"] for gateway in gateways], [client.digest() for client in clients])
        return len(digests) == 1
    try:
        wait_until(agree, "one picture")
    except AssertionError:
        pass  # it is told below, with the seed
    stop.set()

    faults = [fault for client in clients for fault in client.faults]
    summary = {"seed": SEED, "kills": {victim: len(times) for victim, times in recoveries.items()}, "rate": RATE,
               "observations": load.said, "events": last, "clients": CLIENTS,
               "connections": sum(client.connections for client in clients), "faults": len(faults),
               "digests": len(digests),
               "recovery_ms": {victim: {"p50": round(statistics.median(times) * 1000), "max": round(max(times) * 1000)}
                               for victim, times in recoveries.items() if times}}
    print("kills:", json.dumps(summary))
    if os.environ.get("CMLWATCH_SUMMARY"):
        with open(os.environ["CMLWATCH_SUMMARY"], "a") as file:
            print(json.dumps(summary), file=file)
    assert not faults, faults[:5]
    assert len(digests) == 1, f"CMLWATCH_SEED={SEED}: {digests}"
    assert last > 100 and metric(aggregator.url, "cmlwatch_store_failures_total") == 0

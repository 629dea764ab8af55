"""bench_publish.py - what durability costs: from a collector's send to the event on the feed.

    bench_publish.py FOLDER [SAMPLES] [ROUNDS]

FOLDER holds the programs; the stores lie in it and are removed. Two aggregators, durability `process`
and `power`, are asked in turn, one observation at a time, SAMPLES a round; p50 and p99 of all are in
microseconds. The store's part is the difference of the two, the rest is ZeroMQ, JSON and Python.
Prints one line of JSON. SPDX-License-Identifier: MIT"""
import json
import pathlib
import sys
import tempfile
import time

import zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
FOLDER = pathlib.Path(sys.argv[1]).resolve()
SAMPLES = int(sys.argv[2]) if len(sys.argv) > 2 else 400
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 5


class Subject:
    def __init__(self, harness, outside, folder, durability):
        self.bus = harness.Bus()
        self.aggregator = harness.Aggregator(folder, self.bus, "--store", folder / durability, "--durability", durability)
        self.feed = zmq.Context.instance().socket(zmq.SUB)
        self.feed.subscribe(b"event|worker.metrics.updated")
        self.feed.connect(self.bus.feed)
        self.publisher = outside.Publisher(self.bus.ingest, "/collector/cloudwatch/bench")
        self.value, self.times = 0, []
        time.sleep(0.5)  # PUB drops what it says before the other side has joined
        self.publisher.instance("us-east-1", "i-0bench", interval_seconds=3600)
        time.sleep(0.2)

    def ask(self):
        self.value = self.value % 9000 + 1
        said = f'"cpu_utilization":{self.value / 100:g}'.encode()
        at = time.perf_counter()
        self.publisher.publish("utilization.observed", "us-east-1/i-0bench",
                               {"cpu_percent": self.value / 100, "interval_seconds": 3600})
        while said not in self.feed.recv_multipart()[1]:
            pass
        return (time.perf_counter() - at) * 1e6


def at(times, part):
    return round(sorted(times)[int(len(times) * part)])


def main():
    import harness
    import outside
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        folder = pathlib.Path(folder)
        subjects = {name: Subject(harness, outside, folder, name) for name in ("process", "power")}
        for each in subjects.values():
            each.feed.rcvtimeo = 10000
        for _ in range(ROUNDS):
            for each in subjects.values():
                each.times += [each.ask() for _ in range(SAMPLES)]
        for each in subjects.values():
            each.aggregator.stop()
        result = {f"publish_{name}": {"p50_us": at(each.times, 0.5), "p99_us": at(each.times, 0.99)}
                  for name, each in subjects.items()}
        print(json.dumps({**result, "samples": SAMPLES * ROUNDS}, separators=(",", ":")))


main()

"""bench_keys.py - what keys on the bus (CURVE) cost: from a collector's send to a client's stream.

    bench_keys.py FOLDER [SAMPLES] [ROUNDS] [BURST]

FOLDER holds the programs. Two stacks, aggregator and gateway, one with keys and one without, are asked in turn
(A B A B). A round sends SAMPLES observations one at a time and waits for each on the stream, which makes p50 and
p99 in microseconds; then BURST observations at once, each of which is an event, until the last of them is on the
stream, which makes observations a second; and the CPU time, in microseconds, that aggregator and gateway took for
each. Medians of ROUNDS. Prints one line of JSON. SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import socket
import statistics
import sys
import tempfile
import time

import zmq
import zmq.auth

FOLDER = pathlib.Path(sys.argv[1]).resolve()
SAMPLES, ROUNDS, BURST = (int(sys.argv[place]) if len(sys.argv) > place else value for place, value in ((2, 300), (3, 5), (4, 10000)))
WORKERS = 200

os.environ.setdefault("CMLWATCH_BUILD", str(FOLDER))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))


class Keys:
    """A pair for each role; what the two programs and the publisher are told of them."""

    def __init__(self, folder):
        self.folder, allowed = folder, folder / "allowed"
        allowed.mkdir(parents=True)
        for name in ("aggregator", "gateway", "collector"):
            zmq.auth.create_certificates(folder, name)
            public = (folder / f"{name}.key").read_text()
            (allowed / f"{name}.key").write_text(public.replace("metadata\n", f'metadata\n    name = "{name}"\n    role = "{name}"\n'))
        (allowed / "aggregator.key").unlink()
        self.aggregator = ("--curve-key", folder / "aggregator.key", "--curve-allow", allowed)
        self.gateway = ("--curve-key", folder / "gateway.key", "--curve-server-key", folder / "aggregator.key")

    def lock(self, it, endpoint):
        it.disconnect(endpoint)
        it.curve_publickey, it.curve_secretkey = zmq.auth.load_certificate(self.folder / "collector.key_secret")
        it.curve_serverkey = zmq.auth.load_certificate(self.folder / "aggregator.key")[0]
        it.connect(endpoint)


class Subject:
    def __init__(self, harness, outside, folder, keys):
        folder.mkdir(exist_ok=True)
        self.harness, self.bus = harness, harness.Bus()
        self.aggregator = harness.Aggregator(folder, self.bus, *(keys.aggregator if keys else ()))
        self.gateway = harness.Gateway(folder, self.bus, *(keys.gateway if keys else ()))
        self.publisher = outside.Publisher(self.bus.ingest, "/collector/cloudwatch/bench")
        if keys:
            keys.lock(self.publisher.socket, self.bus.ingest)
        self.publisher.until_heard(self.gateway, "us-east-1", "i-0")
        for number in range(WORKERS):
            self.publisher.instance("us-east-1", f"i-{number}", interval_seconds=3600)
        harness.wait_until(lambda: len(self.gateway.workers()) == WORKERS, "all workers show")
        self.value, self.rest = 0, b""
        self.stream = socket.create_connection(("127.0.0.1", self.gateway.port))
        self.stream.sendall(b"GET /api/events/stream?state=0&event_types=worker.metrics.updated HTTP/1.1\r\nHost: x\r\n\r\n")
        self.stream.settimeout(harness.PATIENCE)
        self.rounds = {"p50_us": [], "p99_us": [], "per_second": [], "cpu_us": []}

    def frames(self, worker):
        """An observation of a value that there was not, and the words by which its event is known."""
        self.value += 1
        load = self.value % 99000 / 1000
        subject = f"us-east-1/i-{worker}"
        event = self.publisher.envelope("utilization.observed", subject, {"cpu_percent": load, "interval_seconds": 3600})
        return [f"utilization.observed|us-east-1|i-{worker}".encode(), json.dumps(event).encode()], f'"cpu_utilization":{load:g}'.encode()

    def until(self, said):
        while said + b"," not in self.rest and said + b"}" not in self.rest:
            data = self.stream.recv(1 << 20)
            assert data, "the stream ended"
            self.rest = self.rest[-100:] + data
        self.rest = b""

    def ask(self):
        frames, said = self.frames(0)
        at = time.perf_counter()
        self.publisher.send(frames)
        self.until(said)
        return (time.perf_counter() - at) * 1e6

    def cpu(self):
        ticks = (pathlib.Path(f"/proc/{program.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
                 for program in (self.aggregator, self.gateway))
        return sum(int(part) for parts in ticks for part in parts) / os.sysconf("SC_CLK_TCK") * 1e6

    def round(self):
        times = sorted(self.ask() for _ in range(SAMPLES))
        burst = [self.frames(number % WORKERS) for number in range(BURST)]
        cpu, at = self.cpu(), time.perf_counter()
        for frames, _ in burst:
            self.publisher.send(frames)
        self.until(burst[-1][1])
        seconds = time.perf_counter() - at
        for name, value in (("p50_us", times[len(times) // 2]), ("p99_us", times[len(times) * 99 // 100]), ("per_second", BURST / seconds),
                            ("cpu_us", (self.cpu() - cpu) / BURST)):
            self.rounds[name].append(value)

    def result(self):
        assert self.harness.metric(self.aggregator.url, "cmlwatch_bus_lost_total") == 0, "all of it came"
        return {name: round(statistics.median(values), 1 if name == "cpu_us" else None) for name, values in self.rounds.items()}


def main():
    import harness
    import outside
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        folder = pathlib.Path(folder)
        subjects = {"open": Subject(harness, outside, folder / "open", None), "keys": Subject(harness, outside, folder / "keys", Keys(folder / "pairs"))}
        for each in subjects.values():
            each.round()  # to warm up
            each.rounds = {name: [] for name in each.rounds}
        for _ in range(ROUNDS):
            for each in subjects.values():
                each.round()
        results = {f"bus_{name}": each.result() for name, each in subjects.items()}
        for each in subjects.values():
            each.gateway.stop()
            each.aggregator.stop()
        print(json.dumps({**results, "samples": SAMPLES, "rounds": ROUNDS, "burst": BURST}, separators=(",", ":")))


main()

"""bench_monitor.py - bytes of a monitor's stream against asking for the whole state every two seconds, where jobs run.

    bench_monitor.py FOLDER [SECONDS] [PACE...]

FOLDER holds the gateway. Ten minutes (SECONDS) of a hub with 100 jobs at once and a quiet fleet of 24: each job takes a minute, says
its progress each PACE seconds (1, 5, 10), and the next begins when it ends. The minutes are simulated: the aggregator is a stand-in
that says what two seconds bring, then every stream is read and the state is asked for once, each two seconds. Counted is what a
socket brings, heads and first state included. Where the bytes are compressed: a stream's are the gateway's own gzip, the
polled state's what `gzip -6` would make of each answer, for the gateway does not compress those.

One line of JSON for each pace of progress: bytes a second, and how much less a stream is than polling, plain against plain and
compressed against compressed. Exit 1 when 90 % is missed by the whole stream with progress each 10 s, by the statuses alone
at any pace, or at any pace by the compressed stream against polling as it is. SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import random
import selectors
import socket
import sys
import tempfile
import time
import zlib

FOLDER = pathlib.Path(sys.argv[1]).resolve()
os.environ.setdefault("CMLWATCH_BUILD", str(FOLDER))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

import harness  # noqa: E402
import stand_in  # noqa: E402

WORKERS, JOBS, JOB_SECONDS, POLL_SECONDS = 24, 100, 60, 2
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 600
PROGRESS_SECONDS = [int(pace) for pace in sys.argv[3:]] or (1, 5, 10)
LEAST = 0.9
STREAMS = {"stream": ("?topics=jobs,system_stats", ()), "stream_gzip": ("?topics=jobs,system_stats", ("Accept-Encoding: gzip",)),
           "status": ("?topics=jobs:status", ()), "status_gzip": ("?topics=jobs:status", ("Accept-Encoding: gzip",)),
           "everything": ("", ()), "everything_gzip": ("", ("Accept-Encoding: gzip",))}


def open_stream(port, query, headers):
    connection = socket.create_connection(("127.0.0.1", port))
    head = "".join(f"{line}\r\n" for line in headers)
    connection.sendall(f"GET /api/events/stream{query} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
    return connection


def poll(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /api/state HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(1 << 20), b""))


class Traffic:
    """What the hub does, by its own clock."""

    def __init__(self, broker, pace):
        self.broker, self.pace, self.chance, self.now = broker, pace, random.Random(1), 0
        self.running = {}
        for n in range(3 * JOBS):  # what happened before: a hundred that completed and so on
            job = self.submit()
            self.end(job, broker.fail if n % 3 == 0 else broker.complete)
        for _ in range(JOBS):
            self.begin(self.submit(), self.chance.uniform(0, JOB_SECONDS))

    def submit(self):
        return self.broker.submit(self.chance.choice(("metrics.refresh", "lab.start", "render")), self.chance.choice(list(self.broker.workers)),
                                  by="operator", workflow_id="exam-2026", payload={"reason": "scheduled", "lab": "ccnp-12"})

    def begin(self, job, age=0):
        self.broker.assign(job, "/runner/host-1")
        self.broker.begin(job)
        self.running[job["id"]] = self.now - age, self.now + self.chance.uniform(0, self.pace)

    def end(self, job, how=None):
        (how or (self.broker.complete if self.chance.random() < 0.95 else self.broker.fail))(job)
        self.running.pop(job["id"], None)

    def pass_time(self, seconds):
        self.now += seconds
        for identity, (began, due) in list(self.running.items()):
            job = self.broker.jobs[identity]
            if self.now - began >= JOB_SECONDS:
                self.end(job)
                self.begin(self.submit())
                continue
            while due <= self.now:
                self.broker.progress(job, round(100 * (due - began) / JOB_SECONDS, 1), f"node {int(due - began)} of {JOB_SECONDS} is up")
                due += self.pace
            self.running[identity] = began, due
        self.broker.say("system.stats", self.broker.stats())


def drain(watched, counts, port, last):
    """Reads the streams until the gateway has all and nothing more comes."""
    end = time.monotonic() + harness.PATIENCE
    while True:
        ready = watched.select(0.005)
        for key, _ in ready:
            counts[key.data] += len(key.fileobj.recv(1 << 20))
        if not ready and f'"last_event_id":"{last}"'.encode() in poll(port):
            if not watched.select(0.02):
                return
        assert time.monotonic() < end


def measure(folder, pace):
    bus = harness.Bus()
    broker = stand_in.StandIn(bus, [stand_in.make_worker(n) for n in range(WORKERS)])
    gateway = harness.Gateway(folder, bus, "--requests-per-second", 0)
    try:
        traffic = Traffic(broker, pace)
        counts = dict.fromkeys((*STREAMS, "polling", "polling_gzip"), 0)
        watched = selectors.DefaultSelector()
        for name, (query, headers) in STREAMS.items():
            watched.register(open_stream(gateway.port, query, headers), selectors.EVENT_READ, name)
        began = broker.seq
        for _ in range(SECONDS // POLL_SECONDS):
            traffic.pass_time(POLL_SECONDS)
            drain(watched, counts, gateway.port, f"{stand_in.EPOCH}-{broker.seq}")
            answer = poll(gateway.port)
            counts["polling"] += len(answer)
            counts["polling_gzip"] += len(zlib.compress(answer, 6))
        for key in list(watched.get_map().values()):
            key.fileobj.close()
        return {"progress_seconds": pace, "jobs": JOBS, "events": broker.seq - began,
                "bytes_second": {who: round(count / SECONDS) for who, count in counts.items()}}
    finally:
        gateway.stop()
        broker.stop()


def main():
    missed = 0
    for pace in PROGRESS_SECONDS:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(folder, pace)
        bytes_of = row["bytes_second"]
        row["less"] = {name: round(1 - bytes_of[name] / bytes_of["polling_gzip" if name.endswith("gzip") else "polling"], 4) for name in STREAMS}
        row["gzip_less_than_polling_as_it_is"] = {name: round(1 - bytes_of[name] / bytes_of["polling"], 4) for name in STREAMS if name.endswith("gzip")}
        print(json.dumps(row), flush=True)
        missed += row["less"]["status"] < LEAST or row["gzip_less_than_polling_as_it_is"]["stream_gzip"] < LEAST
        missed += pace == 10 and row["less"]["stream"] < LEAST
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

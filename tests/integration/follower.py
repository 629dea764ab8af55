"""follower - clients that follow a stream event by event, whatever becomes of the gateways.

What each sees is checked as it comes: ids without a repetition, a step back or a gap, over all its connections,
but for what the stream itself says to have left out because its client was too slow (`conflated`, `events_missed`);
no reset. In the end the digest of its picture is the servers'.
SPDX-License-Identifier: MIT"""
import http.client
import json
import random
import threading
import time

import harness
from harness import http_json
from picture import digest_of


class Follower(threading.Thread):
    """Comes back to whichever of the ports there are, with the last id it has seen."""

    def __init__(self, number, ports, stop, seed):
        super().__init__(daemon=True)
        self.number, self.ports, self.stop, self.seed, self.chance = number, ports, stop, seed, random.Random(seed + number)
        self.last, self.epoch, self.workers, self.taking = 0, None, {}, None
        self.frames, self.connections, self.faults, self.last_at = 0, 0, [], 0.0
        self.skipped, self.gaps = 0, []  # of this connection: ids that did not come; those that no heartbeat has explained yet

    def run(self):
        while not self.stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.chance.choice(self.ports()), timeout=5)
            try:
                headers = {"Last-Event-ID": f"{self.epoch}-{self.last}"} if self.epoch else {}
                connection.request("GET", "/api/events/stream?heartbeat=1", headers=headers)
                response = connection.getresponse()
                if response.status == 200:
                    self.follow(response)
                else:
                    time.sleep(0.25)  # it is not ready yet
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)  # the gateway is away
            finally:
                connection.close()

    def follow(self, response):
        rest, self.connections, self.skipped = b"", self.connections + 1, 0
        try:
            while not self.stop.is_set():
                data = response.read1(262144)
                if not data:
                    return
                *frames, rest = (rest + data).split(b"\n\n")
                for frame in frames:
                    self.take(frame)
        finally:
            self.explained(0)

    def explained(self, left_out):
        """So many were left out as the stream says; when they are fewer than did not come, each gap is a fault."""
        if self.skipped > left_out:
            for gap in self.gaps:
                self.fault(gap)
        self.gaps = []

    def fault(self, text):
        self.faults.append(f"seed {self.seed}, client {self.number}, connection {self.connections}: {text}")

    def take(self, frame):
        fields = dict(line.split(b": ", 1) for line in frame.split(b"\n") if b": " in line)
        kind, data = fields.get(b"event"), fields.get(b"data", b"")
        if kind == b"system.reset" or (kind == b"system.state.begin" and self.last):
            self.fault(frame[:200])
        if kind == b"system.state.begin":
            self.taking = {}
        elif kind == b"worker.snapshot":
            text = data[data.index(b'"data":') + 7:-1]
            at = text.index(b'"worker_id":"') + 13
            (self.workers if self.taking is None else self.taking)[text[at:text.index(b'"', at)]] = text
        if b"id" in fields:
            self.number_of(fields[b"id"].decode())
        if kind == b"heartbeat":
            told = json.loads(data)["data"]
            self.explained(told["events_missed"] + told["conflated"])
        if kind == b"system.state.end":
            self.workers, self.taking = self.taking, None

    def number_of(self, name):
        epoch, number = name.rsplit("-", 1)
        number = int(number)
        if self.epoch and (epoch != self.epoch or number < self.last):
            self.fault(f"{name} after {self.epoch}-{self.last}")
        elif self.epoch and number > self.last + 1:
            self.skipped += number - self.last - 1
            self.gaps.append(f"{name} after {self.epoch}-{self.last}")
        self.frames += number != self.last
        self.epoch, self.last, self.last_at = epoch, number, time.monotonic()

    def digest(self):
        return f"{sum(digest_of(text.decode()) for text in self.workers.values()) & (1 << 64) - 1:016x}"


def quiet(aggregator):
    """Its last number, when it has not changed for a while: for so many looks, for one may take long where a process stands still."""
    seen, looks, end = None, 0, time.monotonic() + harness.PATIENCE
    while time.monotonic() < end:
        said = http_json(f"{aggregator}/api/state")["last_event_id"]
        seen, looks = said, looks + 1 if said == seen else 0
        if looks > 25:  # system.stats comes once a second
            return seen
        time.sleep(0.1)
    raise AssertionError("it does not become quiet")

"""listener - the aggregator's place on the bus, taken by a test: a bound SUB that keeps what it
hears, and a bound ROUTER that answers `lease` with the workers it was given, and nothing else.
SPDX-License-Identifier: MIT"""
import json
import time
import zlib

import zmq

from harness import PATIENCE


class Listener:
    def __init__(self, bus, workers=(), epoch="0a1b2c3d"):
        context = zmq.Context.instance()
        self.ingest = context.socket(zmq.SUB)
        self.ingest.bind(bus.ingest)
        self.ingest.subscribe(b"")
        self.control = context.socket(zmq.ROUTER)
        self.control.bind(bus.control)
        self.poller = zmq.Poller()
        self.poller.register(self.ingest, zmq.POLLIN)
        self.poller.register(self.control, zmq.POLLIN)
        self.workers, self.epoch, self.leases = list(workers), epoch, []
        self.events, self.topics, self.all = [], [], []
        self.once = {}  #  members of the next answer alone

    def answer(self, frames):
        identity, _, operation, number, body = frames[:5]
        if operation != b"lease":
            error = {"error": {"code": "unknown_operation", "message": "this aggregator has leases only"}}
            self.control.send_multipart([identity, b"reply", operation, number, json.dumps(error).encode()])
            return
        self.leases.append(json.loads(body))
        answer = {"epoch": self.epoch, "revision": f"{zlib.crc32(json.dumps(self.workers).encode()):08x}", "renew_ms": 200, "ttl_ms": 6000,
                  "regions": json.loads(body).get("regions", []), "workers": self.workers, **self.once}
        self.once = {}
        self.control.send_multipart([identity, b"reply", operation, number, json.dumps(answer).encode()])

    def turn(self):
        for socket, _ in self.poller.poll(50):
            frames = socket.recv_multipart()
            if socket is self.control:
                self.answer(frames)
                continue
            event = json.loads(frames[1])
            self.topics.append(frames[0].decode())
            self.events.append(event)
            self.all.append(event)

    def collect(self, kind, enough, deadline=PATIENCE):
        """Listens until enough(events of this type) is true; returns them."""
        end = time.monotonic() + deadline
        while True:
            found = [e for e in self.events if e["type"] == kind]
            if found and enough(found):
                return found
            assert time.monotonic() < end, f"{kind}: not within {deadline} s; heard {[e['type'] for e in self.events][-10:]}"
            self.turn()

    def clear(self):
        self.events, self.topics = [], []

    def close(self):
        self.ingest.close(linger=0)
        self.control.close(linger=0)

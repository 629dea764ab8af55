"""polling.py - bytes of a stream against those of asking for the whole state every two seconds.

The real stack on the simulator's working day, all of it SPEED times faster than time: data, intervals and
polls alike, so that a few seconds are minutes of a fleet and the proportions are those of the defaults.
Counted is what a socket brings, heads and first state included. SPDX-License-Identifier: MIT"""
import pathlib
import selectors
import socket
import time

import harness

INSTANCES, SPEED = 24, 20
SCENARIO = pathlib.Path(__file__).resolve().parent.parent / "simulator/scenarios/demo.scenario"
POLL_SECONDS, EC2_MS, CLOUDWATCH_MS, CML_MS, ACTIVITY_MS = 2, 30000, 300000, 15000, 60000
WATCHED_SECONDS = 240  # of the fleet's time
#  All that changes, by the events that say only that: for who asks for the state once and then follows.
CHANGES = ("?event_types=worker.status.updated,worker.service_status.updated,worker.metrics.updated,"
           "worker.details.updated,worker.labs.updated,worker.lab.state_changed,worker.license.updated,"
           "worker.freshness.changed,worker.activity.updated,worker.created,worker.terminated,job.*,system.stats")


class Stack(harness.Stack):
    def collector(self, kind, *arguments, **more):
        own = {"ec2": EC2_MS, "cloudwatch": CLOUDWATCH_MS, "cml": CML_MS}[kind]
        own = ("--interval-ms", own // SPEED)
        own += ("--activity-interval-ms", ACTIVITY_MS // SPEED) if kind == "cml" else ()
        return super().collector(kind, *own, *arguments, **more)


def stream(port, query, *headers):
    connection = socket.create_connection(("127.0.0.1", port))
    head = "".join(f"{line}\r\n" for line in headers)
    connection.sendall(f"GET /api/events/stream{query} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
    return connection


def poll(port):
    """All bytes of one answer, on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /api/state HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return sum(len(part) for part in iter(lambda: connection.recv(1 << 20), b""))


def by_type(text):
    """Bytes of each event's frames."""
    sizes = {}
    for frame in text.split(b"\n\n"):
        kind = next((line[7:].decode() for line in frame.split(b"\n") if line.startswith(b"event: ")), "other")
        sizes[kind] = sizes.get(kind, 0) + len(frame) + 2
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def measure(folder, seconds=WATCHED_SECONDS):
    """Bytes a second of the fleet's time, by who; and those of the stream by type."""
    stack = Stack(folder, "--scenario", SCENARIO, "--speed", SPEED, instances=INSTANCES)
    try:
        harness.wait_until(lambda: sum(w["cml_version"] is not None for w in stack.gateway.workers()) >= INSTANCES * 3 // 4,
                           "the fleet is known")
        counts, text = {"gateway": 0, "packed": 0, "changes": 0, "polling": 0}, b""
        watched = selectors.DefaultSelector()
        watched.register(stream(stack.gateway.port, ""), selectors.EVENT_READ, "gateway")
        watched.register(stream(stack.gateway.port, "", "Accept-Encoding: gzip"), selectors.EVENT_READ, "packed")
        watched.register(stream(stack.gateway.port, CHANGES), selectors.EVENT_READ, "changes")
        end = time.monotonic() + seconds / SPEED
        due = time.monotonic()
        while time.monotonic() < end:
            for key, _ in watched.select(max(0, due - time.monotonic())):
                part = key.fileobj.recv(1 << 20)
                counts[key.data] += len(part)
                text += part if key.data == "gateway" else b""
            if time.monotonic() >= due:
                counts["polling"] += poll(stack.gateway.port)
                due += POLL_SECONDS / SPEED
        return ({who: count / seconds for who, count in counts.items()},
                {kind: round(size / seconds) for kind, size in by_type(text).items()})
    finally:
        stack.stop()

"""The monitor protocol over WebSocket, spoken by python3-websockets with the real programs: state, topics and filters,
coming back, resync, readers that stall, frames that mean harm, logins, TLS, the end. Which events a filter lets through and
what they look like is worked out here anew, from the documents. SPDX-License-Identifier: MIT"""
import base64
import datetime
import hashlib
import json
import random
import re
import signal
import socket
import subprocess
import sys

import jsonschema
import pytest
import websockets

import harness
import outside
import stand_in
from harness import http, http_json, metric, wait_until
from monitor_client import Monitor, RawMonitor, frame
from runner import Control, Runner
from test_monitors import TOPICS, TYPES, Hub, told
from test_tls import Pair

EAST, WEST = "us-east-1", "eu-west-1"
ALL = ("workers", "jobs", "system_stats", "alerts")
SCHEMAS = {path.stem: jsonschema.Draft202012Validator(json.loads(path.read_text()), format_checker=jsonschema.FormatChecker())
           for path in (harness.ROOT / "common/schema").glob("*.json") if path.stem not in ("openapi", "asyncapi")}
README = (harness.ROOT / "gateway/README.md").read_text()


def ms(time):
    moment = datetime.datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    return round(moment.timestamp() * 1000)


def flat(body, epoch):
    """An event of the stream as a monitor gets it, by gateway/README.md."""
    kind, data = body["type"], dict(body["data"])
    name = {"worker.status.updated": "worker_status_changed", "job.status.updated": "job_status_changed"}.get(kind, kind.replace(".", "_"))
    if kind.startswith("job."):
        data = {key: ms(value) if key.endswith("_at") and value else value for key, value in data.items()}
    if kind == "job.submitted":
        data = {"job_id": data.pop("job_id"), "job_data": data}
    elif kind == "worker.snapshot":
        data = {"worker_id": data["worker_id"], "worker_data": data}
    elif kind == "system.stats":
        data = {"stats": data}
    return {"type": name, **data, "timestamp": ms(body["time"]), "event_id": f"{epoch}-{body['seq']}", "seq": body["seq"],
            "source": body["source"]}


class Fleet:
    def __init__(self, start, bus, *arguments, workers=4, store=None, **more):
        self.bus, self.aggregator = bus, start(harness.Aggregator, bus, *(("--store", store) if store else ()))
        self.gateway = start(harness.Gateway, bus, *arguments, **more)
        self.publisher = outside.Publisher(bus.ingest, "/collector/ec2/monitor")
        self.names = [f"i-0{n:03d}" for n in range(workers)]
        for name in self.names:
            self.publisher.until_heard(self.gateway, self.region(name), name)
        #  The last that is told of how they came; up to a second later.
        wait_until(lambda: http_json(self.gateway.url + "/api/state", headers=self.gateway.headers)["system_stats"].get("total_workers") == workers,
                   "the numbers are told")

    def region(self, name):
        return (EAST, WEST)[int(name[3:]) % 2]

    def change(self, name, mark, **more):
        self.publisher.instance(self.region(name), name, name=f"mark {mark}", **more)

    def last(self):
        return http_json(self.gateway.url + "/api/state", headers=self.gateway.headers)["last_event_id"]


@pytest.fixture(autouse=True)
def monitors(start):
    yield
    Monitor.cut_all()


@pytest.fixture
def fleet(start, bus, tmp_path):
    return Fleet(start, bus, store=tmp_path / "store")


@pytest.fixture
def hub(start, bus):
    hub = Hub(start, bus)
    yield hub
    hub.broker.stop()


def past(gateway, after="", topics="workers,jobs,system_stats,alerts"):
    """Past events by REST, as monitors get them."""
    events, query = [], f"?limit=10000&topics={topics}" + (f"&after={after}" if after else "")
    answer = http_json(f"{gateway.url}/api/events{query}", headers=gateway.headers)
    return [flat(body, answer["last_event_id"].split("-")[0]) for body in answer["events"]]


#  --- the protocol

def test_whole_protocol_against_collectors_and_simulator(stack):
    wait_until(lambda: len([w for w in stack.gateway.workers() if w["cml_system_info"]]) == 6, "six workers, all told")
    monitor = Monitor(stack.gateway, "wall")
    state = monitor.tell("monitor_connect", request_full_state=True).next()
    SCHEMAS["monitor.full_state_snapshot"].validate(state)
    assert set(state["data"]["workers"]) == {w["worker_id"] for w in stack.gateway.workers()} and len(state["data"]["workers"]) == 6
    monitor.tell("monitor_subscribe", subscriptions=["workers", "jobs", "system_stats"])
    running = next(w for w in state["data"]["workers"].values() if w["status"] == "running")

    monitor.wait(lambda m: m["type"] == "worker_snapshot" and m["worker_id"] == running["worker_id"], "its snapshot")
    monitor.wait("worker_metrics_updated", "what a collector read")
    monitor.wait(lambda _: len([m for m in monitor.events() if m["type"] != "worker_connected"]) > 6, "more of the same")

    ack = monitor.ack()
    SCHEMAS["monitor.heartbeat_ack"].validate(ack)
    assert ack["monitor_id"] == "wall" and ack["events_missed"] == 0 and abs(ack["server_timestamp"] - ms(stand_in.now())) < 60000
    got = [m for m in monitor.events() if m["type"] != "worker_connected"]
    wanted = [m for m in past(stack.gateway, state["data"]["last_event_id"]) if m["type"] != "worker_connected" and m["seq"] <= got[-1]["seq"]]
    assert got == wanted and len(got) > 6, "the same as the stream's, from the state on, none missed and none twice"
    for event in got:
        if event["type"] == "worker_snapshot":
            assert not list(SCHEMAS["snapshot"].iter_errors({k: v for k, v in event["worker_data"].items() if k != "_reason"}))
    assert monitor.close() == 1000


def test_worker_that_comes_and_goes_is_told_with_its_snapshot(fleet):
    monitor = Monitor(fleet.gateway)
    monitor.join("workers")
    name, worker = fleet.names[0], fleet.gateway.worker(fleet.names[0])["worker_id"]
    cml = outside.Publisher(fleet.bus.ingest, "/collector/cml/monitor")

    def say(**data):
        cml.publish("system.observed", f"{fleet.region(name)}/{name}", data)
    wait_until(lambda: say(reachable=True, ready=True, version="2.9.0") or fleet.gateway.worker(name)["service_status"] == "available", "it answers")
    connected = monitor.wait("worker_connected", "it is told")
    wait_until(lambda: say(reachable=False, error_code="unreachable", error_message="no answer") or
               fleet.gateway.worker(name)["service_status"] == "unavailable", "it does not any more")
    gone = monitor.wait("worker_disconnected", "so is that it is away")

    assert connected["worker_id"] == worker == connected["worker_data"]["id"]
    assert connected["worker_data"]["connected_at"] == connected["at"] and connected["worker_data"]["aws_instance_id"] == name
    assert connected["timestamp"] > 1.7e12 and gone["worker_id"] == worker and gone["seq"] > connected["seq"]


def test_status_of_a_worker_is_told_flat(fleet):
    monitor = Monitor(fleet.gateway)
    monitor.join("workers")
    fleet.change(fleet.names[1], 0, state="stopping")

    event = monitor.wait("worker_status_changed", "the change")
    assert (event["old_status"], event["new_status"]) == ("running", "stopping")
    assert event["worker_id"] == fleet.gateway.worker(fleet.names[1])["worker_id"]
    assert event["event_id"].endswith(f"-{event['seq']}") and "data" not in event


def test_life_of_a_job_is_told_in_the_older_shape(start, bus, tmp_path):
    start(harness.Aggregator, bus, "--store", tmp_path / "store")
    gateway = start(harness.Gateway, bus)
    monitor, status, progress = (Monitor(gateway, name) for name in ("all", "status", "progress"))
    for one, topic in ((monitor, "jobs"), (status, "jobs:status"), (progress, "jobs:progress")):
        one.join(topic)
        one.ack()
    control, build = Control(bus), Runner(bus, "/runner/a", "build")
    job = control.submit("build", priority=7, workflow_id="nightly")
    given = build.work()
    build.report(given, "progress", progress=40, step="compile")
    build.report(given, "completed", result={"artifact": "a.tar"})
    failing = control.submit("build")
    build.report(build.work(), "failed", error_code="broken", error_message="it broke")
    cancelled = control.submit("other")
    control.cancel(cancelled["id"])
    monitor.wait(lambda m: m["type"] == "job_cancelled", "the last of it")

    events = [m for m in monitor.events() if m["job_id"] == job["id"]]
    assert [e["type"] for e in events] == ["job_submitted", "job_assigned", "job_status_changed", "job_progress", "job_completed"]
    submitted, assigned, begun, half, done = events
    assert submitted["job_data"] == {**job, "created_at": ms(job["created_at"])} and "job_type" not in submitted
    assert (assigned["old_status"], assigned["new_status"]) == ("pending", "assigned") and assigned["assigned_at"] == ms(control.job(job["id"])["assigned_at"])
    assert (begun["old_status"], begun["new_status"]) == ("assigned", "in_progress")
    assert half["progress"] == 40 and half["step"] == "compile"
    assert done["result"] == {"artifact": "a.tar"} and done["completed_at"] == ms(control.job(job["id"])["completed_at"])
    failed = next(m for m in monitor.events() if m["type"] == "job_failed")
    assert failed["job_id"] == failing["id"] and failed["error"] == "it broke" and failed["failed_at"] > 1.7e12
    last = monitor.ack()["last_event_id"]
    whole = monitor.events()
    assert progress.until(last) == [e for e in whole if e["type"] == "job_progress"]
    assert status.until(last) == [e for e in whole if e["type"] != "job_progress"]

    state = Monitor(gateway, "late").tell("monitor_connect", request_full_state=True).next()["data"]["jobs"]
    assert [j["id"] for j in state["completed"]] == [job["id"]] and [j["id"] for j in state["failed"]] == [failing["id"]]
    assert state["completed"][0]["completed_at"] == done["completed_at"] and state["pending"] == state["active"] == []
    control.close(), build.close()


def test_nothing_is_missed_or_doubled_between_state_and_events(hub):
    """Monitors come while the fleet is busy; what each has of a job by merging is what there is at the end."""
    chance, monitors = random.Random(3), []
    for n in range(12):
        hub.traffic(chance, 40)
        monitor = Monitor(hub.gateway, f"m{n}")
        monitor.tell("monitor_connect", request_full_state=True)
        hub.traffic(chance, 10)
        if n % 2:
            monitor.subscribe(*ALL)
        monitors.append(monitor)
    hub.traffic(chance, 100)
    last = f"{stand_in.EPOCH}-{hub.broker.seq}"
    for n, monitor in enumerate(monitors):
        state = monitor.wait("full_state_snapshot", "its state")
        if n % 2 == 0:
            assert all("event_id" not in m for m in monitor.messages), "nothing but the state before it subscribes"
            monitor.subscribe(*ALL)
        events = monitor.until(last)
        begin = int(state["data"]["last_event_id"].split("-")[1])
        assert events == [flat(body, stand_in.EPOCH) for _, body in hub.broker.log if body["seq"] > begin]
        monitor.close()


def test_fifty_monitors_each_see_exactly_their_events(hub):
    chance = random.Random(51)
    some = lambda values: chance.sample(values, chance.randint(1, min(3, len(values))))

    def a_filter():
        low = chance.randint(-12, 12)
        whole = {"job_types": some(TYPES), "worker_ids": some(hub.ids), "priority_range": [low, low + chance.randint(0, 12)]}
        return {name: whole[name] for name in chance.sample(list(whole), chance.randint(1, 3))}
    wishes = [([topic], {}) for topic in TOPICS] + [(some(list(TOPICS)), a_filter()) for _ in range(43)]
    monitors = [Monitor(hub.gateway, f"m{n}") for n in range(len(wishes))]
    for monitor, (topics, filters) in zip(monitors, wishes):
        monitor.subscribe(*topics, **filters)
    for monitor in monitors:
        monitor.ack()

    hub.traffic(chance, 800)

    last, sizes = f"{stand_in.EPOCH}-{hub.broker.seq}", set()
    assert len(monitors) == 50 == metric(hub.gateway.url, "cmlwatch_gateway_clients")
    for monitor, (topics, filters) in zip(monitors, wishes):
        query = {"topics": ",".join(topics), **{key: ",".join(filters[key]) for key in ("job_types", "worker_ids") if key in filters}}
        if "priority_range" in filters:
            query["min_priority"], query["max_priority"] = map(str, filters["priority_range"])
        events = monitor.until(last)
        assert events == [flat(body, stand_in.EPOCH) for body in told(hub.broker.log, **query)], (topics, filters)
        sizes.add(len(events))
        monitor.close()
    assert len(sizes) > 20


def test_subscription_is_replaced_while_open(hub):
    monitor = Monitor(hub.gateway)
    monitor.join("workers")
    chance = random.Random(4)
    hub.traffic(chance, 100)
    monitor.until(f"{stand_in.EPOCH}-{hub.broker.seq}")
    changed = hub.broker.seq
    monitor.subscribe("jobs", job_types=["render"], priority_range=[-5, 5])
    monitor.ack()
    hub.traffic(chance, 200)

    events = monitor.until(f"{stand_in.EPOCH}-{hub.broker.seq}")
    assert [e for e in events if e["seq"] > changed] == \
        [flat(body, stand_in.EPOCH) for body in told(hub.broker.log, after=changed, topics="jobs", job_types="render", min_priority="-5", max_priority="5")]


#  --- coming back

def test_monitor_that_comes_back_gets_exactly_what_it_missed_also_from_another_gateway(start, bus, fleet):
    monitor = Monitor(fleet.gateway)
    monitor.join("workers")
    fleet.change(fleet.names[0], 1)
    monitor.wait("worker_snapshot", "the change")
    left = monitor.ack()["last_event_id"]
    monitor.close()
    for mark in range(30):
        fleet.change(fleet.names[mark % 4], f"away {mark}")
    wait_until(lambda: fleet.gateway.worker(fleet.names[1])["name"] == "mark away 29", "all was taken in")
    other = start(harness.Gateway, bus, log_name="other")

    for gateway in (fleet.gateway, other):
        back = Monitor(gateway).tell("monitor_connect", last_event_id=left).subscribe("workers")
        events = back.until(fleet.last())
        assert events == past(fleet.gateway, left, "workers") and len(events) >= 30
        assert all(m["type"] != "full_state_snapshot" for m in back.messages)
        back.close()


@pytest.mark.parametrize("asked", ["deadbeef-1", "EPOCH-99999999"])
def test_id_that_cannot_be_served_is_told_and_the_state_follows(fleet, asked):
    asked = asked.replace("EPOCH", fleet.last().split("-")[0])
    monitor = Monitor(fleet.gateway).tell("monitor_connect", last_event_id=asked)

    reset, state = monitor.next(), monitor.next()
    SCHEMAS["monitor.system_reset"].validate(reset)
    assert reset["type"] == "system_reset" and reset["requested_id"] == asked and state["type"] == "full_state_snapshot"


def test_resync_gives_what_followed_a_time_or_an_id(fleet):
    for mark in range(10):
        fleet.change(fleet.names[mark % 4], mark)
    wait_until(lambda: fleet.gateway.worker(fleet.names[1])["name"] == "mark 9", "all was taken in")
    whole = past(fleet.gateway, topics="workers")
    monitor = Monitor(fleet.gateway)
    middle = whole[len(whole) // 2]

    for asked, wanted in (({"last_event_timestamp": middle["timestamp"]}, [e for e in whole if e["timestamp"] >= middle["timestamp"]]),
                          ({"last_event_id": middle["event_id"]}, [e for e in whole if e["seq"] > middle["seq"]]),
                          ({"last_event_timestamp": 0}, whole)):
        answer = monitor.tell("resync_request", topics=["workers"], **asked).next()
        SCHEMAS["monitor.resync_data"].validate(answer)
        assert answer["events"] == wanted and not answer["truncated"] and not answer["more"]
    late = lambda: monitor.tell("resync_request", topics=["workers"], last_event_timestamp=whole[-1]["timestamp"] + 1).next()
    assert late()["events"] == []
    #  Between two looks the aggregator may say how many workers there are.
    wait_until(lambda: late()["last_event_id"] == fleet.last(), "it is told where the log ends")


def test_resync_is_bounded_says_so_and_goes_on(start, bus):
    fleet = Fleet(start, bus, "--resync-max", 7, "--event-log-max", 40)
    for mark in range(60):
        fleet.change(fleet.names[mark % 4], mark)
    wait_until(lambda: fleet.gateway.worker(fleet.names[3])["name"] == "mark 59", "all was taken in")
    whole = past(fleet.gateway, topics="workers")
    monitor, got, asked = Monitor(fleet.gateway), [], {"last_event_timestamp": 1}

    while True:
        answer = monitor.tell("resync_request", topics=["workers"], **asked).next()
        assert len(answer["events"]) <= 7 and answer["truncated"] == (not got)
        got += answer["events"]
        asked = {"last_event_id": answer["last_event_id"]}
        if not answer["more"]:
            break
    assert got == whole and len(got) > 7


#  --- what is wrong

def test_mistakes_are_answered_and_the_connection_stays(fleet):
    monitor = Monitor(fleet.gateway)
    monitor.join("workers")
    for text, code, named in (("{", "malformed", "JSON"), ("[]", "malformed", "type"), ('{"type":"dance"}', "unknown_type", "dance"),
                              ('{"type":"subscribe","topics":["cakes"]}', "invalid", "cakes"),
                              ('{"type":"subscribe","topics":["jobs"],"filters":{"regions":["x"]}}', "invalid", "regions"),
                              ('{"type":"monitor_connect","last_event_id":"x"}', "invalid", "last_event_id")):
        monitor.run(monitor.ws.send(text))
        error = monitor.wait("error", "it is answered")
        SCHEMAS["monitor.error"].validate(error)
        assert error["code"] == code and named in error["message"], error
    fleet.change(fleet.names[0], "after it")
    monitor.wait("worker_snapshot", "the old subscription holds")
    assert metric(fleet.gateway.url, "cmlwatch_gateway_monitor_errors_total", code="invalid") == 3


def test_too_many_mistakes_end_it(start, bus):
    monitor = Monitor(Fleet(start, bus, "--monitor-errors-max", 2).gateway)
    for _ in range(3):
        monitor.run(monitor.ws.send("nonsense"))

    assert monitor.ended() == (1008, "too many messages that are none")
    assert [m["type"] for m in monitor.messages] == ["error"] * 3


TEXT, MORE, BINARY, CLOSE, PING, FIN = 1, 0, 2, 8, 9, 0x80
CONNECT = b'{"type":"monitor_connect","request_full_state":true}'
HOSTILE = {
    "not masked": (frame(FIN | TEXT, CONNECT, mask=None), 1002), "a reserved opcode": (frame(FIN | 3, b"x"), 1002),
    "a reserved control opcode": (frame(FIN | 0xb), 1002), "a reserved bit": (frame(FIN | 0x40 | TEXT, CONNECT), 1002),
    "a control frame in parts": (frame(PING, b"x"), 1002), "a large control frame": (frame(FIN | PING, b"x" * 126), 1002),
    "goes on with nothing": (frame(FIN | MORE, b"x"), 1002), "begins in the middle": (frame(TEXT, b"x") + frame(FIN | TEXT, b"y"), 1002),
    "binary": (frame(FIN | BINARY, CONNECT), 1003), "no UTF-8": (frame(FIN | TEXT, b"\xff\xfe{}"), 1007),
    "UTF-8 cut by fragments' end": (frame(TEXT, b"\xe2\x82") + frame(FIN | MORE, b""), 1007),
    "too large": (frame(FIN | TEXT, b"x" * 17000), 1009), "said to be too large": (frame(FIN | TEXT, b"x", size=1 << 40), 1009),
    "too large in parts": (frame(TEXT, b"x" * 9000) + frame(FIN | MORE, b"x" * 9000), 1009),
    "its own close": (frame(FIN | CLOSE, b"\x03\xe8bye"), 1000), "its own close without a code": (frame(FIN | CLOSE), 1005),
}


def test_frames_that_are_none_have_their_close_code_and_harm_nobody(fleet):
    other = Monitor(fleet.gateway, "other")
    other.join("workers")
    for name, (data, code) in HOSTILE.items():
        raw = RawMonitor(fleet.gateway.port)
        assert raw.status == 101, raw.head
        raw.send(data, frame(FIN | TEXT, CONNECT) * 50)
        assert raw.ended() == code, name
        assert raw.next() is None, "and nothing behind the close"
        raw.socket.close()
    fleet.change(fleet.names[0], "still there")
    other.wait("worker_snapshot", "the others are served")
    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 1, "the rest are gone")


def test_message_may_come_in_any_pieces(fleet):
    raw = RawMonitor(fleet.gateway.port)
    parts = [frame(TEXT, CONNECT[:7]), frame(FIN | PING, b"between"), frame(MORE, CONNECT[7:8]), frame(MORE), frame(FIN | MORE, CONNECT[8:])]
    for byte in b"".join(parts):
        raw.send(bytes([byte]))

    assert raw.next() == (10, b"between")
    opcode, text = raw.next()
    assert opcode == 1 and json.loads(text)["type"] == "full_state_snapshot"


def test_half_a_frame_and_a_connection_that_is_cut_leave_nothing(fleet):
    for data in (b"", b"\x81", frame(FIN | TEXT, CONNECT)[:9], frame(TEXT, CONNECT)):
        raw = RawMonitor(fleet.gateway.port)
        raw.send(data)
        raw.socket.close()
    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_closed_total", reason="gone") == 4, "each is counted")
    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 0, "all are gone")


HANDSHAKES = [
    (400, ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=", "Sec-WebSocket-Version: 13", "Upgrade: websocket", "Connection: Upgrade"]),
    (400, ["Sec-WebSocket-Version: 13", "Upgrade: websocket", "Connection: Upgrade"]),
    (426, ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 8", "Upgrade: websocket", "Connection: Upgrade"]),
    (426, ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Upgrade: websocket", "Connection: Upgrade"]),
    (426, ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Upgrade: h2c", "Connection: Upgrade"]),
    (426, ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Upgrade: websocket"]),
    (426, []),
    (403, ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Upgrade: websocket", "Connection: Upgrade", "Origin: http://evil.example"]),
    (403, ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Upgrade: websocket", "Connection: Upgrade", "Origin: null"]),
    (101, ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Upgrade: WebSocket", "Connection: keep-alive, upgrade"]),
    (101, ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Upgrade: websocket", "Connection: Upgrade", "Origin: http://127.0.0.1:PORT"]),
    (101, ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Upgrade: websocket", "Connection: Upgrade", "Origin: https://ops.example"]),
]


def test_handshake_is_checked(start, bus):
    gateway = Fleet(start, bus, "--cors-origins", "https://ops.example").gateway
    for wanted, lines in HANDSHAKES:
        raw = RawMonitor.__new__(RawMonitor)
        raw.socket, raw.pending = socket.create_connection(("127.0.0.1", gateway.port), timeout=harness.PATIENCE), b""
        lines = [line.replace("PORT", str(gateway.port)) for line in lines]
        status, head = raw.ask("GET /api/monitor HTTP/1.1", f"Host: 127.0.0.1:{gateway.port}", *lines)
        assert status == wanted, (lines, status, head)
        if status == 426:
            assert head["sec-websocket-version"] == "13" and head["upgrade"] == "websocket"
        if status == 101:
            assert head["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" and head["upgrade"] == "websocket"
        raw.socket.close()
    for path, method, wanted in (("/api/monitor?access_token=x", "GET", 400), ("/api/monitor", "HEAD", 426), ("/api/monitor", "POST", 405),
                                 ("/api/monitor/x", "GET", 404)):
        assert gateway.ask(path, method)[0] == wanted, (path, method)
    assert RawMonitor(gateway.port).send(frame(FIN | CLOSE)).ended() == 1005


def test_frames_before_the_answer_to_the_handshake_are_a_mistake(fleet):
    with socket.create_connection(("127.0.0.1", fleet.gateway.port), timeout=harness.PATIENCE) as connection:
        head = f"GET /api/monitor HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" \
               f"Sec-WebSocket-Key: {base64.b64encode(b'x' * 16).decode()}\r\n\r\n"
        connection.sendall(head.encode() + frame(FIN | TEXT, CONNECT))
        got = b""
        while chunk := connection.recv(65536):
            got += chunk
        assert b"\r\n\r\n\x88" in got and got.split(b"\r\n\r\n\x88")[1][1:3] == b"\x03\xea"


#  --- readers that do not read

def test_monitor_that_does_not_read_is_dropped_and_the_others_are_served(start, bus):
    fleet = Fleet(start, bus, "--stall-timeout-seconds", 2, "--send-buffer-bytes", 4096)
    stalled = RawMonitor(fleet.gateway.port)
    stalled.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.send(frame(FIN | TEXT, CONNECT), frame(FIN | TEXT, b'{"type":"subscribe","topics":["workers"]}'))
    live = Monitor(fleet.gateway, "live")
    live.join("workers")
    mark = 0

    def dropped():
        nonlocal mark
        for _ in range(10):  # so few wait in the kernel for who reads, however long that takes to go on
            mark += 1
            fleet.change(fleet.names[mark % 4], mark, tags={"pad": "x" * 500})
        live.ack()
        return metric(fleet.gateway.url, "cmlwatch_gateway_closed_total", reason="stalled") == 1
    wait_until(dropped, "it is dropped")

    live.until(fleet.last())
    seqs = [m["seq"] for m in live.events()]
    assert len(seqs) >= 10 and seqs == sorted(set(seqs))
    stalled.socket.close()


def test_monitor_that_is_behind_gets_the_newest_snapshots_and_is_told_how_many_it_lacks(start, bus):
    fleet = Fleet(start, bus, "--queue-max-bytes", 20000, "--slow-after-ms", 0, "--send-buffer-bytes", 4096)
    slow = Monitor(fleet.gateway, "slow", receive_buffer=4096)
    slow.join("workers")
    slow.ack()
    mark, first = 0, int(fleet.last().split("-")[1])

    def are_told():
        """Far more than its queue and both machines hold for it, however much of it the aggregator tells in one breath."""
        nonlocal mark
        for _ in range(50):
            mark += 1
            fleet.change(fleet.names[mark % 4], mark, tags={"pad": "x" * 1000})
        return int(fleet.last().split("-")[1]) > first + 400
    wait_until(are_told, "400 events of some kilobytes")
    wait_until(lambda: fleet.gateway.worker(fleet.names[mark % 4])["name"] == f"mark {mark}", "all was taken in")

    events = slow.until(fleet.last())
    told_conflated = sum(m["conflated"] for m in slow.messages if m["type"] == "heartbeat_ack")
    snapshots = {}
    for event in events:
        if event["type"] == "worker_snapshot":
            snapshots[event["worker_id"]] = event["worker_data"]["name"]
    assert told_conflated > 0 and told_conflated == metric(fleet.gateway.url, "cmlwatch_gateway_conflated_total")
    assert snapshots == {w["worker_id"]: w["name"] for w in fleet.gateway.workers()}


def test_monitor_that_says_nothing_and_answers_no_ping_is_gone(start, bus):
    fleet = Fleet(start, bus, "--stall-timeout-seconds", 6, "--request-timeout-seconds", 1, "--access-log")
    silent = RawMonitor(fleet.gateway.port)
    alive = Monitor(fleet.gateway, "alive")

    assert silent.next() == (9, b""), "it is asked"
    def closed():
        alive.ack()
        return metric(fleet.gateway.url, "cmlwatch_gateway_closed_total", reason="silent") == 1
    wait_until(closed, "it is gone")
    assert alive.close() == 1000
    wait_until(lambda: fleet.gateway.log.count("path=/api/monitor status=101") == 2, "each is a line when it is over")


#  --- who may, and the end

TOKENS = {name: f"token-of-{name}" for name in ("viewer", "operator", "east")}


def bearer(name):
    return {"Authorization": f"Bearer {TOKENS.get(name, name)}"}


class Secured:
    def __init__(self, start, bus, tmp_path, *arguments, **more):
        self.fleet = Fleet(start, bus)
        self.tokens = tmp_path / "tokens"
        self.write("viewer viewer", "operator operator", f"east viewer regions={EAST}")
        self.gateway = start(harness.Gateway, bus, "--auth", "token", "--tokens-file", self.tokens, *arguments, log_name="secured", **more)

    def write(self, *lines):
        new = self.tokens.with_suffix(".new")
        new.write_text("".join(" ".join([*line.split()[:2], "sha256:" + hashlib.sha256(TOKENS[line.split()[0]].encode()).hexdigest(), *line.split()[2:]]) + "\n"
                               for line in lines))
        new.rename(self.tokens)


def refused(gateway, headers, **more):
    with pytest.raises(websockets.InvalidStatusCode) as error:
        Monitor(gateway, headers=headers, **more)
    return error.value.status_code


def test_who_may_watch_and_how_much(start, bus, tmp_path):
    secured = Secured(start, bus, tmp_path, "--streams-per-user", 2)
    gateway, fleet = secured.gateway, secured.fleet
    fleet.change(fleet.names[0], 0, public_ip="192.0.2.77")
    for headers in ({}, bearer("nonsense"), {"Cookie": "cmlwatch_session=a.b"}):
        assert refused(gateway, headers) == 401
    viewer, operator, east = (Monitor(gateway, name, bearer(name)) for name in ("viewer", "operator", "east"))
    states = {m.name: m.join("workers", "system_stats") for m in (viewer, operator, east)}
    by_region = {region: {w["worker_id"] for w in fleet.gateway.workers() if w["region"] == region} for region in (EAST, WEST)}

    assert set(states["east"]["data"]["workers"]) == by_region[EAST] and states["east"]["data"]["system_stats"]["total_workers"] == 2
    assert set(states["viewer"]["data"]["workers"]) == by_region[EAST] | by_region[WEST]
    for mark in range(4):
        fleet.change(fleet.names[mark], f"told {mark}", public_ip="192.0.2.77")
    for monitor in (viewer, operator, east):
        monitor.wait(lambda m: m["type"] == "worker_snapshot" and m["worker_data"]["name"] == f"mark told {2 if monitor is east else 3}", "the last of them")
    assert "192.0.2.77" in json.dumps(operator.messages) and "192.0.2.77" not in json.dumps(viewer.messages + east.messages)
    assert {m["worker_id"] for m in east.events() if "worker_id" in m} <= by_region[EAST]
    assert not any(worker in json.dumps(east.messages) for worker in by_region[WEST])
    answer = east.tell("resync_request", last_event_timestamp=0).wait("resync_data", "what was")
    assert answer["events"] and not any(worker in json.dumps(answer) for worker in by_region[WEST])

    second = Monitor(gateway, "second", bearer("viewer"))
    assert refused(gateway, bearer("viewer")) == 503, "streams_per_user"
    second.close()
    secured.write("operator operator", f"east viewer regions={EAST}")
    assert viewer.ended()[0] == 1008
    assert refused(gateway, bearer("viewer")) == 401
    assert operator.ack()["events_missed"] == 0


def test_browsers_session_is_taken_only_from_pages_of_this_host(start, bus, tmp_path):
    gateway = Secured(start, bus, tmp_path).gateway
    _, headers, _ = gateway.ask("/api/session", "POST", {"token": TOKENS["viewer"]})
    cookie = {"Cookie": headers["Set-Cookie"].split(";")[0]}

    own = Monitor(gateway, headers=cookie, origin=f"http://127.0.0.1:{gateway.port}")
    assert own.join("workers")["data"]["workers"]
    assert refused(gateway, cookie, origin="https://evil.example") == 403
    gateway.ask("/api/session", "DELETE", headers={**cookie, "Origin": f"http://127.0.0.1:{gateway.port}"})
    assert own.ended()[0] == 1008


def test_monitors_count_as_streams_and_are_listed_with_them(start, bus):
    fleet = Fleet(start, bus, "--clients-max", 2)
    monitor = Monitor(fleet.gateway, "wall-display")
    monitor.join("jobs", priority_range=[1, 9])
    monitor.ack()
    stream = fleet.gateway.stream("?client=a-stream")
    stream.wait("system.state.end", "it is live")

    clients = {c["kind"]: c for c in http_json(fleet.gateway.url + "/api/clients")["clients"]}
    assert set(clients) == {"monitor", "stream"} and clients["monitor"]["name"] == "wall-display"
    assert "min_priority=1" in clients["monitor"]["filter"] and clients["monitor"]["mode"] == "live" and clients["stream"]["name"] == "a-stream"
    SCHEMAS["rest.clients"].validate({"clients": list(clients.values())})
    assert (metric(fleet.gateway.url, "cmlwatch_gateway_clients"), metric(fleet.gateway.url, "cmlwatch_gateway_monitors")) == (2, 1)
    assert refused(fleet.gateway, {}) == 503
    assert fleet.gateway.ask(f"/api/clients/{clients['monitor']['id']}", "PATCH", {"regions": [EAST]})[0] == 404
    assert metric(fleet.gateway.url, "cmlwatch_gateway_monitor_messages_total", type="subscribe") == 1
    monitor.close()
    wait_until(lambda: len(http_json(fleet.gateway.url + "/api/clients")["clients"]) == 1, "it is gone")
    fleet.gateway.wait_log("monitor_id=wall-display")


def test_over_tls_it_is_the_same(start, bus, tmp_path):
    pair = Pair(tmp_path, 11)
    fleet = Fleet(start, bus, *pair.arguments(), workers=2, tls=True)
    monitors = [Monitor(fleet.gateway, f"m{n}") for n in range(5)]
    for monitor in monitors:
        monitor.join("workers")
        monitor.ack()
    for mark in range(300):
        fleet.change(fleet.names[mark % 2], mark, tags={"pad": "x" * 2000})
    wait_until(lambda: fleet.gateway.worker(fleet.names[1])["name"] == "mark 299", "all was taken in")
    last, answers = fleet.last(), []
    for monitor in monitors:
        answers.append([m["event_id"] for m in monitor.until(last)])
    assert len(answers[0]) >= 300 and all(answer == answers[0] for answer in answers)
    assert monitors[0].close() == 1000

    fleet.gateway.process.send_signal(signal.SIGTERM)
    assert [monitor.ended()[0] for monitor in monitors[1:]] == [1001] * 4
    assert fleet.gateway.stop() == 0


def test_end_of_the_gateway_is_told_to_all(start, bus):
    fleet = Fleet(start, bus)
    monitors = [Monitor(fleet.gateway, f"m{n}") for n in range(20)]
    for n, monitor in enumerate(monitors):
        if n % 2:
            monitor.join("workers")
    fleet.gateway.process.send_signal(signal.SIGTERM)

    assert [monitor.ended() for monitor in monitors] == [(1001, "the gateway ends")] * 20
    assert fleet.gateway.stop() == 0


def test_monitor_survives_an_aggregator_that_knows_nothing(start, bus):
    """It has no store: a new epoch, so the monitor is told and gets the state anew."""
    fleet = Fleet(start, bus)
    monitor = Monitor(fleet.gateway)
    monitor.join("workers")
    fleet.aggregator.stop()
    fleet.aggregator.start()
    monitor.wait("system_reset", "it is told")
    assert monitor.next()["type"] == "full_state_snapshot"
    wait_until(lambda: fleet.change(fleet.names[0], "anew") or fleet.gateway.worker(fleet.names[0]), "the worker is listed anew")
    monitor.wait("worker_snapshot", "events go on")


#  --- for writers of monitors

def test_example_of_the_readme_prints_what_happens(fleet, tmp_path):
    code, = re.findall(r"```python\n(.*?)```", README, re.S)
    code = code.replace("127.0.0.1:8080", f"127.0.0.1:{fleet.gateway.port}")
    log = (tmp_path / "example.log").open("w")
    process = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=log, stderr=subprocess.STDOUT)
    read = (tmp_path / "example.log").read_text
    try:
        wait_until(lambda: "4 workers" in read(), "the state")
        wait_until(lambda: fleet.change(fleet.names[0], "x", state="stopping") or "running -> stopping" in read(), f"the change: {read()}")
        fleet.gateway.stop()
        fleet.gateway.start()
        wait_until(lambda: fleet.change(fleet.names[0], "x", state="stopped") or "stopping -> stopped" in read(), f"also behind a restart: {read()}")
    finally:
        process.kill()
        process.wait()
    assert read().count("running -> stopping") == 1 and "Traceback" not in read()


def test_every_message_and_name_that_the_readme_lists_is_there():
    documents = {name.removeprefix("monitor.") for name in SCHEMAS if name.startswith("monitor.")}
    listed = set(re.findall(r"^\| `([a-z_]+)`", README, re.M))

    assert documents - {"connect", "subscribe"} <= listed and {"monitor_connect", "subscribe"} <= listed

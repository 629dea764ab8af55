"""Fan-out: rhythm, slow readers, compression, filters changed while the stream is open, drain.
SPDX-License-Identifier: MIT"""
import re
import signal
import socket
import time
import zlib

import pytest

import harness
import outside
from harness import http, http_json, metric, wait_until
from picture import Picture

REGIONS = ("us-east-1", "eu-west-1")


class Fleet:
    def __init__(self, start, bus, *arguments, workers=4):
        self.aggregator = start(harness.Aggregator, bus)
        self.gateway = start(harness.Gateway, bus, "--heartbeat-seconds", 1, *arguments)
        self.publisher = outside.Publisher(bus.ingest, "/collector/ec2/fanout")
        self.names = [f"i-0{count:03d}" for count in range(workers)]
        for name in self.names:
            self.publisher.until_heard(self.gateway, self.region(name), name)
        #  The last that is told of how they came; up to a second later.
        wait_until(lambda: http_json(f"{self.gateway.url}/api/state")["system_stats"].get("total_workers") == workers, "the numbers are told")

    def region(self, name):
        return REGIONS[int(name[3:]) % 2]

    def change(self, name, mark):
        """One change that is told as a snapshot."""
        self.publisher.instance(self.region(name), name, name=f"mark {mark}")

    def load(self, name, percent):
        self.publisher.publish("utilization.observed", f"{self.region(name)}/{name}", {"cpu_percent": percent})

    def until_named(self, name, mark):
        wait_until(lambda: self.gateway.worker(name)["name"] == f"mark {mark}", "all of it was taken in")


@pytest.fixture
def fleet(start, bus):
    return Fleet(start, bus)


def follow(stream, picture, condition, what):
    """Reads on and keeps the picture, until an event fulfils the condition."""
    def seen(event):
        picture.take(event)
        return condition(event)
    return stream.wait(seen, what)


def number(event):
    """None: it is not an event of the log."""
    return event.body["seq"]


def is_marked(mark):
    return lambda event: event.type == "worker.snapshot" and event.data["name"] == f"mark {mark}"


def assert_whole(stream, picture, fleet):
    """A heartbeat that speaks for the server's present state proves the picture."""
    wanted = http_json(f"{fleet.gateway.url}/api/state")["digest"]
    follow(stream, picture, lambda e: e.type == "heartbeat" and e.data["digest"] == wanted, "the server's digest")
    assert picture.digest() == wanted


class Squeezed(harness.Stream):
    """A stream whose bytes are gzip, unpacked as they come."""

    def __init__(self, *arguments, **more):
        self.inflater, self.raw_bytes = None, 0
        super().__init__(*arguments, headers={"Accept-Encoding": "br;q=1, gzip;q=0.5", **more.pop("headers", {})}, **more)
        assert self.headers["content-encoding"] == "gzip" and "accept-encoding" in self.headers["vary"].lower()
        self.inflater = zlib.decompressobj(31)
        self.raw_bytes = len(self.pending)
        self.pending = self.inflater.decompress(self.pending)

    def _more(self):
        chunk = self.socket.recv(65536)
        self.ended = self.ended or not chunk
        if self.inflater:
            self.raw_bytes += len(chunk)
            chunk, rest = self.inflater.decompress(chunk), chunk
            self.pending += chunk
            return bool(rest)
        self.pending += chunk
        return bool(chunk)


# --- rhythm


def test_max_hz_tells_the_newest_of_each_worker_at_its_pace(fleet):
    stream, picture = fleet.gateway.stream("?max_hz=2"), Picture()
    follow(stream, picture, lambda e: e.type == "system.state.end", "the state")
    begin = time.monotonic()

    for count in range(100):
        fleet.change(fleet.names[count % 2], count)
    fleet.until_named(fleet.names[1], 99)
    seconds = time.monotonic() - begin

    follow(stream, picture, is_marked(99), "the last")
    told = [e for e in stream.events if e.type == "worker.snapshot" and e.data["name"].startswith("mark")
            and e.data["aws_instance_id"] == fleet.names[1]]
    assert len(told) <= 2 * seconds + 2, "at most so many a second for one worker"
    assert all(number(e) for e in told)
    assert_whole(stream, picture, fleet)


def test_stream_with_a_rhythm_moves_its_cursor_and_resumes_without_a_loss(fleet):
    stream, picture = fleet.gateway.stream("?max_hz=5"), Picture()
    follow(stream, picture, lambda e: e.type == "system.state.end", "the state")
    fleet.change(fleet.names[0], "first")
    follow(stream, picture, is_marked("first"), "the first")
    before = stream.last_id
    follow(stream, picture, lambda e: stream.last_id != before, "the cursor moves")
    position = stream.last_id
    stream.close()
    fleet.change(fleet.names[1], "meanwhile")
    fleet.until_named(fleet.names[1], "meanwhile")

    again = fleet.gateway.stream(f"?max_hz=5&last_event_id={position}")
    follow(again, picture, is_marked("meanwhile"), "what it missed")

    assert not any(e.type in ("system.reset", "system.state.begin") for e in again.events)
    assert_whole(again, picture, fleet)


def test_batch_ms_gathers_metrics(fleet):
    stream = fleet.gateway.stream("?batch_ms=300&state=0")
    stream.wait("heartbeat", "it lives")

    for count in range(60):
        fleet.load(fleet.names[count % 3], count + 0.5)
    values = {}

    def gathered(event):
        for item in event.data["events"] if event.type == "worker.metrics.batch" else ():
            values[item["data"]["worker_id"]] = item["data"]["cpu_utilization"]
        return set(values.values()) == {57.5, 58.5, 59.5}
    stream.wait(gathered, "the last of each")

    assert not any(e.type == "worker.metrics.updated" for e in stream.events)
    batches = [e for e in stream.events if e.type == "worker.metrics.batch"]
    assert len(batches) < 20, "gathered, not one by one"
    assert all(e.data["count"] == len(e.data["events"]) for e in batches)


# --- slow readers


def slow_stream(gateway, query):
    """A stream whose reader takes little at a time."""
    stream = harness.Stream.__new__(harness.Stream)
    socket_ = socket.socket()
    socket_.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    real, socket.create_connection = socket.create_connection, lambda address, timeout: (
        socket_.settimeout(timeout), socket_.connect(address), socket_)[2]
    try:
        stream.__init__(gateway.port, query)
    finally:
        socket.create_connection = real
    return stream


def test_slow_reader_gets_the_newest_of_each_worker_and_is_told_so(start, bus):
    fleet = Fleet(start, bus, "--queue-max-bytes", 20000, "--slow-after-ms", 0, "--send-buffer-bytes", 4096)
    stream, picture = slow_stream(fleet.gateway, "?heartbeat=1"), Picture()
    follow(stream, picture, lambda e: e.type == "system.state.end", "the state")

    for count in range(2000):
        fleet.change(fleet.names[count % 4], count)
    fleet.until_named(fleet.names[3], 1999)
    follow(stream, picture, is_marked(1999), "the last")
    beat = follow(stream, picture, lambda e: e.type == "heartbeat" and e.data["digest"], "it is whole again").data

    told = [number(e) for e in stream.events if number(e)]
    begun = next(e for e in stream.events if e.type == "system.state.end").id
    spoken_for = int(beat["last_event_id"].rsplit("-", 1)[1])
    logged = [e["seq"] for e in http_json(f"{fleet.gateway.url}/api/events?after={begun}&limit=10000")["events"] if e["seq"] <= spoken_for]
    assert told == sorted(set(told)) and set(told) <= set(logged)
    assert beat["conflated"] == len(logged) - len(told) > 0 and beat["events_missed"] == 0
    assert_whole(stream, picture, fleet)
    assert metric(fleet.gateway.url, "cmlwatch_gateway_conflated_total") >= beat["conflated"]
    assert metric(fleet.gateway.url, "cmlwatch_gateway_stepped_back_total") >= 1


def test_reader_that_the_log_has_left_behind_is_told_how_much_it_missed(start, bus):
    fleet = Fleet(start, bus, "--event-log-max", 50, "--send-buffer-bytes", 4096, "--slow-after-ms", 3600000)
    stream, picture = slow_stream(fleet.gateway, "?heartbeat=1"), Picture()
    follow(stream, picture, lambda e: e.type == "system.state.end", "the state")

    for count in range(2000):
        fleet.change(fleet.names[count % 4], count)
    fleet.until_named(fleet.names[3], 1999)
    reset = follow(stream, picture, lambda e: e.type == "system.reset", "it is told").data
    follow(stream, picture, lambda e: e.type == "system.state.end", "a state")
    beat = follow(stream, picture, lambda e: e.type == "heartbeat" and e.data["digest"], "it is whole again").data

    assert reset["reason"] == "too old" and reset["requested_id"] is None
    assert beat["events_missed"] > 0
    assert_whole(stream, picture, fleet)


def test_reader_that_takes_nothing_is_closed(start, bus):
    fleet = Fleet(start, bus, "--stall-timeout-seconds", 2, "--send-buffer-bytes", 4096)
    stream = slow_stream(fleet.gateway, "?heartbeat=1")  # nobody reads on
    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 1, "it is there")

    for count in range(1000):
        fleet.change(fleet.names[count % 4], count)

    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_closed_total", reason="stalled") == 1, "closed")
    stream.close()


# --- compression


def test_compressed_stream_says_what_a_plain_one_says(fleet):
    plain, early, late = fleet.gateway.stream("?state=0"), Squeezed(fleet.gateway.port, "?state=0"), None
    for stream in (plain, early):
        stream.next()
    for count in range(40):
        fleet.load(fleet.names[count % 4], count + 0.5)
        if count == 20:
            plain.wait(lambda e: e.type == "worker.metrics.updated" and e.data["cpu_utilization"] == 20.5, "half of it")
            late = Squeezed(fleet.gateway.port, "?state=0")
    streams = [plain, early, late]
    told = []
    for stream in streams:
        stream.wait(lambda e: e.type == "worker.metrics.updated" and e.data["cpu_utilization"] == 39.5, "the last")
        told.append([e for e in stream.events if number(e)])
    loads = [number(e) for e in told[0] if e.type == "worker.metrics.updated" and e.data["cpu_utilization"] is not None]
    halfway = next(number(e) for e in told[0] if e.type == "worker.metrics.updated" and e.data["cpu_utilization"] == 20.5)

    #  From what all of them must have heard on: one was opened a moment after the other, and numbers may be told between.
    for packed, since in ((told[1], loads[0]), (told[2], next(load for load in loads if load > halfway))):
        assert [e.raw for e in packed if number(e) >= since] == [e.raw for e in told[0] if number(e) >= since]
        assert {e.raw for e in packed if number(e) >= number(told[0][0])} <= {e.raw for e in told[0]}
    plain_bytes, packed_bytes = (metric(fleet.gateway.url, f"cmlwatch_gateway_{which}_bytes_total") for which in ("plain", "packed"))
    assert 0 < packed_bytes < plain_bytes / 2


def test_compressed_state_and_events_give_the_servers_picture(fleet):
    stream, picture = Squeezed(fleet.gateway.port, "?heartbeat=1"), Picture()
    follow(stream, picture, lambda e: e.type == "system.state.end", "the state")
    for count in range(50):
        fleet.change(fleet.names[count % 4], count)
    follow(stream, picture, is_marked(49), "the last")

    assert_whole(stream, picture, fleet)


def test_compressed_stream_ends_as_a_whole_gzip_stream(fleet):
    """The trailer's checksum is the client's own: zlib says eof only when it fits."""
    streams = [Squeezed(fleet.gateway.port, "?heartbeat=1") for _ in range(3)]
    for count, stream in enumerate(streams):
        stream.state()
        fleet.change(fleet.names[0], count)
        stream.wait(is_marked(count), "a change")
    fleet.load(fleet.names[0], 12.5)
    for stream in streams:
        stream.wait(lambda e: e.type == "worker.metrics.updated", "to all alike")

    fleet.gateway.process.send_signal(signal.SIGTERM)

    for stream in streams:
        stream.wait("system.sse.shutdown", "farewell")
        assert stream.next() is None
        assert stream.inflater.eof and not stream.inflater.unused_data


def test_curl_unpacks_the_stream(fleet):
    text = harness.curl("--compressed", fleet.gateway.url + "/api/events/stream", until="event: heartbeat\n")

    assert text.startswith("retry: ") and "event: system.state.end\n" in text


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "br", "gzip;q=0.0, deflate", ""])
def test_client_that_does_not_want_gzip_gets_none(fleet, accepted):
    stream = fleet.gateway.stream(headers={"Accept-Encoding": accepted})

    assert "content-encoding" not in stream.headers and len(stream.state()) == 4


# --- filters of an open stream


def patch(fleet, client_id, change, kind="application/merge-patch+json"):
    return http(f"{fleet.gateway.url}/api/clients/{client_id}", "PATCH", change, {"Content-Type": kind})


def test_filter_is_changed_while_the_stream_is_open(fleet):
    stream, picture = fleet.gateway.stream("?regions=us-east-1&heartbeat=1"), Picture()
    client_id = follow(stream, picture, lambda e: e.type == "connected", "connected").data["client_id"]
    follow(stream, picture, lambda e: e.type == "system.state.end", "the state")
    assert len(picture.workers) == 2
    follow(stream, picture, lambda e: e.type == "heartbeat", "it is live")

    status, _, body = patch(fleet, client_id, {"regions": ["eu-west-1", "us-east-1"]})
    assert status == 200 and b"eu-west-1,us-east-1" in body
    follow(stream, picture, lambda e: len(picture.workers) == 4, "the others' snapshots")
    fleet.change(fleet.names[1], "new")
    follow(stream, picture, is_marked("new"), "and what comes of them")
    assert_whole(stream, picture, fleet)

    assert patch(fleet, client_id, {"regions": None, "event_types": "worker.metrics.*"})[0] == 200
    fleet.change(fleet.names[1], "unseen")
    fleet.until_named(fleet.names[1], "unseen")
    fleet.load(fleet.names[1], 33.25)
    seen = len(stream.events)
    stream.wait(lambda e: e.type == "worker.metrics.updated", "only metrics")
    assert not any(e.type == "worker.snapshot" for e in stream.events[seen:])
    client, = http_json(fleet.gateway.url + "/api/clients")["clients"]
    assert client["filter"] == "event_types=worker.metrics.updated,worker.metrics.batch"


@pytest.mark.parametrize("change, status, named", [
    ({"colour": "red"}, 400, "colour"), ({"regions": 5.5}, 200, ""), ({"regions": {}}, 400, "regions"), ({"regions": [1]}, 400, "regions"),
    ({"heartbeat": 5}, 400, "heartbeat"), ("[]", 400, "object"), ("{", 400, ""), ({"max_hz": 0}, 400, "max_hz"),
    ({"worker_ids": "x" * 30000}, 413, "body_max_bytes"),
])
def test_change_that_makes_no_sense_is_refused_by_name_and_changes_nothing(fleet, change, status, named):
    stream = fleet.gateway.stream("?heartbeat=1&client=wall%203")
    client_id = stream.next().data["client_id"]
    stream.state()
    stream.wait("heartbeat", "it is live")

    answer, headers, body = patch(fleet, client_id, change)

    assert answer == status and named.encode() in body
    client, = http_json(fleet.gateway.url + "/api/clients")["clients"]
    assert client["name"] == "wall 3" and (status == 200 or client["filter"] == "")


def test_change_of_nobodys_filter_or_of_another_type_is_refused(fleet):
    assert patch(fleet, "0123456789abcdef", {})[0] == 404
    assert patch(fleet, "../x", {})[0] == 404
    assert patch(fleet, "0123456789abcdef", "{}", "text/plain")[0] == 415


def test_list_of_clients_says_what_each_wants_and_how_it_stands(fleet):
    one = fleet.gateway.stream("?regions=eu-west-1&client=one&heartbeat=7")
    two = Squeezed(fleet.gateway.port, "?max_hz=2&client=100%25%20two")
    one.state()
    two.state()

    def listed():
        clients = {c["name"]: c for c in http_json(fleet.gateway.url + "/api/clients")["clients"]}
        return clients if len(clients) == 2 and all(c["mode"] == "live" for c in clients.values()) else None
    clients = wait_until(listed, "both are live")

    assert clients["one"]["filter"] == "regions=eu-west-1" and clients["one"]["heartbeat_seconds"] == 7
    assert clients["100% two"]["filter"] == "max_hz=2" and clients["100% two"]["compressed"]
    assert clients["one"]["events_behind"] == clients["one"]["queued_bytes"] == 0
    assert clients["one"]["sent_bytes"] > 500


# --- many at once, and the end


class Unanswered(harness.Stream):
    """One that has asked, and reads the head of the answer when it is told to."""

    def _head(self):
        return None, {}

    def begin(self):
        self.status, self.headers = super()._head()
        return self


def test_states_are_given_at_a_pace_and_nobody_is_refused(start, bus):
    fleet = Fleet(start, bus, "--states-per-second", 40)
    begin = time.monotonic()
    fleet.gateway.process.send_signal(signal.SIGSTOP)  # so that it finds all of them, however long they take to come
    streams = [Unanswered(fleet.gateway.port, "?heartbeat=1") for _ in range(60)]
    looker = socket.create_connection(("127.0.0.1", fleet.gateway.port), timeout=harness.PATIENCE)
    looker.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")  # it comes behind them, and at once
    fleet.gateway.process.send_signal(signal.SIGCONT)
    waiting = int(re.search(rb"\ncmlwatch_gateway_clients_waiting (\d+)", b"".join(iter(lambda: looker.recv(65536), b"")))[1])
    looker.close()
    for stream in map(Unanswered.begin, streams):
        assert len(stream.state()) == 4
    seconds = time.monotonic() - begin

    assert waiting > 0 and seconds > (60 - 4) / 40 * 0.9, "not all at once"
    assert metric(fleet.gateway.url, "cmlwatch_gateway_states_total") == 60
    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_images") == 0, "no image is held for nobody")


def test_another_epoch_is_told_in_the_stream_and_followed_by_its_state(start, bus, tmp_path):
    fleet = Fleet(start, bus)
    streams = [fleet.gateway.stream("?heartbeat=1"), Squeezed(fleet.gateway.port, "?heartbeat=1&max_hz=5")]
    for stream in streams:
        stream.state()
    epoch = streams[0].last_id[:8]
    fleet.aggregator.kill()
    for file in list(tmp_path.rglob("*.mdb")):
        file.unlink()
    fleet.aggregator.start()
    fleet.publisher.until_heard(fleet.gateway, "us-east-1", "i-0new")

    for stream in streams:
        reset = stream.wait("system.reset", "it is told")
        picture = Picture()
        follow(stream, picture, lambda e: e.type == "system.state.end", "a state")
        follow(stream, picture, lambda e: e.type == "worker.snapshot" and e.data["aws_instance_id"] == "i-0new"
               or len(picture.workers) > 0, "the new one")
        assert stream.last_id[:8] != epoch
        assert_whole(stream, picture, fleet)


def test_stream_ends_after_its_lifetime_with_a_hint(start, bus):
    fleet = Fleet(start, bus, "--stream-lifetime-seconds", 7)
    stream = fleet.gateway.stream("?heartbeat=1")
    stream.state()

    farewell = stream.wait("system.sse.shutdown", "the end").data

    assert farewell["retry_ms"] >= 1000 and "lifetime" in farewell["message"]
    assert stream.retry == farewell["retry_ms"] and stream.next() is None
    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_closed_total", reason="ended") == 1, "counted")


def test_drain_flushes_what_was_taken_in(fleet):
    stream, picture = fleet.gateway.stream(), Picture()
    follow(stream, picture, lambda e: e.type == "system.state.end", "the state")
    for count in range(500):
        fleet.change(fleet.names[count % 4], count)
    fleet.until_named(fleet.names[3], 499)

    fleet.gateway.process.send_signal(signal.SIGTERM)
    follow(stream, picture, lambda e: e.type == "system.sse.shutdown", "farewell")

    numbers = [number(e) for e in stream.events if number(e)]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert any(is_marked(499)(event) for event in stream.events)


def test_readiness_turns_red_before_streams_end(start, bus):
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, "--drain-delay-ms", 6000, "--drain-ms", 30000)
    publisher = outside.Publisher(bus.ingest, "/collector/ec2/red")
    publisher.until_heard(gateway, "us-east-1", "i-0red")
    stream = gateway.stream("?heartbeat=1")
    stream.wait("system.state.end", "the state")
    gateway.process.send_signal(signal.SIGTERM)

    status = wait_until(lambda: (answer := harness.http(gateway.url + "/readyz"))[0] == 503 and answer, "it is red")
    assert b"ends" in status[2] and harness.http(gateway.url + "/healthz")[0] == 200
    publisher.instance("us-east-1", "i-0red", name="still told")
    kinds = [event.type for event in iter(stream.next, None)]
    assert "system.sse.shutdown" == kinds[-1] and "worker.snapshot" in kinds[:-1], "what came meanwhile is told"
    assert gateway.process.wait(harness.PATIENCE) == 0

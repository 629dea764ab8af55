"""Connections that are worn out or mean harm: each is answered, or closed, and the next client is served.

What a broken request gets is a 4xx or a closed connection; what a slow, stopped, cut or vanished reader
does is its own affair. Counts are compared, not times.
SPDX-License-Identifier: MIT"""
import errno
import json
import os
import random
import re
import resource
import selectors
import socket
import struct
import threading
import time
import warnings
import zlib

import pytest

import harness
import outside
from eventsource import Parser
from harness import http, http_json, metric, wait_until
from proxy import Proxy

pytestmark = pytest.mark.skipif(harness.VALGRIND, reason="thousands of connections are not for valgrind")
REGION, WORKER = "us-east-1", "i-0hostile"
SANITIZED = harness.SANITIZED
HOST, CLOSE = b"Host: x\r\n", b"Connection: close\r\n"
PUT = b"PUT /api/workers/x/idle-detection HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST
GET = b"GET /healthz HTTP/1.1\r\n" + HOST


def get(path, headers=HOST):
    return b"GET " + path + b" HTTP/1.1\r\n" + headers + b"\r\n"


#  name: the bytes, and the statuses that an answer may have. None: it may also be closed without one.
HEADS = {
    "too many headers": (GET + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n", {431, None}),
    "too large a header": (GET + b"X: " + b"y" * 100000 + b"\r\n\r\n", {431, None}),
    "too large a header's name": (GET + b"X" * 100000 + b": y\r\n\r\n", {431, None}),
    "too many cookies": (GET + b"Cookie: " + b"; ".join(b"a%d=b" % i for i in range(2000)) + b"\r\n\r\n", {431, None}),
    "a folded first header": (b"GET /healthz HTTP/1.1\r\n b\r\n" + HOST + b"\r\n", {400}),
    "a NUL in a header's name": (GET + b"X\0: a\r\n\r\n", {400}),
    "a NUL in the path": (get(b"/heal\0thz"), {400, 404}),
    "a carriage return in a header": (GET + b"X: a\rY: b\r\n\r\n", {400}),
    "a header without a colon": (GET + b"nonsense\r\n\r\n", {400}),
    "a blank before the colon": (GET + b"X : y\r\n\r\n", {400}),
    "no host": (get(b"/healthz", b""), {400}),
    "two hosts": (get(b"/healthz", HOST + HOST), {400}),
    "no version": (b"GET /healthz\r\n\r\n", {400}),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
    "HTTP/9.9": (b"GET /healthz HTTP/9.9\r\n" + HOST + b"\r\n", {400, 505}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200, {400, None}),
    "noise": (bytes(range(256)) * 8, {400, None}),
    "empty lines": (b"\r\n" * 1000, {400, None}),
    "half a head": (b"GET /healthz HTTP/1.1\r\nHost: ", {None}),
}
PATHS = {
    "dots": (get(b"/../../etc/passwd"), {404}), "escaped dots": (get(b"/%2e%2e/%2e%2e/etc/passwd"), {404}),
    "twice escaped": (get(b"/%252e%252e/etc/passwd"), {404}), "backslashes": (get(b"/..\\..\\etc\\passwd"), {404}),
    "two slashes": (get(b"//etc/passwd"), {404}), "slashes": (get(b"//api//workers"), {404}),
    "absolute form": (get(b"http://evil.example.com/healthz"), {200}), "absolute, and no path": (get(b"HTTP://x/../etc/passwd"), {404}),
    "another scheme": (get(b"ftp://evil.example.com/healthz"), {400}), "no slash": (get(b"healthz"), {400}),
    "authority": (b"CONNECT evil.example.com:80 HTTP/1.1\r\n" + HOST + b"\r\n", {405}),
    "an escaped NUL": (get(b"/healthz%00.html"), {404}), "a NUL for an id": (get(b"/api/workers/%00"), {404}),
    "too long": (get(b"/" + b"a" * 100000), {414, None}), "long": (get(b"/" + b"a" * 3000), {404}),
    "a query too long": (get(b"/api/workers?region=" + b"a" * 100000), {414, None}),
    "too many parameters": (get(b"/api/workers?" + b"&".join(b"a%d" % i for i in range(2000))), {400, 414, None}),
    "nameless parameters": (get(b"/api/workers?=&&="), {400}), "a half escape": (get(b"/api/events/stream?heartbeat=%"), {400}),
    "an escaped NUL in a parameter": (get(b"/api/events/stream?regions=a%00b"), {400}),
}
METHODS = {
    "unknown": (b"BREW /healthz HTTP/1.1\r\n" + HOST + b"\r\n", {405}), "lower case": (b"get /healthz HTTP/1.1\r\n" + HOST + b"\r\n", {405}),
    "long": (b"B" * 3000 + b" /healthz HTTP/1.1\r\n" + HOST + b"\r\n", {405}), "too long": (b"B" * 100000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n", {414, None}),
    "TRACE": (b"TRACE / HTTP/1.1\r\nCookie: secret\r\n" + HOST + b"\r\n", {405}),
    "a body nobody takes": (b"POST /healthz HTTP/1.1\r\nContent-Length: 5\r\n" + HOST + b"\r\nhello", {405}),
    "DELETE of the stream": (b"DELETE /api/events/stream HTTP/1.1\r\n" + HOST + b"\r\n", {405}),
}
BODIES = {
    "shorter than said": (PUT + b"Content-Length: 100\r\n\r\n{}", {None}), "negative": (PUT + b"Content-Length: -5\r\n\r\n{}", {400}),
    "huge": (PUT + b"Content-Length: 99999999999999999999999\r\n\r\n{}", {413}), "the largest": (PUT + b"Content-Length: 9223372036854775807\r\n\r\n{}", {413, None}),
    "hexadecimal": (PUT + b"Content-Length: 0x2\r\n\r\n{}", {400}), "signed": (PUT + b"Content-Length: +2\r\n\r\n{}", {400}),
    "a list": (PUT + b"Content-Length: 2, 2\r\n\r\n{}", {400}), "too large": (PUT + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000000, {413}),
    "two lengths": (PUT + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}" + get(b"/metrics"), {400}),
    "length and chunks": (PUT + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get(b"/metrics"), {400}),
    "chunks and length": (PUT + b"Transfer-Encoding: chunked\r\nContent-Length: 60\r\n\r\n0\r\n\r\n" + get(b"/metrics"), {400}),
    "no chunk": (PUT + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", {400}), "a negative chunk": (PUT + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nhello\r\n", {400}),
    "a huge chunk": (PUT + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello\r\n", {400, 413, None}),
    "a chunk that runs on": (PUT + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX5\r\n", {400}),
    "a chunk's long extension": (PUT + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"e" * 10000 + b"\r\n{}\r\n0\r\n\r\n", {400, 413, None}),
    "another coding": (PUT + b"Transfer-Encoding: gzip\r\n\r\nxx", {400}), "a coding that looks like one": (PUT + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {400}),
    "no JSON": (PUT + b"Content-Length: 5\r\n\r\n{\"a\":", {400}), "an expectation": (PUT + b"Expect: the unexpected\r\nContent-Length: 2\r\n\r\n{}", {400, 417}),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One gateway for all that is broken: what harms it harms the tests behind."""
    folder, bus = tmp_path_factory.mktemp("hostile"), harness.Bus()
    aggregator = harness.Aggregator(folder, bus)
    gateway = harness.Gateway(folder, bus, "--request-timeout-seconds", 6)  # a machine that stands still for a moment is no slow client
    publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/hostile")
    publisher.until_heard(gateway, REGION, WORKER, interval_seconds=3600)
    yield gateway
    codes = [program.stop() for program in (gateway, aggregator)]
    assert codes == [0, 0], gateway.log[-3000:]


def talk(port, data):
    """What comes back until the connection is closed by the other side; it has to be."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=harness.PATIENCE) as raw:
        try:
            raw.sendall(data)
            while more := raw.recv(65536):
                answer += more
        except (ConnectionResetError, BrokenPipeError):
            pass  #  closed while we still spoke: that is an answer too
    return answer


def answers(data):
    """(status, body) of each answer, by their lengths."""
    found = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        if rest.startswith(head):  # of a wrong Content-Length libmicrohttpd 0.9.75 says the head of its refusal twice
            rest = rest[len(head) + 4:]
        status = int(head.split(b" ")[1])
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        size = int(length[1]) if length else 0
        if status != 100:
            found.append((status, rest[:size]))
        data = rest[size:]
    return found


@pytest.mark.parametrize("kind", ["HEADS", "PATHS", "METHODS", "BODIES"])
def test_broken_request_is_refused_or_closed_and_the_next_one_is_served(served, kind):
    cases, pid, faults = globals()[kind], served.process.pid, []
    results, threads = {}, []
    for name, (data, _) in cases.items():
        thread = threading.Thread(target=lambda name=name, data=data: results.update({name: talk(served.port, data)}), daemon=True)
        threads.append(thread)
        thread.start()
    for thread in threads:
        thread.join(harness.PATIENCE)
    for name, (data, allowed) in cases.items():
        if name not in results:
            faults.append(f"{name}: neither answered nor closed")
            continue
        got = [status for status, _ in answers(results[name])] or [None]
        if got[0] not in allowed or len(got) > 1:
            faults.append(f"{name}: {got}, not {allowed}")
        if b"cmlwatch_gateway_" in results[name] or b"root:" in results[name]:
            faults.append(f"{name}: was told what it did not ask for in a way that is allowed")

    assert not faults, "\n".join(faults)
    assert served.alive() and served.process.pid == pid
    assert http(served.url + "/healthz")[0] == 200
    wait_until(lambda: metric(served.url, "cmlwatch_gateway_connections") <= 1, "all of them are gone")


@pytest.mark.parametrize("head", [b"X: a\r\n b\r\n\r\n", b"X: a\n\n", b"X: a\0b\r\n\r\n"], ids=["folded", "bare line ends", "a NUL in a value"])
def test_head_that_is_odd_and_understood_is_answered_as_what_it_is(served, head):
    (status, body), = answers(talk(served.port, GET + CLOSE + head))

    assert status == 200 and json.loads(body)["status"] == "ok"


def test_requests_in_a_row_are_answered_in_their_order(served):
    paths = [b"/healthz", b"/api/nothing", b"/api/workers?limit=0", b"/readyz", b"/api/workers"]

    told = answers(talk(served.port, b"".join(get(path) for path in paths[:-1]) + get(paths[-1], HOST + CLOSE)))
    cut = answers(talk(served.port, get(b"/healthz") + b"GARBAGE\r\n\r\n" + get(b"/metrics")))
    body = answers(talk(served.port, b"GET /healthz HTTP/1.1\r\nContent-Length: %d\r\n" % len(get(b"/metrics")) + HOST + b"\r\n"
                        + get(b"/metrics") + get(b"/readyz", HOST + CLOSE)))

    assert [status for status, _ in told] == [200, 404, 400, 200, 200]
    assert json.loads(told[4][1])["workers"][0]["aws_instance_id"] == WORKER
    assert [status for status, _ in cut] in ([200], [200, 400]), "what follows nonsense is not looked at"
    assert [json.loads(text)["status"] for _, text in body] == ["ok", "ready"], "a body is no request"


def test_connection_that_is_kept_and_not_used_is_closed_and_is_not_called_slow(served):
    slow = metric(served.url, "cmlwatch_gateway_connections_refused_total", reason="slow")
    idle = metric(served.url, "cmlwatch_gateway_connections_idle_total")

    (status, _), = answers(talk(served.port, get(b"/healthz")))

    assert status == 200
    assert metric(served.url, "cmlwatch_gateway_connections_idle_total") == idle + 1
    assert metric(served.url, "cmlwatch_gateway_connections_refused_total", reason="slow") == slow


def test_stream_behind_other_requests_of_a_connection_is_a_stream(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=harness.PATIENCE) as raw:
        raw.sendall(get(b"/healthz") + get(b"/api/events/stream?heartbeat=1") + get(b"/metrics"))
        data = b""
        while data.count(b"event: heartbeat") < 2:
            more = raw.recv(65536)
            assert more, data[-300:]
            data += more

    first, _, stream = data.partition(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
    assert [status for status, _ in answers(first)] == [200]
    assert b"HTTP/1.1" not in stream and b"cmlwatch_gateway" not in stream, "nothing but the stream comes any more"


@pytest.mark.parametrize("value", ["x%0d%0aX-Evil:%20y%0d%0a%0d%0adata:%20forged%0a%0a", "%0aevent:%20system.reset", "0badcafe-1%0d"])
def test_cursor_with_line_ends_forges_no_header_and_no_event(served, value):
    stream = served.stream(f"?last_event_id={value}")
    reset = stream.wait("system.reset", "it is told")
    stream.state()

    assert "x-evil" not in stream.headers and reset.data["reason"] == "malformed"
    assert all(event.type == event.body["type"] for event in stream.events)
    stream.close()


# --- slow, stopped, vanished


def descriptors(program):
    return len(os.listdir(f"/proc/{program.process.pid}/fd"))


def rss(program):
    with open(f"/proc/{program.process.pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


class Fleet:
    def __init__(self, start, bus, *arguments):
        self.aggregator = start(harness.Aggregator, bus)
        self.gateway = start(harness.Gateway, bus, *arguments)
        self.publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/hostile")
        self.publisher.socket.set_hwm(1000000)
        self.publisher.until_heard(self.gateway, REGION, WORKER, interval_seconds=3600)

    def load(self, value):
        self.publisher.publish("utilization.observed", f"{REGION}/{WORKER}", {"cpu_percent": value, "interval_seconds": 3600})

    def until_loaded(self, value):
        wait_until(lambda: self.gateway.worker(WORKER)["cloudwatch_cpu_utilization"] == value, "all was taken in")


def connect(port, request, receive_buffer=None):
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.settimeout(harness.PATIENCE)
    raw.connect(("127.0.0.1", port))
    raw.sendall(request)
    return raw


def test_hundred_slow_requests_are_given_up_and_delay_nobody(start, bus):
    """Slow-loris, stopped at every part of a request, and a byte now and then."""
    fleet = Fleet(start, bus, "--request-timeout-seconds", 2)
    stream = fleet.gateway.stream("?heartbeat=1")
    stream.state()
    before = descriptors(fleet.gateway)
    whole = PUT + b"Content-Length: 1000\r\n\r\n"
    slow = [connect(fleet.gateway.port, whole[:len(whole) * part // 99]) for part in range(100)]
    for raw in slow:
        raw.setblocking(False)

    def trickle():
        for raw in list(slow):
            try:
                raw.send(b"x")
                if raw.recv(4096) == b"":
                    slow.remove(raw)
            except BlockingIOError:
                pass
            except OSError:
                slow.remove(raw)
        fleet.load(len(slow) % 50 + 0.5)
        return not slow
    wait_until(trickle, "each is closed")

    #  Some of them are no request any more with a byte behind them, and are refused before.
    assert metric(fleet.gateway.url, "cmlwatch_gateway_connections_refused_total", reason="slow") >= 50
    wait_until(lambda: descriptors(fleet.gateway) <= before, "their descriptors are free")
    fleet.load(99.5)
    stream.wait(lambda e: e.type == "worker.metrics.updated" and e.data["cpu_utilization"] == 99.5, "the stream went on")
    told = [e.sequence for e in stream.events if e.body["seq"]]
    assert told == list(range(told[0], told[0] + len(told)))


def test_stopped_readers_change_nothing_for_the_others(start, bus):
    fleet = Fleet(start, bus, "--send-buffer-bytes", 4096, "--queue-max-bytes", 1 << 30, "--stall-timeout-seconds", 3600)  # nobody is conflated or closed: a count is a count
    live = [fleet.gateway.stream("?heartbeat=1", {"Accept-Encoding": "identity"}) for _ in range(5)]
    for stream in live:
        stream.state()
    stopped = [connect(fleet.gateway.port, get(b"/api/events/stream"), 4096) for _ in range(50)]
    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 55, "all are there")

    resident = rss(fleet.gateway)

    readers = [threading.Thread(target=stream.wait, args=(lambda e: e.type == "worker.metrics.updated" and e.data["cpu_utilization"] == 99.875,
                                                          "the last"), daemon=True) for stream in live]
    for reader in readers:
        reader.start()
    for value in range(4000):
        fleet.load(value % 90 + 0.5)
    fleet.load(99.875)
    for reader in readers:
        reader.join(harness.PATIENCE)

    for stream in live:
        told = [e.sequence for e in stream.events if e.body["seq"]]
        assert told == list(range(told[0], told[0] + len(told))) and len(told) > 4000
        beat = stream.wait(lambda e: e.type == "heartbeat" and e.data["digest"], "a heartbeat")
        assert beat.data["events_missed"] == 0 and beat.data["conflated"] == 0
    clients = {c["id"]: c for c in http_json(fleet.gateway.url + "/api/clients")["clients"]}
    behind = [c for c in clients.values() if c["events_behind"] > 0]
    assert len(clients) == 55 and len(behind) == 50, "the others wait, each for itself"
    owed = sum(c["bytes_behind"] + c["queued_bytes"] for c in behind)
    assert SANITIZED or rss(fleet.gateway) - resident < owed / 4, "what they have not had waits in the log, once for all"
    for raw in stopped:
        raw.close()
    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 5, "they are let go of")


def test_peer_that_stands_still_behind_a_link_is_found_and_freed(start, bus):
    fleet = Fleet(start, bus, "--stall-timeout-seconds", 2, "--send-buffer-bytes", 4096)
    link, before = Proxy(f"tcp://127.0.0.1:{fleet.gateway.port}"), descriptors(fleet.gateway)
    through = [harness.Stream(link.port) for _ in range(5)]
    for stream in through:
        stream.state()
    live = fleet.gateway.stream("?heartbeat=1&state=0&event_types=worker.status.updated")  # little: it is behind with nothing when we stand still
    live.wait("connected", "it is open")

    link.freeze()
    closed = lambda: metric(fleet.gateway.url, "cmlwatch_gateway_closed_total", reason="stalled")

    def say():
        for value in range(300):
            fleet.load(value % 90 + 0.5)
        live.wait("heartbeat", "the other goes on")
        return closed() == 5
    wait_until(say, "each is closed", deadline=2 * harness.PATIENCE)

    assert metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 1
    live.close()
    wait_until(lambda: descriptors(fleet.gateway) <= before, "their descriptors are free")
    link.close()


def test_peer_that_vanished_without_a_word_is_found_at_a_heartbeat(start, bus):
    """As after a power cut: its machine is up again and knows nothing of the connection."""
    fleet = Fleet(start, bus)
    before = descriptors(fleet.gateway)
    streams = [fleet.gateway.stream("?heartbeat=1") for _ in range(5)]
    for stream in streams:
        stream.state()
    assert metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 5

    try:
        for stream in streams:
            stream.socket.setsockopt(socket.IPPROTO_TCP, 19, 1)  # TCP_REPAIR: closed without telling the peer
    except PermissionError:
        pytest.skip("TCP_REPAIR needs CAP_NET_ADMIN")
    for stream in streams:
        stream.close()

    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 0, "each is let go of")
    wait_until(lambda: descriptors(fleet.gateway) <= before, "their descriptors are free")


# --- cut, many, over and over


@pytest.mark.parametrize("gzip", [False, True])
def test_stream_that_is_cut_anywhere_resumes_exactly(start, bus, gzip):
    """A hundred times, after so many bytes: within a head, an id, an event; what came whole counts once."""
    fleet, chance = Fleet(start, bus), random.Random(11)
    encoding = b"Accept-Encoding: gzip\r\n" if gzip else b""
    events, last_id, cuts_within, said = [], "", 0, 0
    for cut in range(101):
        #  The last one reads on to the end.
        budget = chance.choice((50, 300, 700, 1500, 4000)) + chance.randrange(400) if cut < 100 else 1 << 30
        cursor = f"Last-Event-ID: {last_id}\r\n".encode() if last_id else b""
        raw = connect(fleet.gateway.port, get(b"/api/events/stream?heartbeat=1", HOST + encoding + cursor))
        parser, data, inflater = Parser(), b"", zlib.decompressobj(31)
        parser.id_buffer = last_id
        if cut == 100:
            fleet.load(99.875)
        while len(data) < budget and not any('"cpu_utilization":99.875' in text for _, text, _ in parser.events):
            if cut < 100:
                said += 1
                fleet.load(said % 90 + said % 1000 / 1000)
            more = raw.recv(min(4096, budget - len(data)))
            assert more, "it is we who cut"
            head_before = b"\r\n\r\n" in data
            data += more
            body = more if head_before else data.partition(b"\r\n\r\n")[2]
            parser.feed(inflater.decompress(body) if gzip and body else body)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        cuts_within += bool(parser.line or parser.data)
        events += parser.events
        last_id = parser.last_event_id or last_id

    numbers = [json.loads(text)["seq"] for _, text, _ in events]
    numbers = [number for number in numbers if number]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) and len(numbers) > said
    assert not any(kind == "system.reset" for kind, _, _ in events)
    assert cuts_within > (10 if not gzip else 0), "some were cut within an event"


def test_two_thousand_comings_and_goings_leave_nothing_behind(start, bus):
    #  A half request and its end that come at once are seen as a slow one (libmicrohttpd reads to the first of the two).
    fleet = Fleet(start, bus, "--request-timeout-seconds", 2)
    chance = random.Random(5)
    stream = get(b"/api/events/stream?heartbeat=1", HOST + b"Accept-Encoding: gzip\r\n")
    ways = (b"", stream, stream, get(b"/api/events/stream"), get(b"/api/events/stream?regions=%s" % REGION.encode()), get(b"/api/workers"),
            get(b"/healthz"), GET, PUT + b"Content-Length: 9\r\n\r\n{", b"\0\0\0", get(b"/api/workers/%s/labs" % WORKER.encode()))

    def churn(count):
        standing = []
        for number in range(count):
            raw = connect(fleet.gateway.port, chance.choice(ways))
            standing.append(raw)
            if number % 3 == 0:
                fleet.load(number % 90 + 0.5)
            if len(standing) > chance.randrange(40):
                raw = standing.pop(chance.randrange(len(standing)))
                if chance.random() < 0.3:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if chance.random() < 0.5:
                    raw.setblocking(False)
                    try:
                        raw.recv(65536)
                    except OSError as error:
                        assert error.errno in (errno.EAGAIN, errno.ECONNRESET)
                raw.close()
        for raw in standing:
            raw.close()
        wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 0, "all have gone")
        wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_connections") <= 1, "and their connections")
        return descriptors(fleet.gateway), rss(fleet.gateway)

    first = churn(500)  # pools, tables and the log's first events have their place now
    last = churn(2000)

    wait_until(lambda: descriptors(fleet.gateway) <= first[0], "no descriptor is left")
    assert SANITIZED or last[1] <= first[1] + (6 << 20), f"resident: {first[1]} bytes, then {last[1]}"


def test_ten_thousand_idle_streams_hold_and_hear(start, bus):
    """As many as the descriptors allow; each gets a heartbeat and an event that comes while all are idle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 10500 and (hard > soft or hard == resource.RLIM_INFINITY):
        soft = 10500 if hard == resource.RLIM_INFINITY else min(hard, 10500)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    count = min(10000, soft - 500)
    if count < 10000:
        warnings.warn(f"RLIMIT_NOFILE of {soft} allows {count} idle streams here, not 10,000", stacklevel=1)
    assert count > 100, f"RLIMIT_NOFILE is {soft}"
    fleet = Fleet(start, bus)
    request = get(b"/api/events/stream?state=0&heartbeat=3")
    chooser, heard, tail = selectors.DefaultSelector(), {}, {}
    wants = (b"event: heartbeat\n", b'"cpu_utilization":73.125')

    def read(timeout):
        for key, _ in chooser.select(timeout):
            raw = key.fileobj
            data = raw.recv(65536)
            assert data, f"closed after {tail[raw]!r}"
            text = tail[raw] + data
            heard[raw] |= sum(1 << bit for bit, want in enumerate(wants) if want in text)
            tail[raw] = text[-400:]

    try:
        for number in range(count):
            raw = connect(fleet.gateway.port, request)
            raw.setblocking(False)
            heard[raw], tail[raw] = 0, b""
            chooser.register(raw, selectors.EVENT_READ)
            if number % 50 == 0:
                read(0)
        held = lambda: metric(fleet.gateway.url, "cmlwatch_gateway_clients") == count
        wait_until(lambda: (read(0), held())[1], "all are there")
        fleet.load(73.125)
        end = time.monotonic() + harness.PATIENCE
        while any(bits != 3 for bits in heard.values()) and time.monotonic() < end:
            read(0.2)

        assert [bits for bits in heard.values() if bits != 3] == [], f"of {count}"
        assert held() and metric(fleet.gateway.url, "cmlwatch_gateway_closed_total") == 0
    finally:
        for raw in heard:
            raw.close()
    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 0, "all have gone")

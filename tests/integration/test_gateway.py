"""The gateway as its clients see it: the stream's bytes, REST, errors, drain.
SPDX-License-Identifier: MIT"""
import concurrent.futures
import datetime
import gzip
import json
import re
import signal
import socket
import subprocess

import pytest

import harness
import outside
from harness import http, http_json, metric, wait_until


@pytest.fixture
def fleet(start, bus):
    """Two workers in two regions, one with values; no collector but an outside one."""
    class Fleet:
        aggregator = start(harness.Aggregator, bus)
        gateway = start(harness.Gateway, bus, "--heartbeat-seconds", 1)
        publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/fleet")
    fleet = Fleet()
    fleet.bus = bus
    fleet.publisher.until_heard(fleet.gateway, "us-east-1", "i-0one", public_ip="127.20.0.1")
    fleet.publisher.until_heard(fleet.gateway, "eu-west-1", "i-0two", state="stopped")
    fleet.publisher.publish("utilization.observed", "us-east-1/i-0one", {"cpu_percent": 41.5, "memory_percent": 0})
    wait_until(lambda: fleet.gateway.worker("i-0one")["cloudwatch_cpu_utilization"] == 41.5, "the value")
    return fleet


def test_stream_begins_with_retry_connected_and_the_state(fleet):
    stream = fleet.gateway.stream()
    connected = stream.next()
    snapshots = stream.state()

    assert stream.status == 200 and stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["cache-control"] == "no-store, no-transform" and stream.headers["x-accel-buffering"] == "no"
    assert 1000 <= stream.retry <= 3000
    assert connected.type == "connected"
    assert {"client_id", "server_time", "epoch", "heartbeat_seconds", "retry_ms"} <= set(connected.data)
    assert {s.data["aws_instance_id"] for s in snapshots} == {"i-0one", "i-0two"}
    assert all(s.data["_reason"] == "initial" for s in snapshots)
    assert any(e.type == "system.stats" for e in stream.events)


def test_retry_differs_from_client_to_client(fleet):
    seen = set()
    for _ in range(8):
        stream = fleet.gateway.stream("?state=0")
        stream.next()
        seen.add(stream.retry)
        stream.close()

    assert len(seen) > 1


def test_id_of_a_state_frame_never_claims_what_was_not_delivered(fleet):
    stream = fleet.gateway.stream()
    stream.wait("system.state.begin", "begin")
    while (event := stream.next()).type != "system.state.end":
        assert event.id == "", f"{event} has an id inside the state"

    assert re.fullmatch(r"[0-9a-f]{8}-\d+", stream.last_id)


def test_client_that_comes_back_gets_exactly_what_it_missed(fleet):
    first = fleet.gateway.stream()
    first.state()
    position = first.last_id
    first.close()
    for value in range(20):
        fleet.publisher.publish("utilization.observed", "us-east-1/i-0one", {"cpu_percent": value + 1})
    wait_until(lambda: fleet.gateway.worker("i-0one")["cloudwatch_cpu_utilization"] == 20, "all were applied")

    for resumed in (fleet.gateway.stream(headers={"Last-Event-ID": position}),
                    fleet.gateway.stream(f"?last_event_id={position}")):
        last = resumed.wait(lambda e: e.type == "worker.metrics.updated"
                            and e.data.get("cloudwatch_cpu_utilization") == 20, "the last one")
        numbered = [e.sequence for e in resumed.events if e.type not in ("connected", "heartbeat")]
        start = int(position.rsplit("-", 1)[1])
        assert numbered == list(range(start + 1, last.sequence + 1))
        assert not any(e.type.startswith("system.state") for e in resumed.events)


@pytest.mark.parametrize("cursor", ["deadbeef-5", "nonsense", "-", "0", "deadbeef-99999999999999999999999",
                                    "x" * 200])
def test_cursor_that_cannot_be_resumed_is_told_and_gets_the_whole_state(fleet, cursor):
    stream = fleet.gateway.stream(f"?last_event_id={cursor}")
    reset = stream.wait("system.reset", "the reset")
    snapshots = stream.state()

    assert reset.data["reason"] and len(snapshots) == 2


def test_cursor_from_the_future_is_told(fleet):
    stream = fleet.gateway.stream()
    stream.state()
    epoch = stream.last_id.rsplit("-", 1)[0]

    future = fleet.gateway.stream(f"?last_event_id={epoch}-999999")

    future.wait("system.reset", "the reset")


def test_filtered_stream_gets_only_its_own_and_its_cursor_moves(fleet):
    stream = fleet.gateway.stream("?regions=eu-west-1&heartbeat=1")
    snapshots = stream.state()
    before = int(stream.last_id.rsplit("-", 1)[1])

    for value in range(5):
        fleet.publisher.publish("utilization.observed", "us-east-1/i-0one", {"cpu_percent": 60 + value})
    wait_until(lambda: fleet.gateway.worker("i-0one")["cloudwatch_cpu_utilization"] == 64, "all were applied")
    stream.wait("heartbeat", "a heartbeat")
    stream.wait("heartbeat", "another heartbeat")

    assert [s.data["aws_instance_id"] for s in snapshots] == ["i-0two"]
    assert not any(e.type == "worker.metrics.updated" for e in stream.events)
    assert int(stream.last_id.rsplit("-", 1)[1]) > before, "an id-only frame moves the cursor"


def test_event_types_with_a_star_and_worker_ids(fleet):
    worker_id = fleet.gateway.worker("i-0one")["worker_id"]
    stream = fleet.gateway.stream(f"?event_types=worker.metrics.*&worker_ids={worker_id}&state=0")

    fleet.publisher.instance("eu-west-1", "i-0three")
    fleet.publisher.publish("utilization.observed", "us-east-1/i-0one", {"cpu_percent": 77})
    event = stream.wait(lambda e: e.type not in ("connected", "heartbeat"), "the only event")

    assert event.type == "worker.metrics.updated" and event.data["worker_id"] == worker_id


@pytest.mark.parametrize("query, named", [
    ("?colour=red", "colour"), ("?heartbeat=0", "heartbeat"), ("?heartbeat=soon", "heartbeat"),
    ("?topics=everything", "topics"), ("?event_types=worker.exploded", "event_types"),
    ("?worker_ids=not-a-uuid", "worker_ids"), ("?state=2", "state"), ("?heartbeat=%zz", "heartbeat"),
])
def test_bad_parameter_is_refused_by_name(fleet, query, named):
    status, headers, body = http(fleet.gateway.url + "/api/events/stream" + query)

    assert status == 400 and headers["Content-Type"] == "application/problem+json"
    problem = json.loads(body)
    assert named in problem["detail"] and problem["status"] == 400


def test_heartbeat_tells_time_and_position(fleet):
    stream = fleet.gateway.stream("?heartbeat=1")
    stream.state()
    beat = stream.wait("heartbeat", "a heartbeat")

    assert {"server_time", "last_event_id", "events_missed", "conflated", "lag_ms"} <= set(beat.data)
    assert beat.data["last_event_id"] == stream.last_id and beat.data["events_missed"] == 0


def test_heartbeats_come_as_often_as_they_were_asked_for(fleet):
    """By the gateway's own clock: one that is left out makes a gap of two intervals. What it waited for a processor
    meanwhile, as the kernel counts it, is the machine's; so is what a clock beside it stood still."""
    waited, hiccups = fleet.gateway.waited(), harness.Hiccups()
    fresh = fleet.gateway.stream("?heartbeat=1&client=fresh")
    fresh.state()
    position = fresh.last_id
    fleet.publisher.publish("utilization.observed", "us-east-1/i-0one", {"cpu_percent": 77.5})
    fresh.wait("worker.metrics.updated", "a change")
    resumed = fleet.gateway.stream("?heartbeat=1&client=resumed", {"Last-Event-ID": position})
    resumed.wait("worker.metrics.updated", "what it missed")
    every_other = fleet.gateway.stream("?heartbeat=2&state=0")
    rhythmic = fleet.gateway.stream("?heartbeat=1&max_hz=1")

    for stream, seconds, count in ((fresh, 1, 12), (resumed, 1, 12), (rhythmic, 1, 12), (every_other, 2, 6)):
        while sum(e.type == "heartbeat" for e in stream.events) < count:
            stream.wait("heartbeat", "a heartbeat")
        beats = [e.data for e in stream.events if e.type in ("connected", "heartbeat")]
        times = [datetime.datetime.fromisoformat(data["server_time"].replace("Z", "+00:00")) for data in beats]
        gaps = [(later - earlier).total_seconds() for earlier, later in zip(times, times[1:])]
        assert len(gaps) == count and max(gaps) < seconds + 0.75 + fleet.gateway.waited() - waited + hiccups.seconds(), gaps
    hiccups.stop()


def test_workers_list_filters_and_pages(fleet):
    assert [w["aws_instance_id"] for w in fleet.gateway.workers("&region=eu-west-1")] == ["i-0two"]
    assert [w["aws_instance_id"] for w in fleet.gateway.workers("&status=running")] == ["i-0one"]

    seen, cursor = [], ""
    while True:
        page = http_json(f"{fleet.gateway.url}/api/workers?limit=1{cursor}")
        seen += [w["aws_instance_id"] for w in page["workers"]]
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == ["i-0one", "i-0two"]


def test_rest_and_stream_give_the_same_snapshot(fleet):
    stream = fleet.gateway.stream()
    told = {s.data["worker_id"]: {k: v for k, v in s.data.items() if k != "_reason"} for s in stream.state()}
    listed = {w["worker_id"]: w for w in fleet.gateway.workers()}

    assert told == listed
    assert list(next(iter(told.values()))) == list(next(iter(listed.values()))), "in the same order"


def test_worker_detail_is_by_source_and_found_by_either_id(fleet):
    worker = fleet.gateway.worker("i-0one")
    by_instance = http_json(f"{fleet.gateway.url}/api/workers/i-0one")
    by_id = http_json(f"{fleet.gateway.url}/api/workers/{worker['worker_id']}")

    assert by_instance == by_id
    assert by_id["cloudwatch_metrics"]["cpu_utilization"] == 41.5
    assert by_id["cloudwatch_metrics"]["memory_utilization"] == 0, "zero is a value"
    assert by_id["cml_metrics"]["version"] is None and by_id["cml_metrics"]["freshness"] == "absent"
    assert set(by_id) >= {"id", "name", "region", "status", "service_status", "utilization", "ec2_metrics",
                          "cloudwatch_metrics", "cml_metrics", "activity", "license"}


def test_state_is_a_full_state_snapshot(fleet):
    state = http_json(fleet.gateway.url + "/api/state")

    assert set(state["workers"]) == {w["worker_id"] for w in fleet.gateway.workers()}
    assert state["last_event_id"]
    assert state["jobs"] == {"pending": [], "active": [], "completed": [], "failed": []}
    wait_until(lambda: http_json(fleet.gateway.url + "/api/state")["system_stats"]["total_workers"] == 2,
               "the numbers follow, at most once a second")


@pytest.mark.parametrize("path", ["/api/state", "/api/workers", "/api/events?limit=1000"])
def test_large_answers_are_compressed_for_who_takes_it(fleet, path):
    for number in range(300):
        fleet.publisher.instance("us-east-1", f"i-{number:04}", name=f"worker {number}", interval_seconds=3600)
    wait_until(lambda: len(fleet.gateway.workers()) >= 300, "they are known")

    def ask(encoding):
        status, headers, body = http(fleet.gateway.url + path, headers={"Accept-Encoding": encoding} if encoding else {})
        assert status == 200 and "Accept-Encoding" in headers.get_all("Vary")
        return headers.get("Content-Encoding"), body

    def same():
        (plain_as, plain), (packed_as, packed) = ask(None), ask("br, gzip;q=0.5")
        assert (plain_as, packed_as) == (None, "gzip") and len(packed) < len(plain) / 5
        return gzip.decompress(packed) == plain

    wait_until(same, "both say the same, when nothing happens between the two")
    assert ask("gzip;q=0")[0] is None
    assert "Content-Encoding" not in http(fleet.gateway.url + "/api/workers/i-0one/labs", headers={"Accept-Encoding": "gzip"})[1], "a small one is as it was"


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/api/workers/i-0nobody", 404), ("GET", "/api/nothing", 404), ("GET", "/../etc/passwd", 404),
    ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404), ("DELETE", "/api/workers", 405), ("POST", "/api/state", 405),
    ("GET", "/api/workers?limit=0", 400), ("GET", "/api/workers?limit=many", 400),
    ("GET", "/api/workers?status=happy", 400), ("GET", "/api/workers?colour=red", 400),
    ("GET", "/api/workers?cursor=%00", 400),
])
def test_error_is_problem_json(fleet, method, path, status):
    got, headers, body = http(fleet.gateway.url + path, method=method)

    assert got == status, body
    assert headers["Content-Type"] == "application/problem+json"
    assert json.loads(body)["status"] == status
    if status == 405:
        assert "GET" in headers["Allow"]


@pytest.mark.parametrize("path, methods", [
    ("/api/state", "GET, HEAD, OPTIONS"), ("/api/events/stream", "GET, HEAD, OPTIONS"), ("/", "GET, HEAD, OPTIONS"),
    ("/api/workers/i-0one", "GET, HEAD, PUT, POST, OPTIONS"), ("/api/clients/c1", "PATCH, OPTIONS")])
def test_options_and_405_name_what_is_answered(fleet, path, methods):
    status, headers, body = http(fleet.gateway.url + path, method="OPTIONS")
    refused, why, _ = http(fleet.gateway.url + path, method="DELETE")

    assert status == 204 and headers["Allow"] == methods and body == b""
    assert refused == 405 and why["Allow"] == methods


def test_head_of_the_stream_opens_none(fleet):
    status, headers, body = http(fleet.gateway.url + "/api/events/stream", method="HEAD")

    assert status == 200 and headers["Content-Type"] == "text/event-stream" and body == b""
    assert http_json(fleet.gateway.url + "/api/clients")["clients"] == []
    assert http(fleet.gateway.url + "/api/events/stream?colour=red", method="HEAD")[0] == 400


def test_pages_of_listed_origins_alone_may_read(start, bus):
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, "--cors-origins", "https://ops.example.com, http://127.0.0.1:9000")
    name, other = "Access-Control-Allow-Origin", {"Origin": "https://evil.example.com"}
    for origin in ("https://ops.example.com", "http://127.0.0.1:9000"):
        for path, status in (("/api/state", 200), ("/api/nothing", 404), ("/", 200), ("/api/workers?limit=0", 400)):
            got, headers, _ = http(gateway.url + path, headers={"Origin": origin})
            assert (got, headers[name], headers["Access-Control-Allow-Credentials"]) == (status, origin, "true"), path
            assert "Origin" in headers["Vary"]
            assert http(gateway.url + path, headers=other)[1][name] is None
        stream = gateway.stream(headers={"Origin": origin})
        assert stream.headers[name.lower()] == origin and stream.wait("connected", "it opens")
    assert name.lower() not in gateway.stream(headers=other).headers
    assert name.lower() not in gateway.stream().headers
    for near in ("https://ops.example.com.evil.com", "https://ops.example.co", "http://ops.example.com", "null"):
        assert http(gateway.url + "/api/state", headers={"Origin": near})[1][name] is None

    asks = {"Origin": "https://ops.example.com", "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "last-event-id"}
    status, headers, _ = http(gateway.url + "/api/events/stream", method="OPTIONS", headers=asks)
    assert status == 204 and headers[name] == "https://ops.example.com"
    assert "Last-Event-ID" in headers["Access-Control-Allow-Headers"] and "GET" in headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("origins", ["*", "ops.example.com", "https://ops.example.com/path", "ftp://x"])
def test_origin_that_is_none_is_refused_at_the_start(origins):
    result = subprocess.run([harness.BUILD / "cmlwatch-gateway", "--cors-origins", origins, "--check-config"],
                            capture_output=True, text=True, timeout=harness.PATIENCE)

    assert result.returncode == 2 and "is no origin" in result.stderr


def test_request_that_comes_byte_by_byte_is_given_up(start, bus):
    """Slow-loris: a byte now and then is no request; a stream is not meant."""
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, "--request-timeout-seconds", 2)
    stream = gateway.stream("?heartbeat=1")
    slow = [socket.create_connection(("127.0.0.1", gateway.port), timeout=harness.PATIENCE) for _ in range(2)]
    slow[1].sendall(b"PUT /api/workers/x/idle-detection HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
    closed = set()

    def trickle():
        for each in slow:
            try:
                each.sendall(b"G")
                each.settimeout(0.05)
                while data := each.recv(4096):
                    assert data
                closed.add(each)
            except TimeoutError:
                pass
            except OSError:
                closed.add(each)
        return len(closed) == len(slow)
    wait_until(trickle, "they are closed")

    assert metric(gateway.url, "cmlwatch_gateway_connections_refused_total", reason="slow") == 2
    for _ in range(3):
        stream.wait("heartbeat", "the stream goes on")
    assert metric(gateway.url, "cmlwatch_gateway_connections") >= 1
    for each in slow:
        each.close()


def test_address_with_too_many_connections_gets_no_more(start, bus):
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, "--connections-per-address", 5)
    streams = [gateway.stream() for _ in range(4)]
    for stream in streams:
        stream.wait("connected", "it opens")
    more = socket.create_connection(("127.0.0.1", gateway.port), timeout=harness.PATIENCE)
    over = socket.create_connection(("127.0.0.1", gateway.port), timeout=harness.PATIENCE)
    try:
        over.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        got = over.recv(100)
    except OSError:
        got = b""
    assert got == b"", "the sixth is closed"
    more.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    text = b"".join(iter(lambda: more.recv(65536), b""))

    assert re.search(rb'cmlwatch_gateway_connections_refused_total\{reason="address"\} 1\b', text)
    for each in (more, over):
        each.close()
    streams.pop().close()
    wait_until(lambda: http(gateway.url + "/healthz")[0] == 200, "there is room again")


def test_malformed_requests_do_no_harm(fleet):
    for noise in (b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n",
                  b"GET / HTTP/1.1\r\nX: " + b"y" * 100000 + b"\r\n\r\n", b"GET " + b"/a" * 50000 + b" HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", fleet.gateway.port), timeout=1) as raw:
            try:
                raw.sendall(noise)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(65536):
                    pass
            except OSError:
                pass  # reset, or kept open until the header's time is over: both are answers

    assert http(fleet.gateway.url + "/healthz")[0] == 200


def test_metrics_are_valid_by_an_independent_parser(fleet):
    from prometheus_client.parser import text_string_to_metric_families
    for url in (fleet.gateway.url, fleet.aggregator.url):
        _, headers, body = http(url + "/metrics")
        families = list(text_string_to_metric_families(body.decode()))
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert len(families) > 5 and all(f.documentation for f in families)
        assert all(s.name.startswith("cmlwatch_") for f in families for s in f.samples)


def test_gateway_is_not_ready_when_the_feed_is_silent(fleet):
    fleet.aggregator.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: http(fleet.gateway.url + "/readyz")[0] == 503, "red")
        assert http(fleet.gateway.url + "/healthz")[0] == 200
    finally:
        fleet.aggregator.process.send_signal(signal.SIGCONT)

    wait_until(lambda: http(fleet.gateway.url + "/readyz")[0] == 200, "green again")


def test_sigterm_says_shutdown_on_every_stream_and_ends_within_its_drain(fleet):
    streams = [fleet.gateway.stream() for _ in range(5)]
    for stream in streams:
        stream.state()

    fleet.gateway.process.send_signal(signal.SIGTERM)
    for stream in streams:
        farewell = stream.wait("system.sse.shutdown", "farewell")
        assert farewell.data["retry_ms"] > 0 and farewell.data["message"]
        assert stream.next() is None

    assert fleet.gateway.process.wait(harness.PATIENCE) == 0


def test_clients_that_go_away_are_noticed(fleet):
    streams = [fleet.gateway.stream() for _ in range(10)]
    for stream in streams:
        stream.state()
    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 10, "ten clients")

    for stream in streams:
        stream.close()

    wait_until(lambda: metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 0, "none")


def test_a_reader_that_stopped_delays_nobody_else(fleet):
    stopped = socket.create_connection(("127.0.0.1", fleet.gateway.port))
    stopped.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stopped.sendall(b"GET /api/events/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    live = fleet.gateway.stream()
    live.state()

    for value in range(1500):  # less than queue_max_bytes: the other has each, however late it reads
        fleet.publisher.publish("utilization.observed", "us-east-1/i-0one", {"cpu_percent": value % 100 + 0.5})
    fleet.publisher.publish("utilization.observed", "us-east-1/i-0one", {"cpu_percent": 99.875})

    #  Of a reader that the machine makes slow, metrics are left out where a snapshot says the same.
    live.wait(lambda e: e.type in ("worker.metrics.updated", "worker.snapshot") and e.data.get("cpu_utilization") == 99.875, "the last value")
    stopped.close()


def test_five_hundred_clients_all_get_every_event(fleet):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        streams = list(pool.map(lambda _: fleet.gateway.stream("?event_types=worker.metrics.updated&state=0"), range(500)))
        for value in range(10):
            fleet.publisher.publish("utilization.observed", "us-east-1/i-0one", {"cpu_percent": 50 + value})

        def read(stream):
            stream.wait(lambda e: e.type == "worker.metrics.updated" and e.data["cpu_utilization"] == 59, "the last")
            numbers = [e.sequence for e in stream.events if e.type == "worker.metrics.updated"]
            stream.close()
            return numbers
        seen = list(pool.map(read, streams))

    assert len(seen[0]) == 10 and all(numbers == seen[0] for numbers in seen)


def test_curl_reads_the_stream(fleet):
    text = harness.curl(fleet.gateway.url + "/api/events/stream", until="event: system.state.end\n")

    assert text.startswith("retry: ") and "event: worker.snapshot\n" in text


def test_page_is_served_with_a_strict_policy_and_an_etag(fleet):
    status, headers, body = http(fleet.gateway.url + "/")

    assert status == 200 and headers["Content-Type"].startswith("text/html") and b"<script type=\"module\"" in body
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert http(fleet.gateway.url + "/", headers={"If-None-Match": headers["ETag"]})[0] == 304
    for name in re.findall(rb'(?:src|href)="/?([\w.-]+\.(?:js|css))"', body):
        assert http(f"{fleet.gateway.url}/{name.decode()}")[0] == 200


def test_past_events_are_told_as_json_page_by_page(fleet):
    stream = fleet.gateway.stream()
    stream.state()
    start = stream.last_id
    for value in range(1, 8):
        fleet.publisher.publish("utilization.observed", "us-east-1/i-0one", {"cpu_percent": value})
    stream.wait(lambda e: e.data.get("cloudwatch_cpu_utilization") == 7, "the last value")
    told = [e.body for e in stream.events if e.type == "worker.metrics.updated"]

    after, got = start, []
    while True:
        page = harness.http_json(f"{fleet.gateway.url}/api/events?after={after}&event_types=worker.metrics.updated&limit=3")
        got += page["events"]
        assert len(page["events"]) <= 3
        after = page["next"]
        if not page["more"]:
            break

    assert got == told and len(got) == 7
    assert harness.http_json(f"{fleet.gateway.url}/api/events?after={after}&regions=eu-west-1")["events"] == []


@pytest.mark.parametrize("query,status,says", [
    ("after=nonsense", 400, "malformed"), ("after=deadbeef-1", 410, "another epoch"), ("limit=0", 400, "limit"),
    ("topics=everything", 400, "topics"), ("after=00000000-99999999", 410, "oldest id held"), ("x=1", 400, "x")])
def test_question_about_past_events_that_cannot_be_answered_says_why(fleet, query, status, says):
    got, headers, body = harness.http(f"{fleet.gateway.url}/api/events?{query}")

    assert got == status and headers["content-type"] == "application/problem+json"
    assert says in json.loads(body)["detail"]


def test_events_that_are_held_no_more_are_410(start, bus):
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, "--event-log-max", 16)
    publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/fleet")
    publisher.until_heard(gateway, "us-east-1", "i-0one")
    start_id = harness.http_json(f"{gateway.url}/api/state")["last_event_id"]
    for value in range(30):
        publisher.publish("utilization.observed", "us-east-1/i-0one", {"cpu_percent": value})
    wait_until(lambda: gateway.worker("i-0one")["cloudwatch_cpu_utilization"] == 29, "the last value")

    status, _, body = harness.http(f"{gateway.url}/api/events?after={start_id}")

    assert status == 410 and "too old" in json.loads(body)["detail"]


def test_gateway_with_too_many_connections_says_so_to_each_and_serves_again(start, bus):
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, "--connections-max", 16)
    held = []
    while len(held) < 16:
        held.append(gateway.stream("?heartbeat=1"))
        held[-1].wait("connected", "it is open")

    status, headers, body = http(gateway.url + "/api/state")
    assert status == 503 and headers["Retry-After"] and "connections" in json.loads(body)["detail"]
    late = gateway.stream()
    assert late.status == 200 and late.next() is None and late.retry == 3000
    assert http(gateway.url + "/healthz")[0] == 200
    wait_until(lambda: http(gateway.url + "/readyz")[0] == 200, "it is ready, but for an aggregator that stands still for a moment")
    held.pop().close()
    wait_until(lambda: http(gateway.url + "/api/state")[0] == 200, "there is room again")
    assert harness.metric(gateway.url, "cmlwatch_gateway_connections_refused_total", reason="full") >= 2

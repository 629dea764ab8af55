"""What goes to an OpenTelemetry collector, read by one that is strict (otlp.py).
SPDX-License-Identifier: MIT"""
import json
import os
import secrets
import subprocess
import threading
import time

import pytest
import zmq
from prometheus_client.parser import text_string_to_metric_families

import harness
import otlp
import outside
from harness import http, metric, wait_until

SOURCE = "/collector/cloudwatch/traced"
WORKER = "us-east-1/i-0one"


@pytest.fixture
def receiver():
    """receiver(answer) listens; at the end no request may have been wrong."""
    receivers = []

    def make(answer=None):
        receivers.append(otlp.Receiver(answer=answer))
        return receivers[-1]

    yield make
    for one in receivers:
        one.close()


def traceparent(sampled=True):
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-0{int(sampled)}"


class Fleet:
    """Aggregator and gateway with a worker, and a publisher from outside."""

    def __init__(self, start, bus, url, *arguments, **more):
        arguments = ("--otlp-endpoint", url, *arguments) if url else arguments
        self.aggregator = start(harness.Aggregator, bus, *arguments, **more)
        self.gateway = start(harness.Gateway, bus, *arguments)
        self.publisher = outside.Publisher(bus.ingest, SOURCE)
        self.publisher.until_heard(self.gateway, *WORKER.split("/"))

    def observe(self, value, **more):
        return self.publisher.publish("utilization.observed", WORKER, {"cpu_percent": value}, **more)

    def see(self, value):
        wait_until(lambda: self.gateway.worker("i-0one")["cloudwatch_cpu_utilization"] == value, f"{value} shows")


def dropped(program, **labels):
    return metric(program.url, "cmlwatch_otlp_dropped_total", **labels)


#  --- metrics

def exposed(url):
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in
            text_string_to_metric_families(http(f"{url}/metrics")[2].decode()) for s in family.samples}


def number(bound):
    return "+Inf" if bound is None else str(float(bound))


def as_exposed(metrics):
    """OTLP's metrics as the samples that Prometheus' format has for them."""
    samples = {}
    for name, one in metrics.items():
        kind = next(kind for kind in ("sum", "gauge", "histogram") if kind in one)
        for point in one[kind]["dataPoints"]:
            labels = otlp.attributes(point)
            if kind != "histogram":
                samples[name, tuple(sorted(labels.items()))] = float(point["asDouble"])
                continue
            seen = 0
            for bound, count in zip([*point["explicitBounds"], None], point["bucketCounts"]):
                seen += int(count)
                samples[f"{name}_bucket", tuple(sorted({**labels, "le": number(bound)}.items()))] = seen
            samples[f"{name}_count", tuple(sorted(labels.items()))] = int(point["count"])
            samples[f"{name}_sum", tuple(sorted(labels.items()))] = float(point["sum"])
    return samples


def comparable(samples):
    return {(name, tuple((k, number(v) if k == "le" and v != "+Inf" else v) for k, v in labels)): value
            for (name, labels), value in samples.items()}


@pytest.mark.parametrize("which", ["aggregator", "gateway"])
def test_metrics_are_those_of_the_exposition(start, bus, receiver, which):
    collector = receiver()
    fleet = Fleet(start, bus, collector.url, "--otlp-interval-seconds", 1)
    fleet.observe(41.5)
    fleet.publisher.instance("us-east-1", 'i-0two', name='a"} 1\nevil{x="\\n')
    fleet.see(41.5)
    stream = fleet.gateway.stream()
    stream.state()
    program = getattr(fleet, which)
    service = f"cmlwatch-{which}"

    before = comparable(exposed(program.url))
    count = len(collector.metrics(service))
    #  The next may have been gathered before we looked; the one behind it was not.
    told = wait_until(lambda: collector.metrics(service)[count + 1:], "the next export but one")[0]
    after = comparable(exposed(program.url))
    exported = comparable(as_exposed(told))

    assert set(before) <= set(exported) <= set(after)
    own = {"cmlwatch_gateway_connections"}  # whoever reads /metrics is one of these
    steady = [key for key in before if before[key] == after[key] and key[0] not in own]
    assert len(steady) > 20 and {key: exported[key] for key in steady} == {key: before[key] for key in steady}
    for key in set(before) - set(steady):
        if key[0].endswith(("_total", "_count", "_bucket")):
            assert before[key] <= exported[key] <= after[key], key
    kinds = {"counter": "sum", "gauge": "gauge", "histogram": "histogram"}
    types = {f.name + ("_total" if f.type == "counter" else ""): (kinds[f.type], f.documentation) for f in
             text_string_to_metric_families(http(f"{program.url}/metrics")[2].decode())}
    assert all(types[name][0] in one and one["description"] == types[name][1] for name, one in told.items())
    if which == "aggregator":
        names = {dict(labels).get("name") for name, labels in exported if name == "cmlwatch_worker_info"}
        assert names == {"i-0one", 'a"} 1\nevil{x="\\n'}
        assert told["cmlwatch_worker_cpu_utilization_ratio"]["unit"] == "1"


def test_each_process_is_an_instance_of_its_service(start, bus, receiver):
    collector = receiver()
    fleet = Fleet(start, bus, collector.url, "--otlp-interval-seconds", 1)
    start(harness.Gateway, bus, "--otlp-endpoint", collector.url + "/", "--otlp-interval-seconds", 1)

    def instances():
        return {tuple(otlp.attributes(r.parsed["resourceMetrics"][0]["resource"]).values())
                for r in collector.of("/v1/metrics")}
    found = wait_until(lambda: len(instances()) == 3 and instances(), "three instances")

    version = harness.http_json(f"{fleet.aggregator.url}/healthz")["version"]
    assert sorted(name for name, _, _ in found) == ["cmlwatch-aggregator", "cmlwatch-gateway", "cmlwatch-gateway"]
    assert {version for _, version, _ in found} == {version} and len({uuid for _, _, uuid in found}) == 3


#  --- traces

def way_up(spans, span):
    """The span and its parents, to the root."""
    by_id = {(s["traceId"], s["spanId"]): s for s in spans}
    way = [span]
    while (parent := way[-1].get("parentSpanId")):
        if (span["traceId"], parent) not in by_id:
            return None  # it is still on its way
        way.append(by_id[span["traceId"], parent])
    return way


def complete(collector, first, root):
    spans = collector.spans()
    ways = [way_up(spans, span) for span in spans if span["name"] == "write"]
    return [way for way in ways if way and way[-1]["service"] == root]


def test_one_trace_goes_from_the_api_to_the_clients(start, tmp_path, receiver):
    collector = receiver()
    stack = start(harness.Stack, everywhere=("--otlp-endpoint", collector.url),
                  collectors=("--otlp-traces-ratio", 1), instances=3)

    for kind in ("ec2", "cloudwatch", "cml"):
        way = wait_until(lambda: complete(collector, "write", f"cmlwatch-collector-{kind}"), f"a trace of {kind}")[0]
        assert [span["name"] for span in way] == ["write", "feed", "apply", "publish", "collect", "round"]
        assert [span["service"] for span in way] == ["cmlwatch-gateway", "cmlwatch-aggregator", "cmlwatch-aggregator"] \
            + 3 * [f"cmlwatch-collector-{kind}"]
        assert [span["kind"] for span in way] == [otlp.SPAN_KINDS[k] for k in
                                                  ("CONSUMER", "PRODUCER", "CONSUMER", "PRODUCER", "CLIENT", "INTERNAL")]
        assert len({span["traceId"] for span in way}) == 1 and len({span["spanId"] for span in way}) == 6
        assert [bool(span["flags"] & 0x200) for span in way] == [True, False, True, False, False, False], "remote parents"
        for child, parent in zip(way, way[1:]):
            assert int(child["startTimeUnixNano"]) >= int(parent["startTimeUnixNano"])
        request = way[4]["plain"]
        assert request["http.response.status_code"] == 200 and request["server.address"].startswith("127.")
        assert request["http.request.method"] in ("GET", "POST") and request["url.full"].startswith("http")
        assert way[2]["plain"]["cloudevents.event_type"] == way[3]["plain"]["cloudevents.event_type"]
    rounds = [s for s in collector.spans() if s["name"] == "round" and s["service"] == "cmlwatch-collector-cml"]
    of_round = [s for s in collector.spans() if s["traceId"] == rounds[0]["traceId"] and s["name"] == "collect"]
    assert len(of_round) > 1 and {s["parentSpanId"] for s in of_round} == {rounds[0]["spanId"]}
    assert metric(stack.gateway.url, "cmlwatch_otlp_dropped_total") == 0


def test_failed_request_is_a_failed_span_and_what_it_says_is_traced(start, bus, receiver):
    collector = receiver()
    sim = start(harness.Simulator, instances=1)
    start(harness.Aggregator, bus, "--otlp-endpoint", collector.url)
    sim.fault(api="DescribeInstances", kind="error500", for_ms=600000)
    start(harness.Collector, "ec2", bus, "--interval-ms", 500, "--otlp-endpoint", collector.url,
          "--otlp-traces-ratio", 1, environment=sim.environment())

    def failed():
        return [s for s in collector.spans() if s["name"] == "collect" and s.get("status", {}).get("code") == 2]
    span = wait_until(failed, "a failed request")[0]

    assert span["plain"]["http.response.status_code"] == 500 and span["plain"]["error.type"] == "500"
    assert wait_until(lambda: [s for s in collector.spans() if s["name"] == "round" and s["status"]["code"] == 2],
                      "its round failed")


def test_ratio_decides_where_the_trace_begins(start, bus, receiver):
    collector = receiver()
    sim = start(harness.Simulator, instances=1)
    start(harness.Aggregator, bus, "--otlp-endpoint", collector.url, "--otlp-interval-seconds", 1)
    for ratio in ("0", "0.000000001"):
        one = start(harness.Collector, "ec2", bus, "--interval-ms", 500, "--otlp-endpoint", collector.url,
                    "--otlp-traces-ratio", ratio, "--otlp-interval-seconds", 1, environment=sim.environment(),
                    collector_id=f"ratio{len(ratio)}")
        wait_until(lambda: metric(one.url, "cmlwatch_collector_rounds_total", outcome="ok") > 1, "rounds")
        one.stop()

    assert collector.of("/v1/metrics", "cmlwatch-collector-ec2")
    assert collector.spans() == []


class Feed:
    def __init__(self, bus, fleet):
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.connect(bus.feed)
        self.socket.subscribe(b"event|")
        self.fleet = fleet
        wait_until(lambda: self.socket.poll(100) or fleet.observe(1) is None and False, "the feed is heard")

    def traces_of(self, value, **more):
        """Observes it; the eleventh fields of the events that tell of it, up to the snapshot. None: no such field."""
        self.fleet.observe(value, **more)
        found = []
        while True:
            assert self.socket.poll(1000 * harness.PATIENCE), f"no event tells of {value}"
            header, body = self.socket.recv_multipart()
            header = header.decode().split("|")
            if json.loads(body)["data"].get("cloudwatch_cpu_utilization") == value:
                found.append((header[1], header[10] if len(header) == 11 else None))
                if header[1] == "worker.snapshot":
                    return found


@pytest.mark.parametrize("exporting", [True, False])
def test_events_carry_the_trace_of_the_observation_that_caused_them(start, bus, receiver, exporting):
    collector = receiver()
    fleet = Fleet(start, bus, collector.url if exporting else None)
    feed = Feed(bus, fleet)
    sampled, unsampled = traceparent(), traceparent(sampled=False)

    of_sampled = feed.traces_of(11, traceparent=sampled)
    of_unsampled = feed.traces_of(12, traceparent=unsampled)
    of_none = feed.traces_of(13)
    of_wrong = feed.traces_of(14, traceparent="00-not-a-trace-01")

    assert [kind for kind, _ in of_sampled] == ["worker.metrics.updated", "worker.snapshot"]
    assert {trace for _, trace in of_unsampled} == {unsampled}, "as it came: nobody records it"
    assert {trace for _, trace in of_none + of_wrong} == {None}
    if not exporting:
        assert {trace for _, trace in of_sampled} == {sampled}
        return
    spans = wait_until(lambda: len(s := collector.spans()) == 2 + len(of_sampled) and s, "its spans")
    apply, feed_span = ([s for s in spans if s["name"] == name] for name in ("apply", "feed"))
    version, trace, span, flags = sampled.split("-")
    assert len(apply) == len(feed_span) == 1
    assert {s["traceId"] for s in spans} == {trace} and apply[0]["parentSpanId"] == span
    assert {trace for _, trace in of_sampled} == {f"00-{trace}-{feed_span[0]['spanId']}-01"}
    assert feed_span[0]["plain"]["cmlwatch.events"] == len(of_sampled)
    writes = [s for s in spans if s["name"] == "write"]
    assert {s["parentSpanId"] for s in writes} == {feed_span[0]["spanId"]}, "one for each event, not for each client"
    assert {s["plain"]["cmlwatch.event.type"] for s in writes} == {"worker.metrics.updated", "worker.snapshot"}


def test_refused_observation_is_a_failed_apply_and_tells_nothing(start, bus, receiver):
    collector = receiver()
    fleet = Fleet(start, bus, collector.url)
    fleet.publisher.publish("utilization.observed", "us-east-1/i-0unknown", {"cpu_percent": 1}, traceparent=traceparent())

    spans = wait_until(collector.spans, "its span")

    assert [s["name"] for s in spans] == ["apply"] and spans[0]["status"]["code"] == 2
    assert "no instance.observed" in spans[0]["status"]["message"]


def test_event_of_the_store_is_kept_without_its_trace(start, bus, receiver, tmp_path):
    collector = receiver()
    fleet = Fleet(start, bus, collector.url, environment={"CMLWATCH_AGGREGATOR_STORE": str(tmp_path / "store")})
    fleet.observe(21, traceparent=traceparent())
    fleet.see(21)
    other = start(harness.Gateway, bus)

    past = harness.http_json(f"{other.url}/api/events?after={fleet.gateway.stream().next().data['epoch']}-0")["events"]
    assert any(e["type"] == "worker.metrics.updated" for e in past)
    fleet.aggregator.stop()
    dump = subprocess.run([harness.BUILD / "cmlwatch-aggregator", "--store", tmp_path / "store", "--dump"],
                          capture_output=True, text=True, check=True).stdout
    assert "worker.metrics.updated" in dump and "-01\"" not in dump


#  --- a collector that is not well

def test_away_costs_nothing_but_what_is_dropped(start, bus):
    fleet = Fleet(start, bus, f"http://127.0.0.1:{harness.free_port()}", "--otlp-queue-max", 8, "--otlp-interval-seconds", 1)
    for value in range(1, 41):
        fleet.observe(value, traceparent=traceparent())
    fleet.see(40)

    for program in (fleet.aggregator, fleet.gateway):
        wait_until(lambda: dropped(program, signal="traces", reason="queue_full") > 0, f"{program.name}: no room")
        wait_until(lambda: dropped(program, signal="metrics", reason="superseded") > 0, f"{program.name}: newer values")
        assert metric(program.url, "cmlwatch_otlp_queued_spans") <= 8
        assert program.log.count("does not take what is sent") <= 2, "said once, not at each attempt"
    wait_until(lambda: dropped(fleet.aggregator, signal="traces", reason="gave_up") > 0, "given up after all attempts")
    fleet.observe(50)
    fleet.see(50)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_retryable_answer_is_tried_again_with_the_same_bytes(start, bus, receiver, status):
    def answer(path, number):
        if path == "/v1/traces" and number <= 2:
            return status, {"Retry-After": "1"} if number == 1 else {}, b""
        return 200, {}, b"{}"
    collector = receiver(answer)
    fleet = Fleet(start, bus, collector.url)
    fleet.gateway.stop()
    fleet.observe(31, traceparent=traceparent())

    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_otlp_sent_total", signal="traces") == 2, "taken in the end")

    tried = collector.of("/v1/traces")
    assert len(tried) == 3 and len({r.body for r in tried}) == 1
    assert tried[1].at - tried[0].at >= 1, "not before Retry-After is over"
    assert dropped(fleet.aggregator) == 0


def test_final_answer_is_not_tried_again(start, bus, receiver):
    collector = receiver(lambda path, number: (400, {}, b'{"code":3,"message":"no"}') if number == 1 else (200, {}, b""))
    fleet = Fleet(start, bus, collector.url)
    fleet.gateway.stop()
    fleet.observe(1, traceparent=traceparent())
    wait_until(lambda: dropped(fleet.aggregator, signal="traces", reason="refused") == 2, "two spans are gone")
    fleet.observe(2, traceparent=traceparent())
    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_otlp_sent_total", signal="traces") == 2, "the next are taken")

    bodies = [r.body for r in collector.of("/v1/traces", "cmlwatch-aggregator")]
    assert len(bodies) == len(set(bodies)) == 2


def test_partial_success_is_counted_and_not_tried_again(start, bus, receiver):
    answer = b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"one is too old"}}'
    collector = receiver(lambda path, number: (200, {}, answer if path == "/v1/traces" else b"{}"))
    fleet = Fleet(start, bus, collector.url)
    fleet.observe(1, traceparent=traceparent())

    wait_until(lambda: dropped(fleet.aggregator, signal="traces", reason="rejected") == 1, "one was rejected")

    assert metric(fleet.aggregator.url, "cmlwatch_otlp_sent_total", signal="traces") == 1
    assert "one is too old" in fleet.aggregator.log


def test_silent_collector_holds_up_nothing(start, bus, receiver):
    collector = receiver(lambda path, number: None)
    fleet = Fleet(start, bus, collector.url, "--otlp-timeout-seconds", 1, "--otlp-queue-max", 4, "--otlp-interval-seconds", 1)
    stream = fleet.gateway.stream()
    stream.state()
    wait_until(lambda: collector.of("/v1/metrics", "cmlwatch-gateway"), "a request is under way")
    for value in range(1, 31):
        fleet.observe(value, traceparent=traceparent())

    stream.wait(lambda e: e.type == "worker.metrics.updated" and e.data["cloudwatch_cpu_utilization"] == 30, "the last one")

    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_otlp_requests_total", outcome="timeout") > 0, "given up")
    wait_until(lambda: dropped(fleet.gateway, signal="traces", reason="queue_full") > 0, "what has no room is dropped")


def test_answer_slower_than_the_interval_is_waited_for(start, bus, receiver):
    go_on = threading.Event()

    def answer(path, number):
        go_on.wait(harness.PATIENCE)
        return 200, {}, b"{}"
    collector = receiver(answer)
    aggregator = start(harness.Aggregator, bus, "--otlp-endpoint", collector.url, "--otlp-interval-seconds", 1)
    first = wait_until(lambda: collector.of("/v1/metrics"), "a request")[0]
    wait_until(lambda: time.monotonic() - first.at > 2.5, "two intervals more")

    assert len(collector.of("/v1/metrics")) == 1, "one at a time"
    go_on.set()
    wait_until(lambda: metric(aggregator.url, "cmlwatch_otlp_sent_total", signal="metrics") > 0, "it was taken")
    wait_until(lambda: len(collector.of("/v1/metrics")) > 1, "and the next are sent")
    assert dropped(aggregator) == 0


#  --- the ends

def test_last_values_and_spans_leave_before_the_end(start, bus, receiver):
    collector = receiver()
    fleet = Fleet(start, bus, collector.url, "--otlp-interval-seconds", 86400)
    fleet.observe(5, traceparent=traceparent())
    fleet.see(5)

    assert fleet.aggregator.stop() == 0 and fleet.gateway.stop() == 0

    for service in ("cmlwatch-aggregator", "cmlwatch-gateway"):
        assert len(collector.metrics(service)) == 1
    assert {s["name"] for s in collector.spans()} == {"apply", "feed", "write"}


def connections(program):
    """Remote ports of the process's TCP connections, as the kernel lists them."""
    folder = f"/proc/{program.process.pid}"
    sockets = {os.readlink(f"{folder}/fd/{fd}") for fd in os.listdir(f"{folder}/fd")}
    rows = [line.split() for line in open(f"{folder}/net/tcp").read().splitlines()[1:]]
    return {int(row[2].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in sockets} - {0}


@pytest.mark.skipif(harness.VALGRIND, reason="valgrind's own descriptors")
def test_off_there_is_no_connection_and_no_metric_of_it(start, bus, sim):
    fleet = Fleet(start, bus, None)
    one = start(harness.Collector, "ec2", bus, "--interval-ms", 500, "--otlp-traces-ratio", 1,
                environment=sim.environment())
    wait_until(lambda: metric(one.url, "cmlwatch_collector_rounds_total", outcome="ok") > 1, "rounds")
    fleet.observe(7, traceparent=traceparent())
    fleet.see(7)

    ports = {int(endpoint.rsplit(":", 1)[1]) for endpoint in (bus.ingest, bus.control, bus.feed)}
    #  The connection that we have asked by is closed a moment after its answer.
    wait_until(lambda: connections(one) <= ports | {sim.port} and connections(fleet.gateway) <= ports, "there is no other connection")
    for program in (one, fleet.aggregator, fleet.gateway):
        assert b"cmlwatch_otlp" not in http(f"{program.url}/metrics")[2]


#  --- settings

def test_headers_come_from_a_file_and_are_shown_nowhere(start, bus, receiver, tmp_path):
    collector = receiver()
    secret = tmp_path / "headers"
    secret.write_text("Authorization=Bearer%20s3cret , x-scope-orgid=7\n")
    environment = {"CMLWATCH_AGGREGATOR_OTLP_HEADERS_FILE": str(secret)}
    fleet = Fleet(start, bus, collector.url, "--otlp-interval-seconds", 1, environment=environment)

    request = wait_until(lambda: collector.of("/v1/metrics", "cmlwatch-aggregator"), "a request")[0]

    assert request.headers["Authorization"] == "Bearer s3cret" and request.headers["X-Scope-OrgID"] == "7"
    assert "Expect" not in request.headers
    shown = subprocess.run([harness.BUILD / "cmlwatch-aggregator", "--check-config"], capture_output=True, text=True,
                           env={**os.environ, **environment}, check=True).stdout
    assert "otlp_headers = ***" in shown and "s3cret" not in shown + fleet.aggregator.log


@pytest.mark.parametrize("program, arguments, why", [
    ("aggregator", ("--otlp-endpoint", "collector:4318"), "otlp_endpoint is no URL like http://127.0.0.1:4318"),
    ("gateway", ("--otlp-endpoint", "http://me:s3cret@127.0.0.1:4318"), "otlp_endpoint is no URL like"),
    ("gateway", ("--otlp-endpoint", "http://127.0.0.1:4318/?key=s3cret"), "it ends with its path"),
    ("gateway", ("--otlp-headers", "s3cret"), "otlp_headers: number 1 is not name=value"),
    ("gateway", ("--otlp-headers", "a=b,c=%0d%0aX: s3cret"), "otlp_headers: number 2 is not name=value"),
    ("collector-ec2", ("--otlp-traces-ratio", "1.5"), "is no number from 0 to 1"),
    ("collector-ec2", ("--otlp-traces-ratio", "nan"), "is no number from 0 to 1"),
    ("collector-cml", ("--otlp-traces-ratio", ""), "is no number from 0 to 1"),
])
def test_wrong_setting_is_refused_with_a_sentence(program, arguments, why):
    ended = subprocess.run([harness.BUILD / f"cmlwatch-{program}", *arguments, "--check-config"], capture_output=True,
                           text=True, env={"PATH": os.environ["PATH"]})

    assert ended.returncode == 2 and why in ended.stderr and "s3cret" not in ended.stderr

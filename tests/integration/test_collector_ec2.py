"""cmlwatch-collector-ec2 against the simulator; the test is its aggregator.
SPDX-License-Identifier: MIT"""
import collections
import http.server
import re
import threading
import time

import pytest

import harness
from harness import metric, wait_until
from listener import Listener


@pytest.fixture
def listener(bus):
    own = Listener(bus)
    yield own
    own.close()


def collector(start, bus, sim, *arguments, **changes):
    return start(harness.Collector, "ec2", bus, "--interval-ms", 300, *arguments,
                 environment={**sim.environment(), **changes}, collector_id="ec2-test")


def test_each_instance_is_observed_as_a_cloudevent(start, bus, sim, listener):
    collector(start, bus, sim)
    known = {i["instance_id"]: i for i in sim.instances()}

    seen = listener.collect("instance.observed", lambda events: {e["data"]["instance_id"] for e in events} == set(known))

    event = next(e for e in seen if known[e["data"]["instance_id"]]["state"] == "running")
    data = event["data"]
    assert event["source"] == "/collector/ec2/ec2-test" and event["specversion"] == "1.0"
    assert event["subject"] == f"us-east-1/{data['instance_id']}" and event["time"].endswith("Z")
    assert data["state"] == "running" and data["public_ip"] == known[data["instance_id"]]["public_ip"]
    assert data["system_status"] == "ok" and data["instance_status"] == "ok"
    assert data["image_name"] and data["tags"]["Name"] == data["name"]


def test_ids_count_from_one_and_topics_name_type_region_and_worker(start, bus, sim, listener):
    collector(start, bus, sim)
    listener.collect("instance.observed", lambda events: len(events) >= 12)

    epochs = {e["id"].split("-")[0] for e in listener.events}
    numbers = [int(e["sequence"]) for e in listener.events]
    assert len(epochs) == 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for topic, event in zip(listener.topics, listener.events):
        region, _, key = event["subject"].partition("/")
        assert topic == f"{event['type']}|{region}|{key}"


def test_heartbeat_tells_the_last_sequence(start, bus, sim, listener):
    collector(start, bus, sim)
    beat = listener.collect("collector.heartbeat", lambda events: events)[-1]

    assert beat["data"]["last_sequence"] == int(beat["sequence"]) - 1


def test_two_thousand_instances_come_in_pages(start, bus, listener, tmp_path):
    sim = start(harness.Simulator, instances=2000)
    collector(start, bus, sim)

    seen = listener.collect("instance.observed", lambda events: len({e["subject"] for e in events}) == 2000)

    calls = sim.control("calls")
    assert len({e["subject"] for e in seen}) == 2000
    assert "DescribeInstances" in str(calls)


def test_tag_filter_is_the_apis_own(start, bus, sim, listener):
    name = sim.instances()[0]["name"]
    collector(start, bus, sim, "--tag-filter", f"Name={name}")

    listener.collect("instance.observed", lambda events: len(events) >= 2)
    listener.collect("collector.heartbeat", lambda events: len(events) >= 2)

    told = {e["data"]["name"] for e in listener.events if e["type"] == "instance.observed"}
    assert told == {name}


def test_instance_no_longer_listed_is_gone(start, bus, sim, listener):
    collector(start, bus, sim)
    victim = sim.instances()[0]["instance_id"]
    listener.collect("instance.observed", lambda events: any(e["data"]["instance_id"] == victim for e in events))

    sim.control(f"instances/{victim}", {"state": "vanished"})

    gone = listener.collect("instance.gone", lambda events: events)[0]
    assert gone["data"]["instance_id"] == victim


@pytest.mark.parametrize("kind, said", [
    ("throttle", "RequestLimitExceeded"), ("error500", "500"), ("cut", "DescribeInstances"),
    ("huge", "DescribeInstances"), ("html", "DescribeInstances"),
])
def test_bad_answer_is_reported_counted_and_outlived(start, bus, sim, listener, kind, said):
    program = collector(start, bus, sim)
    listener.collect("instance.observed", lambda events: events)

    sim.fault(api="DescribeInstances", kind=kind, count=6)
    error = listener.collect("collector.error", lambda events: events)[0]
    listener.clear()
    listener.collect("instance.observed", lambda events: events)

    text = f"{error['data']['error_code']} {error['data']['error_message']} {error['data'].get('api')}"
    assert said in text, text
    assert program.alive()
    assert not any(e["type"] == "instance.gone" for e in listener.all), "a failed listing claims nothing"
    assert metric(program.url, "cmlwatch_aws_calls_total", api="DescribeInstances") > 0


def test_refused_signature_names_code_region_and_remedy(start, bus, sim, listener):
    program = collector(start, bus, sim, AWS_SECRET_ACCESS_KEY="wrong")

    error = listener.collect("collector.error", lambda events: events)[0]

    assert error["data"]["error_code"] in ("AuthFailure", "SignatureDoesNotMatch")
    assert "us-east-1" in program.log and program.alive()


def test_a_clock_that_is_wrong_is_told_from_wrong_keys(start, bus, sim, listener):
    sim.fault(api="*", kind="skew", delay_ms=3600000)
    collector(start, bus, sim)

    message = listener.collect("collector.error", lambda events: events)[0]["data"]["error_message"]

    assert re.search(r"this machine's clock is 3\d{3} s behind AWS's", message), message


class Gatekeeper(http.server.BaseHTTPRequestHandler):
    """A proxy on the way to AWS that answers itself."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        page = b"<html><body>Bad gateway</body></html>"
        self.send_response(502)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


def test_an_error_that_is_not_of_aws_names_its_status_and_kind(start, bus, sim, listener):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", harness.free_port()), Gatekeeper)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    collector(start, bus, sim, AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.server_address[1]}")

    error = listener.collect("collector.error", lambda events: events)[0]["data"]

    assert error["error_code"] == "HTTP502"
    assert "no AWS error but 37 bytes of 'text/html'" in error["error_message"], error
    server.shutdown()
    server.server_close()


def test_failed_status_checks_leave_instances_observed_without_them(start, bus, sim, listener):
    sim.fault(api="DescribeInstanceStatus", kind="error500", for_ms=600000)
    collector(start, bus, sim)

    event = listener.collect("instance.observed", lambda events: events)[0]

    assert event["data"]["error_code"] and "system_status" not in event["data"]


def test_no_aggregator_is_no_reason_to_stop(start, bus, sim):
    program = collector(start, bus, sim)

    wait_until(lambda: metric(program.url, "cmlwatch_aws_calls_total", api="DescribeInstances") >= 2, "it reads on")

    assert program.alive()


def test_what_was_not_heard_is_sent_again_as_it_was(start, bus, sim, listener):
    collector(start, bus, sim)
    first = listener.collect("instance.observed", lambda events: len(events) >= 5)[:5]
    listener.clear()

    listener.once = {"resend": [{"from": int(first[1]["sequence"]), "to": int(first[3]["sequence"])}]}
    again = listener.collect("instance.observed", lambda events: first[3] in events)

    assert first[1] in again and first[0] not in again and first[4] not in again


def test_collector_that_is_to_begin_anew_says_so(start, bus, sim, listener):
    program = collector(start, bus, sim)
    listener.collect("instance.observed", lambda events: len(events) >= 5)

    listener.once = {"fresh": True}
    wait_until(lambda: listener.turn() or "all is told again" in program.log, "it has understood")


def rate(program):
    return metric(program.url, "cmlwatch_aws_rate_per_second", service="ec2")


def test_throttled_account_is_asked_more_slowly_and_then_as_before(start, bus, sim, listener):
    program = collector(start, bus, sim, "--calls-per-second", 20)
    wait_until(lambda: rate(program) == 20, "its full rate")
    sim.fault(api="DescribeInstances", kind="throttle", for_ms=600000)

    wait_until(lambda: 0 < rate(program) <= 5, "it slows down")
    sim.control("reset", {})
    wait_until(lambda: rate(program) == 20, "and comes back, call by call")


def test_endpoint_that_does_not_answer_is_left_alone_for_a_while(start, bus, sim, listener):
    program = collector(start, bus, sim, "--interval-ms", 200)
    listener.collect("instance.observed", lambda events: len(events) >= 6)
    sim.kill()
    wait_until(lambda: metric(program.url, "cmlwatch_aws_circuit_open", service="ec2") == 1, "the circuit opens")
    listener.collect("collector.error", lambda events: any(e["data"]["error_code"] == "circuit_open" for e in events))
    sim.start()
    wait_until(sim.answers, "it is there again")

    wait_until(lambda: metric(program.url, "cmlwatch_aws_circuit_open", service="ec2") == 0, "one call goes to see")
    before = len(listener.events)
    listener.collect("instance.observed", lambda events: len(listener.events) > before + 6)


class Throttler:
    """An EC2 that answers everybody that too much is asked, and remembers when they came."""

    def __init__(self):
        self.times = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                owner.times.append(time.monotonic())
                self.rfile.read(int(self.headers["Content-Length"]))
                body = (b"<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded."
                        b"</Message></Error></Errors><RequestID>1</RequestID></Response>")
                self.send_response(503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_throttle_storm_is_not_answered_gathered(start, bus, listener):
    storm = Throttler()
    regions = "us-east-1,us-west-2,eu-west-1,eu-central-1,ap-southeast-2"
    environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{storm.server.server_port}", "AWS_ACCESS_KEY_ID": harness.ACCESS_KEY_ID,
                   "AWS_SECRET_ACCESS_KEY": harness.SECRET_ACCESS_KEY}
    programs = [start(harness.Collector, "ec2", bus, "--interval-ms", 1000, "--regions", regions, environment=environment,
                      collector_id=f"storm{n}") for n in range(4)]
    begin, hiccups = wait_until(lambda: storm.times and storm.times[0], "the first call"), harness.Hiccups()
    listener.collect("collector.heartbeat", lambda events: time.monotonic() > begin + 12 + hiccups.seconds())
    storm.server.shutdown()
    storm.server.server_close()
    hiccups.stop()

    #  What has gathered while the machine stood still comes at once, whoever they are.
    gathered = lambda t: any(since <= t < to + 0.2 for since, to in hiccups.found)
    late = [t - begin for t in storm.times if t > begin + 2 and not gathered(t)]
    buckets = collections.Counter(int(t * 10) for t in late)
    assert len(late) > 40, "they go on, each at its slower pace"
    assert max(buckets.values()) <= max(6, len(late) * 0.1), buckets
    #  20 lanes at half a call a second, once they have slowed down.
    assert len([t for t in late if t > 6]) < 20 * 6 * 1.5 + 10 * hiccups.seconds(), "and slow down"
    assert all(program.alive() for program in programs)

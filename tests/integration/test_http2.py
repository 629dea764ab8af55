"""AWS over TLS: HTTP/2 where the server offers it, HTTP/1.1 where not; nginx before the simulator says which was spoken and
over how many connections. SPDX-License-Identifier: MIT"""
import pytest

import harness
from certificate import Pair
from harness import metric, wait_until
from listener import Listener
from nginx import Nginx
from proxy import Proxy
from test_collector_push import OLD_IMAGE

REGIONS = "us-east-1,us-west-2,eu-west-1,eu-central-1"
CONNECTIONS_PER_HOST = 8  # of collector/core


@pytest.fixture
def listener(bus):
    own = Listener(bus)
    yield own
    own.close()


class Front:
    """The simulator behind nginx, and what makes a collector ask there."""

    def __init__(self, start, tmp_path, **more):
        self.sim = start(harness.Simulator, "--regions", REGIONS, instances=8)
        self.pair = Pair(tmp_path, 7)
        self.nginx = start(Nginx, self.pair, self.sim.aws_url, **more)

    def environment(self, port=None):
        return {**self.sim.environment(), "AWS_ENDPOINT_URL": f"https://localhost:{port or self.nginx.port}",
                "AWS_CA_BUNDLE": str(self.pair.certificate)}

    def collector(self, start, bus, *arguments, port=None):
        return start(harness.Collector, "ec2", bus, "--regions", REGIONS, "--interval-ms", 200, *arguments,
                     environment=self.environment(port), collector_id="http2-test")


def answers(program, **version):
    return metric(program.url, "cmlwatch_http_answers_total", **version)


def connections(nginx):
    return {seen.connection for seen in nginx.seen()}


def test_http_2_is_spoken_where_it_is_offered_and_one_connection_carries_all(start, bus, listener, tmp_path):
    front = Front(start, tmp_path)
    program = front.collector(start, bus, "--calls-per-second", 1000)

    wait_until(lambda: listener.turn() or len(front.nginx.seen()) >= 60, "sixty calls")

    assert {seen.version for seen in front.nginx.seen()} == {"HTTP/2.0"} and {seen.status for seen in front.nginx.seen()} == {200}
    assert len(connections(front.nginx)) == 1, "four regions that begin at once wait for one handshake"
    wait_until(lambda: listener.turn() or answers(program, version="2") >= 60, "what nginx has answered arrives")
    assert answers(program, version="1.1") == 0
    assert metric(program.url, "cmlwatch_http_connections_total") == 1


def test_http_1_is_spoken_where_nothing_else_is_offered_and_connections_are_used_again(start, bus, listener, tmp_path):
    front = Front(start, tmp_path, http2=False)
    program = front.collector(start, bus, "--calls-per-second", 1000)

    wait_until(lambda: listener.turn() or len(front.nginx.seen()) >= 60, "sixty calls")

    assert {seen.version for seen in front.nginx.seen()} == {"HTTP/1.1"} and {seen.status for seen in front.nginx.seen()} == {200}
    assert 1 <= len(connections(front.nginx)) <= CONNECTIONS_PER_HOST
    assert answers(program, version="2") == 0
    # Each counts a connection when a call on it ends, one a moment before the other.
    wait_until(lambda: listener.turn() or metric(program.url, "cmlwatch_http_connections_total") == len(connections(front.nginx)), "both count alike")


def test_server_that_ends_connections_after_so_many_requests_costs_no_round(start, bus, listener, tmp_path):
    front = Front(start, tmp_path, keepalive_requests=5)
    program = front.collector(start, bus, "--calls-per-second", 1000)

    wait_until(lambda: listener.turn() or len(front.nginx.seen()) >= 100, "a hundred calls")

    assert len(connections(front.nginx)) >= 10 and {seen.version for seen in front.nginx.seen()} == {"HTTP/2.0"}
    assert not [e for e in listener.all if e["type"] == "collector.error"]
    assert metric(program.url, "cmlwatch_http_requests_total", outcome="broken") == 0


def test_connection_on_which_nothing_comes_any_more_is_given_up_with_its_call(start, bus, listener, tmp_path):
    front = Front(start, tmp_path)
    link = Proxy(f"tcp://127.0.0.1:{front.nginx.port}")
    program = front.collector(start, bus, port=link.port)
    wait_until(lambda: listener.turn() or answers(program, version="2") >= 8, "calls are answered")

    link.half_open()
    link.mend()
    wait_until(lambda: listener.turn() or metric(program.url, "cmlwatch_http_requests_total", outcome="timeout") >= 1, "a call times out")
    before = answers(program)

    wait_until(lambda: listener.turn() or answers(program) >= before + 8, "calls are answered again")
    link.close()


def test_certificate_that_nobody_vouches_for_is_refused_over_http_2_too(start, bus, listener, tmp_path):
    front = Front(start, tmp_path)
    environment = front.environment()
    del environment["AWS_CA_BUNDLE"]

    program = start(harness.Collector, "ec2", bus, "--interval-ms", 200, environment=environment, collector_id="http2-test")

    wait_until(lambda: listener.turn() or metric(program.url, "cmlwatch_http_requests_total", outcome="tls") >= 1, "it is refused")
    assert not front.nginx.seen()


def test_cml_is_asked_and_listened_to_by_http_1_whatever_is_offered(start, bus, tmp_path):
    sim = start(harness.Simulator, "--push-stats-ms", 200, instances=8)
    pair = Pair(tmp_path, 7)
    server = next(i for i in sim.instances() if i["state"] == "running" and i["image_id"] != OLD_IMAGE)
    nginx = start(Nginx, pair, f"https://{server['public_ip']}:{sim.cml_port}")
    (tmp_path / "servers").write_text(f"desk localhost:{nginx.port}\n")
    start(harness.Aggregator, bus)
    program = start(harness.Collector, "cml", bus, "--interval-ms", 300, "--username", "cmlwatch", "--ca-file", pair.certificate,
                    "--servers-file", tmp_path / "servers", environment={"CMLWATCH_COLLECTOR_CML_PASSWORD": "cmlwatch-demo"})

    wait_until(lambda: metric(program.url, "cmlwatch_cml_push_messages_total") >= 3, "it pushes, through a server that offers HTTP/2")

    assert {seen.version for seen in nginx.seen()} == {"HTTP/1.1"}
    assert answers(program, version="2") == 0

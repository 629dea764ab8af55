"""cmlwatch doctor: each fault between here and a gateway is made, and must be named with its cure.
SPDX-License-Identifier: MIT"""
import hashlib
import http.server
import json
import socket
import subprocess
import threading
import time

import pytest

import clock
import cmlwatch
import harness
from harness import http_json, wait_until
from middle import Middle
from test_tls import Pair


@pytest.fixture
def gateway(start, bus):
    aggregator = start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus)
    gateway.aggregator = aggregator
    return gateway


def examine(url, *arguments, **more):
    """(code, checks by name) of a short look; but for the version, for the two may be of different builds."""
    result = cmlwatch.run("doctor", "--json", "--watch-seconds", 3, *arguments, url, **more)
    assert not result.stderr, result.stderr
    report = json.loads(result.stdout)
    verdicts = ["ok", "warn", "fail"]
    assert report["verdict"] == verdicts[result.returncode]
    assert result.returncode == max(verdicts.index(check["verdict"]) for check in report["checks"])
    checks = {check["check"]: check for check in report["checks"]}
    others = [verdicts.index(check["verdict"]) for name, check in checks.items() if name != "version"]
    return max(others), checks


HANGS_ON_TIME = {"readyz", "first-byte", "buffering", "heartbeats", "latency", "clock"}


def examine_well(url, *arguments, **more):
    """The checks of one that finds nothing; a machine that stands still for a moment is not the gateway's fault."""
    looks = []
    try:
        wait_until(lambda: looks.append(examine(url, *arguments, **more)) or looks[-1][0] == 0, "all is well")
    except AssertionError as error:
        raise AssertionError(f"{error}: {looks[-1:]}") from None
    for _, checks in looks:
        assert {name for name, check in checks.items() if check["verdict"] == "fail"} <= HANGS_ON_TIME, "the others are right in every look"
    return looks[-1][1]


def assert_fault(checks, name, verdict, *words):
    assert checks[name]["verdict"] == verdict, checks
    for word in words:
        assert word in checks[name]["detail"] + " " + checks[name]["cure"], checks[name]


def test_all_is_well_with_a_gateway_that_is(gateway):
    checks = examine_well(gateway.url)

    assert {"connect", "healthz", "version", "readyz", "auth", "content-type", "cache-control", "x-accel", "first-byte", "buffering",
            "heartbeats", "latency", "clock"} <= set(checks)
    text = ""

    def are_well():
        nonlocal text
        text = cmlwatch.run("doctor", "--watch-seconds", 2, gateway.url).stdout
        return all(line.startswith("ok ") for line in text.splitlines() if "version" not in line)
    wait_until(are_well, "each line says so")
    assert text and "\x1b" not in text
    own, gateways = cmlwatch.run("--version").stdout.split()[1], http_json(f"{gateway.url}/healthz")["version"]
    assert checks["version"]["verdict"] == ("ok" if own == gateways else "warn") and own in checks["version"]["detail"]


def test_name_and_port_that_are_not_there():
    code, checks = examine("http://nowhere.invalid:8080")
    assert code == 2
    assert_fault(checks, "name", "fail", "nowhere.invalid", "DNS")

    code, checks = examine(f"http://127.0.0.1:{harness.free_port()}")
    assert code == 2
    assert_fault(checks, "connect", "fail", "cmlwatch-gateway running")


def test_port_that_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        code, checks = examine(f"http://127.0.0.1:{listener.getsockname()[1]}", "--timeout-ms", 300)

    assert code == 2
    assert_fault(checks, "http", "fail", "HTTP")


def test_tls_that_is_not_spoken_or_not_trusted(gateway, start, bus, tmp_path):
    pair = Pair(tmp_path, 9)
    secure = start(harness.Gateway, bus, *pair.arguments(), tls=True, log_name="secure")

    code, checks = examine(f"https://127.0.0.1:{gateway.port}")
    assert code == 2
    assert_fault(checks, "tls", "fail", "http://")
    code, checks = examine(f"https://localhost:{secure.port}")
    assert code == 2
    assert_fault(checks, "tls", "fail", "--cacert")
    code, checks = examine(f"http://localhost:{secure.port}")
    assert code == 2
    assert_fault(checks, "http", "fail", "https://")
    checks = examine_well(f"https://localhost:{secure.port}", "--cacert", pair.certificate)
    assert checks["tls"]["verdict"] == "ok"


class Page(http.server.BaseHTTPRequestHandler):
    """Something else that speaks HTTP: a page for every path."""

    def do_GET(self):
        body = b"<h1>Welcome</h1>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def test_something_else_that_answers():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code, checks = examine(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()

    assert code == 2
    assert_fault(checks, "healthz", "fail", "no gateway")
    assert_fault(checks, "content-type", "fail", "text/html", "text/event-stream")


def test_gateway_without_its_aggregator(gateway):
    gateway.aggregator.kill()
    wait_until(lambda: gateway.ask("/readyz")[0] == 503, "it notices")
    code, checks = examine(gateway.url)

    assert code == 2
    assert_fault(checks, "readyz", "fail", "503", "aggregator")


def test_login_that_is_missing_or_wrong(start, bus, tmp_path):
    (tmp_path / "tokens").write_text("me viewer sha256:" + hashlib.sha256(b"right").hexdigest() + "\n")
    start(harness.Aggregator, bus)
    closed = start(harness.Gateway, bus, "--auth", "token", "--tokens-file", tmp_path / "tokens")

    code, checks = examine(closed.url)
    assert code == 2
    assert_fault(checks, "auth", "fail", "401", "--token-file")
    code, checks = examine(closed.url, CMLWATCH_TOKEN="left")
    assert_fault(checks, "auth", "fail", "401", "the token is not")
    checks = examine_well(closed.url, CMLWATCH_TOKEN="right")
    assert checks["auth"]["detail"] == "me as viewer"


def test_proxy_that_holds_everything_back(gateway):
    middle = Middle(gateway, change=lambda chunk: b"")
    code, checks = examine(middle.url)
    middle.close()

    assert code == 2
    assert_fault(checks, "first-byte", "fail", "held on the way", "proxy_buffering off")


def test_proxy_that_lets_heartbeats_through_in_bunches(gateway):
    held, sent = [], []

    def hold(chunk):
        if not sent:  # the head and what comes with it
            sent.append(chunk)
            return chunk
        held.append(chunk)
        if sum(piece.count(b"event: heartbeat") for piece in held) < 2:
            return b""
        out = b"".join(held)
        held.clear()
        return out
    middle = Middle(gateway, change=hold)
    code, checks = examine(middle.url, "--watch-seconds", 6)
    middle.close()

    assert code == 2
    assert_fault(checks, "buffering", "fail", "heartbeats came at once", "proxy_buffering off")  # two, and more on a machine that stands still


def test_nginx_with_its_buffering_is_told_from_one_without(gateway, tmp_path):
    ports = {"on": harness.free_port(), "off": harness.free_port()}
    servers = "\n".join(f"""server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {gateway.url}; proxy_http_version 1.1;
        proxy_ignore_headers X-Accel-Buffering; proxy_buffering {buffering}; }} }}""" for buffering, port in ports.items())
    (tmp_path / "nginx.conf").write_text(f"""daemon off; master_process off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log;
        events {{ }} http {{ access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;
        uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s; {servers} }}""")
    try:
        nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", tmp_path / "nginx.conf"], stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        pytest.skip("no nginx here")
    try:
        def answers():
            try:
                return harness.http(f"http://127.0.0.1:{ports['on']}/healthz")[0] == 200
            except OSError:
                return False
        wait_until(answers, "nginx answers")

        code, checks = examine(f"http://127.0.0.1:{ports['on']}")
        assert code == 2
        assert_fault(checks, "first-byte", "fail", "proxy_buffering off")
        checks = examine_well(f"http://127.0.0.1:{ports['off']}")
        assert "nginx" in checks["proxy"]["detail"]
    finally:
        nginx.terminate()
        nginx.wait(harness.PATIENCE)


def test_proxy_that_changes_the_head(gateway):
    def head(lines):
        kept = [line for line in lines if not line.lower().startswith((b"cache-control", b"content-type"))]
        return kept + [b"Cache-Control: private", b"Content-Type: text/event-stream;charset=UTF-8", b"Via: 1.1 squid"]
    middle = Middle(gateway, head=head)
    code, checks = examine(middle.url)
    middle.close()

    assert code == 2
    assert_fault(checks, "cache-control", "fail", "private", "no-transform")
    assert_fault(checks, "content-type", "warn", "parameter")
    assert "squid" in checks["proxy"]["detail"]


def test_proxy_that_ends_streams(gateway):
    seen = []

    def hold(chunk):
        seen.append(time.monotonic())
        if time.monotonic() - seen[0] > 0.9:
            raise OSError("a timeout")
        return chunk
    middle = Middle(gateway, change=hold)
    code, checks = examine(middle.url, "--watch-seconds", 30)  # it ends with the stream
    middle.close()

    assert code == 2
    assert_fault(checks, "end", "fail", "timeout")


@pytest.mark.skipif(harness.SANITIZED or not clock.AVAILABLE, reason="the clock is set by a preloaded library")
def test_clock_that_is_off(gateway):
    for offset, code, verdict, words in (("+90s", 2, "fail", ("ahead of", "NTP")), ("-5s", 1, "warn", ("behind", "NTP"))):
        looks = []

        def alone():
            """What else hangs on time is well, as on a machine that does not stand still meanwhile."""
            looks.append(examine(gateway.url, **clock.environment(offset)))
            return looks[-1][0] == code
        wait_until(alone, f"{verdict}, and nothing but that")
        assert_fault(looks[-1][1], "clock", verdict, *words)

"""TLS in the gateway: streams and answers over it, its own pace, its end, and a certificate that is renewed.
SPDX-License-Identifier: MIT"""
import json
import signal
import socket
import ssl
import zlib

import pytest
from cryptography import x509

import harness
import outside
from certificate import Pair
from harness import wait_until

EAST = "us-east-1"


def serial_of(port):
    with harness.TLS.wrap_socket(socket.create_connection(("127.0.0.1", port))) as connection:
        return x509.load_der_x509_certificate(connection.getpeercert(True)).serial_number


class Fleet:
    def __init__(self, start, bus, tmp_path, *arguments):
        self.pair = Pair(tmp_path, 11)
        self.aggregator = start(harness.Aggregator, bus)
        self.gateway = start(harness.Gateway, bus, *self.pair.arguments(), *arguments, tls=True)
        self.publisher = outside.Publisher(bus.ingest, "/collector/ec2/tls")
        self.publisher.until_heard(self.gateway, EAST, "i-0tls")


@pytest.fixture
def fleet(start, bus, tmp_path):
    return Fleet(start, bus, tmp_path)


def test_stream_and_answers_come_over_tls(fleet):
    trusting = ssl.create_default_context(cadata=fleet.pair.certificate_text.decode())
    with trusting.wrap_socket(socket.create_connection(("127.0.0.1", fleet.gateway.port)), server_hostname="localhost") as own:
        assert own.version() == "TLSv1.3"
    assert fleet.gateway.ask("/")[0] == 200
    stream = fleet.gateway.stream("?heartbeat=1")
    assert stream.state()[0].data["aws_instance_id"] == "i-0tls"
    for n in range(50):
        fleet.publisher.instance(EAST, "i-0tls", name=f"mark {n}")
    stream.wait(lambda e: e.type == "worker.snapshot" and e.data["name"] == "mark 49", "the last of fifty")
    ids = [e.sequence for e in stream.events if e.body["seq"] is not None]
    assert ids == sorted(set(ids))
    again = fleet.gateway.stream("", {"Last-Event-ID": stream.events[-5].id})
    again.wait(lambda e: e.type == "worker.snapshot" and e.data["name"] == "mark 49", "what it missed")


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_reader_that_stops_gets_everything_when_it_goes_on(start, bus, tmp_path, encoding):
    fleet = Fleet(start, bus, tmp_path, "--send-buffer-bytes", 4096, "--slow-after-ms", 3600000)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", fleet.gateway.port))
    reader = harness.TLS.wrap_socket(raw)
    reader.sendall(b"GET /api/events/stream?heartbeat=60 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\n\r\n" % encoding.encode())
    live = fleet.gateway.stream("?heartbeat=1")
    live.wait("system.state.end", "the state")
    for n in range(400):
        fleet.publisher.instance(EAST, "i-0tls", name=f"{'x' * 100} {n}")
    live.wait(lambda e: e.type == "worker.snapshot" and e.data["name"].endswith(" 399"), "the last")

    inflate, head, text = zlib.decompressobj(31), b"", b""
    while b"\r\n\r\n" not in head:
        head += reader.recv(4096)
    head, _, rest = head.partition(b"\r\n\r\n")
    text = inflate.decompress(rest) if encoding == "gzip" else rest
    while b"x 399" not in text.split(b"event: worker.snapshot")[-1]:
        part = reader.recv(65536)
        assert part, "it ended"
        text += inflate.decompress(part) if encoding == "gzip" else part
    ids = [int(line.rsplit(b"-", 1)[1]) for line in text.split(b"\n") if line.startswith(b"id: ")]
    assert ids == sorted(set(ids))
    names = [n for n in range(400) if b"x %d\"" % n in text]
    assert names == list(range(400)), "none is left out"


def test_stream_over_tls_ends_with_a_farewell_and_so_does_the_process(fleet):
    stream = fleet.gateway.stream("?heartbeat=1")
    stream.wait("system.state.end", "the state")
    fleet.gateway.process.send_signal(signal.SIGTERM)

    stream.wait("system.sse.shutdown", "the farewell")
    assert stream.next() is None, "and it is closed as TLS wants it: no error"
    assert fleet.gateway.process.wait(harness.PATIENCE) == 0


def test_client_that_vanishes_over_tls_is_let_go_of(fleet):
    for _ in range(30):
        stream = fleet.gateway.stream("?heartbeat=1")
        stream.wait("connected", "it is open")
        stream.socket.close()
    wait_until(lambda: harness.metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 0, "all are gone")


def test_certificate_is_renewed_while_streams_go_on(fleet):
    stream = fleet.gateway.stream("?heartbeat=1")
    stream.wait("system.state.end", "the state")
    assert serial_of(fleet.gateway.port) == 11
    for serial in range(12, 24):  # more often than handshakes in flight are cared for
        fleet.pair.write(serial)
        wait_until(lambda: serial_of(fleet.gateway.port) == serial, "the new one is in use")
    stream.wait("heartbeat", "it goes on")
    good = fleet.pair.certificate_text
    fleet.pair.certificate.write_bytes(good[:200])
    fleet.gateway.wait_log("certificate not read")
    assert serial_of(fleet.gateway.port) == 23
    assert harness.metric(fleet.gateway.url, "cmlwatch_gateway_certificate_reads_total", result="failed") >= 1


def test_key_of_another_certificate_is_refused_at_the_start(tmp_path):
    import subprocess
    (tmp_path / "other").mkdir()
    pair, other = Pair(tmp_path, 1), Pair(tmp_path / "other", 2)
    done = subprocess.run([harness.BUILD / "cmlwatch-gateway", "--check-config", "--tls-certificate", pair.certificate,
                           "--tls-key", other.key], capture_output=True, text=True, timeout=harness.PATIENCE)
    assert done.returncode == 2 and "does not belong" in done.stderr


def test_old_protocols_and_plain_http_are_refused_and_the_next_is_served(fleet):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(socket.create_connection(("127.0.0.1", fleet.gateway.port)))
    with socket.create_connection(("127.0.0.1", fleet.gateway.port), timeout=harness.PATIENCE) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = plain.recv(1000)
        assert not answer.startswith(b"HTTP/1.1 200")
    assert fleet.gateway.ask("/healthz")[0] == 200


def test_session_cookie_over_tls_is_secure(start, bus, tmp_path):
    import hashlib
    tokens = tmp_path / "tokens"
    tokens.write_text(f"ada viewer sha256:{hashlib.sha256(b'word').hexdigest()}\n")
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, *Pair(tmp_path, 5).arguments(), "--auth", "token", "--tokens-file", tokens, tls=True)

    status, headers, text = gateway.ask("/api/session", "POST", {"token": "word"})
    assert status == 201 and headers["Set-Cookie"].endswith("; Secure") and json.loads(text)["user"] == "ada"

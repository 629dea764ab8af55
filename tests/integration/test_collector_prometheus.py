"""The optional collector that reads node exporters, against pages that Prometheus' own client library writes.
SPDX-License-Identifier: MIT"""
import http.server
import json
import threading

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

import harness
import outside
from harness import wait_until


class Exporter:
    def __init__(self):
        self.registry, self.status, self.asked, self.page = CollectorRegistry(), 200, 0, None
        self.cpu = Counter("node_cpu_seconds", "Seconds the CPUs spent in each mode.", ["cpu", "mode"], registry=self.registry)
        gauges = {"node_memory_MemTotal_bytes": 8e9, "node_memory_MemAvailable_bytes": 6e9}
        for name, value in gauges.items():
            Gauge(name, "Memory information.", registry=self.registry).set(value)
        for name, value in (("node_filesystem_size_bytes", 1000), ("node_filesystem_avail_bytes", 400)):
            gauge = Gauge(name, "Filesystem.", ["device", "fstype", "mountpoint"], registry=self.registry)
            gauge.labels("/dev/nvme0n1p1", "ext4", "/").set(value)
            gauge.labels("tmpfs", "tmpfs", "/run").set(7)
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.asked += 1
                owner.cpu.labels("0", "idle").inc(3)
                owner.cpu.labels("0", "user").inc(1)
                self.send_response(owner.status if self.path == "/metrics" else 404)
                self.end_headers()
                self.wfile.write(owner.page or generate_latest(owner.registry))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", harness.free_port()), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def exporter():
    one = Exporter()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def fleet(start, bus, exporter):
    class Fleet:
        aggregator, gateway = start(harness.Aggregator, bus), start(harness.Gateway, bus)
        publisher = outside.Publisher(bus.ingest, "/collector/ec2/prometheus")
    Fleet.publisher.until_heard(Fleet.gateway, "us-east-1", "i-0p", private_ip="127.0.0.1", interval_seconds=3600)
    Fleet.collector = start(harness.Collector, "prometheus", bus, "--interval-ms", 200, "--port", exporter.server.server_port,
                            "--answer-max-bytes", 65536)
    return Fleet


def other(fleet):
    worker = harness.http_json(f"{fleet.gateway.url}/api/workers/i-0p")
    return next((o for o in worker["others"] or [] if o["kind"] == "prometheus"), None)


def test_load_of_a_node_exporter_is_the_workers(fleet):
    seen = wait_until(lambda: (one := other(fleet)) and one["cpu_utilization"] is not None and one, "its load")

    assert (seen["cpu_utilization"], seen["memory_utilization"], seen["storage_utilization"]) == (25, 25, 60)
    worker = wait_until(lambda: (w := fleet.gateway.worker("i-0p"))["cpu_utilization"] == 25 and w, "the calculated value")
    assert worker["cloudwatch_cpu_utilization"] is None, "it is no CloudWatch"


@pytest.mark.parametrize("fault", ["status", "garbage", "huge"])
def test_exporter_that_fails_is_counted_and_comes_back(fleet, exporter, fault):
    wait_until(lambda: other(fleet), "its load")
    if fault == "status":
        exporter.status = 500
    else:
        exporter.page = b"\0\xff<html>" if fault == "garbage" else b"# " + b"x" * 100000
    asked = exporter.asked
    wait_until(lambda: exporter.asked > asked + 2, "it is asked on")
    if fault != "garbage":  # a page without any of it is no fault: nothing is known
        assert harness.metric(fleet.collector.url, "cmlwatch_collector_rounds_total", outcome="failed") > 0
    exporter.status, exporter.page = 200, None
    stamp = (other(fleet) or {}).get("observed_at")
    wait_until(lambda: (one := other(fleet)) and one["observed_at"] != stamp and one["memory_utilization"] == 25, "it is back")


def test_path_that_is_none_is_refused(tmp_path):
    import subprocess
    done = subprocess.run([harness.BUILD / "cmlwatch-collector-prometheus", "--check-config", "--path", "metrics"],
                          capture_output=True, text=True, timeout=harness.PATIENCE)
    assert done.returncode == 2 and "path" in done.stderr

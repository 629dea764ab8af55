"""CML servers that are no EC2 instances: listed for the collector, workers for everybody else.
SPDX-License-Identifier: MIT"""
import signal

import pytest

import harness
from harness import wait_until
from test_collector_cml import refused, secret


@pytest.fixture
def servers(sim):
    return [i for i in sim.instances() if i["state"] == "running"][:2]


def line(sim, name, server):
    return f"{name} https://{server['public_ip']}:{sim.cml_port}\n"


@pytest.fixture
def listed(start, bus, sim, servers, tmp_path):
    """(gateway, collector, file): two servers are listed, and no EC2 collector runs."""
    pins, path = tmp_path / "pins", tmp_path / "servers"
    pins.write_text(f"* {servers[0]['pin']}\n* {servers[1]['pin']}\n")
    path.write_text("# under desks\n" + line(sim, "Lab One", servers[0]) + line(sim, "two", servers[1]))
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus)
    collector = start(harness.Collector, "cml", bus, "--interval-ms", 300, "--username", "cmlwatch", "--verify", "fingerprint",
                      "--fingerprints", pins, "--servers-file", path, "--servers-region", "desks",
                      environment={"CMLWATCH_COLLECTOR_CML_PASSWORD_FILE": str(secret(tmp_path, "password", "cmlwatch-demo"))})
    wait_until(lambda: (gateway.worker("lab-one") or {}).get("cml_ready"), "a listed server is read")
    return gateway, collector, path


def test_listed_server_is_a_worker_with_a_cml_and_nothing_else(sim, servers, listed):
    gateway, _, _ = listed
    #  It is fresh for three rounds of 300 ms, and a busy machine may take longer for the next.
    worker = wait_until(lambda: (w := gateway.worker("lab-one"))["cml_labs_count"] is not None and w["cml_freshness"] == "fresh" and w,
                        "its labs are known")

    assert worker["name"] == "Lab One" and worker["region"] == "desks" and worker["status"] == "running"
    assert worker["service_status"] == "available" and worker["cml_freshness"] == "fresh"
    assert worker["https_endpoint"] == f"https://{servers[0]['public_ip']}:{sim.cml_port}"
    assert worker["ec2_freshness"] == worker["cloudwatch_freshness"] == "absent"
    assert worker["cpu_utilization"] is not None and worker["cml_version"].startswith("2.")
    assert all(worker[field] is None for field in (
        "instance_type", "ami_id", "public_ip", "private_ip", "ec2_last_checked_at", "ec2_system_status_check",
        "cloudwatch_last_collected_at"))
    wait_until(lambda: len(gateway.workers()) == 2, "the other is there too")
    assert {w["aws_instance_id"] for w in gateway.workers()} == {"lab-one", "two"}


def test_server_that_is_taken_off_the_list_is_gone_after_a_reload(sim, servers, listed):
    gateway, collector, path = listed
    wait_until(lambda: (gateway.worker("two") or {}).get("cml_ready"), "the other is read too")

    path.write_text(line(sim, "Lab One", servers[0]))
    collector.process.send_signal(signal.SIGHUP)

    wait_until(lambda: (gateway.worker("two") or {"status": "terminated"})["status"] == "terminated", "it is over")
    assert gateway.worker("lab-one")["status"] == "running"


@pytest.mark.parametrize("text, said", [
    ("alone\n", ":1"), ("a http://x\n", ":1"), ("a {name}\n", ":1"), ("a host/path\n", ":1"), ("a b:99999\n", ":1"),
    ("A-b x\na b y\n", ":2"), ("--- x\n", ":1"),
])
def test_wrong_line_of_the_servers_is_named(tmp_path, text, said):
    path = tmp_path / "servers"
    path.write_text(text)

    assert f"{path}{said}" in refused("--username", "u", "--servers-file", path, CMLWATCH_COLLECTOR_CML_PASSWORD="p")

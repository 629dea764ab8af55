"""What the programs tell systemd: each started as by Type=notify, with a socket of ours for the manager's.
SPDX-License-Identifier: MIT"""
import os
import signal
import socket

import pytest

import harness
from harness import wait_until


class Manager:
    """systemd's end: every assignment that came in, in order."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.lines = []

    def environment(self, watchdog_ms=400):
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(watchdog_ms * 1000)}

    def read(self):
        while True:
            try:
                self.lines += self.socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self.lines

    def wait(self, line, count=1):
        wait_until(lambda: self.read().count(line) >= count, f"{count} times '{line}'")

    def forget(self):
        self.read()
        self.lines = []


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.socket.close()


def test_a_gateway_is_ready_when_it_has_joined_and_not_before(start, bus, manager):
    start(harness.Gateway, bus, wait=False, environment=manager.environment())
    manager.wait("WATCHDOG=1", 3)
    assert "READY=1" not in manager.lines
    assert any(line.startswith("STATUS=not ready: ") for line in manager.lines), manager.lines

    start(harness.Aggregator, bus)

    manager.wait("READY=1")
    manager.wait("STATUS=ready")


def test_the_status_says_what_went_away_afterwards(start, bus, manager):
    aggregator = start(harness.Aggregator, bus)
    start(harness.Gateway, bus, environment=manager.environment())
    manager.wait("STATUS=ready")
    manager.forget()

    aggregator.kill()

    wait_until(lambda: any(line.startswith("STATUS=not ready: ") for line in manager.read()), "a status that says so")
    assert "READY=1" not in manager.lines


@pytest.mark.parametrize("stopped", [signal.SIGTERM, signal.SIGINT])
def test_an_aggregator_says_its_beginning_and_its_end(start, bus, manager, stopped):
    aggregator = start(harness.Aggregator, bus, environment=manager.environment())
    manager.wait("READY=1")
    assert "STOPPING=1" not in manager.lines

    aggregator.process.send_signal(stopped)

    assert aggregator.process.wait(harness.PATIENCE) == 0
    manager.wait("STOPPING=1")


def test_a_loop_that_is_stuck_feeds_no_watchdog(start, bus, manager, tmp_path):
    aggregator = start(harness.Aggregator, bus, environment=manager.environment())
    manager.wait("WATCHDOG=1", 2)

    os.kill(aggregator.process.pid, signal.SIGSTOP)
    wait_until(lambda: open(f"/proc/{aggregator.process.pid}/stat").read().rsplit(")", 1)[1].split()[0] == "T", "it is stopped")
    manager.forget()
    #  A gateway of the same make goes on meanwhile, and says when two such periods have passed.
    (tmp_path / "other").mkdir()
    other = Manager(tmp_path / "other")
    start(harness.Gateway, bus, wait=False, environment=other.environment())
    other.wait("WATCHDOG=1", 5)

    assert manager.read() == []
    os.kill(aggregator.process.pid, signal.SIGCONT)
    manager.wait("WATCHDOG=1")
    other.socket.close()


def test_a_collector_reloads_in_sight(start, sim, bus, manager):
    start(harness.Aggregator, bus)
    environment = {**sim.environment(), **manager.environment()}
    collector = start(harness.Collector, "ec2", bus, environment=environment)
    manager.wait("READY=1")
    manager.forget()

    collector.process.send_signal(signal.SIGHUP)

    manager.wait("RELOADING=1")
    manager.wait("READY=1")
    began = manager.lines.index("RELOADING=1")
    assert manager.lines[began + 1].startswith("MONOTONIC_USEC=")
    assert began < manager.lines.index("READY=1")
    assert "settings read anew" in collector.log


def test_a_child_of_a_collector_does_not_know_the_socket(start, sim, bus, manager, tmp_path):
    """A credential_process gets the collector's environment, but not its way to the manager."""
    script = tmp_path / "keys"
    script.write_text(f"#!/bin/sh\nenv >{tmp_path}/environment\n"
                      f'echo \'{{"Version":1,"AccessKeyId":"{harness.ACCESS_KEY_ID}","SecretAccessKey":"{harness.SECRET_ACCESS_KEY}"}}\'\n')
    script.chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {script}\n")
    environment = {"AWS_ENDPOINT_URL": sim.aws_url, "AWS_CONFIG_FILE": str(config),
                   "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"), **manager.environment()}
    start(harness.Aggregator, bus)
    start(harness.Collector, "ec2", bus, environment=environment)

    wait_until(lambda: (tmp_path / "environment").exists() and "AWS_CONFIG_FILE" in (tmp_path / "environment").read_text(), "keys are asked for")

    assert "NOTIFY_SOCKET" not in (tmp_path / "environment").read_text()
    assert "WATCHDOG_USEC" not in (tmp_path / "environment").read_text()

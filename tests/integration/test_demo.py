"""deploy/demo: what `make demo` shows. SPDX-License-Identifier: MIT"""
import os
import re
import signal
import subprocess

import pytest

import harness
from harness import http_json, wait_until


def children(pid):
    """Every process below pid, by the kernel's own word."""
    found = []
    for path in os.listdir("/proc"):
        if path.isdigit():
            try:
                stat = open(f"/proc/{path}/stat").read()
            except OSError:
                continue
            if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
                found += [int(path), *children(int(path))]
    return found


def is_cml(pid):
    try:
        return "cmlwatch-collector-cml" in open(f"/proc/{pid}/cmdline").read()
    except OSError:
        return False  # a short-lived one, gone by now


@pytest.fixture
def demo(tmp_path):
    taken = []
    ports = {"CMLWATCH_DEMO_PORT": harness.free_port(), "CMLWATCH_DEMO_AWS_PORT": harness.free_port()}
    environment = {**os.environ, **{k: str(v) for k, v in ports.items()}, "CMLWATCH_DEMO_DIR": str(tmp_path / "demo"),
                   "CMLWATCH_DEMO_BUS_PORT": str(harness.free_port()), "CMLWATCH_DEMO_CML_PORT": str(harness.free_port())}
    log = open(tmp_path / "demo.out", "w+")
    #  Whoever runs the tests in the background of a script ignores it, and a shell cannot trap what it was born to ignore.
    process = subprocess.Popen(["env", "--default-signal=INT", harness.ROOT / "deploy/demo", harness.BUILD], stdout=log,
                               stderr=subprocess.STDOUT, env=environment, start_new_session=True)

    class Demo:
        url = f"http://127.0.0.1:{ports['CMLWATCH_DEMO_PORT']}"

        @staticmethod
        def output():
            return (tmp_path / "demo.out").read_text()
    Demo.process = process
    Demo.taken = taken
    yield Demo
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(harness.PATIENCE)
    log.close()


@pytest.mark.skipif(harness.VALGRIND, reason="the demo starts its own programs")
def test_demo_shows_the_fleet_restarts_the_dead_and_leaves_no_process(demo):
    wait_until(lambda: "The fleet is live" in demo.output(), f"the address is printed; {demo.output()}")
    assert demo.url in demo.output()
    wait_until(lambda: sum(w["cml_version"] is not None for w in
                           http_json(demo.url + "/api/workers?limit=1000")["workers"]) > 3, "workers with CML values")
    below = children(demo.process.pid)
    assert len(below) >= 6

    victim = next(pid for pid in below if is_cml(pid))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: re.search(rf"cmlwatch-collector-cml \(pid {victim}\) ended with signal 9; starting it again",
                                 demo.output()), "the line that says so")
    again = wait_until(lambda: [pid for pid in children(demo.process.pid) if pid != victim and is_cml(pid)], "it is there again")

    everyone = children(demo.process.pid)
    os.killpg(demo.process.pid, signal.SIGINT)
    wait_until(lambda: demo.process.poll() is not None, f"it ends; {demo.output()}")
    assert demo.process.returncode == 0 and again
    wait_until(lambda: not [pid for pid in everyone if os.path.exists(f"/proc/{pid}")], "no process is left")

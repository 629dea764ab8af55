"""cmlwatch-probe, the health check of the images. SPDX-License-Identifier: MIT"""
import json
import socket
import subprocess
import threading

import harness
from harness import wait_until


def probe(*arguments):
    return subprocess.run([harness.BUILD / "cmlwatch-probe", *arguments], capture_output=True, text=True, timeout=harness.PATIENCE)


def answered(*arguments, code=0):
    """It waits a short time only, which a machine may stand still for: so it is asked again, as those who use it do."""
    return wait_until(lambda: (done := probe(*arguments)) and done.returncode == code and done.stdout and done, f"code {code}")


def address(program):
    return program.url.removeprefix("http://")


def test_it_says_ready_as_readyz_does(start, bus):
    gateway = start(harness.Gateway, bus, wait=False)
    harness.wait_alive(gateway)

    assert json.loads(answered(address(gateway), code=1).stdout)["status"] == "not_ready"

    start(harness.Aggregator, bus)
    harness.wait_ready(gateway)
    assert json.loads(answered(address(gateway)).stdout)["status"] == "ready"


def test_it_asks_for_another_path_when_told(start, bus):
    aggregator = start(harness.Aggregator, bus)

    assert json.loads(answered(f"{address(aggregator)}/healthz").stdout)["status"] == "ok"
    assert probe(f"{address(aggregator)}/nothing").returncode == 1


def test_a_long_answer_is_whole(start, bus):
    aggregator = start(harness.Aggregator, bus)

    text = answered(f"{address(aggregator)}/metrics").stdout
    assert len(text) > 4096 and "cmlwatch_worker_unused_seconds" in text


def test_nobody_there_is_said():
    done = probe(f"127.0.0.1:{harness.free_port()}")

    assert done.returncode == 1 and "Connection refused" in done.stderr


def test_one_that_never_answers_is_not_healthy():
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []
        thread = threading.Thread(target=lambda: held.append(server.accept()))
        thread.start()

        done = probe(f"127.0.0.1:{server.getsockname()[1]}")

        thread.join()
        held[0][0].close()
    assert done.returncode == 1 and done.stderr


def test_what_is_no_address_is_refused():
    for wrong in ("", "host", ":80", "host:", "/readyz", "host:123456789", "h" * 200 + ":80", "a:1/" + "x" * 200):
        assert probe(wrong).returncode == 2, wrong
    assert probe("a:1", "b:2").returncode == 2

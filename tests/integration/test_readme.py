"""What common/README.md prints works as printed, on the real programs.
SPDX-License-Identifier: MIT"""
import re
import subprocess
import sys

import pytest

import harness
from harness import wait_until

README = (harness.ROOT / "common/README.md").read_text()
COLLECTOR, READER = re.findall(r"```python\n(.*?)```", README, re.S)


@pytest.fixture
def example(tmp_path):
    """Runs a block of the README with the test's own ports; ends it."""
    processes = []

    def run(code, bus):
        code = code.replace("tcp://127.0.0.1:5571", bus.ingest).replace("tcp://127.0.0.1:5573", bus.feed)
        output = (tmp_path / f"example{len(processes)}.log").open("w+")
        process = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=output, stderr=subprocess.STDOUT)
        processes.append(process)
        return lambda: (tmp_path / f"example{processes.index(process)}.log").read_text()

    yield run
    for process in processes:
        process.kill()
        process.wait()


def test_collector_of_the_readme_makes_a_worker(start, bus, example):
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus)

    output = example(COLLECTOR, bus)

    wait_until(lambda: (w := gateway.worker("i-0example")) and w["cpu_utilization"] == 12.5, f"its worker: {output()}")
    assert gateway.worker("i-0example")["name"] == "under my desk"


def test_reader_of_the_readme_prints_what_the_feed_says(start, bus, example):
    start(harness.Aggregator, bus)
    output = example(READER, bus)

    example(COLLECTOR, bus)

    wait_until(lambda: '"type":"worker.metrics.updated"' in output() or "worker.snapshot" in output(), "events")


def test_every_schema_and_type_that_the_readme_names_is_there():
    types = {p.stem for p in (harness.ROOT / "common/schema").iterdir()}
    named = set(re.findall(r"^\| `([a-z_]+\.[a-z_.]+)` \|", README, re.M))

    assert len(named) >= 10 and named <= types

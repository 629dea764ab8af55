"""What common/README.md prints works as printed, on the real programs.
SPDX-License-Identifier: MIT"""
import json
import re
import subprocess
import sys

import pytest

import harness
from harness import wait_until
from runner import Control

README = (harness.ROOT / "common/README.md").read_text()
COLLECTOR, RUNNER, READER = re.findall(r"```python\n(.*?)```", README, re.S)
JOBS = README[README.index("\n## Jobs\n"):README.index("\n## Hear everything")]


@pytest.fixture
def example(tmp_path):
    """Runs a block of the README with the test's own ports; ends it."""
    processes = []

    def run(code, bus):
        code = code.replace("tcp://127.0.0.1:5571", bus.ingest).replace("tcp://127.0.0.1:5573", bus.feed) \
                   .replace("tcp://127.0.0.1:5572", bus.control)
        output = (tmp_path / f"example{len(processes)}.log").open("w+")
        process = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=output, stderr=subprocess.STDOUT)
        processes.append(process)
        run.last = process
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


def test_runner_of_the_readme_runs_a_job(start, bus, example):
    start(harness.Aggregator, bus)
    control = Control(bus)
    job = control.submit("build", payload={"seconds": 0.2})

    output = example(RUNNER, bus)

    wait_until(lambda: control.job(job["id"])["status"] == "completed", f"the job is done: {output()}")
    done = control.job(job["id"])
    assert done["result"] == {"parts": 4} and done["message"].endswith("of 4")
    broken = control.submit("build", payload={"seconds": "many"})
    wait_until(lambda: control.job(broken["id"])["status"] == "failed", f"the next fails: {output()}")
    assert control.job(broken["id"])["error_code"] == "exception"
    assert len(RUNNER.splitlines()) < 60
    control.close()


def test_another_takes_over_from_a_runner_that_is_killed_in_mid_job(start, bus, example):
    start(harness.Aggregator, bus, "--renew-ms", 2000)
    control = Control(bus)
    job = control.submit("build", payload={"seconds": 5})
    example(RUNNER, bus)
    wait_until(lambda: control.job(job["id"])["progress"] >= 25, "it has begun")

    example.last.kill()
    example(RUNNER.replace("host-1", "host-2"), bus)

    wait_until(lambda: control.job(job["id"])["status"] == "completed", "another does it")
    assert control.job(job["id"])["runner_id"] == "/runner/build/host-2" and control.job(job["id"])["attempts"] == 2
    control.close()


def test_questions_about_jobs_are_answered_as_the_readme_prints_them(start, bus):
    start(harness.Aggregator, bus)
    control = Control(bus)
    printed = re.findall(r"^\*\*`(\w+)`\*\*:.*?\n\n    (\{.*?\})\n    (\{.*?\})\n", JOBS, re.S | re.M)
    order = ["submit", "jobs", "runner", "report", "job", "cancel"]
    assert sorted(operation for operation, _, _ in printed) == sorted(order)
    identity = None

    for operation, question, wanted in sorted(printed, key=lambda row: order.index(row[0])):
        if identity:
            question, wanted = (text.replace("00000000-0000-4000-8000-000000000000", identity) for text in (question, wanted))
        answer, payload = control.ask(operation, **json.loads(question))
        identity = identity or payload[0]["id"]
        wanted = json.loads(wanted.replace("00000000-0000-4000-8000-000000000000", identity))
        assert answer == wanted, operation
        assert bool(payload) == (operation in ("submit", "jobs", "job", "cancel"))
    control.close()


def test_every_schema_and_type_that_the_readme_names_is_there():
    types = {p.stem for p in (harness.ROOT / "common/schema").iterdir()}
    named = set(re.findall(r"^\| `([a-z_]+\.[a-z_.]+)` \|", README, re.M))

    assert len(named) >= 10 and named <= types

"""The job broker: what is asked for is run once by whom it may be, told, and kept.
SPDX-License-Identifier: MIT"""
import pytest

import harness
from harness import metric, wait_until
from runner import Control, Runner, Told


@pytest.fixture
def aggregator(start, bus, tmp_path):
    return start(harness.Aggregator, bus, "--store", tmp_path / "store", "--renew-ms", 300)


@pytest.fixture
def control(aggregator, bus):
    control = Control(bus)
    yield control
    control.close()


@pytest.fixture
def told(aggregator, bus):
    told = Told(bus)
    yield told
    told.close()


@pytest.fixture
def runner(aggregator, bus):
    """Makes runners; closes them."""
    made = []

    def make(identity, *job_types, **more):
        made.append(Runner(bus, identity, *job_types, **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


LIFE = ("job.submitted", "job.assigned", "job.status.updated", "job.progress", "job.completed")


def test_job_is_told_from_its_submission_to_its_end(control, told, runner):
    build = runner("/runner/a", "build")
    job = control.submit("build", priority=7, workflow_id="nightly", payload={"branch": "main"})

    given = build.work()
    assert control.job(job["id"])["status"] == "assigned"
    build.report(given, "progress", progress=40, step="compile", message="half of it")
    build.report(given, "completed", result={"artifact": "a.tar"})

    events = told.life(job["id"], *LIFE)
    assert {key: given[key] for key in ("job_id", "job_type", "priority", "payload", "workflow_id", "worker_id", "attempt")} == {
        "job_id": job["id"], "job_type": "build", "priority": 7, "payload": {"branch": "main"}, "workflow_id": "nightly",
        "worker_id": None, "attempt": 1}
    assert [e["data"].get("new_status") for e in events] == [None, "assigned", "in_progress", None, "completed"]
    assert events[3]["data"]["progress"] == 40 and events[3]["data"]["step"] == "compile"
    assert events[4]["data"]["result"] == {"artifact": "a.tar"} and events[4]["data"]["runner_id"] == "/runner/a"
    assert told.records[job["id"]] == control.job(job["id"]), "who merges the events has the record"
    assert control.state()["jobs"] == [control.job(job["id"])]

"""The job broker: what is asked for is run once by whom it may be, told, and kept.
SPDX-License-Identifier: MIT"""
import random
import time

import pytest

import harness
from harness import metric, wait_until
from runner import Control, Runner, Told


@pytest.fixture
def aggregator(start, bus, tmp_path, request):
    """A runner that is silent for three times --renew-ms is lost; where that is not tried, the test has time."""
    return start(harness.Aggregator, bus, "--store", tmp_path / "store", "--renew-ms", getattr(request, "param", 10000))


quickly_lost = pytest.mark.parametrize("aggregator", [3000], indirect=True)  # and who lives may stand still for a moment


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


def status_of(control, job):
    return control.job(job["id"])["status"]


LIFE = ("job.submitted", "job.assigned", "job.status.updated", "job.progress", "job.completed")


def test_job_is_told_from_its_submission_to_its_end(control, told, runner):
    build = runner("/runner/a", "build")
    job = control.submit("build", priority=-7, workflow_id="nightly", payload={"branch": "main"})

    given = build.work()
    assert status_of(control, job) == "assigned"
    build.report(given, "progress", progress=40, step="compile", message="half of it")
    build.report(given, "completed", result={"artifact": "a.tar"})

    events = told.life(job["id"], *LIFE)
    assert {key: given[key] for key in ("job_id", "job_type", "priority", "payload", "workflow_id", "worker_id", "attempt", "submitted_by")} == {
        "job_id": job["id"], "job_type": "build", "priority": -7, "payload": {"branch": "main"}, "workflow_id": "nightly",
        "worker_id": None, "attempt": 1, "submitted_by": "test"}
    assert [e["data"].get("new_status") for e in events] == [None, "assigned", "in_progress", None, "completed"]
    assert events[3]["data"]["progress"] == 40 and events[3]["data"]["step"] == "compile"
    assert events[4]["data"]["result"] == {"artifact": "a.tar"} and events[4]["data"]["runner_id"] == "/runner/a"
    assert told.records[job["id"]] == control.job(job["id"]), "who merges the events has the record"
    assert control.state()["jobs"] == [control.job(job["id"])]


def test_question_of_a_runner_waits_for_work_and_is_answered_at_once_then(control, runner):
    build = runner("/runner/a", "build")
    build.poll()
    started = time.monotonic()
    waits = build.send("runner", **build.question(5000))
    control.state()  # it is parked: questions are answered in turn

    control.submit("build")
    answer, _ = build.receive(waits)

    assert len(answer["assigned"]) == 1 and answer["renew_ms"] == 10000 and answer["ttl_ms"] == 30000
    assert time.monotonic() - started < harness.PATIENCE


def test_same_client_key_is_the_same_job(control, told, aggregator):
    first = control.submit("build", client_key="k-1")

    again = control.submit("build", status=200, client_key="k-1")
    aggregator.kill()
    aggregator.start()
    harness.wait_ready(aggregator)
    other = control.submit("build", client_key="k-1", by="somebody else")
    assert other["id"] != first["id"], "a key is its submitter's own"
    later = control.submit("build", status=200, client_key="k-1")

    assert first == again == later
    assert [e["type"] for e in told.events if e["type"].startswith("job.")] == ["job.submitted"] or told.until(
        lambda: len(told.of(first["id"])) == 1, "it is told once") is True


@pytest.mark.parametrize("question,word", [
    ({"job_type": "Build"}, "job_type"), ({"job_type": ""}, "job_type"), ({"job_type": "a" * 65}, "job_type"),
    ({"job_type": 7}, "job_type"), ({}, "job_type"), ({"job_type": "build", "by": ""}, "by"), ({"job_type": "build", "by": None}, "by"),
    ({"job_type": "build", "priority": 1001}, "priority"), ({"job_type": "build", "priority": -1001}, "priority"),
    ({"job_type": "build", "priority": 1.5}, "priority"), ({"job_type": "build", "priority": "high"}, "priority"),
    ({"job_type": "build", "timeout_seconds": 0}, "timeout_seconds"), ({"job_type": "build", "timeout_seconds": 86401}, "timeout_seconds"),
    ({"job_type": "build", "payload": [1]}, "payload"), ({"job_type": "build", "payload": {"a": "x" * 16384}}, "payload"),
    ({"job_type": "build", "client_key": "k" * 129}, "client_key"), ({"job_type": "build", "workflow_id": 7}, "workflow_id"),
    ({"job_type": "worker.pause"}, "worker")])
def test_bad_submission_is_refused_and_says_why(control, question, word):
    answer, payload = control.ask("submit", **{"by": "test", **question})

    assert answer["status"] == 400 and answer["detail"].startswith(word) and not payload
    assert control.jobs() == []


def test_what_is_not_there_is_not_found(control):
    assert control.submit("build", status=404, worker="i-0nobody")["detail"]
    assert control.ask("job", id="nothing")[0]["status"] == 404
    assert control.cancel("nothing", status=404)["detail"]
    assert control.ask("jobs", status="done")[0]["status"] == 400
    assert control.ask("jobs", cursor="nothing")[0]["status"] == 400
    assert control.ask("jobs", cursor="nothing@yesterday")[0]["status"] == 400


# --- the end of one


def test_job_is_cancelled_before_anybody_has_it(control, told, runner):
    job = control.submit("build")

    cancelled = control.cancel(job["id"], by="me", reason="not needed")

    assert cancelled["status"] == "cancelled" and cancelled["cancelled_by"] == "me" and cancelled["error"] == "not needed"
    assert runner("/runner/a", "build").poll(50)["assigned"] == []
    assert control.cancel(job["id"], status=409)["job_id"] == job["id"]
    told.life(job["id"], "job.submitted", "job.cancelled")


@pytest.mark.parametrize("begun", [False, True])
def test_runner_of_a_cancelled_job_is_told_to_stop_and_not_believed_any_more(control, told, runner, aggregator, begun):
    build = runner("/runner/a", "build")
    job = control.submit("build")
    given = build.work()
    if begun:
        build.report(given, "progress", progress=1)
    waits = build.send("runner", **build.question(5000))
    control.state()

    control.cancel(job["id"])
    answer, _ = build.receive(waits)

    assert answer["stop"] == [job["id"]]
    assert build.report(given, "completed") == [job["id"]]
    assert build.poll()["stop"] == [] and status_of(control, job) == "cancelled"
    assert metric(aggregator.url, "cmlwatch_job_reports_stale_total") == 1
    told.until(lambda: told.records.get(job["id"]) == control.job(job["id"]), "all is told")


def test_failure_is_final_and_says_what_was_wrong(control, told, runner):
    build = runner("/runner/a", "build")
    job = control.submit("build")

    build.report(build.work(), "failed", error_code="forbidden", error_message="ec2:StopInstances is denied")

    record = control.job(job["id"])
    assert (record["status"], record["error_code"], record["error"]) == ("failed", "forbidden", "ec2:StopInstances is denied")
    events = told.life(job["id"], "job.submitted", "job.assigned", "job.status.updated", "job.failed")
    assert events[-1]["data"]["error_code"] == "forbidden"
    assert build.poll(50)["assigned"] == []


def test_job_that_takes_too_long_goes_to_another_and_fails_after_three_times(control, told, runner):
    slow, other = runner("/runner/slow", "build"), runner("/runner/other", "build")
    job = control.submit("build", timeout_seconds=1)

    first = slow.work()
    wait_until(lambda: job["id"] in slow.poll(100)["stop"], "it is told to stop")
    second = slow.work()
    while status_of(control, job) != "failed":
        slow.poll(100), other.poll(100)

    assert (first["attempt"], second["attempt"]) == (1, 2)
    record = control.job(job["id"])
    assert record["error_code"] == "timeout" and record["attempts"] == 3
    told.until(lambda: told.records.get(job["id"], {}).get("status") == "failed", "it is told")
    reasons = [e["data"]["reason"] for e in told.of(job["id"]) if e["type"] == "job.status.updated"]
    assert reasons.count("timeout") == 2


def test_answer_that_was_not_received_is_given_anew(control, told, runner):
    deaf = runner("/runner/deaf", "build")
    job = control.submit("build")
    deaf.work()

    deaf.running.clear()  # as if it had not come
    given = wait_until(lambda: deaf.poll(100)["assigned"], "it is assigned anew")[0]

    assert given["job_id"] == job["id"] and given["attempt"] == 2
    told.until(lambda: len(told.of(job["id"])) >= 4, "the way back")
    assert [e["data"].get("reason") for e in told.of(job["id"])][:4] == [None, None, "not_received", None]


def test_what_a_runner_gives_back_is_no_attempt(control, runner):
    build = runner("/runner/a", "build")
    job = control.submit("build")

    for _ in range(4):
        build.report(build.work(), "failed", error_code="not_owned")
        assert status_of(control, job) == "pending" and control.job(job["id"])["attempts"] == 0
    build.report(build.work(), "completed")

    assert status_of(control, job) == "completed"


@quickly_lost
def test_runner_that_is_silent_loses_its_job(control, told, runner, aggregator):
    lost, other = runner("/runner/lost", "build"), runner("/runner/other", "build")
    job = control.submit("build")
    given = lost.work()
    lost.report(given, "progress", progress=50)

    again = wait_until(lambda: other.poll(100)["assigned"], "another has it")[0]
    assert again["job_id"] == job["id"] and again["attempt"] == 2
    assert lost.report(given, "completed", result={"by": "lost"}) == [job["id"]]
    other.report(again, "completed", result={"by": "other"})

    assert control.job(job["id"])["result"] == {"by": "other"}
    told.until(lambda: told.records.get(job["id"]) == control.job(job["id"]), "all is told")
    assert "runner_lost" in [e["data"].get("reason") for e in told.of(job["id"])]
    assert metric(aggregator.url, "cmlwatch_job_reports_stale_total") == 1
    assert metric(aggregator.url, "cmlwatch_jobs_returned_total", reason="runner_lost") == 1


def test_runner_that_leaves_gives_back_what_it_does_not_finish(control, runner):
    leaver, other = runner("/runner/leaver", "build", concurrency=2), runner("/runner/other", "build", concurrency=2)
    jobs = [control.submit("build") for _ in range(2)]
    given = leaver.poll(100)["assigned"]
    leaver.poll()
    assert len(given) == 2

    del leaver.running[given[1]["job_id"]]
    control.submit("build")
    leaver.poll(leaving=True)
    taken = wait_until(lambda: other.poll(100)["assigned"], "the rest is taken")
    leaver.report(given[0], "completed")

    assert given[1]["job_id"] in [j["job_id"] for j in taken] and given[0]["job_id"] not in [j["job_id"] for j in taken]
    assert status_of(control, jobs[0]) == "completed"
    wait_until(lambda: [r["runner_id"] for r in control.state()["stats"]["runners"]] == ["/runner/other"], "it has left")


def test_report_of_another_attempt_or_runner_changes_nothing(control, runner, aggregator):
    build, thief = runner("/runner/a", "build"), runner("/runner/b", "build")
    job = control.submit("build")
    given = build.work()

    assert thief.report(given, "completed") == [job["id"]]
    assert build.report({**given, "attempt": 2}, "completed") == [job["id"]]
    assert build.report({**given, "job_id": "nothing"}, "completed") == ["nothing"]

    assert status_of(control, job) == "assigned"
    assert metric(aggregator.url, "cmlwatch_job_reports_stale_total") == 3


@pytest.mark.parametrize("question", [
    {}, {"runner_id": ""}, {"runner_id": "a" * 201}, {"runner_id": "a|b"}, {"runner_id": "a", "concurrency": 0},
    {"runner_id": "a", "concurrency": 1001}, {"runner_id": "a", "wait_ms": 5001}, {"runner_id": "a", "wait_ms": -1},
    {"runner_id": "a", "job_types": "build"}, {"runner_id": "a", "job_types": [""]}, {"runner_id": "a", "job_types": ["x"] * 65},
    {"runner_id": "a", "running": {}}, {"runner_id": "a", "regions": [7]}, {"runner_id": "a", "running": [{}] * 2001}])
def test_bad_question_of_a_runner_is_refused(control, question):
    assert control.ask("runner", **question)[0]["error"]["code"] == "malformed"
    assert control.state()["stats"]["total_runners"] == 0


def test_runner_may_name_all_it_works_on_and_as_many_whose_end_was_not_heard(control, runner):
    build = runner("/runner/a", "build", concurrency=1000)
    control.submit("build")

    answer, _ = build.ask("runner", **build.question(running=[{"job_id": f"{n:036d}", "attempt": 1} for n in range(2000)]))
    assert answer["stop"] == [f"{n:036d}" for n in range(2000)], "it is to let go of all that it has not"
    assert build.work()["job_type"] == "build"


@pytest.mark.parametrize("report", [{}, {"job_id": "x", "attempt": 1}, {"job_id": "x", "event": "completed"},
                                    {"job_id": "x", "attempt": 1, "event": "done"}, {"attempt": 1, "event": "completed"},
                                    {"job_id": "x", "attempt": 1, "event": "progress", "message": "m" * 257}])
def test_bad_report_is_refused_with_all_that_came_with_it(control, runner, report):
    build = runner("/runner/a", "build")
    job = control.submit("build")
    good = build.work()

    answer, _ = build.ask("report", runner_id=build.id, reports=[
        {"job_id": good["job_id"], "attempt": 1, "event": "completed"}, report])

    assert answer["error"]["code"] == "malformed" and status_of(control, job) == "assigned"


# --- bounds


def test_too_many_jobs_and_too_many_runners_are_refused_and_counted(start, bus):
    aggregator = start(harness.Aggregator, bus, "--jobs-max", 2, "--runners-max", 1, "--renew-ms", 10000)
    control, first, second = Control(bus), Runner(bus, "/runner/a", "build"), Runner(bus, "/runner/b", "build")
    jobs = [control.submit("build") for _ in range(2)]

    assert control.submit("build", status=503)["detail"]
    first.poll()
    assert second.ask("runner", **second.question())[0]["error"]["code"] == "runners_max"
    control.cancel(jobs[0]["id"])
    control.submit("build")

    assert metric(aggregator.url, "cmlwatch_jobs_refused_total", reason="jobs_max") == 1
    assert metric(aggregator.url, "cmlwatch_job_runners_refused_total") == 1
    assert metric(aggregator.url, "cmlwatch_jobs_open", status="assigned") + metric(aggregator.url, "cmlwatch_jobs_open", status="pending") == 2
    for one in (control, first, second):
        one.close()


def test_payloads_are_bounded_together_for_all_are_one_answer(start, bus):
    aggregator = start(harness.Aggregator, bus, "--jobs-bytes-max", 16384)
    control = Control(bus)
    first = control.submit("build", payload={"a": "x" * 16000})

    assert "jobs_bytes_max" in control.submit("build", status=503, payload={"a": "x" * 1000})["detail"]
    control.cancel(first["id"])
    control.submit("build", payload={"a": "x" * 1000})

    assert metric(aggregator.url, "cmlwatch_jobs_refused_total", reason="jobs_bytes_max") == 1
    control.close()


def test_list_goes_on_behind_a_job_that_is_forgotten_meanwhile(start, bus):
    start(harness.Aggregator, bus, "--jobs-keep", 0, "--renew-ms", 300)
    control = Control(bus)
    made = [control.submit("build") for _ in range(6)]

    answer, page = control.ask("jobs", limit=2)
    assert [job["id"] for job in page] == [made[5]["id"], made[4]["id"]]
    for job in made [4:]:
        control.cancel(job["id"])
    wait_until(lambda: control.ask("job", id=made[4]["id"])[0]["status"] == 404, "it is forgotten")

    rest, listed = control.ask("jobs", limit=10, cursor=answer["next_cursor"])
    assert rest["status"] == 200 and [job["id"] for job in listed] == [job["id"] for job in reversed(made[:4])]
    control.close()


def test_same_client_key_brings_the_whole_record_of_a_job_that_left_the_state(control, runner):
    build = runner("/runner/a", "build", concurrency=200)
    first = control.submit("build", client_key="k-1", payload={"n": 1})
    build.report(build.work(), "completed", result={"of": 1})
    for _ in range(101):
        control.submit("build")
    for given in build.poll(50)["assigned"]:
        build.report(given, "completed")
    wait_until(lambda: not control.ask("jobs", status="pending,assigned,in_progress")[1], "all are over")

    again = control.submit("build", status=200, client_key="k-1")
    assert again == control.job(first["id"]) and again["payload"] == {"n": 1} and again["result"] == {"of": 1}


def test_history_is_listed_page_by_page_and_whole(control, runner, aggregator):
    build = runner("/runner/a", "build", "test", concurrency=100)
    made = [control.submit("test" if n % 2 else "build", workflow_id=f"w{n % 3}", payload={"n": n}) for n in range(120)]
    for _ in range(2):
        for given in build.poll(50)["assigned"]:
            build.report(given, "completed", result={"of": given["payload"]["n"]})
    control.cancel(control.submit("build")["id"])

    pages, cursor = [], None
    while True:
        answer, page = control.ask("jobs", limit=50, status="completed", **({"cursor": cursor} if cursor else {}))
        pages.append(page)
        cursor = answer["next_cursor"]
        if not cursor:
            break
    listed = [job for page in pages for job in page]

    assert [len(page) for page in pages] == [50, 50, 20]
    assert [job["id"] for job in listed] == [job["id"] for job in reversed(made)]
    assert all(job["result"] == {"of": job["payload"]["n"]} for job in listed), "also of those that left the state"
    assert control.job(made[0]["id"])["payload"] == {"n": 0}
    assert len(control.jobs(workflow_id="w1", job_type="test", limit=1000)) == 20
    state = control.state()
    assert len([j for j in state["jobs"] if j["status"] == "completed"]) == 100
    assert state["stats"]["completed_jobs"] == 120 and state["stats"]["total_jobs"] == 121
    aggregator.kill()
    aggregator.start()
    harness.wait_ready(aggregator)
    assert control.jobs(limit=1000, status="completed") == listed
    assert control.state()["jobs"] == state["jobs"]


def test_what_is_over_is_forgotten_when_there_is_too_much_of_it(start, bus, tmp_path):
    aggregator = start(harness.Aggregator, bus, "--store", tmp_path / "store", "--jobs-keep", 5, "--renew-ms", 100)
    control = Control(bus)
    jobs = [control.submit("build") for _ in range(9)]
    for job in jobs:
        control.cancel(job["id"])

    wait_until(lambda: len(control.jobs()) == 5, "the oldest are forgotten")
    aggregator.kill()
    aggregator.start()
    harness.wait_ready(aggregator)

    assert [job["id"] for job in control.jobs()] == [job["id"] for job in reversed(jobs[4:])]
    control.close()


# --- many, and faults


@pytest.mark.parametrize("count", [100, 1000])
def test_none_of_many_is_lost_and_each_runner_sees_them_in_their_order(control, told, runner, count):
    draw = random.Random(count)
    jobs = {}
    for _ in range(count):
        job = control.submit("build", priority=draw.randint(-1000, 1000))
        jobs[job["id"]] = job
    runners = [runner(f"/runner/{n}", "build", concurrency=1 + n) for n in range(5)]
    taken, done = {one.id: [] for one in runners}, 0

    while done < count:
        for one in runners:
            for given in one.poll()["assigned"]:
                taken[one.id].append(jobs[given["job_id"]])
            for given in list(one.running.values()):
                assert one.report(given, "completed") == []
                done += 1

    for mine in taken.values():
        order = [(-job["priority"], job["created_at"]) for job in mine]
        assert order == sorted(order)
    assert sorted(job["id"] for mine in taken.values() for job in mine) == sorted(jobs)
    told.until(lambda: sum(e["type"] == "job.completed" for e in told.events) == count, "all are told")
    assert all(record["status"] == "completed" for record in told.records.values()) and len(told.records) == count
    stats = control.state()["stats"]
    assert (stats["pending_jobs"], stats["active_jobs"], stats["completed_jobs"]) == (0, 0, count)


def test_whatever_was_told_survives_kill_9_between_any_two_steps(control, told, runner, aggregator):
    build = runner("/runner/a", "build", concurrency=4)
    other = control.submit("test", priority=3, payload={"waits": True})

    def again():
        """Kills it: all is as it was told, and as it was."""
        before = control.jobs()
        aggregator.kill()
        told.rejoin_after(lambda: (aggregator.start(), harness.wait_ready(aggregator)), control)
        after = control.jobs()
        assert after == before
        told.until(lambda: all(told.records.get(job["id"]) == job for job in after), "what is known was told")

    again()
    job = control.submit("build", client_key="once")
    again()
    given = build.work()
    again()
    build.poll()  # names it: it has begun
    again()
    build.report(given, "progress", progress=10, message="begun")
    again()
    assert build.report(given, "completed", result={"ok": True}) == []
    again()
    control.cancel(other["id"], reason="over")
    again()

    assert control.job(job["id"])["result"] == {"ok": True} and control.job(job["id"])["attempts"] == 1


def test_kill_9_at_any_moment_loses_nothing_that_was_answered(bus, start, tmp_path):
    """Jobs are asked for and run without a pause while the aggregator is killed: each that was answered for is run."""
    aggregator = start(harness.Aggregator, bus, "--store", tmp_path / "store", "--renew-ms", 3000)
    control, build, answered, completed, draw = Control(bus), Runner(bus, "/runner/a", "build", concurrency=10), {}, set(), random.Random(7)

    def ask(one, operation, **question):
        number = one.send(operation, **question)
        while one.socket.poll(5000):
            frames = one.socket.recv_multipart()
            if int(frames[2]) == number:
                return harness.json.loads(frames[3]), [harness.json.loads(f) for f in frames[4:]]
        return None, []

    for step in range(60):
        key = f"key-{len(answered)}"
        answer, payload = ask(control, "submit", job_type="build", by="test", client_key=key)
        if answer:
            assert answer["status"] in (200, 202)
            answered[key] = payload[0]["id"]
        if step % 6 == 3:
            control.send("submit", job_type="build", by="test", client_key=f"key-{len(answered)}")
            time.sleep(draw.random() / 200)
            aggregator.kill()
            aggregator.start()
            harness.wait_ready(aggregator)
        answer, _ = ask(build, "runner", **build.question(0))
        if answer:
            build.take(answer)
        for given in list(build.running.values()):
            answer, _ = ask(build, "report", runner_id=build.id, reports=[
                {"job_id": given["job_id"], "attempt": given["attempt"], "event": "completed"}])
            if answer and answer["status"] == 200:
                build.running.pop(given["job_id"])
                completed.update([given["job_id"]] if not answer["stop"] else [])

    def drain():
        build.poll(50)
        for given in list(build.running.values()):
            build.report(given, "completed")
        return all(job["status"] == "completed" for job in control.jobs(limit=1000))
    wait_until(drain, "all are run")
    known = {job["id"]: job for job in control.jobs(limit=1000)}
    assert len(answered) >= 50 and set(answered.values()) <= set(known) and completed <= set(known)
    assert len({job["client_key"] for job in known.values()}) == len(known), "none is there twice"
    for one in (control, build):
        one.close()

"""Commands over HTTP: each status, who may, what is repeated, what is recorded; and what a gateway shows of jobs.
The aggregator is the test's own (stand_in.py). SPDX-License-Identifier: MIT"""
import concurrent.futures
import hashlib
import json
import os
import signal
import stat
import uuid

import jsonschema
import pytest

import harness
import stand_in
from harness import http, http_json, metric, wait_until

REGIONS = ("us-east-1", "eu-west-1")
OPENAPI = json.loads((harness.ROOT / "common/schema/openapi.json").read_text())
COMMANDS = {"refresh": "metrics.refresh", "labs/refresh": "labs.refresh", "pause": "worker.pause", "resume": "worker.resume",
            "detailed-monitoring": "monitoring.enable"}
PEOPLE = {"vera": ("viewer",), "olga": ("operator",), "lim": ("operator", "regions=us-east-1"), "adam": ("admin",),
          "wim": ("viewer", "regions=us-east-1")}
NOBODY = str(uuid.uuid4())


def bearer(name):
    return {"Authorization": f"Bearer token-of-{name}"}


def valid(name, body):
    schema = json.loads((harness.ROOT / f"common/schema/{name}.json").read_text())
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(body)
    return body


def problem(answer, status):
    got, headers, body = answer
    assert got == status and headers["content-type"] == "application/problem+json", (got, body)
    return valid("rest.problem", json.loads(body))


class Hub:
    """Workers, the stand-in, and a gateway before it."""

    def __init__(self, start, bus, *arguments, ask_timeout_ms=20000):
        self.workers = [stand_in.make_worker(n, REGIONS[n % 2], "stopped" if n == 5 else "running") for n in range(6)]
        self.bus, self.ids = bus, [worker["worker_id"] for worker in self.workers]
        self.broker = stand_in.StandIn(bus, self.workers)
        try:
            self.gateway = start(harness.Gateway, bus, "--ask-timeout-ms", ask_timeout_ms, *arguments)
        except BaseException:
            self.broker.stop()
            raise

    def command(self, worker, command, body=None, **headers):
        return self.gateway.ask(f"/api/workers/{worker}/{command}", "POST", body, headers or None)

    def state(self, **more):
        return http_json(f"{self.gateway.url}/api/state", **more)

    def until_told(self, **more):
        wait_until(lambda: self.state(**more)["last_event_id"].endswith(f"-{self.broker.seq}"), "the gateway has all")
        return self.state(**more)

    def asked(self, operation):
        return [question for asked, question in self.broker.asked if asked == operation]


@pytest.fixture
def hub(start, bus):
    hub = Hub(start, bus)
    yield hub
    hub.broker.stop()


@pytest.fixture
def guarded(start, bus, tmp_path):
    """Where one has to log in."""
    tokens = tmp_path / "tokens"
    tokens.write_text("".join(f"{name} {role[0]} sha256:{hashlib.sha256(f'token-of-{name}'.encode()).hexdigest()} {' '.join(role[1:])}\n"
                              for name, role in PEOPLE.items()))
    hub = Hub(start, bus, "--auth", "token", "--tokens-file", tokens, "--audit-log", tmp_path / "audit", ask_timeout_ms=8000)
    hub.audit_path = tmp_path / "audit"
    yield hub
    hub.broker.stop()


#  --- a command and its answers

@pytest.mark.parametrize("command,job_type", COMMANDS.items())
def test_command_is_a_job_of_its_type_for_that_worker(hub, command, job_type):
    status, headers, body = hub.command(hub.ids[0], command)

    job = valid("rest.job", json.loads(body))
    assert status == 202 and (job["job_type"], job["worker_id"], job["status"]) == (job_type, hub.ids[0], "pending")
    assert headers["Location"] == f"/api/jobs/{job['id']}"
    assert http_json(hub.gateway.url + headers["Location"]) == job
    assert hub.asked("submit") == [{"job_type": job_type, "worker": hub.ids[0], "by": "anonymous"}]


def test_command_by_instance_id_carries_reason_priority_and_key(hub):
    status, _, _ = hub.gateway.ask(f"/api/workers/{hub.workers[1]['aws_instance_id']}/pause", "POST",
                                   {"reason": "maintenance ünï", "priority": -7}, {"Idempotency-Key": "k 1"})

    assert status == 202
    assert hub.asked("submit") == [{"job_type": "worker.pause", "worker": hub.ids[1], "by": "anonymous", "priority": -7,
                                    "client_key": "k 1", "payload": {"reason": "maintenance ünï"}}]


def test_repeat_with_the_same_key_is_the_same_job(hub):
    first = hub.command(hub.ids[0], "pause", None, **{"Idempotency-Key": "once"})
    again = hub.command(hub.ids[0], "pause", None, **{"Idempotency-Key": "once"})

    assert (first[0], again[0]) == (202, 200)
    assert json.loads(first[2]) == json.loads(again[2]) and again[1]["Location"] == first[1]["Location"]
    assert len(hub.broker.jobs) == 1


def test_conflict_names_the_job_that_is_on_its_way_and_none_when_the_worker_does_not_run(hub):
    job = json.loads(hub.command(hub.ids[0], "refresh")[2])

    assert problem(hub.command(hub.ids[0], "refresh"), 409)["job_id"] == job["id"]
    stopped = problem(hub.command(hub.ids[5], "refresh"), 409)
    assert "job_id" not in stopped and "not running" in stopped["detail"]


def test_too_soon_says_when(hub):
    hub.broker.next_answer = {"status": 429, "detail": "it was refreshed a moment ago", "retry_after_seconds": 7}

    answer = hub.command(hub.ids[0], "refresh")

    assert "a moment ago" in problem(answer, 429)["detail"] and answer[1]["Retry-After"] == "7"


def test_too_many_open_jobs_are_to_come_again(hub):
    hub.broker.next_answer = {"status": 503, "detail": "jobs_max are open"}

    answer = hub.command(hub.ids[0], "refresh")

    assert problem(answer, 503)["detail"] == "jobs_max are open" and answer[1]["Retry-After"] == "1"


@pytest.mark.parametrize("body,word", [
    ({"reason": 7}, "reason"), ({"reason": ""}, "reason"), ({"reason": "x" * 129}, "reason"), ({"reason": "a\0b"}, "reason"),
    ({"priority": 1001}, "priority"), ({"priority": "5"}, "priority"), ({"priority": 1.5}, "priority"), ({"nonsense": 1}, "nonsense"),
    ([], "object"), ("{", "JSON"), ("7", "object")])
def test_body_of_a_command_that_is_wrong_is_refused_by_name(hub, body, word):
    assert word in problem(hub.gateway.ask(f"/api/workers/{hub.ids[0]}/pause", "POST", body), 400)["detail"]
    assert not hub.asked("submit")


@pytest.mark.parametrize("body,word", [
    ({}, "job_type"), ({"job_type": None}, "job_type"), ({"job_type": "Upper"}, "job_type"), ({"job_type": "x" * 65}, "job_type"),
    ({"job_type": "x", "priority": -1001}, "priority"), ({"job_type": "x", "payload": []}, "payload"),
    ({"job_type": "x", "payload": {"p": "x" * 16384}}, "payload"), ('{"job_type": "x", "payload": {"a": [NaN]}}', "payload"),
    ({"job_type": "x", "workflow_id": ""}, "workflow_id"), ({"job_type": "x", "client_key": "x" * 129}, "client_key"),
    ({"job_type": "x", "timeout_seconds": 0}, "timeout_seconds"), ({"job_type": "x", "worker_id": 1}, "worker_id"),
    ({"job_type": "x", "id": "x"}, "id"), ("", "JSON")])
def test_job_that_is_wrong_is_refused_by_name(hub, body, word):
    assert word in problem(hub.gateway.ask("/api/jobs", "POST", body), 400)["detail"]
    assert not hub.asked("submit")


def test_what_is_no_json_too_large_or_unknown_is_said(hub):
    url = f"{hub.gateway.url}/api/workers/{hub.ids[0]}/pause"

    problem(http(url, "POST", "reason=x", {"Content-Type": "application/x-www-form-urlencoded"}), 415)
    problem(http(url, "POST", "{}", {"Content-Type": "application/jsonp"}), 415)
    problem(hub.gateway.ask("/api/jobs", "POST", {"job_type": "x", "payload": {"p": "x" * 30000}}), 413)
    problem(hub.gateway.ask(f"/api/workers/{NOBODY}/pause", "POST"), 404)
    problem(hub.gateway.ask(f"/api/workers/{hub.ids[0]}/explode", "POST"), 404)
    assert "worker_id" in problem(hub.gateway.ask("/api/jobs", "POST", {"job_type": "x", "worker_id": NOBODY}), 404)["detail"]
    assert "Idempotency-Key" in problem(hub.command(hub.ids[0], "pause", None, **{"Idempotency-Key": "x" * 129}), 400)["detail"]
    assert "nonsense" in problem(hub.gateway.ask(f"/api/workers/{hub.ids[0]}/pause?nonsense=1", "POST"), 400)["detail"]
    differ = hub.gateway.ask("/api/jobs", "POST", {"job_type": "x", "client_key": "a"}, {"Idempotency-Key": "b"})
    assert "client_key" in problem(differ, 400)["detail"]
    status, headers, _ = hub.gateway.ask(f"/api/workers/{hub.ids[0]}/pause", "DELETE")
    assert status == 405 and "POST" in headers["Allow"]
    assert not hub.asked("submit")


def test_page_of_another_site_gives_no_commands_where_nobody_has_to_log_in(hub):
    url = f"{hub.gateway.url}/api/workers/{hub.ids[0]}/pause"

    problem(http(url, "POST", headers={"Origin": "https://evil.example"}), 403)
    problem(http(url, "POST", headers={"Origin": "null"}), 403)
    named = f"rebound.example:{hub.gateway.port}"
    problem(http(url, "POST", headers={"Origin": f"http://{named}", "Host": named}), 403)
    assert not hub.asked("submit")
    assert http(url, "POST", headers={"Origin": hub.gateway.url})[0] == 202
    local = f"localhost:{hub.gateway.port}"
    assert http(url, "POST", headers={"Origin": f"http://{local}", "Host": local})[0] == 409, "it is on its way already"


def test_job_of_any_type_carries_all_that_was_asked(hub):
    payload = {"deep": {"list": [1, 0.12345678901, "é", None]}, "status": "completed"}
    body = {"job_type": "render.v2", "worker_id": hub.ids[2], "priority": -1000, "workflow_id": "w-1", "payload": payload,
            "client_key": "key-1", "timeout_seconds": 5}

    status, headers, answer = hub.gateway.ask("/api/jobs", "POST", body)

    job = valid("rest.job", json.loads(answer))
    assert status == 202 and {key: job[key] for key in body} == body
    assert hub.gateway.ask("/api/jobs", "POST", body, {"Idempotency-Key": "key-1"})[0] == 200
    state = hub.until_told()
    assert state["jobs"]["pending"] == [job]
    assert hub.gateway.ask("/api/jobs", "POST", {"job_type": "of.no.worker"})[0] == 202


def test_aggregator_that_does_not_answer_is_said(start, bus):
    hub = Hub(start, bus, ask_timeout_ms=1000)
    try:
        hub.broker.away = True

        answers = [hub.command(hub.ids[0], "pause"), hub.gateway.ask("/api/jobs"), hub.gateway.ask(f"/api/jobs/{NOBODY}"),
                   hub.gateway.ask(f"/api/jobs/{NOBODY}", "DELETE"), hub.gateway.ask("/api/alerts"),
                   hub.gateway.ask(f"/api/alerts/{NOBODY}/acknowledge", "POST")]

        for answer in answers:
            problem(answer, 503)
            assert answer[1]["Retry-After"] == "1"
    finally:
        hub.broker.stop()


def test_command_that_was_refused_is_not_done_when_the_aggregator_is_back(start, bus):
    hub = Hub(start, bus, ask_timeout_ms=6000)  # who is back, and slow, is waited for
    try:
        hub.broker.stop()
        problem(hub.command(hub.ids[0], "pause"), 503)

        hub.broker = stand_in.StandIn(hub.bus, hub.workers)

        wait_until(lambda: hub.gateway.ask("/api/jobs")[0] == 200, "it is back")
        assert hub.command(hub.ids[1], "pause")[0] == 202
        assert [question["worker"] for question in hub.asked("submit")] == [hub.ids[1]]
    finally:
        hub.broker.stop()


def test_hundreds_at_once_are_all_answered(hub):
    with concurrent.futures.ThreadPoolExecutor(150) as many:
        answers = list(many.map(lambda n: hub.gateway.ask("/api/jobs", "POST", {"job_type": "burst", "client_key": f"k{n}"}), range(300)))

    assert {status for status, _, _ in answers} == {202}
    assert len({json.loads(body)["id"] for _, _, body in answers}) == len(hub.broker.jobs) == 300


def test_no_more_wait_for_the_aggregator_than_may(start, bus):
    hub = Hub(start, bus, "--asks-max", 3, ask_timeout_ms=8000)  # all have come when the first are given up
    try:
        hub.broker.away = True
        with concurrent.futures.ThreadPoolExecutor(8) as many:
            answers = list(many.map(lambda n: hub.gateway.ask("/api/jobs", "POST", {"job_type": "burst"}), range(8)))

        said = [problem(answer, 503)["detail"] for answer in answers]
        refused = [detail for detail in said if "too many requests wait" in detail]
        assert refused and all("too many requests wait" in detail or "no answer" in detail for detail in said)
        assert metric(hub.gateway.url, "cmlwatch_gateway_asks_refused_total") == len(refused)
        hub.broker.away = False
        assert hub.gateway.ask("/api/jobs", "POST", {"job_type": "burst"})[0] == 202
    finally:
        hub.broker.stop()


#  --- jobs, looked at

def test_list_is_chosen_and_paged(hub):
    jobs = [hub.broker.submit("a" if n % 2 else "b", hub.ids[n % 3], workflow_id=f"w{n % 2}") for n in range(25)]
    for job in jobs[:5]:
        hub.broker.complete(job)
    hub.broker.fail(jobs[5])
    seen, query = [], "limit=7"
    while True:
        page = valid("rest.jobs", http_json(f"{hub.gateway.url}/api/jobs?{query}"))
        seen += page["jobs"]
        if not page["next_cursor"]:
            break
        query = f"limit=7&cursor={page['next_cursor']}"
    ask = lambda query: [job["id"] for job in http_json(f"{hub.gateway.url}/api/jobs?{query}")["jobs"]]

    assert seen == list(reversed(jobs))
    assert ask("status=completed,failed") == [job["id"] for job in reversed(jobs[:6])]
    assert ask("job_type=a&workflow_id=w1&limit=1000") == [job["id"] for job in reversed(jobs) if job["job_type"] == "a"]
    assert ask(f"worker_id={hub.workers[1]['aws_instance_id']}") == [job["id"] for job in reversed(jobs) if job["worker_id"] == hub.ids[1]]
    for query in ("limit=0", "limit=1001", "limit=x", "status=done", "status=", "status=completed,", "job_type=A", "cursor=x",
                  "workflow_id=", "worker_id=", "nonsense=1"):
        assert query.split("=")[0] in problem(hub.gateway.ask(f"/api/jobs?{query}"), 400)["detail"]


def test_job_is_cancelled_once(hub):
    job = hub.broker.submit("render", hub.ids[0])

    status, _, body = hub.gateway.ask(f"/api/jobs/{job['id']}", "DELETE")

    assert status == 202 and valid("rest.job", json.loads(body))["status"] == "cancelled" and json.loads(body)["cancelled_by"] == "anonymous"
    problem(hub.gateway.ask(f"/api/jobs/{job['id']}", "DELETE"), 409)
    problem(hub.gateway.ask(f"/api/jobs/{NOBODY}", "DELETE"), 404)
    problem(hub.gateway.ask("/api/jobs/nonsense"), 404)
    problem(hub.gateway.ask(f"/api/jobs/{NOBODY}"), 404)


def records(hub):
    of = lambda *statuses: [job for job in hub.broker.jobs.values() if job["status"] in statuses]
    last = lambda status, at: sorted(of(status), key=lambda job: job[at])[-100:]
    return {"pending": of("pending"), "active": of("assigned", "in_progress"), "completed": last("completed", "completed_at"),
            "failed": last("failed", "failed_at")}


def test_state_shows_every_job_as_it_stands_by_events_and_after_a_new_start(hub, start):
    for n in range(130):
        job = hub.broker.submit("render", hub.ids[n % 5], priority=n - 60)
        if n % 10:
            hub.broker.assign(job)
            hub.broker.begin(job)
            hub.broker.progress(job, n % 100 + 0.5, f'say "{n}" }}')
        if n % 10 == 1:
            hub.broker.give_back(job)
        elif n % 10 == 2:
            hub.broker.fail(job)
        elif n % 10 == 3:
            hub.broker.cancel(job)
    for n in range(105):
        hub.broker.complete(hub.broker.submit("quick"))

    by_events = hub.until_told()
    again = start(harness.Gateway, hub.bus, log_name="again")

    wanted = records(hub)
    assert len(wanted["completed"]) == 100 and len(wanted["active"]) > 50
    assert by_events["jobs"] == wanted
    assert http_json(f"{again.url}/api/state")["jobs"] == wanted
    valid("rest.state", by_events)


def test_stream_begins_with_open_jobs_as_they_stand(hub):
    running, ended = hub.broker.submit("render", hub.ids[0]), hub.broker.submit("render", hub.ids[1])
    hub.broker.assign(running)
    hub.broker.progress(running, 40)
    hub.broker.complete(ended)
    hub.until_told()

    stream = hub.gateway.stream()
    stream.state()

    told = [event.data for event in stream.events if event.type == "job.submitted"]
    assert told == [{"job_id": running["id"], **running}]
    assert [event.data["jobs"] for event in stream.events if event.type.startswith("system.state")] == [1, 1]
    for event in stream.events:
        valid(event.type, event.body)


#  --- who may

def test_roles_and_logins(guarded):
    job = guarded.broker.submit("render", guarded.ids[0])
    alert = guarded.broker.raise_alert("cpu", guarded.ids[0])
    commands = [(f"/api/workers/{guarded.ids[0]}/pause", "POST"), ("/api/jobs", "POST"), (f"/api/jobs/{job['id']}", "DELETE"),
                (f"/api/alerts/{alert['id']}/acknowledge", "POST"), (f"/api/workers/{guarded.ids[0]}/idle-detection", "PUT")]

    for path, method in commands:
        problem(guarded.gateway.ask(path, method, None, bearer("vera")), 403)
        problem(guarded.gateway.ask(path, method, None, {}), 401)
    assert not [asked for asked, _ in guarded.broker.asked if asked in ("submit", "cancel", "acknowledge", "command")]
    for path in ("/api/jobs", f"/api/jobs/{job['id']}", "/api/alerts"):
        assert guarded.gateway.ask(path, headers=bearer("vera"))[0] == 200
        assert guarded.gateway.ask(path, headers={})[0] == 401
    status, _, body = guarded.gateway.ask(f"/api/workers/{guarded.ids[0]}/pause", "POST", None, bearer("olga"))
    assert status == 202 and json.loads(body)["submitted_by"] == "olga"
    assert json.loads(guarded.gateway.ask(f"/api/jobs/{job['id']}", "DELETE", None, bearer("adam"))[2])["cancelled_by"] == "adam"


def test_who_sees_a_part_of_the_fleet_sees_its_jobs_and_no_others(guarded):
    jobs = [guarded.broker.submit("render", guarded.ids[n % 5] if n % 7 else None, client_key=f"k{n}") for n in range(40)]
    mine = [job for job in jobs if job["worker_id"] and guarded.broker.workers[job["worker_id"]]["region"] == "us-east-1"]
    theirs = next(job for job in jobs if job["worker_id"] == guarded.ids[1])
    guarded.broker.assign(mine[0])
    guarded.broker.fail(mine[1])
    headers = bearer("lim")
    ask = lambda path, method="GET", body=None: guarded.gateway.ask(path, method, body, headers)
    guarded.until_told(headers=bearer("adam"))

    state = guarded.state(headers=bearer("wim"))
    stream = guarded.gateway.stream(headers=bearer("wim"))
    stream.state()
    seen, query = [], "limit=4"
    while query:
        page = json.loads(ask(f"/api/jobs?{query}")[2])
        seen += page["jobs"]
        assert len(page["jobs"]) == 4 or not page["next_cursor"]
        query = page["next_cursor"] and f"limit=4&cursor={page['next_cursor']}"

    assert [job["id"] for job in seen] == [job["id"] for job in reversed(mine)]
    assert [job["id"] for job in state["jobs"]["pending"]] == [job["id"] for job in mine[2:]]
    masked = {"payload": None, "result": None, "error": None}  # a viewer is not told what goes into a job and comes out of it
    assert (state["jobs"]["active"], state["jobs"]["failed"]) == ([{**mine[0], **masked}], [{**mine[1], **masked}])
    assert {key: state["system_stats"][key] for key in ("total_jobs", "pending_jobs", "active_jobs", "completed_jobs", "failed_jobs")} == \
        {"total_jobs": len(mine), "pending_jobs": len(mine) - 2, "active_jobs": 1, "completed_jobs": 0, "failed_jobs": 1}
    assert {e.data["id"] for e in stream.events if e.type == "job.submitted"} == {job["id"] for job in mine if job["status"] != "failed"}
    assert ask(f"/api/jobs/{mine[0]['id']}")[0] == 200
    for method in ("GET", "DELETE"):
        assert problem(ask(f"/api/jobs/{theirs['id']}", method), 404) == problem(ask(f"/api/jobs/{NOBODY}", method), 404)
    assert theirs["status"] == "pending" and ask(f"/api/jobs/{mine[0]['id']}", "DELETE")[0] == 202
    problem(ask(f"/api/workers/{guarded.ids[1]}/pause", "POST"), 404)
    problem(ask("/api/jobs", "POST", {"job_type": "x", "worker_id": guarded.ids[1]}), 404)
    problem(ask("/api/jobs", "POST", {"job_type": "x"}), 403)
    taken = problem(ask("/api/jobs", "POST", {"job_type": "x", "worker_id": guarded.ids[0], "client_key": theirs["client_key"]}), 409)
    assert theirs["id"] not in json.dumps(taken)
    assert ask(f"/api/workers/{guarded.ids[0]}/pause", "POST")[0] == 202


def test_alerts_are_seen_and_acknowledged_by_who_may(guarded):
    mine, theirs, fleets = (guarded.broker.raise_alert("cpu", worker) for worker in (guarded.ids[0], guarded.ids[1], None))
    ask = lambda who, path, method="GET": guarded.gateway.ask(path, method, None, bearer(who))

    told = valid("rest.alerts", json.loads(ask("vera", "/api/alerts")[2]))
    assert told["alerts"] == [mine, theirs, fleets]
    assert json.loads(ask("lim", "/api/alerts")[2])["alerts"] == [mine]
    problem(ask("lim", f"/api/alerts/{theirs['id']}/acknowledge", "POST"), 404)
    problem(ask("olga", f"/api/alerts/{NOBODY}/acknowledge", "POST"), 404)
    problem(ask("olga", f"/api/alerts/{mine['id']}/forget", "POST"), 404)
    status, _, body = ask("lim", f"/api/alerts/{mine['id']}/acknowledge", "POST")
    assert status == 202 and valid("rest.alert", json.loads(body))["acknowledged_by"] == "lim"
    problem(ask("olga", f"/api/alerts/{mine['id']}/acknowledge", "POST"), 409)
    assert json.loads(ask("olga", f"/api/alerts/{theirs['id']}/acknowledge", "POST")[2])["acknowledged_by"] == "olga"


#  --- what is recorded

def audit(hub, count):
    wait_until(lambda: hub.audit_path.read_text().count("\n") >= count, f"{count} records")
    lines = [json.loads(line) for line in hub.audit_path.read_text().splitlines()]
    assert len(lines) == count
    return lines


def test_each_command_is_one_record_with_who_what_and_how_it_ended(guarded):
    worker, job = guarded.ids[0], guarded.broker.submit("render", guarded.ids[0])
    alert = guarded.broker.raise_alert("cpu", worker)
    stream = guarded.gateway.stream("?heartbeat=1", headers=bearer("vera"))
    client = stream.next().data["client_id"]
    stream.wait("heartbeat", "it is live")
    ask = guarded.gateway.ask
    made = json.loads(ask(f"/api/workers/{worker}/pause", "POST", None, bearer("olga"))[2])
    conflict = ask(f"/api/workers/{worker}/pause", "POST", None, bearer("olga"))
    ask("/api/jobs", "POST", {"job_type": "BAD"}, bearer("olga"))
    ask(f"/api/jobs/{job['id']}", "DELETE", None, bearer("adam"))
    ask(f"/api/workers/{worker}/refresh", "POST", None, bearer("vera"))
    ask(f"/api/workers/{worker}/refresh", "POST", None, {"Authorization": "Bearer wrong"})
    ask(f"/api/alerts/{alert['id']}/acknowledge", "POST", None, bearer("olga"))
    ask(f"/api/workers/{worker}/idle-detection", "PUT", {"enabled": False}, bearer("olga"))
    ask(f"/api/clients/{client}", "PATCH", {"regions": "us-east-1"}, bearer("vera"))
    _, headers, _ = ask("/api/session", "POST", {"token": "token-of-vera"}, {})
    ask("/api/session", "DELETE", None, {"Cookie": headers["Set-Cookie"].split(";")[0], "Origin": guarded.gateway.url})
    ask("/api/session", "POST", {"token": "wrong"}, {})
    guarded.broker.away = True
    ask(f"/api/workers/{worker}/resume", "POST", None, bearer("olga"))
    ask("/api/jobs", headers=bearer("olga"))

    rows = [(r["action"], r["user"], r["role"], r["status"], r["outcome"], r["subject"]) for r in audit(guarded, 13)]
    assert conflict[0] == 409 and rows == [
        ("worker.command", "olga", "operator", 202, "done", made["id"]),
        ("worker.command", "olga", "operator", 409, "refused", None),
        ("job.submit", "olga", "operator", 400, "refused", None),
        ("job.cancel", "adam", "admin", 202, "done", job["id"]),
        ("worker.command", "vera", "viewer", 403, "refused", None),
        ("worker.command", None, "none", 401, "refused", None),
        ("alert.acknowledge", "olga", "operator", 202, "done", alert["id"]),
        ("worker.idle_detection", "olga", "operator", 202, "done", None),
        ("client.change", "vera", "viewer", 200, "done", None),
        ("session.begin", "vera", "viewer", 201, "done", None),
        ("session.end", "vera", "viewer", 204, "done", None),
        ("session.begin", None, "none", 401, "refused", None),
        ("worker.command", "olga", "operator", 503, "failed", None)]
    first = audit(guarded, 13)[0]
    assert (first["method"], first["path"], first["client"]) == ("POST", f"/api/workers/{worker}/pause", "127.0.0.1")
    assert first["time"].endswith("Z")
    assert stat.S_IMODE(os.stat(guarded.audit_path).st_mode) == 0o600
    assert guarded.gateway.log.count("msg=audit ") == 13 and "token-of" not in guarded.gateway.log + guarded.audit_path.read_text()


def test_audit_log_is_opened_anew_when_it_was_renamed_away(guarded):
    pause = lambda: guarded.gateway.ask(f"/api/workers/{guarded.ids[0]}/pause", "POST", None, bearer("olga"))
    pause()
    audit(guarded, 1)
    old = guarded.audit_path.rename(guarded.audit_path.with_suffix(".1"))

    guarded.gateway.process.send_signal(signal.SIGHUP)
    wait_until(guarded.audit_path.exists, "a new file")
    pause()

    assert len(audit(guarded, 1)) == 1 and old.read_text().count("\n") == 1


def why_unready(hub):
    """What /readyz says is wrong; it may be 503, of a feed that was silent for a moment."""
    return json.loads(http(f"{hub.gateway.url}/readyz")[2])["reason"] or ""


def test_audit_log_that_can_be_opened_again_is_well_before_the_next_command(start, bus, tmp_path):
    (tmp_path / "logs").mkdir()
    hub = Hub(start, bus, "--audit-log", tmp_path / "logs" / "audit")
    try:
        reason = lambda: why_unready(hub)
        away = (tmp_path / "logs").rename(tmp_path / "away")
        hub.gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "audit log" in reason(), "it is said that there is none")
        away.rename(tmp_path / "logs")
        hub.gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "audit log" not in reason(), "and that there is one")
    finally:
        hub.broker.stop()


def test_commands_go_on_when_the_audit_log_cannot_be_written_and_it_is_said(start, bus):
    hub = Hub(start, bus, "--audit-log", "/dev/full", "--audit-queue-max-bytes", 4096)
    try:
        for _ in range(30):
            assert hub.command(hub.ids[0], "resume")[0] in (202, 409)
        wait_until(lambda: "No space left" in why_unready(hub), "it is said")
        assert metric(hub.gateway.url, "cmlwatch_gateway_audit_records_total") == 30
        assert metric(hub.gateway.url, "cmlwatch_gateway_audit_dropped_total") > 0
        assert 0 < metric(hub.gateway.url, "cmlwatch_gateway_audit_queued_bytes") <= 4096
        assert hub.gateway.log.count("msg=audit ") == 30
    finally:
        hub.broker.stop()


def test_audit_log_that_cannot_be_opened_is_refused_at_the_start(bus, tmp_path):
    gateway = harness.Gateway(tmp_path, bus, "--audit-log", tmp_path / "no" / "where", wait=False)

    assert gateway.process.wait(harness.PATIENCE) == 2 and "audit_log" in gateway.log


#  --- the document

@pytest.mark.parametrize("path,method", [(path, method) for path, item in OPENAPI["paths"].items() for method in item
                                         if "/jobs" in path or "/alerts" in path or ("/workers/{id}/" in path and method == "post")])
def test_every_command_is_answered_as_the_openapi_document_says(hub, path, method):
    operation = OPENAPI["paths"][path][method]
    of = {"jobs": hub.broker.submit("render", hub.ids[3])["id"], "alerts": hub.broker.raise_alert("cpu")["id"],
          "workers": hub.ids[0]}[path.split("/")[2]]
    body = {"job_type": "render"} if path == "/api/jobs" and method == "post" else None

    status, headers, answer = hub.gateway.ask(path.replace("{id}", of), method.upper(), body)

    said = operation["responses"][str(status)]
    assert 200 <= status < 300
    valid(said["content"][headers["content-type"]]["schema"]["$ref"].removesuffix(".json"), json.loads(answer))
    assert ("headers" in said) == ("Location" in headers)
    assert http(hub.gateway.url + path.replace("{id}", of) + "?nonsense=1", method.upper())[0] == 400

"""Alerts: the real aggregator, told things by pyzmq; heard on the stream, asked over control, and
taken by a webhook that checks the signatures itself.
SPDX-License-Identifier: MIT"""
import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import signal
import threading

import pytest
import zmq

import harness
import outside
from harness import metric, wait_until
from test_schema import validator

RULES = """
[cpu-high]
for = 0s
clear_after = 0s
[slow]
when = memory_utilization > 80
for = 1s
clear_after = 1s
severity = critical
message = {name} in {region} is short of memory: {value} %
[two-down]
when = status = stopped
at_least = 2
severity = critical
message = {value} workers are stopped
[data-stale]
enabled = no
[cml-unavailable]
enabled = no
"""


class Control:
    """Asks the aggregator as common/README.md says."""

    def __init__(self, bus):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger, self.asked = 0, 0
        self.socket.connect(bus.control)

    def ask(self, operation, **question):
        self.asked += 1
        self.socket.send_multipart([b"request", operation.encode(), str(self.asked).encode(), json.dumps(question).encode()])
        assert self.socket.poll(harness.PATIENCE * 1000), f"{operation} has no answer"
        _, _, number, answer, *payload = self.socket.recv_multipart()
        assert int(number) == self.asked
        return json.loads(answer), [json.loads(frame) for frame in payload]


class Fleet:
    def __init__(self, start, bus, folder, *arguments):
        self.rules = folder / "alerts.conf"
        self.rules.write_text(RULES)
        self.arguments = ("--alert-rules", self.rules, "--store", folder / "store", *arguments)
        self.start, self.bus = start, bus
        self.aggregator = start(harness.Aggregator, bus, *self.arguments)
        self.gateway = start(harness.Gateway, bus)
        self.publisher = outside.Publisher(bus.ingest, "/collector/ec2/test")
        self.load = outside.Publisher(bus.ingest, "/collector/cloudwatch/test").joined()
        self.control = Control(bus)
        for name in ("i-0one", "i-0two"):
            self.publisher.until_heard(self.gateway, "us-east-1", name)
        self.stream = self.gateway.stream("?event_types=alert.*&state=0")

    @contextlib.contextmanager
    def at_once(self):
        """What is said here the aggregator finds all together, however long saying it takes."""
        self.aggregator.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.aggregator.process.send_signal(signal.SIGCONT)

    def busy(self, name, **percent):
        self.load.publish("utilization.observed", f"us-east-1/{name}", {"interval_seconds": 60, **percent})

    def alerts(self, **wanted):
        _, alerts = self.control.ask("alerts")
        return [a for a in alerts if all(a[key] == value for key, value in wanted.items())]


@pytest.fixture
def fleet(start, bus, tmp_path):
    return Fleet(start, bus, tmp_path)


def valid(event):
    validator(event.type).validate(event.body)
    return event


def test_alert_is_raised_and_cleared_as_its_rule_says(fleet):
    worker = fleet.gateway.worker("i-0one")["worker_id"]
    fleet.busy("i-0one", cpu_percent=95)
    raised = valid(fleet.stream.wait(lambda e: e.type == "alert.raised", "it is raised"))

    assert raised.data["rule"] == "cpu-high" and raised.data["severity"] == "warning"
    assert raised.data["worker_id"] == worker and raised.data["state"] == "raised"
    assert (raised.data["metric"], raised.data["value"], raised.data["threshold"]) == ("cpu_utilization", 95, 90)
    assert raised.body["source"] == "domain.alert"
    assert fleet.alerts(state="raised")[0]["id"] == raised.data["alert_id"] == raised.data["id"]
    validator("rest.alert").validate(fleet.alerts()[0])
    assert metric(fleet.aggregator.url, "cmlwatch_alerts_active", severity="warning") == 1

    fleet.busy("i-0one", cpu_percent=50)
    cleared = valid(fleet.stream.wait(lambda e: e.type == "alert.cleared", "it is cleared"))
    assert cleared.data["alert_id"] == raised.data["alert_id"] and cleared.data["reason"] == "it holds no more"
    assert fleet.alerts(state="raised") == [] and len(fleet.alerts(state="cleared")) == 1
    assert metric(fleet.aggregator.url, "cmlwatch_alerts_active", severity="warning") == 0
    assert metric(fleet.aggregator.url, "cmlwatch_alerts_raised_total", rule="cpu-high") == 1


def test_rule_must_hold_for_its_time_and_not_hold_for_its_time(fleet):
    with fleet.at_once():
        fleet.busy("i-0one", memory_percent=90)
        fleet.busy("i-0one", memory_percent=10)  # too short to be told
        fleet.busy("i-0two", memory_percent=90)
    raised = fleet.stream.wait(lambda e: e.type == "alert.raised", "it is raised")
    assert raised.data["message"] == "i-0two in us-east-1 is short of memory: 90 %"

    with fleet.at_once():
        fleet.busy("i-0two", memory_percent=10)
        fleet.busy("i-0two", memory_percent=90)  # too short to be cleared
        fleet.busy("i-0two", memory_percent=20)
    cleared = fleet.stream.wait(lambda e: e.type == "alert.cleared", "it is cleared")
    assert cleared.data["alert_id"] == raised.data["alert_id"]
    assert cleared.data["duration_seconds"] >= 1
    assert len(fleet.alerts(rule="slow")) == 1, "raised and cleared once"


def test_count_over_the_fleet_is_one_alert_without_a_worker(fleet):
    fleet.publisher.instance("us-east-1", "i-0one", state="stopped")
    fleet.publisher.instance("us-east-1", "i-0two", state="stopped")
    raised = valid(fleet.stream.wait(lambda e: e.type == "alert.raised", "it is raised"))
    assert raised.data["rule"] == "two-down" and raised.data["worker_id"] is None
    assert raised.data["message"] == "2 workers are stopped" and raised.data["threshold"] == 2

    fleet.publisher.instance("us-east-1", "i-0two", state="running")
    cleared = valid(fleet.stream.wait(lambda e: e.type == "alert.cleared", "it is cleared"))
    assert cleared.data["alert_id"] == raised.data["alert_id"]


def test_alert_is_acknowledged_once(fleet):
    fleet.busy("i-0one", cpu_percent=99)
    raised = fleet.stream.wait(lambda e: e.type == "alert.raised", "it is raised")

    answer, (record,) = fleet.control.ask("acknowledge", id=raised.data["id"], by="ada")
    assert answer["status"] == 202 and record["state"] == "acknowledged" and record["acknowledged_by"] == "ada"
    told = valid(fleet.stream.wait(lambda e: e.type == "alert.acknowledged", "it is told"))
    assert told.data["alert_id"] == raised.data["id"] and told.data["acknowledged_by"] == "ada"
    assert fleet.control.ask("acknowledge", id=raised.data["id"], by="bob")[0]["status"] == 409
    assert fleet.control.ask("acknowledge", id="no such", by="bob")[0]["status"] == 404
    assert fleet.control.ask("acknowledge", by="bob")[0]["error"]["code"] == "malformed"
    assert fleet.control.ask("acknowledge", id="x", by="b" * 129)[0]["error"]["code"] == "malformed"


def test_alert_of_a_worker_that_leaves_is_cleared(start, bus, tmp_path):
    fleet = Fleet(start, bus, tmp_path, "--terminated-keep-minutes", 0)
    worker = fleet.gateway.worker("i-0one")["worker_id"]
    fleet.rules.write_text("[gone]\nwhen = status = terminated\nfor = 0s\n")
    fleet.aggregator.process.send_signal(signal.SIGHUP)
    fleet.aggregator.wait_log("alert rules read again")
    fleet.publisher.publish("instance.gone", "us-east-1/i-0one", {"instance_id": "i-0one", "region": "us-east-1", "reason": "not_listed"})
    raised = fleet.stream.wait(lambda e: e.type == "alert.raised", "it is raised")
    cleared = fleet.stream.wait(lambda e: e.type == "alert.cleared", "it is cleared")
    assert raised.data["worker_id"] == cleared.data["worker_id"] == worker
    assert cleared.data["reason"] == "the worker left the state"


def test_what_is_raised_survives_kill_and_is_raised_once(fleet):
    fleet.busy("i-0one", cpu_percent=99)
    fleet.busy("i-0two", cpu_percent=99)
    ids = {fleet.stream.wait(lambda e: e.type == "alert.raised", "both are raised").data["id"] for _ in range(2)}
    fleet.busy("i-0two", cpu_percent=1)
    fleet.stream.wait(lambda e: e.type == "alert.cleared", "one is cleared")

    fleet.aggregator.kill()
    fleet.aggregator.start()
    harness.wait_ready(fleet.aggregator)
    assert {a["id"] for a in fleet.alerts()} == ids
    assert [a["name"] for a in fleet.alerts(state="raised")] == ["i-0one"]
    assert metric(fleet.aggregator.url, "cmlwatch_alerts_active", severity="warning") == 1

    def cleared():
        fleet.busy("i-0one", cpu_percent=2)
        return not fleet.alerts(state="raised")
    wait_until(cleared, "it is cleared after the restart")
    assert metric(fleet.aggregator.url, "cmlwatch_alerts_raised_total", rule="cpu-high") in (None, 0)


def test_rule_that_is_off_counts_what_it_would_have_raised_and_tells_nobody(fleet):
    def rule():
        return next(row for row in fleet.control.ask("alerts")[0]["rules"] if row["name"] == "cpu-high")

    def read_again(text):
        fleet.rules.write_text(text)
        fleet.aggregator.process.send_signal(signal.SIGHUP)
    read_again("[cpu-high]\nfor = 0s\nclear_after = 0s\nenabled = no\n[other]\nwhen = memory_utilization > 80\nfor = 0s\n")
    wait_until(lambda: not rule()["is_enabled"], "it is off")
    for number in range(1, 4):
        fleet.busy("i-0one", cpu_percent=99)
        wait_until(lambda: rule()["would_have_raised_total"] == number, "it would have")
        for value in (97, 5) if number < 3 else (97,):  # it holds on, and ends: each is looked at when a turn is over
            fleet.busy("i-0one", cpu_percent=value)
            wait_until(lambda: fleet.gateway.worker("i-0one")["cpu_utilization"] == value, "it is taken in")
    fleet.busy("i-0two", memory_percent=90)
    assert fleet.stream.wait(lambda e: e.type.startswith("alert."), "one that is on is told").data["rule"] == "other"
    assert fleet.alerts(rule="cpu-high") == [] and rule()["raised_total"] == 0 and rule()["would_have_raised_total"] == 3
    assert metric(fleet.aggregator.url, "cmlwatch_alerts_would_have_raised_total", rule="cpu-high") == 3

    read_again("[cpu-high]\nfor = 0s\n[other]\nwhen = memory_utilization > 80\nfor = 0s\n")
    assert fleet.stream.wait(lambda e: e.type == "alert.raised" and e.data["rule"] == "cpu-high", "on again, it tells").data["name"] == "i-0one"
    read_again("[cpu-high]\nfor = 0s\nenabled = no\n[other]\nwhen = memory_utilization > 80\nfor = 0s\n")
    assert fleet.stream.wait(lambda e: e.type == "alert.cleared" and e.data["rule"] == "cpu-high", "off, it has none").data["reason"] == "the rule is another"


def test_rules_are_read_again_and_wrong_ones_change_nothing(fleet):
    fleet.busy("i-0one", cpu_percent=85)
    wait_until(lambda: fleet.gateway.worker("i-0one")["cpu_utilization"] == 85, "it is taken in")
    assert fleet.alerts() == []

    fleet.rules.write_text("[cpu-high]\nwhen = cpu_utilization > eighty\n")
    fleet.aggregator.process.send_signal(signal.SIGHUP)
    fleet.aggregator.wait_log("the new alert rules are wrong; the old stay")
    assert any(rule["words"] == "cpu_utilization > 90 and status = running" for rule in fleet.control.ask("alerts")[0]["rules"])

    fleet.rules.write_text("[cpu-high]\nwhen = cpu_utilization > 80\nfor = 0s\n[mine]\nwhen = status = running\n")
    fleet.aggregator.process.send_signal(signal.SIGHUP)
    rules = {fleet.stream.wait(lambda e: e.type == "alert.raised", "raised").data["rule"] for _ in range(3)}
    assert rules == {"cpu-high", "mine"}

    fleet.rules.write_text("[cpu-high]\nclear_after = 0s\n")
    fleet.aggregator.process.send_signal(signal.SIGHUP)
    reasons = {fleet.stream.wait(lambda e: e.type == "alert.cleared", "cleared").data["reason"] for _ in range(3)}
    assert reasons == {"the rule is there no more", "it holds no more"}
    assert {rule["name"]: rule for rule in fleet.control.ask("alerts")[0]["rules"]}.keys() == {
        "check-impaired", "cml-unavailable", "cpu-high", "disk-full", "data-stale", "idle-running"}


def test_alerts_are_bounded_and_what_had_no_room_comes_when_there_is(start, bus, tmp_path):
    fleet = Fleet(start, bus, tmp_path, "--alerts-max", 1)
    fleet.busy("i-0one", cpu_percent=99)
    fleet.stream.wait(lambda e: e.type == "alert.raised", "the first is raised")
    fleet.busy("i-0two", cpu_percent=99)
    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_alerts_refused_total") >= 1, "the second is counted")

    fleet.busy("i-0one", cpu_percent=1)
    fleet.stream.wait(lambda e: e.type == "alert.cleared", "the first is cleared")
    fleet.busy("i-0two", cpu_percent=98)
    raised = fleet.stream.wait(lambda e: e.type == "alert.raised", "the second is raised")
    assert raised.data["name"] == "i-0two"


def test_wrong_rules_and_hooks_are_refused_at_the_start(fleet):
    import subprocess
    program = harness.BUILD / "cmlwatch-aggregator"
    fleet.rules.write_text("[a]\nwhen = cpu > 4\n")
    for arguments, says in ((["--alert-rules", fleet.rules], f"{fleet.rules}:2: when: no worker has a field 'cpu'"),
                            (["--webhook-url", "ftp://x"], "webhook_url: it begins with neither http:// nor https://"),
                            (["--webhook-secret", "whsec_*"], "webhook_secret: what stands behind whsec_ is not base64")):
        done = subprocess.run([program, "--check-config", *arguments], capture_output=True, text=True)
        assert done.returncode == 2 and says in done.stderr, done.stderr
    shown = subprocess.run([program, "--check-config", "--webhook-url", "https://x/secret"], capture_output=True, text=True)
    assert shown.returncode == 0 and "webhook_url = ***" in shown.stdout


#  --- the webhook

SECRET = b"thirty-two bytes of a good secret"


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked += 1
        self.server.hold.wait(harness.PATIENCE)
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        self.server.requests.append((status, dict(self.headers.items()), body))
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", harness.free_port()), Hook)
    server.requests, server.statuses, server.asked, server.hold = [], [], 0, threading.Event()
    server.hold.set()
    server.retry_after = "1"
    server.url = f"http://127.0.0.1:{server.server_address[1]}/alerts?team=night"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def check_signature(headers, body):
    """As https://www.standardwebhooks.com says, with Python's own HMAC."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"


def test_webhook_is_told_in_order_signed_and_again_until_it_takes_it(start, bus, tmp_path, hook):
    hook.statuses = [500, 429, 204]
    fleet = Fleet(start, bus, tmp_path, "--webhook-url", hook.url, "--webhook-secret", "whsec_" + base64.b64encode(SECRET).decode())
    fleet.busy("i-0one", cpu_percent=99)
    raised = fleet.stream.wait(lambda e: e.type == "alert.raised", "it is raised")
    fleet.busy("i-0one", cpu_percent=9)
    cleared = fleet.stream.wait(lambda e: e.type == "alert.cleared", "it is cleared")
    wait_until(lambda: len(hook.requests) == 4, "all was taken")

    assert [status for status, _, _ in hook.requests] == [500, 429, 204, 204]
    assert [headers["webhook-id"] for _, headers, _ in hook.requests] == [raised.id] * 3 + [cleared.id]
    for _, headers, body in hook.requests:
        check_signature(headers, body)
        assert headers["Content-Type"] == "application/json"
    told = json.loads(hook.requests[2][2])
    assert told["type"] == "alert.raised" and told["data"] == raised.data
    assert json.loads(hook.requests[3][2])["data"] == cleared.data
    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_webhook_delivered_total") == 2, "it is counted")
    assert metric(fleet.aggregator.url, "cmlwatch_webhook_waiting") == 0
    assert metric(fleet.aggregator.url, "cmlwatch_webhook_requests_total", outcome="500") == 1
    place = hook.url.split("/")[2]
    assert f"the webhook does not take an alert\" host={place} " in fleet.aggregator.log
    assert "night" not in fleet.aggregator.log, "what stands behind the host may be all the secret that there is"


def test_what_the_webhook_has_not_taken_survives_kill(start, bus, tmp_path, hook):
    hook.statuses = [503] * 1000
    fleet = Fleet(start, bus, tmp_path, "--webhook-url", hook.url)
    fleet.busy("i-0one", cpu_percent=99)
    raised = fleet.stream.wait(lambda e: e.type == "alert.raised", "it is raised")
    wait_until(lambda: hook.requests, "it was tried")
    fleet.aggregator.kill()
    hook.statuses, hook.requests = [], []
    fleet.aggregator.start()
    wait_until(lambda: hook.requests, "it is told after the restart")

    _, headers, body = hook.requests[0]
    assert headers["webhook-id"] == raised.id and json.loads(body)["data"] == raised.data
    assert "webhook-signature" not in headers


def test_webhook_gives_up_where_it_must_and_keeps_no_more_than_its_bound(start, bus, tmp_path, hook):
    hook.statuses = [410]
    fleet = Fleet(start, bus, tmp_path, "--webhook-url", hook.url, "--webhook-queue-max", 2)
    fleet.busy("i-0one", cpu_percent=99)
    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_webhook_dropped_total", reason="gone") == 1, "410 ends it")

    hook.statuses = [500] * 1000
    for turn in range(4):
        fleet.busy("i-0one", cpu_percent=10)
        fleet.stream.wait(lambda e: e.type == "alert.cleared", "cleared")
        fleet.busy("i-0one", cpu_percent=99)
        fleet.stream.wait(lambda e: e.type == "alert.raised", "raised")
    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_webhook_dropped_total", reason="queue_full") == 6, "the oldest go")
    assert metric(fleet.aggregator.url, "cmlwatch_webhook_waiting") == 2


def test_what_waited_for_a_webhook_is_forgotten_without_one(start, bus, tmp_path, hook):
    hook.statuses = [503] * 1000
    fleet = Fleet(start, bus, tmp_path, "--webhook-url", hook.url)
    fleet.busy("i-0one", cpu_percent=99)
    fleet.stream.wait(lambda e: e.type == "alert.raised", "it is raised")
    wait_until(lambda: hook.requests, "it was tried")
    fleet.aggregator.stop()
    without = start(harness.Aggregator, bus, *fleet.arguments[:4])
    without.wait_log("are not told")
    without.stop()
    hook.statuses, hook.requests = [], []
    again = start(harness.Aggregator, bus, *fleet.arguments)
    harness.wait_ready(again)

    assert metric(again.url, "cmlwatch_webhook_waiting") == 0 and not hook.requests


def test_letter_behind_one_that_had_no_room_has_all_its_attempts(start, bus, tmp_path, hook):
    hook.statuses, hook.retry_after = [429, 500], "8"  # so long the first waits: it may not be under way when the second comes
    fleet = Fleet(start, bus, tmp_path, "--webhook-url", hook.url, "--webhook-queue-max", 1, "--webhook-attempts", 2)
    fleet.busy("i-0one", cpu_percent=99)
    fleet.stream.wait(lambda e: e.type == "alert.raised", "it is raised")
    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_webhook_requests_total", outcome="429") == 1, "it was tried")
    fleet.busy("i-0two", cpu_percent=99)
    raised = fleet.stream.wait(lambda e: e.type == "alert.raised", "the second takes its place")

    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_webhook_delivered_total") == 1, "and is told")
    assert hook.requests[-1][1]["webhook-id"] == raised.id


def test_letter_that_has_no_room_is_not_told_after_a_restart_either(start, bus, tmp_path, hook):
    hook.hold = threading.Event()
    fleet = Fleet(start, bus, tmp_path, "--webhook-url", hook.url, "--webhook-queue-max", 1)
    fleet.busy("i-0one", cpu_percent=99)
    raised = fleet.stream.wait(lambda e: e.type == "alert.raised", "it is raised")
    wait_until(lambda: hook.asked, "its letter is under way")
    fleet.busy("i-0two", cpu_percent=99)
    fleet.stream.wait(lambda e: e.type == "alert.raised", "there is no room for the second")
    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_webhook_dropped_total", reason="queue_full") == 1, "it is dropped")
    fleet.aggregator.kill()
    hook.hold.set()
    fleet.aggregator.start()
    harness.wait_ready(fleet.aggregator)
    wait_until(lambda: metric(fleet.aggregator.url, "cmlwatch_webhook_delivered_total") >= 1, "the first is told")

    assert metric(fleet.aggregator.url, "cmlwatch_webhook_waiting") == 0
    assert {headers["webhook-id"] for _, headers, _ in hook.requests} == {raised.id}


def test_alert_is_seen_and_acknowledged_over_http(fleet):
    fleet.busy("i-0one", cpu_percent=95)
    raised = fleet.stream.wait("alert.raised", "it is raised").data
    ask = lambda path, method="GET": fleet.gateway.ask(path, method)

    listed = json.loads(ask("/api/alerts")[2])
    status, _, body = ask(f"/api/alerts/{raised['id']}/acknowledge", "POST")
    told = fleet.stream.wait("alert.acknowledged", "it is told").data

    validator("rest.alerts").validate(listed)
    assert [alert["id"] for alert in listed["alerts"]] == [raised["id"]]
    assert status == 202 and json.loads(body) == fleet.alerts()[0]
    assert (told["alert_id"], told["acknowledged_by"]) == (raised["id"], "anonymous")
    assert ask(f"/api/alerts/{raised['id']}/acknowledge", "POST")[0] == 409
    assert ask("/api/alerts/00000000-0000-4000-8000-000000000000/acknowledge", "POST")[0] == 404

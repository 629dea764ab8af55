"""What survives: kill -9 of the aggregator and of gateways, and a client that comes back.
SPDX-License-Identifier: MIT"""
import datetime
import json
import re
import shutil
import subprocess
import time

import pytest
import zmq

import harness
import outside
from harness import http_json, metric, wait_until

REGION = "us-east-1"


class Kept:
    """An aggregator with a store, a gateway, and a publisher that goes on whatever happens."""

    def __init__(self, start, bus, tmp_path, *arguments):
        self.start, self.bus, self.folder = start, bus, tmp_path / "store"
        self.arguments = ("--store", self.folder, *arguments)
        self.aggregator = start(harness.Aggregator, bus, *self.arguments)
        self.gateway = start(harness.Gateway, bus)
        self.publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/kept")
        self.publisher.until_heard(self.gateway, REGION, "i-0kept", private_ip="10.0.0.1", tags={"team": "exam"})

    def load(self, value, instance="i-0kept"):
        self.publisher.publish("utilization.observed", f"{REGION}/{instance}", {"cpu_percent": value,
                                                                               "interval_seconds": 3600})

    def until_load(self, value):
        """The publisher's socket may be on its way back to a new aggregator: say it until it shows."""
        def shown():
            self.load(value)
            worker = self.gateway.worker("i-0kept")
            return worker and worker["cloudwatch_cpu_utilization"] == value
        wait_until(shown, f"{value} shows")
        self.settle()

    def settle(self):
        """What was published before this is applied and has reached the gateway: it comes in order."""
        self.marks = getattr(self, "marks", 0) + 1
        self.publisher.instance(REGION, "i-0mark", name=f"mark {self.marks}", interval_seconds=3600)
        wait_until(lambda: (w := self.gateway.worker("i-0mark")) and w["name"] == f"mark {self.marks}", "the mark")

    def again(self):
        self.aggregator.kill()
        self.aggregator = self.start(harness.Aggregator, self.bus, *self.arguments)

    def gateway_again(self):
        self.gateway.kill()
        self.gateway = self.start(harness.Gateway, self.bus)


@pytest.fixture
def kept(start, bus, tmp_path):
    return Kept(start, bus, tmp_path)


def test_workers_and_numbers_go_on_after_kill_9_of_the_aggregator(kept):
    kept.publisher.publish("system.observed", f"{REGION}/i-0kept", {
        "reachable": True, "ready": True, "version": "2.9.0", "system_stats": {"computes": {"a": {"stats": {
            "cpu": {"count": 4, "percent": 33.3333}, "memory": {"total": 3, "used": 1}}}}}})
    kept.publisher.publish("labs.observed", f"{REGION}/i-0kept", {"labs": [{"lab_id": "a", "state": "STARTED"}]})
    kept.publisher.publish("activity.observed", f"{REGION}/i-0kept", {
        "last_activity_at": "2026-11-20T10:30:00.000Z", "events": [{"category": "start_lab",
                                                                   "timestamp": "2026-11-20T10:30:00.000Z"}]})
    kept.until_load(7.925)
    kept.publisher.publish("system.observed", f"{REGION}/i-0kept", {"error_code": "timeout"})
    kept.publisher.publish("utilization.observed", f"{REGION}/i-0kept", {"disk_percent": 70},
                           source="/collector/agent/one")
    wait_until(lambda: kept.gateway.worker("i-0kept")["storage_utilization"] == 70, "the agent's value")
    before = http_json(f"{kept.gateway.url}/api/state")
    parts = {part: http_json(f"{kept.gateway.url}/api/workers/i-0kept/{part}") for part in ("labs", "activity")}

    kept.again()
    kept.gateway_again()

    after = http_json(f"{kept.gateway.url}/api/state")
    epoch, seq = before["last_event_id"].rsplit("-", 1)
    assert after["last_event_id"].rsplit("-", 1)[0] == epoch
    assert int(after["last_event_id"].rsplit("-", 1)[1]) >= int(seq)
    assert after["workers"] == before["workers"]
    for part, answer in parts.items():
        assert http_json(f"{kept.gateway.url}/api/workers/i-0kept/{part}") == answer
    others = http_json(f"{kept.gateway.url}/api/workers/i-0kept")["others"]
    assert [(o["kind"], o["storage_utilization"]) for o in others] == [("agent", 70)]


def test_samples_survive_kill_9_but_for_the_last_minute(kept):
    now = datetime.datetime.now(datetime.timezone.utc)
    for minutes in range(30, 0, -1):
        kept.publisher.publish("utilization.observed", f"{REGION}/i-0kept",
                               {"cpu_percent": minutes + 0.125, "interval_seconds": 3600},
                               time=(now - datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    kept.settle()
    history = f"{kept.gateway.url}/api/workers/i-0kept/history?metric=cpu_utilization"
    before = http_json(history)["samples"]

    kept.again()
    kept.gateway_again()
    after = http_json(f"{kept.gateway.url}/api/workers/i-0kept/history?metric=cpu_utilization")["samples"]

    assert len(before) >= 29 and {sample["value"] for sample in before} >= {n + 0.125 for n in range(2, 29)}
    assert [sample for sample in before if sample not in after] in ([], before[-1:]), (before, after)


def test_open_job_survives_and_is_not_asked_for_twice(start, bus, tmp_path):
    kept = Kept(start, bus, tmp_path, "--auto-pause", "on", "--snooze-minutes", 0)
    idle = {"last_activity_at": "2026-01-01T00:00:00.000Z", "interval_seconds": 3600}
    kept.publisher.publish("labs.observed", f"{REGION}/i-0kept", {"labs": []})
    kept.publisher.publish("activity.observed", f"{REGION}/i-0kept", idle)
    pending = lambda: http_json(f"{kept.gateway.url}/api/state")["jobs"]["pending"]
    before = wait_until(pending, "the job")

    kept.again()
    kept.gateway_again()
    kept.until_load(1)
    kept.publisher.publish("activity.observed", f"{REGION}/i-0kept", idle)
    kept.settle()
    after = pending()
    kept.publisher.publish("activity.observed", f"{REGION}/i-0kept", {
        "last_activity_at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")})
    wait_until(lambda: pending() == [], "it is withdrawn when somebody works")
    kept.again()
    kept.gateway_again()

    assert after == before and pending() == []


def test_older_observation_changes_nothing_after_a_restart_either(kept):
    kept.until_load(50)
    kept.again()
    kept.publisher.publish("utilization.observed", f"{REGION}/i-0kept", {"cpu_percent": 1},
                           time="2026-01-01T00:00:00.000Z")
    kept.until_load(51)

    stream = kept.gateway.stream("?last_event_id=" + http_json(f"{kept.gateway.url}/api/state")["last_event_id"])
    stream.next()

    assert kept.gateway.worker("i-0kept")["cloudwatch_cpu_utilization"] == 51


@pytest.mark.parametrize("killed", ["aggregator", "gateway", "both"])
def test_client_that_comes_back_after_kill_9_gets_exactly_what_it_missed(kept, killed):
    first = kept.gateway.stream()
    first.state()
    for value in range(1, 20):
        kept.load(value)
    first.wait(lambda e: e.data.get("cloudwatch_cpu_utilization") == 19, "the last value")
    first.wait("worker.snapshot", "its round's snapshot")
    position, seen = first.last_id, int(first.last_id.rsplit("-", 1)[1])

    if killed in ("aggregator", "both"):
        kept.again()
    if killed in ("gateway", "both"):
        kept.gateway_again()
    kept.until_load(77.5)
    again = kept.gateway.stream(headers={"Last-Event-ID": position})
    again.wait(lambda e: e.data.get("cloudwatch_cpu_utilization") == 77.5, "the value said after")

    numbered = [e.sequence for e in again.events if e.type not in ("connected", "heartbeat")]
    assert numbered == list(range(seen + 1, numbered[-1] + 1))
    assert not any(e.type in ("system.reset", "system.state.begin") for e in again.events)


def test_open_stream_goes_on_without_a_gap_when_the_aggregator_comes_back(kept):
    stream = kept.gateway.stream("?heartbeat=1")
    stream.state()
    seen = int(stream.last_id.rsplit("-", 1)[1])
    kept.load(1)
    stream.wait(lambda e: e.data.get("cloudwatch_cpu_utilization") == 1, "a value")

    kept.again()
    kept.until_load(2)
    stream.wait(lambda e: e.data.get("cloudwatch_cpu_utilization") == 2, "a value after")

    numbered = [e.body["seq"] for e in stream.events if (e.body["seq"] or 0) > seen]
    assert numbered == list(range(seen + 1, numbered[-1] + 1))
    assert not any(e.type == "system.reset" for e in stream.events)


def test_another_gateway_resumes_a_client_of_the_first(kept, start, bus):
    first = kept.gateway.stream()
    first.state()
    position, seen = first.last_id, int(first.last_id.rsplit("-", 1)[1])
    kept.until_load(5)

    other = start(harness.Gateway, bus)
    again = other.stream(headers={"Last-Event-ID": position})
    again.wait(lambda e: e.data.get("cloudwatch_cpu_utilization") == 5, "what it missed")

    numbered = [e.sequence for e in again.events if e.type not in ("connected", "heartbeat")]
    assert numbered == list(range(seen + 1, numbered[-1] + 1))


def test_cursor_that_is_older_than_the_log_is_told(start, bus, tmp_path):
    kept = Kept(start, bus, tmp_path, "--events-max", 20)
    first = kept.gateway.stream()
    first.state()
    position = first.last_id
    for value in range(1, 40):
        kept.load(value)
    kept.until_load(41)
    kept.again()
    kept.gateway_again()

    again = kept.gateway.stream(headers={"Last-Event-ID": position})

    assert again.wait("system.reset", "the reset").data["reason"] == "too old"
    assert len(again.state()) == 2
    assert metric(kept.aggregator.url, "cmlwatch_store_events") <= 21


def test_second_aggregator_on_the_same_store_is_refused(kept, start, tmp_path):
    other = harness.Bus()
    result = subprocess.run([harness.BUILD / "cmlwatch-aggregator", "--store", kept.folder, "--ingest", other.ingest,
                             "--control", other.control, "--feed", other.feed, "--admin",
                             f"127.0.0.1:{harness.free_port()}"], capture_output=True, text=True, timeout=harness.PATIENCE)

    assert result.returncode == 2 and "another aggregator has it" in result.stderr


def refused(folder):
    bus = harness.Bus()
    result = subprocess.run([harness.BUILD / "cmlwatch-aggregator", "--store", folder, "--ingest", bus.ingest,
                             "--control", bus.control, "--feed", bus.feed, "--admin",
                             f"127.0.0.1:{harness.free_port()}"], capture_output=True, text=True, timeout=harness.PATIENCE)
    assert result.returncode != 0
    return result.stderr


def test_file_that_is_no_store_is_refused_and_left_as_it_was(tmp_path):
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "data.mdb").write_bytes(b"This is somebody's diary.\n" * 1000)
    before = (folder / "data.mdb").read_bytes()

    assert str(folder) in refused(folder) and (folder / "data.mdb").read_bytes() == before


def test_damaged_store_is_refused_and_says_how_to_go_on(kept):
    kept.until_load(3)
    kept.aggregator.stop()
    path = kept.folder / "data.mdb"
    path.write_bytes(bytes(4096 * 2) + path.read_bytes()[4096 * 2:])

    said = refused(kept.folder)

    assert "damaged" in said and "mdb_copy" in said


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    assert str(tmp_path / "file" / "store") in refused(tmp_path / "file" / "store")


def test_gap_over_a_restart_is_seen_by_the_numbers_that_were_kept(kept):
    kept.until_load(4)
    kept.aggregator.kill()
    kept.publisher.sequence += 9
    kept.arguments += ("--resend-wait-ms", 300)
    kept.aggregator = kept.start(harness.Aggregator, kept.bus, *kept.arguments)

    kept.until_load(6)

    wait_until(lambda: metric(kept.aggregator.url, "cmlwatch_bus_lost_total") >= 9, "they are missed")


def aggregator_once(*arguments, **more):
    return subprocess.run([harness.BUILD / "cmlwatch-aggregator", *arguments], capture_output=True, timeout=harness.PATIENCE, **more)


def test_large_events_are_asked_for_in_pieces(kept, start):
    for turn in range(40):  # some 200 KB each
        labs = [{"lab_id": f"lab-{number}", "title": f"{turn} " + 700 * "t", "state": "STARTED"} for number in range(250)]
        kept.publisher.publish("labs.observed", f"{REGION}/i-0kept", {"labs": labs, "interval_seconds": 3600})
    kept.settle()
    last = int(http_json(f"{kept.gateway.url}/api/state")["last_event_id"].split("-")[1])
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(kept.bus.control)
    sizes, told = [], 0
    while told < last:
        socket.send_multipart([b"request", b"events", b"1", json.dumps({"after": told, "limit": 1000}).encode()])
        assert socket.poll(harness.PATIENCE * 1000)
        payload = socket.recv_multipart()[4:]
        sizes.append(sum(map(len, payload)))
        assert payload, f"after {told} of {last}"
        told += len(payload) // 2
    socket.close()

    assert sum(sizes) > 7_000_000 and max(sizes) < 4_500_000
    other = start(harness.Gateway, kept.bus)
    harness.wait_ready(other)
    #  Between two looks the aggregator may say how many workers there are.
    wait_until(lambda: past(other) == past(kept.gateway), "the other holds the same")


def past(gateway):
    """All that it holds, page by page."""
    events, page = [], {"next": "", "more": True}
    while page["more"]:
        page = http_json(f"{gateway.url}/api/events?limit=10000" + (f"&after={page['next']}" if page["next"] else ""))
        assert len(json.dumps(page)) < 4_700_000
        events += page["events"]
    return events


def test_backup_while_running_goes_on_where_it_was_taken(kept, start, tmp_path):
    kept.until_load(11)
    before = http_json(f"{kept.gateway.url}/api/state")  # of before: the numbers may go on by themselves meanwhile
    copied = aggregator_once("--store", kept.folder, "--backup", tmp_path / "copy")
    again = aggregator_once("--store", kept.folder, "--backup", tmp_path / "copy")

    bus = harness.Bus()
    start(harness.Aggregator, bus, "--store", tmp_path / "copy")
    after = http_json(f"{start(harness.Gateway, bus).url}/api/state")

    assert copied.returncode == 0, copied.stderr
    assert after["workers"] == before["workers"]
    (old, said), (new, says) = (state["last_event_id"].split("-") for state in (before, after))
    assert new != old and int(says) >= int(said), "its numbers go on, in an epoch of its own"
    assert again.returncode == 2 and b"exists" in again.stderr, "a backup is not written over"


def test_whoever_saw_more_than_a_restored_backup_has_takes_the_whole_state(kept):
    """The numbers that the restored store gives again are of other events."""
    kept.until_load(11)
    assert aggregator_once("--store", kept.folder, "--backup", kept.folder.with_name("backup")).returncode == 0
    kept.until_load(12)
    stream = kept.gateway.stream()
    stream.state()
    seen = http_json(f"{kept.gateway.url}/api/state")["last_event_id"]
    assert kept.aggregator.stop() == 0
    kept.folder.rename(kept.folder.with_name("lost"))
    shutil.copytree(kept.folder.with_name("backup"), kept.folder)

    kept.aggregator = kept.start(harness.Aggregator, kept.bus, *kept.arguments)

    assert "the store is a copy: a new epoch begins" in kept.aggregator.log
    reset = stream.wait(lambda e: e.type == "system.reset", "the open stream is told")
    assert stream.wait(lambda e: e.type == "worker.snapshot" and e.data["name"] == "i-0kept" and stream.events.index(e) > stream.events.index(reset),
                       "and has the whole state")
    for value in (21, 22, 23):
        kept.until_load(value)
    late = kept.gateway.stream(headers={"Last-Event-ID": seen})
    late.wait(lambda e: e.type == "system.reset", "one that comes back with a number of before is not led astray")
    now = http_json(f"{kept.gateway.url}/api/state")["last_event_id"]
    kept.again()
    kept.until_load(24)
    on = kept.gateway.stream(headers={"Last-Event-ID": now})
    on.wait(lambda e: e.data.get("cloudwatch_cpu_utilization") == 24, "the epoch stays over kill -9")
    assert not any(e.type == "system.reset" for e in on.events)


def test_what_was_told_before_a_new_epoch_is_served_as_of_it(kept):
    kept.until_load(11)
    told = http_json(f"{kept.gateway.url}/api/events?limit=1000")["events"]
    kept.aggregator.kill()

    made = aggregator_once("--store", kept.folder, "--new-epoch")

    epoch = made.stdout.decode().strip()
    assert made.returncode == 0 and re.fullmatch("[0-9a-f]{8}", epoch)
    kept.aggregator = kept.start(harness.Aggregator, kept.bus, *kept.arguments)
    kept.gateway_again()
    again = http_json(f"{kept.gateway.url}/api/events?limit=1000")["events"]
    assert [event["data"] for event in told] == [event["data"] for event in again][:len(told)]
    busy = aggregator_once("--store", kept.folder, "--new-epoch")
    assert busy.returncode != 0 and b"another aggregator has it" in busy.stderr
    stream = kept.gateway.stream(headers={"Last-Event-ID": f"{epoch}-1"})
    assert stream.wait(lambda e: e.data.get("cloudwatch_cpu_utilization") == 11, "what followed number 1")
    assert all(e.id.startswith(epoch) for e in stream.events if e.id) and not any(e.type == "system.reset" for e in stream.events)


def test_dump_and_load_make_the_same_store(start, bus, tmp_path):
    kept = Kept(start, bus, tmp_path, "--auto-pause", "on", "--snooze-minutes", 0)
    now = datetime.datetime.now(datetime.timezone.utc)
    for minutes in range(30, 0, -1):
        kept.publisher.publish("utilization.observed", f"{REGION}/i-0kept",
                               {"cpu_percent": minutes + 0.1, "interval_seconds": 3600},
                               time=(now - datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    kept.publisher.publish("labs.observed", f"{REGION}/i-0kept", {"labs": []})
    kept.publisher.publish("activity.observed", f"{REGION}/i-0kept", {"last_activity_at": "2026-01-01T00:00:00.000Z",
                                                                     "interval_seconds": 3600})
    wait_until(lambda: http_json(f"{kept.gateway.url}/api/state")["jobs"]["pending"], "the job")
    kept.until_load(12.5)
    position = http_json(f"{kept.gateway.url}/api/events?limit=1")["next"]
    before = http_json(f"{kept.gateway.url}/api/state")
    samples = http_json(f"{kept.gateway.url}/api/workers/i-0kept/history?metric=cpu_utilization")["samples"]
    kept.aggregator.stop()
    dumped = aggregator_once("--store", kept.folder, "--dump")
    loaded = aggregator_once("--store", tmp_path / "other", "--load", "-", input=dumped.stdout)
    twice = aggregator_once("--store", tmp_path / "other", "--load", "-", input=dumped.stdout)
    same = aggregator_once("--store", tmp_path / "other", "--dump")

    bus = harness.Bus()
    start(harness.Aggregator, bus, "--store", tmp_path / "other")
    gateway = start(harness.Gateway, bus)
    after = http_json(f"{gateway.url}/api/state")
    stream = gateway.stream(headers={"Last-Event-ID": position})

    assert dumped.returncode == 0 and loaded.returncode == 0, loaded.stderr
    lines = [json.loads(line) for line in dumped.stdout.splitlines()]
    for kind in ("epoch", "worker", "source", "samples", "job", "event", "end"):
        assert any(kind in line for line in lines), kind
    assert same.stdout == dumped.stdout
    assert after["workers"] == before["workers"] and after["jobs"]["pending"] == before["jobs"]["pending"]
    assert http_json(f"{gateway.url}/api/workers/i-0kept/history?metric=cpu_utilization")["samples"] == samples
    assert stream.wait(lambda e: e.data.get("cloudwatch_cpu_utilization") == 12.5, "what it missed")
    assert not any(e.type == "system.reset" for e in stream.events)
    assert twice.returncode == 2 and b"empty store" in twice.stderr

    cut = b"".join(dumped.stdout.splitlines(keepends=True)[:-3])
    short = aggregator_once("--store", tmp_path / "short", "--load", "-", input=cut)
    assert short.returncode == 2 and b"it was cut" in short.stderr
    assert aggregator_once("--store", tmp_path / "short", "--dump").stdout.count(b"\n") == 2, "none of it was loaded"
    newer = aggregator_once("--store", tmp_path / "newer", "--load", "-",
                            input=b'{"format":9,"epoch":"0badcafe","written_by":"v9"}\n')
    assert newer.returncode == 2 and b"newer program (v9)" in newer.stderr


def test_salvage_prints_what_can_be_read_of_a_damaged_store(kept, tmp_path):
    kept.until_load(21.5)
    kept.aggregator.stop()
    path = kept.folder / "data.mdb"
    content = path.read_bytes().replace(b'"name":"mark', b'"name":"mask')  # of each copy: which one counts is LMDB's
    path.write_bytes(content)

    said = refused(kept.folder)
    saved = aggregator_once("--store", kept.folder, "--salvage")
    loaded = aggregator_once("--store", tmp_path / "saved", "--load", "-", input=saved.stdout)

    assert "not what was written" in said and "--salvage" in said
    assert saved.returncode == 0 and b"left out" in saved.stderr
    assert loaded.returncode == 0, loaded.stderr
    assert path.read_bytes() == content, "the damaged one is kept as it is"


@pytest.mark.parametrize("line,says", [(b"hello", b"line 2"), (b'{"x":1}', b"line 2"), (b'{"event":3}', b"at_us"),
                                       (b'{"event":3,"at_us":1,"header":"event|x","json":{}}', b"line 2"),
                                       (b'{"event":3,"at_us":1,"header":"event|x||||0|0badcafe|4|1|0+0","json":{}}', b"event 3"),
                                       (b'{"source":"\xff","row":"0badcafe 1"}', b"UTF-8"),
                                       (b'{"epoch":"zz"}', b"8 hex digits")])
def test_line_that_is_no_dump_is_named_and_nothing_is_loaded(tmp_path, line, says):
    head = b"" if b"epoch" in line else b'{"epoch":"0badcafe"}\n'
    result = aggregator_once("--store", tmp_path / "store", "--load", "-", input=head + line + b"\n")

    assert result.returncode != 0 and says in result.stderr
    assert aggregator_once("--store", tmp_path / "store", "--dump").stdout.count(b"\n") == 2, "its head and its end"


@pytest.mark.parametrize("arguments", [("--dump",), ("--backup", "/tmp/nowhere"), ("--load", "-")])
def test_what_is_asked_of_no_store_is_refused(arguments):
    result = aggregator_once(*arguments, input=b"")

    assert result.returncode == 2 and b"want a store" in result.stderr

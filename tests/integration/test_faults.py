"""Processes that stall, networks that are cut, clients that all come back at once.
SPDX-License-Identifier: MIT"""
import itertools
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import threading
import time

import pytest
import zmq

import clock
import harness
import outside
from harness import http_json, metric, wait_until
from picture import Picture
from proxy import Proxy
from runner import Collector, Control, Runner, Told

REGION, SUBJECT = "us-east-1", "us-east-1/i-0fault"


class Path:
    """The bus, with some of its links through a proxy."""

    def __init__(self, bus, **changes):
        self.ingest, self.control, self.feed = bus.ingest, bus.control, bus.feed
        self.__dict__.update(changes)


@pytest.fixture
def proxy():
    made = []

    def make(endpoint):
        made.append(Proxy(endpoint))
        return made[-1]
    yield make
    for each in made:
        each.close()


class Pulse:
    """Publishes values one after the other until it is told to stop."""

    def __init__(self, publisher, pause):
        self.publisher, self.pause, self.value, self.stop = publisher, pause, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop.is_set():
            self.value += 1
            self.publisher.publish("utilization.observed", SUBJECT, {"cpu_percent": self.value % 89 + 0.25,
                                                                     "interval_seconds": 3600})
            time.sleep(self.pause)

    def end(self):
        self.stop.set()
        self.thread.join(harness.PATIENCE)
        return self.value % 89 + 0.25


def known(start, bus, tmp_path, ingest=None, feed=None, ahead_wait_ms=5000):
    aggregator = start(harness.Aggregator, bus, "--store", tmp_path / "store")
    gateway = start(harness.Gateway, Path(bus, feed=feed or bus.feed), "--ahead-wait-ms", ahead_wait_ms)
    publisher = outside.Publisher(ingest or bus.ingest, "/collector/cloudwatch/fault")
    publisher.until_heard(gateway, REGION, "i-0fault", interval_seconds=3600)
    publisher.socket.set_hwm(1000000)
    return aggregator, gateway, publisher


def follow(stream, events, stop):
    while not stop.is_set():
        try:
            event = stream.next()
        except (OSError, ValueError):
            return
        if event is None:
            return
        events.append(event)


def numbers(events):
    return [e.body["seq"] for e in events if e.body["seq"]]


def summary(fault, **figures):
    """A row of what `make faults` shows."""
    print(f"{fault}:", json.dumps(figures))
    if os.environ.get("CMLWATCH_SUMMARY"):
        with open(os.environ["CMLWATCH_SUMMARY"], "a") as file:
            print(json.dumps({"fault": fault, **figures}), file=file)


def rss_bytes(program):
    with open(f"/proc/{program.process.pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(harness.VALGRIND, reason="30 s of a stall are enough natively")
@pytest.mark.parametrize("victim,seconds", [("aggregator", 30), ("gateway", 10)])
def test_process_that_stalls_goes_on_without_a_gap(start, bus, tmp_path, victim, seconds):
    aggregator, gateway, publisher = known(start, bus, tmp_path)
    stream, events, stop = gateway.stream("?heartbeat=1"), [], threading.Event()
    stream.state()
    reader = threading.Thread(target=follow, args=(stream, events, stop), daemon=True)
    reader.start()
    pulse, process = Pulse(publisher, 0.005), {"aggregator": aggregator, "gateway": gateway}[victim]

    process.process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)  # the stall itself is what is tried: trap 1 needs 30 s of it
    process.process.send_signal(signal.SIGCONT)
    goes_on = time.monotonic()
    last = pulse.end()
    wait_until(lambda: gateway.worker("i-0fault")["cloudwatch_cpu_utilization"] == last, "all of it was taken in")
    wait_until(lambda: any(e.data.get("cloudwatch_cpu_utilization") == last for e in list(events)), "and told")
    summary("stall", victim=victim, seconds=seconds, recovery_ms=round((time.monotonic() - goes_on) * 1000),
            rss_bytes=rss_bytes(process), observations=pulse.value)
    stop.set()

    told = numbers(events)
    assert told == list(range(told[0], told[-1] + 1))
    assert not any(e.type == "system.reset" for e in events)
    assert metric(aggregator.url, "cmlwatch_bus_lost_total") == 0
    assert rss_bytes(process) < 400e6


def test_aggregator_that_stood_still_gives_up_nobody_who_spoke_meanwhile(start, bus):
    aggregator = start(harness.Aggregator, bus, "--renew-ms", 2000)  # who is silent for six seconds is gone
    control, told, build = Control(bus), Told(bus), Runner(bus, "/runner/a", "build")
    collector = Collector(bus, "ec2", "worker.pause")
    collector.lease()
    job = control.submit("build")
    given = build.work()

    aggregator.process.send_signal(signal.SIGSTOP)
    time.sleep(7)  # the stall itself is what is tried
    asked = [(build, build.send("runner", **build.question(0))),
             (collector, collector.send("lease", collector_id=collector.id, kind="ec2", regions=["r"]))]
    aggregator.process.send_signal(signal.SIGCONT)
    for one, number in asked:
        one.receive(number)
    build.report(given, "completed")

    told.life(job["id"], "job.submitted", "job.assigned", "job.status.updated", "job.completed")
    assert not [e for e in told.events if e["type"] == "collector.left"]
    for one in (control, told, build, collector):
        one.close()


def test_cut_between_collector_and_aggregator_loses_nothing(start, sim, bus, tmp_path, proxy):
    link = proxy(bus.ingest)
    aggregator = start(harness.Aggregator, bus, "--store", tmp_path / "store", "--resend-wait-ms", 60000)
    start(harness.Gateway, bus)
    collector = start(harness.Collector, "ec2", Path(bus, ingest=link.endpoint), "--interval-ms", 300,
                      environment=sim.environment())
    taken = lambda: metric(aggregator.url, "cmlwatch_ingest_messages_total", type="instance.observed")
    wait_until(lambda: taken() > 20, "it is heard")

    for _ in range(3):
        link.cut()
        said = metric(collector.url, "cmlwatch_collector_rounds_total")
        wait_until(lambda: metric(collector.url, "cmlwatch_collector_rounds_total") > said + 1, "it reads on meanwhile")
        link.mend()
        before = taken()
        wait_until(lambda: taken() > before + 10, "it is heard again")

    assert metric(aggregator.url, "cmlwatch_bus_lost_total") == 0


def test_cut_between_aggregator_and_gateway_shows_no_client_a_gap(start, bus, tmp_path, proxy):
    link = proxy(bus.feed)
    aggregator, gateway, publisher = known(start, bus, tmp_path, None, link.endpoint)
    stream, events, stop = gateway.stream("?heartbeat=1"), [], threading.Event()
    stream.state()
    threading.Thread(target=follow, args=(stream, events, stop), daemon=True).start()
    pulse, control = Pulse(publisher, 0.005), Control(bus)

    for _ in range(3):
        joins = metric(gateway.url, "cmlwatch_gateway_joins_total")
        link.cut()
        before = control.state()["seq"]
        wait_until(lambda: control.state()["seq"] > before + 50, "something is told meanwhile")  # what is said it may tell later
        link.mend()
        wait_until(lambda: metric(gateway.url, "cmlwatch_gateway_joins_total") > joins, "it has joined again")
    last = pulse.end()
    wait_until(lambda: any(e.data.get("cloudwatch_cpu_utilization") == last for e in list(events)), "all is told")
    stop.set()
    control.close()

    told = numbers(events)
    assert told == list(range(told[0], told[-1] + 1))
    assert not any(e.type == "system.reset" for e in events)


@pytest.mark.skipif(harness.VALGRIND, reason="silence is told by the bus's heartbeats, in seconds")
@pytest.mark.parametrize("link", ["ingest", "control", "feed"])
def test_half_open_connection_is_given_up_and_made_anew(start, bus, tmp_path, proxy, link):
    """The old connection stays dead for good: who waits for it waits for ever."""
    ways = {name: proxy(getattr(bus, name)) for name in ("ingest", "control", "feed")}
    path = Path(bus, **{name: way.endpoint for name, way in ways.items()})
    aggregator = start(harness.Aggregator, bus, "--store", tmp_path / "store")
    gateway = start(harness.Gateway, path)
    publisher = outside.Publisher(path.ingest, "/collector/cloudwatch/fault")
    for option, milliseconds in ((zmq.HEARTBEAT_IVL, 1000), (zmq.HEARTBEAT_TIMEOUT, 2000), (zmq.RECONNECT_IVL, 100)):
        publisher.socket.setsockopt(option, milliseconds)
    publisher.socket.disconnect(path.ingest)
    publisher.socket.connect(path.ingest)
    publisher.until_heard(gateway, REGION, "i-0fault", interval_seconds=3600)
    stream, events, stop = gateway.stream("?heartbeat=1"), [], threading.Event()
    stream.state()
    threading.Thread(target=follow, args=(stream, events, stop), daemon=True).start()
    pulse = Pulse(publisher, 0.01)

    ways[link].half_open()
    before = pulse.value
    wait_until(lambda: pulse.value > before + 100, "something is said meanwhile")
    ways[link].mend()
    seen = len(numbers(events))
    wait_until(lambda: len(numbers(events)) > seen + 100, "it is told again")
    last = pulse.end()
    said = lambda: publisher.publish("utilization.observed", SUBJECT, {"cpu_percent": last, "interval_seconds": 3600})
    wait_until(lambda: (said(), any(e.data.get("cloudwatch_cpu_utilization") == last for e in list(events)))[1], "the last")
    stop.set()

    told = numbers(events)
    assert told == list(range(told[0], told[-1] + 1))
    assert not any(e.type == "system.reset" for e in events)
    wait_until(lambda: harness.http(f"{gateway.url}/api/workers/i-0fault/labs")[0] == 200, "control answers too")


@pytest.mark.skipif(harness.VALGRIND, reason="silence is told by the bus's heartbeats, in seconds")
def test_collector_that_is_not_heard_learns_it_and_connects_anew(start, bus, sim, tmp_path, proxy):
    """Its PUB is acknowledged by somebody who passes nothing on: it would speak into the void for ever."""
    way = proxy(bus.ingest)
    aggregator = start(harness.Aggregator, bus, "--store", tmp_path / "store", "--renew-ms", 300)
    gateway = start(harness.Gateway, bus)
    collector = start(harness.Collector, "ec2", Path(bus, ingest=way.endpoint), "--interval-ms", 500, environment=sim.environment())
    wait_until(lambda: len(gateway.workers()) == 6, "it is heard")
    heard = lambda: metric(aggregator.url, "cmlwatch_ingest_messages_total", type="instance.observed")

    way.half_open()
    way.whole = True  # who connects anew is let through; what is connected stays dead
    before = heard()
    wait_until(lambda: metric(collector.url, "cmlwatch_bus_publisher_reconnects_total") == 1, "it gives the connection up")
    wait_until(lambda: heard() > before + 20, "it is heard again")

    assert "answers and hears nothing of ours" in collector.log
    wait_until(lambda: {w["ec2_freshness"] for w in gateway.workers()} == {"fresh"}, "all is fresh")
    assert metric(collector.url, "cmlwatch_bus_publisher_reconnects_total") == 1, "and that is all it did"


@pytest.mark.skipif(harness.VALGRIND, reason="a thousand clients are not for valgrind")
@pytest.mark.parametrize("resuming", [True, False])
def test_thousand_clients_that_come_back_at_once_are_all_served(start, bus, tmp_path, resuming):
    """After a restart of the gateway; with the id they had, or for the whole state; none is refused for good."""
    aggregator, gateway, publisher = known(start, bus, tmp_path)
    position = http_json(f"{gateway.url}/api/state")["last_event_id"]
    for value in range(20):
        publisher.publish("utilization.observed", SUBJECT, {"cpu_percent": value + 1, "interval_seconds": 3600})
    wait_until(lambda: gateway.worker("i-0fault")["cloudwatch_cpu_utilization"] == 20, "the last value")
    for number in range(100):
        publisher.instance(REGION, f"i-0crowd{number}", interval_seconds=3600)
    wait_until(lambda: len(gateway.workers()) == 101, "the fleet")
    gateway.kill()
    gateway = start(harness.Gateway, bus)

    cursor, wanted = (f"Last-Event-ID: {position}\r\n", b'"cloudwatch_cpu_utilization":20') if resuming else \
        ("", b"event: system.state.end")
    request = f"GET /api/events/stream HTTP/1.1\r\nHost: x\r\n{cursor}\r\n".encode()
    chooser, heard, count = selectors.DefaultSelector(), {}, min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
    begun = time.monotonic()
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", gateway.port), timeout=harness.PATIENCE)
        client.sendall(request)
        client.setblocking(False)
        chooser.register(client, selectors.EVENT_READ)
        heard[client] = b""
    end = time.monotonic() + harness.PATIENCE
    done = set()
    while len(done) < count and time.monotonic() < end:
        for key, _ in chooser.select(0.5):
            data = key.fileobj.recv(65536)
            assert data, f"closed after {heard[key.fileobj][-200:]!r}"
            heard[key.fileobj] += data
            if wanted in heard[key.fileobj]:
                done.add(key.fileobj)
    summary("reconnect", clients=count, resuming=resuming, workers=101, back=len(done), all_back_ms=round((time.monotonic() - begun) * 1000))
    for client in heard:
        client.close()

    assert len(done) == count
    assert not any(b"system.reset" in text for text in heard.values())


@pytest.mark.skipif(harness.VALGRIND or harness.SANITIZED or not clock.AVAILABLE,
                    reason="the clock is set by a preloaded library")
def test_clock_that_is_set_back_stops_nothing(start, bus, tmp_path):
    """The aggregator's own, by an hour, while it runs and over a restart: numbers and values go on."""
    shift = tmp_path / "clock"
    shift.write_text("+0")
    clocked = {**clock.environment(file=shift), "FAKETIME_NO_CACHE": "1"}
    aggregator = start(harness.Aggregator, bus, "--store", tmp_path / "store", environment=clocked)
    gateway = start(harness.Gateway, bus)
    publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/fault")
    publisher.until_heard(gateway, REGION, "i-0fault", interval_seconds=3600)
    stream, events, stop, picture = gateway.stream("?heartbeat=1"), [], threading.Event(), Picture()
    threading.Thread(target=follow, args=(stream, events, stop), daemon=True).start()
    shows = lambda value: (w := gateway.worker("i-0fault")) and w["cloudwatch_cpu_utilization"] == value

    def say(value):
        publisher.publish("utilization.observed", SUBJECT, {"cpu_percent": value, "interval_seconds": 3600})
    say(1)
    wait_until(lambda: shows(1), "a value")

    shift.write_text("-1h")
    wait_until(lambda: (say(2), shows(2))[1], "a value after it was set back")
    shift.write_text("-2h")
    aggregator.kill()
    aggregator = start(harness.Aggregator, bus, "--store", tmp_path / "store", environment=clocked)
    wait_until(lambda: (say(3), shows(3))[1], "a value after it was set back over a restart")
    shift.write_text("-3d")
    wait_until(lambda: (say(4), shows(4))[1], "a value after days were taken back")
    samples = http_json(f"{gateway.url}/api/workers/i-0fault/history?metric=cpu_utilization")["samples"]
    assert samples[-1]["value"] == 4, "the chart goes on too"

    def agree():  # when the last word said has been taken in too
        heard, state = list(events), http_json(f"{gateway.url}/api/state")
        beats = [e for e in heard if e.type == "heartbeat"]
        return beats and beats[-1].data["digest"] == state["digest"] and (state, heard)
    state, events = wait_until(agree, "a beat")
    stop.set()

    told = numbers(events)
    assert told == list(range(told[0], told[-1] + 1))
    assert not any(e.type == "system.reset" for e in events)
    for event in events:
        picture.take(event)
    assert picture.digest() == state["digest"]
    times = [e.body["time"] for e in events if e.body["seq"]]
    assert max(times) > min(times[-3:]), "the clock was really set back"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few megabytes; only root can mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True).returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_job_is_answered_when_the_disk_has_it_and_not_before(start, bus, small_disk):
    ballast = small_disk / "ballast"
    aggregator = start(harness.Aggregator, bus, "--store", small_disk / "store")
    control, build = Control(bus), Runner(bus, "/runner/a", "build")
    kept = control.submit("build", priority=9)
    ballast.write_bytes(bytes(4 << 20))

    ask, key = (lambda: control.send("submit", job_type="build", by="test", client_key=str(next(key)), payload={"a": "x" * 16000})), itertools.count()
    unready, other, asked = (lambda: harness.http(f"{aggregator.url}/readyz")[0] == 503), Control(bus), ask()

    def answer():  # to what was asked last; none: it is held
        wait_until(lambda: control.socket.poll(100) or unready(), "an answer, or a full disk")
        if not control.socket.poll(0):  # that of another comes behind it
            assert other.ask("submit", job_type="build", by="test")[0]["error"]["code"] == "store"
        return control.socket.poll(300) and json.loads(control.socket.recv_multipart()[3])
    while said := answer():
        if "error" in said:  # system.stats, told by a timer, found the disk full first: room for some more
            os.truncate(ballast, ballast.stat().st_size - (256 << 10))
            wait_until(lambda: not unready(), "room")
        assert "error" in said or said["status"] == 202
        asked = ask()
    assert not control.socket.poll(300), "what is not kept is not answered"
    waits = build.send("runner", **build.question(0))
    assert not build.socket.poll(300), "nor is anybody given work"
    ballast.unlink()
    answer, payload = control.receive(asked)

    assert answer["status"] == 202 and payload[0]["status"] == "pending"
    assert not build.receive(waits)[0]["assigned"] and build.work()["job_id"] == kept["id"]
    assert other.submit("build", status=200, client_key=payload[0]["client_key"])["id"] == payload[0]["id"]
    for one in (control, build, other):
        one.close()


def test_switch_is_answered_when_the_disk_has_it_and_not_before(start, bus, small_disk):
    ballast = small_disk / "ballast"
    aggregator = start(harness.Aggregator, bus, "--store", small_disk / "store")
    gateway = start(harness.Gateway, bus)
    outside.Publisher(bus.ingest, "/collector/cloudwatch/fault").until_heard(gateway, REGION, "i-0fault", interval_seconds=3600)
    control = Control(bus)
    switch = lambda enabled: control.ask("command", command="idle_detection", id="i-0fault", enabled=enabled, by="test")[0]
    assert switch(False)["status"] == 202
    ballast.write_bytes(bytes(4 << 20))

    kept = False
    while (answer := switch(not kept)).get("status") == 202:
        kept = not kept
    assert answer["error"]["code"] == "store"
    assert switch(kept)["error"]["code"] == "store", "nor is another taken while the first is held"
    aggregator.kill()
    ballast.unlink()
    aggregator.start()
    harness.wait_ready(aggregator)
    _, snapshots = control.ask("state")

    worker, = (snapshot for snapshot in snapshots if snapshot["aws_instance_id"] == "i-0fault")
    assert worker["is_idle_detection_enabled"] is kept, "what was answered is kept, and nothing else"
    control.close()


def test_full_disk_holds_everything_until_there_is_room(start, bus, small_disk):
    ballast = small_disk / "ballast"
    aggregator = start(harness.Aggregator, bus, "--store", small_disk / "store")
    gateway = start(harness.Gateway, bus)
    publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/fault")
    publisher.until_heard(gateway, REGION, "i-0fault", interval_seconds=3600)
    publisher.socket.set_hwm(1000000)
    stream, events, stop = gateway.stream("?heartbeat=1"), [], threading.Event()
    stream.state()
    threading.Thread(target=follow, args=(stream, events, stop), daemon=True).start()
    ballast.write_bytes(bytes(4 << 20))

    pulse = Pulse(publisher, 0.002)
    said = wait_until(lambda: (answer := harness.http(f"{aggregator.url}/readyz"))[0] == 503 and answer[2], "it is not ready any more")
    beats = lambda: [e.data["last_event_id"] for e in list(events) if e.type == "heartbeat"]
    wait_until(lambda: len(b := beats()) > 1 and b[-1] == b[-2], "what was kept before has been told")
    before, held = pulse.value, beats()
    wait_until(lambda: pulse.value > before + 100 and len(beats()) > len(held), "more is said meanwhile")
    assert beats()[-1] == held[-1], "nothing is told that is not kept"
    late = start(harness.Gateway, bus, wait=False)
    wait_until(lambda: "disk is full" in late.log, "a gateway that joins gets no state that is not kept")
    ballast.unlink()
    wait_until(lambda: harness.http(f"{aggregator.url}/readyz")[0] == 200, "it is ready again")
    last = pulse.end()
    wait_until(lambda: any(e.data.get("cloudwatch_cpu_utilization") == last for e in list(events)), "all is told")
    wait_until(lambda: harness.http(f"{late.url}/readyz")[0] == 200, "and the late gateway has joined")
    stop.set()

    assert b"disk is full" in said
    told = numbers(events)
    assert told == list(range(told[0], told[-1] + 1))
    assert metric(aggregator.url, "cmlwatch_bus_lost_total") == 0
    assert metric(aggregator.url, "cmlwatch_store_failures_total") > 0


def test_a_gateway_that_hears_nothing_sends_nobody_back_to_what_it_has(start, bus, tmp_path, proxy):
    link = proxy(bus.feed)
    aggregator, ahead, publisher = known(start, bus, tmp_path)
    late = start(harness.Gateway, Path(bus, feed=link.endpoint), "--ahead-wait-ms", 200)
    link.freeze()
    wait_until(lambda: harness.http(f"{late.url}/readyz")[0] == 503, "it says that it hears nothing")
    publisher.publish("utilization.observed", SUBJECT, {"cpu_percent": 70, "interval_seconds": 3600})
    wait_until(lambda: ahead.worker("i-0fault")["cloudwatch_cpu_utilization"] == 70, "the other has heard more")
    position = http_json(f"{ahead.url}/api/state")["last_event_id"]

    stream = late.stream("?heartbeat=1", {"Last-Event-ID": position})
    first = stream.wait("heartbeat", "it is held").data["server_time"]
    stream.wait(lambda e: e.type == "heartbeat" and e.data["server_time"] > first, "for longer than ahead_wait_ms")
    #  Of the old connection it would hear what is older first, and the time would run from then on.
    wait_until(lambda: metric(late.url, "cmlwatch_gateway_feed_reconnects_total") > 0, "it connects anew")
    assert not any(e.type in ("system.reset", "system.state.begin") for e in stream.events)
    link.mend()
    publisher.publish("utilization.observed", SUBJECT, {"cpu_percent": 80, "interval_seconds": 3600})

    stream.wait(lambda e: e.body["seq"] and e.data.get("cloudwatch_cpu_utilization") == 80, "what comes behind")
    told = numbers(stream.events)
    assert told == list(range(int(position.split("-")[1]) + 1, told[-1] + 1))
    assert not any(e.type in ("system.reset", "system.state.begin") for e in stream.events)


def test_client_that_knows_more_than_a_gateway_waits_for_it_to_catch_up(start, bus, tmp_path, proxy):
    """Two gateways, of which one hears late: who comes from the other to it is shown nothing old, and misses nothing."""
    link = proxy(bus.feed)
    aggregator, late, publisher = known(start, bus, tmp_path, None, link.endpoint, ahead_wait_ms=12000)
    ahead = start(harness.Gateway, bus)
    say = lambda value: publisher.publish("utilization.observed", SUBJECT, {"cpu_percent": value, "interval_seconds": 3600})
    wait_until(lambda: late.worker("i-0fault"), "both know the worker")
    link.freeze()
    shown, value = lambda gateway: gateway.worker("i-0fault")["cloudwatch_cpu_utilization"], itertools.count(1)

    def is_behind():
        say(said := next(value))  # the first may still come: the link has read it already
        wait_until(lambda: shown(ahead) == said, "one has heard of it")
        return said > 3 and shown(late) != said - 1
    wait_until(is_behind, "the other has not")
    position = http_json(f"{ahead.url}/api/state")["last_event_id"]

    stream = late.stream("?heartbeat=1", {"Last-Event-ID": position})
    stream.wait("heartbeat", "it is held")
    link.mend()
    say(80)
    stream.wait(lambda e: e.body["seq"] and e.data.get("cloudwatch_cpu_utilization") == 80, "what comes behind")
    stranger = late.stream("?heartbeat=1", {"Last-Event-ID": position.split("-")[0] + "-999999"})

    stranger.wait("system.reset", "a number that never comes")
    told = numbers(stream.events)
    assert told == list(range(int(position.split("-")[1]) + 1, told[-1] + 1))
    assert not any(e.type in ("system.reset", "system.state.begin") for e in stream.events)

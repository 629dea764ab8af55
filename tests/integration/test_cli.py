"""cmlwatch in a terminal: tail, workers, jobs, state, health, as a person and a script use them.
SPDX-License-Identifier: MIT"""
import hashlib
import http.server
import json
import os
import signal
import threading

import pytest

import cmlwatch
import harness
import outside
from harness import http_json, wait_until
from proxy import Proxy
from terminal import Terminal
from test_tls import Pair

EAST, WEST = "us-east-1", "eu-west-1"
COMMANDS = ["tail", "top", "workers", "jobs", "state", "health", "doctor"]
CPU = "worker.metrics.updated"


class Fleet:
    """Three workers told by a publisher; each value that is published is one event of metrics."""

    def __init__(self, start, bus, folder):
        self.aggregator = start(harness.Aggregator, bus, "--store", folder / "store")
        self.gateway = start(harness.Gateway, bus)
        self.publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/cli")
        self.publisher.until_heard(self.gateway, EAST, "i-0one", name="alpha", interval_seconds=3600)
        self.publisher.until_heard(self.gateway, EAST, "i-0two", name="beta", state="stopped", interval_seconds=3600)
        self.publisher.until_heard(self.gateway, WEST, "i-0three", name="gamma", interval_seconds=3600)

    def value(self, number, region=EAST, instance="i-0one"):
        self.publisher.publish("utilization.observed", f"{region}/{instance}",
                               {"cpu_percent": number, "memory_percent": 50, "interval_seconds": 3600})

    def last_id(self):
        return http_json(f"{self.gateway.url}/api/state")["last_event_id"]

    def worker_id(self, instance):
        return self.gateway.worker(instance)["worker_id"]


@pytest.fixture
def fleet(start, bus, tmp_path):
    return Fleet(start, bus, tmp_path)


@pytest.fixture
def running():
    """Starts one beside the test, and ends it."""
    all_of_them = []

    def start(*arguments, **more):
        all_of_them.append(cmlwatch.Running(*arguments, **more))
        return all_of_them[-1]
    yield start
    for one in all_of_them:
        one.end(signal.SIGKILL)


def events(lines):
    return [json.loads(line) for line in lines]


def values(lines):
    return [event["data"]["cloudwatch_cpu_utilization"] for event in events(lines) if event["type"] == CPU]


# --- how it is told what to do

def test_help_lists_the_commands_and_each_lists_its_flags_and_variables():
    whole = cmlwatch.run("--help")

    assert whole.returncode == 0 and not whole.stderr
    for name in COMMANDS:
        assert f"\n  {name} " in whole.stdout
        own = cmlwatch.run(name, "--help")
        assert own.returncode == 0 and not own.stderr
        assert f"cmlwatch {name} - " in own.stdout and "CMLWATCH_URL" in own.stdout and "--token-file" in own.stdout


@pytest.mark.parametrize("arguments,word", [((), "usage"), (("nope",), "nope"), (("tail", "--cuont", "3"), "is it count?"),
                                            (("tail", "--count", "x"), "whole number"), (("workers", "loose"), "loose"),
                                            (("tail", "--token-file", "/nonexistent"), "/nonexistent"),
                                            (("state", "--url", "http://x/?y"), "no gateway's URL")])
def test_wrong_words_are_refused_by_name_with_code_2(arguments, word):
    result = cmlwatch.run(*arguments)

    assert result.returncode == 2 and not result.stdout
    assert word in result.stderr


def test_flags_win_over_environment_over_file(fleet, tmp_path):
    path, dead = tmp_path / "own.conf", "http://127.0.0.1:1"
    path.write_text(f"[gateway]\nlisten = x\n[cli]\nurl = {fleet.gateway.url}/\n")

    assert cmlwatch.run("state", "--config", path).returncode == 0
    assert cmlwatch.run("state", "--config", path, CMLWATCH_URL=dead).returncode == 1
    assert cmlwatch.run("state", "--url", f"127.0.0.1:{fleet.gateway.port}", CMLWATCH_URL=dead).returncode == 0
    path.write_text("[cli]\nurll = x\n")
    result = cmlwatch.run("state", "--config", path)
    assert result.returncode == 2 and f"{path}:2" in result.stderr


# --- tail

def test_tail_prints_what_the_stream_says_byte_by_byte(fleet):
    after = fleet.last_id()
    for number in range(1, 6):
        fleet.value(number)
    stream = fleet.gateway.stream(f"?last_event_id={after}&event_types={CPU}")
    wanted = [stream.wait(CPU, "its event").raw for _ in range(5)]

    result = cmlwatch.run("tail", "--url", fleet.gateway.url, "--json", "--count", 5, "--after", after, "--event-types", CPU)

    assert result.returncode == 0 and not result.stderr
    assert result.stdout.splitlines() == wanted


def test_tail_takes_the_filters_of_the_stream(fleet):
    after = fleet.last_id()
    fleet.value(11)
    fleet.value(12, WEST, "i-0three")
    fleet.publisher.instance(EAST, "i-0four", name="delta")
    own = ("tail", "--url", fleet.gateway.url, "--json", "--after", after)

    west = cmlwatch.run(*own, "--regions", WEST, "--count", 1)
    one = cmlwatch.run(*own, "--worker-ids", fleet.worker_id("i-0one"), "--topics=workers", "--count=1")
    created = cmlwatch.run(*own, "--event-types", "worker.created", "--count", 1)

    assert values(west.stdout.splitlines()) == [12] and values(one.stdout.splitlines()) == [11]
    assert events(created.stdout.splitlines())[0]["data"]["name"] == "delta"


def test_tail_has_the_state_and_heartbeats_only_when_they_are_asked_for(fleet):
    own = ("tail", "--url", fleet.gateway.url, "--json", "--heartbeat-seconds", 1)

    state = cmlwatch.run(*own, "--state", "--count", 3)
    beat = cmlwatch.run(*own, "--topics", "heartbeat", "--count", 1)

    assert {e["data"]["aws_instance_id"] for e in events(state.stdout.splitlines())} == {"i-0one", "i-0two", "i-0three"}
    assert [e["type"] for e in events(beat.stdout.splitlines())] == ["heartbeat"]


def test_tail_goes_on_exactly_where_it_was_over_cuts_and_a_restart(fleet, running):
    proxy = Proxy(f"tcp://127.0.0.1:{fleet.gateway.port}")
    tail = running("tail", "--url", f"http://127.0.0.1:{proxy.port}", "--json", "--event-types", CPU)
    wait_until(lambda: fleet.gateway.metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 1, "it is connected")

    for number in range(1, 40):
        fleet.value(number)
        if number in (7, 14):
            tail.wait(lambda lines, _: values(lines)[-1:] == [number], "it is live")
            proxy.cut()
            tail.wait_said("not connected")
            tail.said.clear()
        if number in (10, 17):
            proxy.mend()
            tail.wait_said("connected again")
            tail.said.clear()
        if number == 25:
            fleet.gateway.kill()
        if number == 30:
            fleet.gateway.start()
            harness.wait_ready(fleet.gateway)
    tail.wait(lambda lines, _: values(lines)[-1:] == [39], "the last")
    code = tail.end(signal.SIGINT)

    assert values(tail.lines) == list(range(1, 40)), "each once, in order"
    assert code == 0
    assert any("connected again after" in line for line in tail.said)
    assert any(line.startswith("cmlwatch: to go on from here: --after ") for line in tail.said)
    proxy.close()


def test_tail_sees_a_link_that_has_gone_silent(fleet, running):
    proxy = Proxy(f"tcp://127.0.0.1:{fleet.gateway.port}")
    tail = running("tail", "--url", f"http://127.0.0.1:{proxy.port}", "--json", "--event-types", CPU, "--heartbeat-seconds", 1)
    wait_until(lambda: fleet.gateway.metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 1, "it is connected")
    fleet.value(1)
    tail.wait(lambda lines, _: values(lines) == [1], "the first")

    proxy.half_open()
    fleet.value(2)
    tail.wait_said("nothing was heard for")
    proxy.mend()

    tail.wait(lambda lines, _: values(lines) == [1, 2], "what was said in the silence")
    proxy.close()


def test_tail_that_asks_for_what_is_no_longer_held_says_so_and_ends_with_3(fleet, running):
    tail = running("tail", "--url", fleet.gateway.url, "--json", "--after", "00000000-7", "--event-types", CPU, "--count", 1)
    tail.wait_said("events were lost")
    fleet.value(5)
    tail.wait(lambda lines, _: lines, "it goes on")

    assert tail.end() == 3
    assert values(tail.lines) == [5]


def test_tail_tries_again_from_the_start_until_there_is_a_gateway(fleet, running):
    fleet.gateway.kill()
    tail = running("tail", "--url", fleet.gateway.url, "--json", "--event-types", CPU)
    tail.wait_said("not connected")
    fleet.gateway.start()
    tail.wait_said("connected again")
    fleet.value(3)

    tail.wait(lambda lines, _: values(lines) == [3], "the event")


@pytest.mark.parametrize("arguments,word", [(("--topics", "nope"), "nope"), (("--max-hz", "0"), "max_hz")])
def test_tail_says_why_the_gateway_refuses_and_does_not_try_again(fleet, arguments, word):
    result = cmlwatch.run("tail", "--url", fleet.gateway.url, *arguments)

    assert result.returncode == 1 and word in result.stderr and "400" in result.stderr


def test_tail_is_readable_and_coloured_on_a_terminal_alone(fleet):
    after = fleet.last_id()
    fleet.value(42.5)
    fleet.publisher.instance(EAST, "i-0one", name="alpha", state="stopping", interval_seconds=3600)
    command = [cmlwatch.PROGRAM, "tail", "--url", fleet.gateway.url, "--after", after, "--count", 2,
               "--event-types", f"{CPU},worker.status.updated"]
    seen = {}
    for no_color in ("", "1"):
        terminal = Terminal(command, columns=120, environment={"NO_COLOR": no_color})
        terminal.process.wait(harness.PATIENCE)
        seen[no_color] = terminal.look()
        assert (b"\x1b[33m" in terminal.bytes) == (no_color == ""), terminal.bytes
        terminal.close()
    piped = cmlwatch.run(*map(str, command[1:])).stdout

    assert "\x1b" not in piped and len(piped.splitlines()) == 2
    assert seen[""] == seen["1"]
    for text in (piped, "\n".join(seen["1"])):
        assert "alpha" in text and "42.5" in text and "running -> stopping" in text


def test_tail_ends_quietly_when_its_reader_has_had_enough(fleet):
    read, write = os.pipe()
    process = cmlwatch.subprocess.Popen([cmlwatch.PROGRAM, "tail", "--url", fleet.gateway.url, "--state", "--json"],
                                        stdout=write, stderr=cmlwatch.subprocess.PIPE, env=cmlwatch.environment())
    os.close(write)
    assert os.read(read, 100)
    os.close(read)
    fleet.value(1)

    assert process.wait(harness.PATIENCE) == 1
    assert process.stderr.read() == b""


@pytest.mark.parametrize("prefix,ends", [((), True), (("nohup",), False)])
def test_tail_ends_with_its_terminal_unless_nohup_says_otherwise(fleet, prefix, ends):
    with cmlwatch.subprocess.Popen([*prefix, cmlwatch.PROGRAM, "tail", "--url", fleet.gateway.url, "--json", "--event-types", CPU],
                                   stdin=cmlwatch.subprocess.DEVNULL, stdout=cmlwatch.subprocess.PIPE,
                                   stderr=cmlwatch.subprocess.DEVNULL, env=cmlwatch.environment()) as process:
        wait_until(lambda: fleet.gateway.metric(fleet.gateway.url, "cmlwatch_gateway_clients") == 1, "it is connected")
        process.send_signal(signal.SIGHUP)
        fleet.value(1)
        if not ends:
            assert process.stdout.readline()
            process.terminate()
        assert process.wait(harness.PATIENCE) == 0


# --- lists

def test_workers_are_a_table_chosen_by_the_streams_words(fleet):
    fleet.value(41.5)
    wait_until(lambda: fleet.gateway.worker("i-0one")["cpu_utilization"] == 41.5, "the value")

    def names(*arguments):
        result = cmlwatch.run("workers", *arguments, CMLWATCH_URL=fleet.gateway.url)
        assert result.returncode == 0 and not result.stderr
        head, *rows = result.stdout.splitlines()
        assert head.split()[:4] == ["NAME", "REGION", "TYPE", "STATUS"]
        return [row.split()[0] for row in rows]

    assert names() == ["alpha", "beta", "gamma"]
    assert names("--status", "running", "--region", EAST) == ["alpha"]
    assert names("--regions", f"{EAST},{WEST}", "--status", "running,stopped") == ["alpha", "beta", "gamma"]
    assert names("--worker-ids", f"i-0two,{fleet.worker_id('i-0three')}") == ["beta", "gamma"]
    assert names("--sort", "status") == ["alpha", "gamma", "beta"] and names("--sort", "cpu")[0] == "alpha"
    table = cmlwatch.run("workers", CMLWATCH_URL=fleet.gateway.url).stdout
    assert "41.5" in table.splitlines()[1]


def test_workers_and_state_in_json_are_the_gateways(fleet):
    wait_until(lambda: http_json(f"{fleet.gateway.url}/api/state")["system_stats"].get("total_workers") == 3, "the numbers are told")
    workers = json.loads(cmlwatch.run("workers", "--json", "--sort", "name", "--url", fleet.gateway.url).stdout)["workers"]
    state = json.loads(cmlwatch.run("state", "--json", "--url", fleet.gateway.url).stdout)

    assert {w["worker_id"]: w for w in workers} == {w["worker_id"]: w for w in fleet.gateway.workers()}
    assert set(state["workers"]) == {w["worker_id"] for w in workers}
    text = cmlwatch.run("state", "--url", fleet.gateway.url).stdout
    assert state["last_event_id"].split("-")[0] in text and "running 2" in text and "eu-west-1 1" in text


def test_jobs_of_an_older_gateway_are_those_of_its_state(fleet):
    if fleet.gateway.ask("/api/jobs")[0] != 404:
        pytest.skip("this gateway has /api/jobs")
    result = cmlwatch.run("jobs", "--url", fleet.gateway.url)

    assert result.returncode == 0 and result.stdout.startswith("ID ") and "no /api/jobs" in result.stderr


class Pages(http.server.BaseHTTPRequestHandler):
    """A gateway that has jobs, two pages of them."""
    JOBS = [{"id": f"j{n}", "job_type": "labs.refresh" if n % 2 else "worker.pause", "status": "failed" if n == 3 else "pending",
             "priority": n, "worker_id": f"w{n}", "progress": 10 * n, "created_at": "2026-11-20T10:30:00.123Z", "attempts": 1,
             "submitted_by": "ops\x1b[2J", **({"error": {"code": "x", "message": "went wrong"}} if n == 3 else {})} for n in range(4)]

    def do_GET(self):
        second = "cursor=a%20b" in self.path
        body = json.dumps({"jobs": self.JOBS[2:] if second else self.JOBS[:2], "next_cursor": None if second else "a b"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def test_jobs_are_a_table_of_all_pages():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"

    def rows(*arguments):
        return [line.split() for line in cmlwatch.run("jobs", "--url", url, *arguments).stdout.splitlines()[1:]]

    assert [row[0] for row in rows()] == ["j0", "j1", "j2", "j3"]
    assert [row[0] for row in rows("--status", "failed")] == ["j3"] and rows("--status", "failed")[0][-2:] == ["went", "wrong"]
    assert [row[0] for row in rows("--job-types", "labs.refresh", "--min-priority", "2")] == ["j3"]
    assert json.loads(cmlwatch.run("jobs", "--url", url, "--json").stdout)["jobs"] == Pages.JOBS
    assert "\x1b" not in cmlwatch.run("jobs", "--url", url).stdout
    server.shutdown()


def test_health_is_a_code_for_scripts(fleet):
    looks = []
    wait_until(lambda: looks.append(cmlwatch.run("health", "--url", fleet.gateway.url, "--json")) or looks[-1].returncode == 0, "it is well")
    well = looks[-1]
    fleet.aggregator.kill()
    wait_until(lambda: fleet.gateway.ask("/readyz")[0] == 503, "it notices")
    unready = cmlwatch.run("health", "--url", fleet.gateway.url)
    dead = cmlwatch.run("health", "--url", "http://127.0.0.1:1")

    assert well.returncode == 0 and json.loads(well.stdout)["readyz"]["status"] == 200
    assert unready.returncode == 1 and "readyz   503" in unready.stdout
    assert dead.returncode == 1 and "127.0.0.1:1" in dead.stderr


# --- who asks

def test_token_comes_from_a_file_or_the_environment(start, bus, tmp_path):
    tokens, secret = tmp_path / "tokens", tmp_path / "secret"
    tokens.write_text("me viewer sha256:" + hashlib.sha256(b"my-token").hexdigest() + "\n")
    secret.write_text("my-token\n")
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, "--auth", "token", "--tokens-file", tokens)

    def code(*arguments, **more):
        return cmlwatch.run("state", *arguments, CMLWATCH_URL=gateway.url, **more).returncode

    assert code("--token-file", secret) == 0
    assert code(CMLWATCH_TOKEN="my-token") == 0 and code(CMLWATCH_TOKEN_FILE=str(secret)) == 0
    assert code("--token-file", secret, CMLWATCH_TOKEN="wrong") == 0
    refused = cmlwatch.run("tail", CMLWATCH_URL=gateway.url, CMLWATCH_TOKEN="wrong")
    assert code() == 1 and refused.returncode == 1
    assert "401" in refused.stderr and "--token-file" in refused.stderr and "wrong" not in refused.stderr


def test_certificate_is_judged_by_cacert(start, bus, tmp_path):
    pair = Pair(tmp_path, 5)
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, *pair.arguments(), tls=True)
    url = f"https://localhost:{gateway.port}"

    trusted = cmlwatch.run("state", "--url", url, "--cacert", pair.certificate)
    unknown = cmlwatch.run("tail", "--url", url)

    assert trusted.returncode == 0
    assert unknown.returncode == 1 and "certificate" in unknown.stderr

"""cmlwatch top in a pseudo-terminal, seen through pyte: what a person sees, and how the terminal is left.
SPDX-License-Identifier: MIT"""
import re
import signal

import pytest

import cmlwatch
import harness
import outside
from harness import http_json, wait_until
from middle import Lie, Middle
from terminal import Terminal

EAST, WEST = "us-east-1", "eu-west-1"
HEAD, COUNTERS, BANNER, TITLES, FIRST = range(5)


class Fleet:
    def __init__(self, start, bus, folder):
        self.aggregator = start(harness.Aggregator, bus, "--store", folder / "store")
        self.gateway = start(harness.Gateway, bus)
        self.publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/top")
        self.publisher.until_heard(self.gateway, EAST, "i-0one", name="alpha", interval_seconds=3600)
        self.publisher.until_heard(self.gateway, EAST, "i-0two", name="beta", state="stopped", interval_seconds=3600)
        self.publisher.until_heard(self.gateway, WEST, "i-0three", name="gamma", interval_seconds=3600)
        self.value("i-0one", EAST, 11.5)
        self.value("i-0three", WEST, 73.5)

    def value(self, instance, region, cpu):
        self.publisher.publish("utilization.observed", f"{region}/{instance}",
                               {"cpu_percent": cpu, "memory_percent": 50, "interval_seconds": 3600})


@pytest.fixture
def fleet(start, bus, tmp_path):
    return Fleet(start, bus, tmp_path)


@pytest.fixture
def top(fleet):
    terminals = []

    def start(*arguments, **more):
        terminals.append(Terminal([cmlwatch.PROGRAM, "top", "--url", fleet.gateway.url, "--heartbeat-seconds", 1, *arguments], **more))
        terminals[-1].wait(lambda lines: "Realtime: connected" in lines[HEAD], "it is connected")
        return terminals[-1]
    yield start
    for terminal in terminals:
        terminal.close()


def names(lines):
    return [line.split()[0] for line in lines[FIRST:-1] if line.strip()]


def test_rows_are_live_within_80_by_24(fleet, top):
    terminal = top()
    lines = terminal.wait(lambda lines: names(lines) == ["alpha", "beta", "gamma"] and "73.5" in lines[FIRST + 2], "the rows")

    assert lines[TITLES].split() == ["NAMEv", "REGION", "STATUS", "SERVICE", "CPU%", "MEM%", "DISK%", "LABS", "IDLE", "FRESH"]
    assert lines[FIRST].split()[1:3] == [EAST, "running"] and "11.5" in lines[FIRST]
    assert "[3 all]" in lines[COUNTERS] and "2 running" in lines[COUNTERS] and "1 stopped" in lines[COUNTERS]
    assert lines[-1].startswith("q quit")
    fleet.value("i-0one", EAST, 99.5)
    terminal.wait(lambda lines: "99.5" in lines[FIRST], "a change")
    fleet.publisher.instance(EAST, "i-0new", name="aardvark")
    terminal.wait(lambda lines: names(lines)[0] == "aardvark", "a new one")
    fleet.publisher.publish("instance.gone", f"{EAST}/i-0new", {"instance_id": "i-0new", "region": EAST})
    terminal.wait(lambda lines: names(lines) == ["alpha", "beta", "gamma"], "it goes")


def test_keys_sort_search_and_filter(top):
    terminal = top("--sort", "cpu")
    terminal.wait(lambda lines: names(lines) == ["gamma", "alpha", "beta"], "by processor, the busiest first")
    terminal.press("r")
    terminal.wait(lambda lines: names(lines) == ["beta", "alpha", "gamma"] and "CPU%^" in lines[TITLES], "the other way round")
    terminal.press("rs")
    terminal.wait(lambda lines: "MEM%v" in lines[TITLES], "by the next column")
    terminal.press("/GAM")
    terminal.wait(lambda lines: names(lines) == ["gamma"] and "search: GAM_" in lines[BANNER], "what is found while one types")
    terminal.press("\x7fX")
    terminal.wait(lambda lines: "none is found" in lines[FIRST], "nothing is found")
    terminal.press("\x1b")
    terminal.wait(lambda lines: len(names(lines)) == 3, "Escape shows all")
    terminal.press("/alp\r")
    terminal.wait(lambda lines: names(lines) == ["alpha"] and "found by 'alp'" in lines[BANNER], "Enter keeps it")
    terminal.press("\x1b")
    terminal.wait(lambda lines: len(names(lines)) == 3, "all again")
    terminal.press("ffff")
    terminal.wait(lambda lines: names(lines) == ["beta"] and "[1 stopped]" in lines[COUNTERS], "the stopped")
    terminal.press("FFF")
    terminal.wait(lambda lines: sorted(names(lines)) == ["alpha", "gamma"] and "[2 running]" in lines[COUNTERS], "the running")


def test_pause_holds_what_is_shown_and_counts_what_comes(fleet, top):
    terminal = top()
    terminal.wait(lambda lines: "11.5" in lines[FIRST] and "73.5" in lines[FIRST + 2], "all that was said before")
    terminal.press("p")
    terminal.wait(lambda lines: "PAUSED, 0 waiting" in lines[BANNER], "it pauses")
    fleet.value("i-0one", EAST, 88.5)
    lines = terminal.wait(lambda lines: re.match(r"PAUSED, [12] waiting", lines[BANNER]), "what comes is counted")

    assert "11.5" in lines[FIRST]
    terminal.press("p")
    terminal.wait(lambda lines: "88.5" in lines[FIRST] and "PAUSED" not in lines[BANNER], "it goes on")


def test_detail_of_the_worker_under_the_cursor_and_help(top):
    terminal = top()
    terminal.wait(lambda lines: len(names(lines)) == 3, "rows")
    terminal.press("\x1bOB\r")
    lines = terminal.wait(lambda lines: any("i-0two" in line for line in lines), "the detail of the second")

    assert any(line.startswith("status ") and "stopped" in line for line in lines)
    terminal.press("\x1b[6~")
    terminal.wait(lambda lines: "cloudwatch_metrics" in lines, "it scrolls to the sections")
    terminal.press("?")
    terminal.wait(lambda lines: any("sort by the next" in line for line in lines), "help")
    terminal.press("xq")
    terminal.wait(lambda lines: len(names(lines)) == 3 and terminal.process.poll() is None, "back at the table")


def test_gateway_that_dies_leaves_the_last_values_and_comes_back(fleet, top):
    terminal = top()
    terminal.wait(lambda lines: "11.5" in lines[FIRST], "the row")
    fleet.gateway.kill()
    terminal.wait(lambda lines: re.search("Realtime: (reconnecting|disconnected)", lines[HEAD]), "the badge")  # the first does not stay
    lines = terminal.wait(lambda lines: "not live for" in lines[BANNER], "the banner")
    assert names(lines) == ["alpha", "beta", "gamma"] and "11.5" in lines[FIRST]
    wait_until(lambda: terminal.look() and re.search(rb"\x1b\[(0;)?2m\x0f?beta", terminal.bytes), "they are greyed")

    fleet.value("i-0one", EAST, 66.5)
    fleet.gateway.start()
    lines = terminal.wait(lambda lines: "Realtime: connected" in lines[HEAD] and "66.5" in lines[FIRST], "live again, nothing missing")

    assert names(lines) == ["alpha", "beta", "gamma"] and "not live" not in lines[BANNER]


def test_picture_that_differs_from_the_servers_is_repaired_and_counted(fleet, top):
    middle = Middle(fleet.gateway, change=Lie(b'"name":"omega"', b'"name":"wrong"'))
    try:
        terminal = top("--url", middle.url)
        terminal.wait(lambda lines: names(lines) == ["alpha", "beta", "gamma"], "the rows")
        fleet.publisher.instance(EAST, "i-0one", name="omega", interval_seconds=3600)
        terminal.wait(lambda lines: b"wrong" in terminal.bytes, "what the proxy says")
        lines = terminal.wait(lambda lines: names(lines) == ["beta", "gamma", "omega"] and "repaired 1" in lines[HEAD], "what the server has")
        assert "missed 0" in lines[HEAD]
        terminal.press("?")
        terminal.wait(lambda lines: any("lost the link 1 times; the server's" in line for line in lines), "proved again")
    finally:
        middle.close()


def test_key_reconnects_at_once_and_loses_nothing(fleet, top):
    terminal = top()
    terminal.wait(lambda lines: len(names(lines)) == 3, "rows")
    ids = lambda: [client["id"] for client in http_json(fleet.gateway.url + "/api/clients")["clients"]]
    before = ids()
    terminal.press("R")
    wait_until(lambda: len(now := ids()) == 1 and now != before, "another stream")
    fleet.value("i-0one", EAST, 42.5)
    lines = terminal.wait(lambda lines: "42.5" in lines[FIRST] and "Realtime: connected" in lines[HEAD], "live again")
    assert names(lines) == ["alpha", "beta", "gamma"]

    fleet.gateway.kill()
    terminal.wait(lambda lines: "Realtime: disconnected" in lines[HEAD], "the next try is far off")
    fleet.gateway.start()
    terminal.press("R")
    terminal.wait(lambda lines: "Realtime: connected" in lines[HEAD], "it did not wait for it")


def test_gateway_that_stays_away_is_called_disconnected(fleet, top):
    terminal = top()
    fleet.gateway.kill()
    terminal.wait(lambda lines: "Realtime: disconnected" in lines[HEAD] and "retry in" in lines[HEAD], "the badge")


def test_size_changes_and_too_little_room_drops_columns(top):
    terminal = top()
    terminal.wait(lambda lines: len(names(lines)) == 3, "rows")
    terminal.resize(10, 130)
    lines = terminal.wait(lambda lines: "TYPE" in lines[TITLES] and len(lines) == 10 and lines[-1].startswith("q quit"), "wide")
    assert "m5zn.metal" in lines[FIRST]
    terminal.resize(8, 40)
    lines = terminal.wait(lambda lines: lines[TITLES].startswith("NAME") and "TYPE" not in lines[TITLES] and "STATUS" in lines[TITLES], "narrow")
    assert names(lines) == ["alpha", "beta", "gamma"]
    terminal.resize(2, 10)
    terminal.resize(24, 80)
    terminal.wait(lambda lines: len(names(lines)) == 3 and "FRESH" in lines[TITLES], "as before")


@pytest.mark.parametrize("end,code", [("q", 0), (b"\x03", 0), (signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGSEGV, -signal.SIGSEGV)])
def test_terminal_is_restored_however_it_ends(top, end, code):
    terminal = top()
    terminal.wait(lambda lines: len(names(lines)) == 3, "rows")
    if isinstance(end, signal.Signals):
        terminal.process.send_signal(end)
    else:
        terminal.press(end)

    assert terminal.process.wait(harness.PATIENCE) == code
    wait_until(terminal.is_restored, "the terminal is as it was")


def test_login_that_is_refused_is_an_error_and_said_when_it_ends(start, bus, tmp_path):
    (tmp_path / "tokens").write_text("me viewer sha256:" + "0" * 64 + "\n")
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, "--auth", "token", "--tokens-file", tmp_path / "tokens")
    terminal = Terminal([cmlwatch.PROGRAM, "top", "--url", gateway.url])
    terminal.wait(lambda lines: "Realtime: error" in lines[HEAD] and "401" in lines[BANNER], "the badge and why")
    terminal.press("q")

    assert terminal.process.wait(harness.PATIENCE) == 1
    assert "401" in "\n".join(terminal.look())
    terminal.close()


def test_without_a_terminal_it_names_the_others():
    result = cmlwatch.run("top")

    assert result.returncode == 2 and "workers" in result.stderr


def test_a_name_moves_no_column_and_commands_no_terminal(fleet, top):
    fleet.publisher.instance(EAST, "i-0bad", name="a\x1b[31m\u202e日本語日本語日本語日本語日本語日本語", interval_seconds=3600)
    terminal = top()
    lines = terminal.wait(lambda lines: len(names(lines)) == 4, "the rows")

    assert lines[FIRST].startswith("a?[31m?日")
    assert all(terminal.screen.buffer[FIRST][terminal.screen.display[TITLES].index("REGION") + i].data == c for i, c in enumerate(EAST))


def test_whole_stack_is_seen_by_each_command(stack):
    url = stack.gateway.url
    wait_until(lambda: len(running := [w for w in stack.gateway.workers() if w["cml_ready"]]) >= 3 and
               all(w["cpu_utilization"] is not None for w in running), "CMLs are read")
    workers = {w["name"]: w for w in stack.gateway.workers()}
    terminal = Terminal([cmlwatch.PROGRAM, "top", "--url", url])
    terminal.wait(lambda lines: names(lines) == sorted(workers) and "EWC" in "".join(lines), "all rows, read by all three")
    table = cmlwatch.run("workers", "--url", url).stdout.splitlines()[1:]
    tail = cmlwatch.run("tail", "--url", url, "--count", 3, "--event-types", "worker.metrics.updated,worker.snapshot").stdout
    wait_until(lambda: cmlwatch.run("doctor", "--watch-seconds", 2, url).returncode < 2, "nothing fails, but when the machine stands still")

    assert [row.split()[0] for row in table] == sorted(workers)
    assert len(tail.splitlines()) == 3 and all(any(name in line for name in workers) for line in tail.splitlines())
    terminal.press("q")
    assert terminal.process.wait(harness.PATIENCE) == 0
    terminal.close()

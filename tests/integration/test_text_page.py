"""`curl http://gateway/`: a table of text for who asks from a terminal, the page for everybody else.
SPDX-License-Identifier: MIT"""
import hashlib
import subprocess

import pytest

import harness
import outside
from harness import http, metric, wait_until

EAST, WEST = "us-east-1", "eu-west-1"


@pytest.fixture
def fleet(start, bus):
    class Fleet:
        aggregator = start(harness.Aggregator, bus)
        gateway = start(harness.Gateway, bus)
        publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/text")
    fleet = Fleet()
    fleet.publisher.until_heard(fleet.gateway, EAST, "i-0one", name="alpha")
    fleet.publisher.until_heard(fleet.gateway, EAST, "i-0two", name="bad\x1b[2J\nname", state="stopped")
    fleet.publisher.until_heard(fleet.gateway, WEST, "i-0three", name="gamma")
    fleet.publisher.publish("utilization.observed", f"{EAST}/i-0one", {"cpu_percent": 41.5, "memory_percent": 7})
    wait_until(lambda: (fleet.gateway.worker("i-0one") or {}).get("cpu_utilization") == 41.5, "the value")
    return fleet


def curl(url, *arguments):
    result = subprocess.run(["curl", "-s", *arguments, url], capture_output=True, text=True, timeout=harness.PATIENCE)
    assert result.returncode == 0
    return result.stdout


def rows(text):
    lines = text.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("NAME "))
    return [line.split() for line in lines[head + 1:lines.index("", head)] if not line.startswith("... ")]


def test_curl_gets_the_fleet_as_a_table(fleet):
    text = curl(fleet.gateway.url)

    assert [row[0] for row in rows(text)] == ["alpha", "bad?[2J?name", "gamma"]
    assert rows(text)[0][1:] == [EAST, "m5zn.metal", "running", "starting", "41.5", "7.0", "-", "-", rows(text)[0][9], "EW-"]
    assert "3 workers: 2 running, 1 stopped, 0 other" in text and "\x1b" not in text


@pytest.mark.parametrize("query,headers,is_text", [
    ("", {"Accept": "text/plain"}, True), ("?format=text", {}, True), ("?format=text", {"Accept": "text/html"}, True),
    ("", {"User-Agent": "curl/7.88.1"}, True), ("", {"User-Agent": "curl/7.88.1", "Accept": "text/html"}, False),
    ("", {"Accept": "text/html,text/plain;q=0.5"}, False), ("", {"User-Agent": "Mozilla/5.0"}, False),
    ("?format=html", {"User-Agent": "curl/7.88.1"}, False)])
def test_who_gets_text_and_who_the_page(fleet, query, headers, is_text):
    status, head, body = http(fleet.gateway.url + "/" + query, headers=headers)

    assert status == 200
    assert head["Content-Type"] == ("text/plain; charset=utf-8" if is_text else "text/html; charset=utf-8")
    assert (b"NAME  " in body) == is_text
    if is_text:
        assert head["Cache-Control"] == "no-store" and head["Vary"] == "Accept, User-Agent"


def test_words_of_the_stream_choose(fleet):
    def names(query):
        return [row[0] for row in rows(curl(f"{fleet.gateway.url}/?{query}"))]

    assert names(f"regions={WEST}") == ["gamma"]
    assert names(f"regions={EAST},{WEST}&status=running") == ["alpha", "gamma"]
    assert names(f"worker_ids={fleet.gateway.worker('i-0one')['worker_id']}") == ["alpha"]
    for query, word in (("status=nope", "nope"), ("region=x", "region"), ("format=xml", "xml"), ("worker_ids=x", "worker_ids")):
        status, _, body = http(f"{fleet.gateway.url}/?{query}", headers={"User-Agent": "curl/8"})
        assert status == 400 and word in body.decode()


def test_rows_are_bounded_and_the_rest_is_told_and_counted(fleet, start, bus):
    small = start(harness.Gateway, bus, "--text-rows-max", 2, log_name="small")
    text = curl(small.url)

    assert len(rows(text)) == 2 and "3 workers" in text and "... and 1 more" in text
    assert metric(small.url, "cmlwatch_gateway_text_rows_cut_total") == 1


def test_last_known_is_marked_when_the_aggregator_is_away(fleet):
    fleet.aggregator.kill()
    wait_until(lambda: http(f"{fleet.gateway.url}/readyz")[0] == 503, "it notices")
    text = curl(fleet.gateway.url)

    assert len(rows(text)) == 3 and "NOT LIVE" in text


def test_gateway_that_has_not_joined_has_no_table(start, bus):
    lonely = start(harness.Gateway, bus, wait=False)
    harness.wait_alive(lonely)

    assert http(lonely.url + "/?format=text")[0] == 503
    assert http(lonely.url + "/")[0] == 200


def test_table_is_for_who_may_read_and_shows_what_they_may_see(fleet, start, bus, tmp_path):
    (tmp_path / "tokens").write_text(f"east viewer sha256:{hashlib.sha256(b'east').hexdigest()} regions={EAST}\n")
    closed = start(harness.Gateway, bus, "--auth", "token", "--tokens-file", tmp_path / "tokens", log_name="closed")

    refused, _, body = http(closed.url + "/?format=text")
    assert refused == 401 and b"alpha" not in body
    assert http(closed.url + "/", headers={"Accept": "text/html"})[0] == 200, "the page asks for the login"
    text = curl(closed.url, "-H", "Authorization: Bearer east")
    assert {row[0] for row in rows(text)} == {"alpha", "bad?[2J?name"} and "2 workers" in text

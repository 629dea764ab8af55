"""What the gateway writes, read by the letter of the standard, and the reader held to vectors.

The vectors say in our words what web-platform-tests' eventsource/format-* files ask of a browser.
SPDX-License-Identifier: MIT"""
import json
import random
import socket

import pytest

import harness
import outside
from eventsource import Parser, parse
from harness import http_json, metric, wait_until

#  A byte is a character of the same number. tests/browser/unit/parser.test.js reads them too.
VECTORS = {each["name"]: (each["bytes"].encode("latin-1"), [tuple(event) for event in each["events"]])
           for each in json.loads((harness.ROOT / "tests/integration/eventsource_vectors.json").read_text())}


@pytest.mark.parametrize("name", VECTORS)
def test_reader_is_the_standards_in_any_pieces(name):
    data, wanted = VECTORS[name]
    by_byte = Parser()
    for byte in data:
        by_byte.feed(bytes([byte]))

    assert parse(data).events == wanted
    assert by_byte.events == wanted


@pytest.mark.parametrize("line,wanted", [(b"retry:3000", 3000), (b"retry: 03000", 3000), (b"retry:3000x", None),
                                         (b"retry:-1", None), (b"retry", None), (b"retry:1.5", None)])
def test_retry_is_digits_alone(line, wanted):
    assert parse(line + b"\n\n").retry == wanted


HOSTILE = ["line\nbreak", "carriage\rreturn", "both\r\n\r\ndata: forged\nid: 0badcafe-999", "\u2028 and \u2029",
           "\ufeffmark", "😀 ünïcödé", "quote\" back\\slash </script>", "event: system.reset"]


def bytes_of(gateway, headers, until):
    """The stream's bytes, as they came, until these stand in them."""
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=harness.PATIENCE)
    connection.sendall(f"GET /api/events/stream?heartbeat=1 HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
    data = b""
    while until not in data:
        more = connection.recv(65536)
        assert more, data[-300:]
        data += more
    connection.close()
    return data.partition(b"\r\n\r\n")[2]


def test_no_value_of_a_source_breaks_a_frame(start, bus):
    """What tags and names hold is data: it forges no field, ends no frame, moves no cursor."""
    aggregator = start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus)
    publisher = outside.Publisher(bus.ingest, "/collector/ec2/hostile")
    publisher.until_heard(gateway, "us-east-1", "i-0first")
    begin = http_json(f"{gateway.url}/api/state")["last_event_id"]
    for number, text in enumerate(HOSTILE):
        publisher.instance("us-east-1", f"i-0hostile{number}", name=text, tags={"k": text})
    wait_until(lambda: len(gateway.workers()) == len(HOSTILE) + 1, "all are known")
    publisher.instance("us-east-1", "i-0last", name="the last")
    wait_until(lambda: gateway.worker("i-0last"), "the last one")

    raw = bytes_of(gateway, f"Last-Event-ID: {begin}\r\n", b'"name":"the last"')
    raw = raw[:raw.rindex(b"\n\n") + 2]
    whole, chance, pieces = parse(raw), random.Random(7), Parser()
    at = 0
    while at < len(raw):
        step = chance.randrange(1, 40)
        pieces.feed(raw[at:at + step])
        at += step

    assert pieces.events == whole.events
    bodies = [json.loads(data) for _, data, _ in whole.events]
    assert [kind for kind, _, _ in whole.events] == [body["type"] for body in bodies], "no event is forged"
    names = {body["data"]["aws_instance_id"]: body["data"]["name"] for body in bodies if body["type"] == "worker.snapshot"}
    assert [names[f"i-0hostile{number}"] for number in range(len(HOSTILE))] == HOSTILE
    epoch, first = begin.rsplit("-", 1)
    cursors = [int(name.rsplit("-", 1)[1]) for _, _, name in whole.events if name]
    assert cursors == sorted(cursors) and cursors[-1] < int(first) + 1000
    assert all(name.startswith(epoch + "-") for _, _, name in whole.events if name)
    assert whole.retry and 1000 <= whole.retry <= 3000
    refused = metric(aggregator.url, "cmlwatch_ingest_rejected_total")
    publisher.instance("us-east-1", "i-0nul", name="nul\0")
    wait_until(lambda: metric(aggregator.url, "cmlwatch_ingest_rejected_total") == refused + 1, "a NUL is refused, and counted")

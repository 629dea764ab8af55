"""Everything goes wrong at random for some seconds, and it comes well again: one seed of `make chaos`, a short one.
SPDX-License-Identifier: MIT"""
import io
import json
import re
import socket
import sys
import threading
import types

import pytest

import harness
from follower import Follower
from proxy import Proxy

sys.path.insert(0, str(harness.ROOT / "tests/chaos"))
import chaos  # noqa: E402
import messages  # noqa: E402
import schedule  # noqa: E402
import world  # noqa: E402

SEED, SECONDS = 11, 8


@pytest.mark.skipif(harness.VALGRIND, reason="a machine that is so slow disturbs everything by itself")
def test_nothing_is_lost_or_wrong_whatever_a_seed_does(tmp_path):
    wrong, figures = chaos.run(tmp_path, SEED, SECONDS)

    assert not wrong, "\n".join([*wrong, *map(schedule.told, schedule.draw(SEED, SECONDS))])
    assert figures["events"] > 100 and figures["jobs"] > 10 and min(figures["looks"].values()) > 0, figures


def test_a_seed_has_the_same_schedule_again():
    assert schedule.draw(7, 20) == schedule.draw(7, 20) != schedule.draw(8, 20)
    assert {fault.name for seed in range(20) for fault in schedule.draw(seed, 20)} == set(schedule.KINDS)


def test_the_table_has_each_fault_that_the_simulator_can_show(start):
    refusal = harness.http(f"{start(harness.Simulator).aws_url}/_sim/faults", "POST", {"api": "*", "kind": "no such"})[2].decode()

    words = set(re.findall(r"\b[a-z]+[a-z0-9_]*\b", refusal.partition("a kind: ")[2])) - {"or"}
    assert words and words == {kind for _, kind, _ in schedule.APIS}, refusal


def test_a_machine_off_the_net_still_talks_to_itself():
    parted = set(world.links_of("first"))

    assert {"gateway-1.http", "gateway-2.feed", "cml-2.ingest", "runners.control"} <= parted
    assert not parted & {"gateway-1.feed", "ec2-1.ingest", "cml-1.control", "gateway-2.http"}
    assert set(world.links_of("owner")) == set(world.BUS_LINKS) and set(world.links_of("all")) >= {"gateway-1.http", "words.ingest"}


@pytest.mark.parametrize("dumb", ["near", "far"])
def test_a_link_that_carries_one_way_loses_what_one_side_says_and_nothing_of_the_other(dumb):
    with socket.create_server(("127.0.0.1", harness.free_port())) as server:
        link = Proxy(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        with socket.create_connection(("127.0.0.1", link.port), timeout=30) as near, server.accept()[0] as far:
            far.settimeout(30)
            near.sendall(b"hello")
            assert far.recv(5) == b"hello"  # the link has it in its list by now

            link.one_way(dumb)
            speaks, hears = (near, far) if dumb == "near" else (far, near)
            hears.sendall(b"heard")
            assert speaks.recv(5) == b"heard"

            speaks.sendall(b"lost")
            speaks.shutdown(socket.SHUT_WR)
            assert hears.recv(5) == b"", "nothing comes but the end"
        link.close()


def followed(*frames):
    """What a client finds wrong with these frames of one connection, which ends after them."""
    body, client = b"".join(frame + b"\n\n" for frame in frames), Follower(0, list, threading.Event(), 0)
    client.follow(types.SimpleNamespace(read1=io.BytesIO(body).read))
    return client.faults


def heartbeat(missed, conflated):
    return b"event: heartbeat\ndata: " + json.dumps({"data": {"events_missed": missed, "conflated": conflated}}).encode()


def event(number):
    return b"id: e-%d\nevent: worker.metrics.updated\ndata: {}" % number


def test_a_gap_is_a_fault_but_for_what_the_stream_says_to_have_left_out():
    assert not followed(event(1), event(2), heartbeat(0, 0))
    assert not followed(event(1), event(5), heartbeat(1, 2))
    assert not followed(event(1), event(5), heartbeat(0, 3), event(6), heartbeat(0, 3))
    assert len(followed(event(1), event(5), heartbeat(0, 2))) == 1, "fewer than did not come"
    assert len(followed(event(1), event(5), heartbeat(0, 3), event(8), heartbeat(0, 3))) == 1, "it was said of those before"
    assert len(followed(event(1), event(5))) == 1, "nobody has said it"
    assert len(followed(event(2), event(1), heartbeat(9, 9))) == 1, "a step back is never explained"


@pytest.mark.parametrize("piece", [1, 7, 64, 100000])
def test_messages_are_found_in_whatever_pieces_they_come(piece):
    greeting, command = b"g" * 64, b"\x04\x05READY"
    one, long = b"\x01\x01a\x00\x01b", b"\x03" + (300).to_bytes(8, "big") + b"x" * 300 + b"\x00\x00"
    stream, found = messages.Messages(), []
    whole = greeting + command + one + long + one

    for at in range(0, len(whole), piece):
        found += stream.take(whole[at:at + piece])

    assert b"".join(said for _, said in found) == whole
    assert [said for is_said, said in found if is_said] == [one, long, one]

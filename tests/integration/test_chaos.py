"""Everything goes wrong at random for some seconds, and it comes well again: one seed of `make chaos`, a short one.
SPDX-License-Identifier: MIT"""
import re
import socket
import sys

import pytest

import harness
from proxy import Proxy

sys.path.insert(0, str(harness.ROOT / "tests/chaos"))
import chaos  # noqa: E402
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

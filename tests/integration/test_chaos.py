"""Everything goes wrong at random for some seconds, and it comes well again: one seed of `make chaos`, a short one.
SPDX-License-Identifier: MIT"""
import sys

import pytest

import harness

sys.path.insert(0, str(harness.ROOT / "tests/chaos"))
import chaos  # noqa: E402
import schedule  # noqa: E402

SEED, SECONDS = 11, 8


@pytest.mark.skipif(harness.VALGRIND, reason="a machine that is so slow disturbs everything by itself")
def test_nothing_is_lost_or_wrong_whatever_a_seed_does(tmp_path):
    wrong, figures = chaos.run(tmp_path, SEED, SECONDS)

    assert not wrong, "\n".join([*wrong, *map(schedule.told, schedule.draw(SEED, SECONDS))])
    assert figures["events"] > 100 and figures["jobs"] > 10 and min(figures["looks"].values()) > 0, figures


def test_a_seed_has_the_same_schedule_again():
    assert schedule.draw(7, 20) == schedule.draw(7, 20) != schedule.draw(8, 20)
    assert {fault.name for seed in range(20) for fault in schedule.draw(seed, 20)} == set(schedule.KINDS)

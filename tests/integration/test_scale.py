"""Collectors that come, go and die: every running worker is read by somebody, and what is read twice changes nothing.
The gaps that were measured are written to build/…/rescale.json; the tests hold what does not hang on a machine's speed.
SPDX-License-Identifier: MIT"""
import json
import threading
import time

import pytest

import harness
from harness import metric, wait_until
from picture import Picture

INTERVAL, RENEW, TTL = 1.0, 2.0, 6.0  # seconds: of the collectors here, and the aggregator's defaults
pytestmark = pytest.mark.skipif(harness.VALGRIND, reason="eleven collectors under valgrind are slow")


class Watcher(threading.Thread):
    """Reads the stream all the time: when each worker's CML was last heard of, and whether anything was odd."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.stream, self.picture = gateway.stream("?heartbeat=1"), Picture()
        self.heard, self.gaps, self.statuses, self.sequences, self.stopped = {}, {}, [], [], False
        self.digests = {"equal": 0, "other": 0}

    def take(self, event):
        self.picture.take(event)
        if event.body["seq"] is not None:
            self.sequences.append(event.body["seq"])
        if event.type == "worker.metrics.updated" and event.body["source"] == "domain.cml_worker.cml_metrics":
            now, worker = time.monotonic(), event.data["worker_id"]
            self.gaps.setdefault(worker, []).append(now - self.heard.get(worker, now))
            self.heard[worker] = now
        elif event.type in ("worker.status.updated", "worker.disconnected", "worker.service_status.updated", "collector.error"):
            self.statuses.append(event)
        elif event.type == "heartbeat" and event.data["digest"]:
            self.digests["equal" if event.data["digest"] == self.picture.digest() else "other"] += 1

    def run(self):
        while not self.stopped:
            event = self.stream.next()
            if event is None:
                return
            self.take(event)

    def heard_again(self, times=2):
        """Waits until each worker was heard of so many times more; the gap that is open by then is counted too."""
        counts = {worker: len(gaps) for worker, gaps in self.gaps.items()}
        wait_until(lambda: all(len(self.gaps[w]) >= n + times for w, n in counts.items()), "each was read again")

    def worst_gap(self):
        """Of all workers since the last call."""
        worst = max((max(gaps) for gaps in self.gaps.values() if gaps), default=0)
        self.gaps = {worker: [] for worker in self.gaps}
        return worst


@pytest.fixture
def fleet(start):
    return start(harness.Stack, instances=16)


def settled(stack):
    """Nobody is unread and nobody read twice, as far as the aggregator has told it."""
    url = stack.aggregator.url
    return (metric(url, "cmlwatch_workers_unowned", kind="cml") == 0 and
            metric(url, "cmlwatch_workers_multi_owned", kind="cml") == 0)


def running(stack):
    return [w for w in stack.gateway.workers() if w["status"] == "running" and w["cml_ready"]]


def test_rescale_leaves_no_worker_unread_and_reads_in_two_places_change_nothing(fleet):
    stack = fleet
    wait_until(lambda: len(running(stack)) >= 8, "CMLs that are ready")
    watcher = Watcher(stack.gateway)
    watcher.start()
    wait_until(lambda: len(watcher.heard) >= 8, "each is read")
    watcher.worst_gap()
    figures = {}

    more = [stack.collector("cml", collector_id=f"more{n}") for n in range(7)]
    wait_until(lambda: metric(stack.aggregator.url, "cmlwatch_collectors", kind="cml") == 8 or
               metric(stack.aggregator.url, "cmlwatch_collectors") >= 10, "eight of them")
    wait_until(lambda: settled(stack), "all have heard of it")
    watcher.heard_again()
    figures["1 to 8"] = watcher.worst_gap()

    for collector in more[:5]:
        assert collector.stop() == 0
    wait_until(lambda: settled(stack), "all have heard of it")
    watcher.heard_again()
    figures["8 to 3"] = watcher.worst_gap()

    more[5].kill()
    wait_until(lambda: metric(stack.aggregator.url, "cmlwatch_collectors") <= 4, "it is given up")
    wait_until(lambda: settled(stack), "all have heard of it")
    watcher.heard_again()
    figures["one killed"] = watcher.worst_gap()

    stack.aggregator.kill()
    wait_until(lambda: harness.http(stack.gateway.url + "/readyz")[0] == 503, "the gateway knows that it is gone")
    stack.aggregator.start()
    harness.wait_ready(stack.aggregator)
    harness.wait_ready(stack.gateway)
    wait_until(lambda: settled(stack) and len(running(stack)) >= 8, "work goes on")
    more[6].stop()
    watcher.stopped = True

    assert len(watcher.heard) >= 8
    assert not [e for e in watcher.statuses if e.type in ("worker.disconnected", "collector.error")], watcher.statuses
    assert watcher.digests["equal"] > 3 and watcher.digests["other"] == 0, watcher.digests
    #  Bounds of the design, four times as wide: what else a machine does is not the collectors'.
    assert max(figures["1 to 8"], figures["8 to 3"]) < 4 * (INTERVAL + RENEW + 1), figures
    assert figures["one killed"] < 4 * (INTERVAL + TTL + RENEW + 1), figures
    (harness.BUILD / "rescale.json").write_text(json.dumps({f"{k}, worst gap s": round(v, 2) for k, v in figures.items()}))

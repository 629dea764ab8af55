"""bus.py - the aggregator between a collector and a reader of its feed, beside raw publish and subscribe of czmq; and what
alert rules and open jobs cost it. Parts of bench.py. SPDX-License-Identifier: MIT"""
import multiprocessing
import re
import time
import types

import harness
from sizes import FEW, QUICK, SECONDS
from systems import LOAD_CORE, Bus, pinned, stretch

DEPTH, EXTRA_RULES, JOBS, REPORT_SECONDS = 1000, 40, 20 if QUICK else 1000, 1


def built_in_rules():
    """Their names, as the source has them."""
    return re.findall(r'^    \{"([\w-]+)",$', (harness.ROOT / "aggregator/alert_rules.c").read_text(), re.M)


def rules(folder, name, text):
    path = folder / f"{name}.rules"
    path.write_text(text)
    return path


def no_rules():
    return "".join(f"[{name}]\nenabled = no\n" for name in built_in_rules())


def more_rules():
    """None of which holds, as it is most of the time."""
    return "".join(f"[bench-{n}]\nwhen = cpu_utilization > {100 + n} and status = running\nfor = 10m\n" for n in range(EXTRA_RULES))


def report_progress(control, count, ready, done):
    """So many jobs that run: each says its progress each second, in a process of its own."""
    from runner import Runner
    pinned(LOAD_CORE)()
    runner = Runner(types.SimpleNamespace(control=control), "/runner/bench", "bench", concurrency=count)
    for _ in range(count):
        runner.send("submit", job_type="bench", by="bench", timeout_seconds=3600)
    for number in range(runner.number - count + 1, runner.number + 1):
        runner.receive(number)
    while len(runner.running) < count:
        runner.poll(50)
    ready.set()
    step, due = 0, time.monotonic()
    while not done.is_set():
        step, due = step % 99 + 1, due + REPORT_SECONDS
        runner.poll()
        runner.ask("report", runner_id=runner.id, reports=[
            {"job_id": j["job_id"], "attempt": j["attempt"], "event": "progress", "progress": step} for j in runner.running.values()])
        done.wait(max(0, due - time.monotonic()))
    runner.close()


class Busy(Bus):
    """One with many jobs open."""

    def __init__(self, folder, name):
        super().__init__(folder, name)
        context = multiprocessing.get_context("spawn")
        self.ready, self.done = context.Event(), context.Event()
        self.jobs = context.Process(target=report_progress, args=(self.control, JOBS, self.ready, self.done), daemon=True)
        self.jobs.start()
        assert self.ready.wait(60), "all jobs run"

    def pids(self):
        return super().pids() | {self.jobs.pid}

    def __exit__(self, *exception):
        self.done.set()
        self.jobs.join(10)
        super().__exit__(*exception)


def compare(row, systems, *words):
    for _ in range(FEW):
        for system in systems:
            stretch(row, system.name, system, systems, *words)


def bus(folder, table):
    with Bus(folder, "aggregator") as ours, Bus(folder, "raw") as raw:
        if table.wants("bus_1"):
            compare(table["bus_1"], (ours, raw), "closed", 1, 2 * SECONDS)
        if table.wants("bus_1000"):
            compare(table["bus_1000"], (ours, raw), "closed", DEPTH, 2 * SECONDS)
    if table.wants("alerts"):
        with Bus(folder, "aggregator") as ours, \
                Bus(folder, "no_rules", "--alert-rules", rules(folder, "none", no_rules())) as without, \
                Bus(folder, "rules_40", "--alert-rules", rules(folder, "more", more_rules())) as more:
            compare(table["alerts"], (ours, without, more), "closed", DEPTH, 2 * SECONDS)
    if table.wants("open_jobs"):  # one after the other: jobs that run take of the core that both would have
        with Bus(folder, "aggregator") as ours:
            for _ in range(FEW):
                stretch(table["open_jobs"], "aggregator", ours, (ours,), "closed", DEPTH, 3 * SECONDS)
        with Busy(folder, "jobs_1000") as busy:
            for _ in range(FEW):
                stretch(table["open_jobs"], "jobs_1000", busy, (busy,), "closed", DEPTH, 3 * SECONDS)


PARTS = {"bus": bus}

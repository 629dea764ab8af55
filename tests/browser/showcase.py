"""showcase - the whole stack with a day's life in it: labs, load, faults, alerts, and jobs of each status.
For screenshots and whatever wants each view full. SPDX-License-Identifier: MIT"""
import threading

import harness
from harness import wait_until
from runner import Runner

SCENARIO = harness.ROOT / "tests/simulator/scenarios/demo.scenario"
RULES = """
[data-stale]
for = 0s
[cpu-warm]
when = cpu_utilization > 35
severity = warning
message = {name}: CPU at {value} %
[cml-unavailable]
for = 0s
"""
PRICES = "m5zn.metal=3.9641,c5.metal=4.08,m5.metal=4.608,m7i.metal-24xl=4.8384"
KINDS = ("image.sync", "lab.export", "lab.import")


REGIONS = ("--regions", "us-east-1,eu-central-1")


class Regions(harness.Stack):
    def collector(self, kind, *arguments, **more):
        return super().collector(kind, *(REGIONS if kind != "cml" else ()), *arguments, **more)


class Showcase:
    def __init__(self, folder, instances=24, speed=60):
        rules = folder / "alerts"
        rules.write_text(RULES)
        self.stack = Regions(folder, "--scenario", SCENARIO, "--speed", speed, *REGIONS, instances=instances,
                             aggregator_arguments=("--alert-rules", rules, "--store", folder / "store", "--instance-prices", PRICES))
        self.url, self.gateway, self.ended = self.stack.gateway.url, self.stack.gateway, threading.Event()
        self.works = []

    def fill(self):
        """Jobs: some ended, some under way, some that nobody has taken."""
        wait_until(lambda: len(self.gateway.workers()) > 20, "the fleet")
        for number, worker in enumerate(self.gateway.workers()[:14]):
            self.submit(KINDS[number % 3], worker, priority=number % 4)
        for worker in [worker for worker in self.gateway.workers() if worker["status"] == "running"][:3]:
            status, _, body = self.gateway.ask(f"/api/workers/{worker['worker_id']}/refresh", "POST")
            assert status in (202, 409), body  # 409: it has just been stopped
        runner = Runner(self.stack.bus, "/runner/hub", *KINDS, concurrency=9)
        runner.work("a job")
        runner.poll(100)
        taken = list(runner.running.values())
        for number, job in enumerate(taken[:6]):
            runner.report(job, "progress", progress=50, step="copy")
            if number % 3 == 1:
                runner.report(job, "failed", error_code="disk_full", error_message="no space left on the image server")
            else:
                runner.report(job, "completed", result={})
        for number, job in enumerate(taken[6:]):
            runner.report(job, "progress", progress=15 + 30 * number, step="copy", message=f"{number + 2} of 7 nodes")
        self.works.append(threading.Thread(target=self.keep, args=(runner,), daemon=True))
        self.works[-1].start()
        return self

    def submit(self, kind, worker, **more):
        status, _, body = self.gateway.ask("/api/jobs", "POST", {"job_type": kind, "worker_id": worker["worker_id"], **more})
        assert status == 202, body

    def keep(self, runner):
        """Its heartbeat; it is full, so that nothing new is taken."""
        runner.offer["concurrency"] = len(runner.running)
        while not self.ended.wait(0.5):
            runner.poll(0)
        runner.close()

    def stop(self):
        self.ended.set()
        for work in self.works:
            work.join()
        self.stack.stop()

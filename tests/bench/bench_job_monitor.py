"""bench_job_monitor.py - how soon a monitor hears of a job, while many others run.

    bench_job_monitor.py FOLDER [OPEN ...]

FOLDER holds the programs; the aggregator keeps its store on disk. OPEN jobs (100, then 1,000) run at once and each says its
progress every second; beside them PROBES jobs are submitted over HTTP, one each 20 ms, taken by the same runner and completed at
once. Measured is the time from the request to the monitor's job.submitted and to its job.completed; the monitor also counts
that every probe has its four events, in order. One line of JSON for each OPEN; exit 1 when a 99th percentile of job.submitted
is over 100 ms or anything is missing. SPDX-License-Identifier: MIT"""
import http.client
import json
import multiprocessing
import os
import pathlib
import sys
import tempfile
import threading
import time

FOLDER = pathlib.Path(sys.argv[1]).resolve()
os.environ.setdefault("CMLWATCH_BUILD", str(FOLDER))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

import harness  # noqa: E402
from runner import Runner  # noqa: E402

PROBES, PAUSE_SECONDS, PROGRESS_SECONDS, LIMIT_MS = 500, 0.02, 1, 100
LIFE = ["job.submitted", "job.assigned", "job.status.updated", "job.completed"]


def report(runner, event, jobs, **more):
    reports = [{"job_id": job["job_id"], "attempt": job["attempt"], "event": event, **more} for job in jobs]
    if reports:
        runner.ask("report", runner_id=runner.id, reports=reports)


def run(bus, count, running, done):
    """Completes probes at once, and goes on with the others for ever."""
    long, probe = Runner(bus, "/runner/long", "long", concurrency=count), Runner(bus, "/runner/probe", "probe", concurrency=100)
    due, step = 0.0, 0
    while not done.is_set():
        report(probe, "completed", probe.poll(20)["assigned"])
        probe.running.clear()
        if time.monotonic() >= due:
            due, step = time.monotonic() + PROGRESS_SECONDS, step % 99 + 1
            long.poll()
            report(long, "progress", long.running.values(), progress=step, message=f"step {step} of 99")
            running.value = len(long.running)
    long.close()
    probe.close()


class Monitor(threading.Thread):
    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.stream, self.heard = gateway.stream("?topics=jobs:status&job_types=probe&state=0"), {}
        self.stream.wait("connected", "it is open")
        self.start()

    def run(self):
        while event := self.stream.next():
            if event.type.startswith("job."):
                at = time.monotonic()
                self.heard.setdefault(event.data["job_id"], []).append((event.type, at))


def submit(connection, job_type):
    connection.request("POST", "/api/jobs", json.dumps({"job_type": job_type, "timeout_seconds": 3600}), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 202, body
    return json.loads(body)["id"]


def percentiles(values):
    values = sorted(values)
    return {name: round(1e3 * values[min(len(values) - 1, int(part * len(values)))], 2) for name, part in (("p50", 0.5), ("p99", 0.99), ("max", 1))}


def measure(folder, count):
    bus = harness.Bus()
    aggregator = harness.Aggregator(folder, bus, "--store", pathlib.Path(folder) / "store")
    gateway = harness.Gateway(folder, bus, "--requests-per-second", 0)
    running, done = multiprocessing.Value("i", 0), multiprocessing.Event()
    worker = multiprocessing.Process(target=run, args=(bus, count, running, done))
    worker.start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
        for _ in range(count):
            submit(connection, "long")
        harness.wait_until(lambda: running.value == count, "all run")
        monitor, asked = Monitor(gateway), {}
        for _ in range(PROBES):
            began = time.monotonic()
            asked[submit(connection, "probe")] = began
            time.sleep(PAUSE_SECONDS)
        harness.wait_until(lambda: sum(len(events) == len(LIFE) for events in monitor.heard.values()) == PROBES, "every probe has ended")
        whole = all([kind for kind, _ in events] == LIFE for events in monitor.heard.values())
        late = lambda kind: percentiles([next(at for what, at in monitor.heard[identity] if what == kind) - began for identity, began in asked.items()])
        return {"open": count, "probes": PROBES, "whole": whole, "submitted_ms": late("job.submitted"), "completed_ms": late("job.completed")}
    finally:
        done.set()
        worker.join()
        gateway.stop()
        aggregator.stop()


def main():
    missed = 0
    for count in [int(each) for each in sys.argv[2:]] or [100, 1000]:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(folder, count)
        print(json.dumps(row), flush=True)
        missed += not row["whole"] or row["submitted_ms"]["p99"] > LIMIT_MS
    return 1 if missed else 0


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    sys.exit(main())

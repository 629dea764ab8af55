"""router - the aggregator's place once more, with work to give: a Listener that answers `runner` too.

It does what a collector must be able to rely on and no more: give() has a job assigned to whoever asks
next for one of its kind, stop() has it stopped, and a question without work is held for its wait_ms.
SPDX-License-Identifier: MIT"""
import itertools
import json
import time
import uuid

from harness import PATIENCE
from listener import Listener


class Router(Listener):
    def __init__(self, bus, workers=()):
        super().__init__(bus, workers)
        self.waiting, self.given, self.stopped, self.held = [], {}, [], {}
        self.runners, self.numbers, self.silent = [], itertools.count(1), False

    def give(self, job_type, instance, step=None, region="us-east-1", attempt=1, job_id=None, timeout_seconds=60):
        """Has the job assigned; returns its id."""
        job = {"job_id": job_id or str(uuid.uuid4()), "attempt": attempt, "job_type": job_type, "step": step, "priority": 5,
               "timeout_seconds": timeout_seconds, "worker_id": str(uuid.uuid4()), "region": region, "instance_id": instance,
               "account_id": None, "payload": {}, "workflow_id": None, "submitted_by": "test"}
        self.waiting.append(job)
        return job["job_id"]

    def stop(self, job_id):
        self.stopped.append(job_id)

    def answer(self, frames):
        identity, _, operation, number, body = frames[:5]
        question = json.loads(body)
        if operation != b"runner":
            super().answer(frames)
        elif not self.silent:
            self.runners.append(question)
            self.held[identity] = (number, question, time.monotonic() + question["wait_ms"] / 1000)

    def assign(self, question):
        taken = [job for job in self.waiting
                 if (f"{job['job_type']}:{job['step']}" if job["step"] else job["job_type"]) in question["job_types"]]
        for job in taken:
            self.waiting.remove(job)
            self.given[job["job_id"]] = job
        return taken

    def over(self):
        """Jobs whose end was heard, or that were stopped."""
        return {e["data"]["job_id"] for e in self.all if e["type"] in ("job.completed", "job.failed")} | set(self.stopped)

    def turn(self):
        super().turn()
        for identity, (number, question, until) in list(self.held.items()):
            assigned = [] if question["leaving"] else self.assign(question)
            stop = [job["job_id"] for job in question["running"] if job["job_id"] in self.over()]
            if assigned or stop or question["leaving"] or time.monotonic() >= until:
                del self.held[identity]
                answer = {"renew_ms": 2000, "ttl_ms": 6000, "assigned": assigned, "stop": stop}
                self.control.send_multipart([identity, b"reply", b"runner", number, json.dumps(answer).encode()])

    def wait(self, condition, what, deadline=PATIENCE):
        end = time.monotonic() + deadline
        while not (value := condition()):
            assert time.monotonic() < end, f"{what}: not within {deadline} s; heard {[(e['type'], e['data']) for e in self.events if e['type'].startswith('job')][-5:]}"
            self.turn()
        return value

    def reports(self, job_id):
        return [e for e in self.all if e["type"].startswith("job.") and e["data"]["job_id"] == job_id]

    def end(self, job_id):
        """The report with which the job ended."""
        ends = lambda: [e for e in self.reports(job_id) if e["type"] in ("job.completed", "job.failed")]
        return self.wait(ends, "the job ends")[0]

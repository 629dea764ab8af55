"""runner - who asks for jobs and who runs them, as common/README.md tells outsiders: pyzmq and json.

Control asks any operation. Runner registers, takes, reports; a collector that runs jobs is one that
also holds a lease. Told hears the feed: each event of a job is judged by its schema, and a record is
kept by merging, as a replica does.
SPDX-License-Identifier: MIT"""
import json

import jsonschema
import zmq

import harness
from harness import wait_until

SCHEMAS = {path.stem: jsonschema.Draft202012Validator(json.loads(path.read_text()), format_checker=jsonschema.FormatChecker())
           for path in (harness.ROOT / "common/schema").glob("job.*.json")}
RECORD = jsonschema.Draft202012Validator(json.loads((harness.ROOT / "common/schema/rest.job.json").read_text()))


class Control:
    def __init__(self, bus):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(bus.control)
        self.number = 0

    def send(self, operation, **question):
        self.number += 1
        self.socket.send_multipart([b"request", operation.encode(), str(self.number).encode(), json.dumps(question).encode()])
        return self.number

    def receive(self, number):
        """(answer, payload) of that question; those of others are passed over."""
        while True:
            assert self.socket.poll(harness.PATIENCE * 1000), "an answer"
            frames = self.socket.recv_multipart()
            if int(frames[2]) == number:
                return json.loads(frames[3]), [json.loads(frame) for frame in frames[4:] if frame[:1] == b"{"]

    def ask(self, operation, **question):
        return self.receive(self.send(operation, **question))

    def submit(self, job_type, status=202, **more):
        """The record; or, of another status, the answer."""
        answer, payload = self.ask("submit", job_type=job_type, **{"by": "test", **more})
        assert answer["status"] == status, answer
        if payload:
            RECORD.validate(payload[0])
        return payload[0] if payload else answer

    def job(self, identity):
        answer, payload = self.ask("job", id=identity)
        assert answer["status"] == 200, answer
        RECORD.validate(payload[0])
        return payload[0]

    def jobs(self, **choice):
        answer, payload = self.ask("jobs", **choice)
        assert answer["status"] == 200, answer
        return payload

    def cancel(self, identity, status=202, **more):
        answer, payload = self.ask("cancel", id=identity, **{"by": "test", **more})
        assert answer["status"] == status, answer
        return payload[0] if payload else answer

    def state(self):
        return self.ask("state", limit=1)[0]

    def close(self):
        self.socket.close()


class Runner(Control):
    def __init__(self, bus, identity, *job_types, concurrency=1, **more):
        super().__init__(bus)
        self.id, self.offer = identity, {"job_types": job_types, "concurrency": concurrency, **more}
        self.running = {}  # what was assigned, by id

    def question(self, wait_ms=0, **more):
        return {"runner_id": self.id, **self.offer, "wait_ms": wait_ms,
                "running": [{"job_id": j["job_id"], "attempt": j["attempt"]} for j in self.running.values()], **more}

    def take(self, answer):
        for job in answer["assigned"]:
            self.running[job["job_id"]] = job
        for identity in answer["stop"]:
            self.running.pop(identity, None)
        return answer

    def poll(self, wait_ms=0, **more):
        return self.take(self.ask("runner", **self.question(wait_ms, **more))[0])

    def work(self, what="work"):
        """What it is given next."""
        return wait_until(lambda: self.poll(50)["assigned"], what)[0]

    def report(self, job, event, **more):
        answer, _ = self.ask("report", runner_id=self.id, reports=[
            {"job_id": job["job_id"], "attempt": job["attempt"], "event": event, **more}])
        assert answer["status"] == 200
        if event != "progress":
            self.running.pop(job["job_id"], None)
        return answer["stop"]


class Collector(Runner):
    """One that owns workers by lease and runs their jobs."""

    def __init__(self, bus, kind, *job_types, name="fake", **more):
        super().__init__(bus, f"/collector/{kind}/{name}", *job_types, concurrency=10, kind=kind, **more)
        self.kind = kind

    def lease(self, **more):
        return self.ask("lease", collector_id=self.id, kind=self.kind, regions=["r"], **more)[0]


class Told:
    """The feed's events of jobs, in their order; and each job as one who merges them knows it."""

    def __init__(self, bus):
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.linger, self.socket.rcvhwm = 0, 0
        self.socket.connect(bus.feed)
        self.socket.subscribe(b"event|")
        self.socket.subscribe(b"tick|")
        self.events, self.records, self.sequence = [], {}, 0
        assert self.socket.poll(harness.PATIENCE * 1000), "a tick"

    def take(self, timeout_ms=0):
        if not self.socket.poll(timeout_ms):
            return False
        frames = self.socket.recv_multipart()
        if frames[0].startswith(b"event|"):
            self.hear(*frames)
        return True

    def hear(self, header, text):
        fields = header.decode().split("|")
        if int(fields[7]) <= self.sequence:
            return  # it was in the log
        assert self.sequence in (0, int(fields[7]) - 1), "no event is lost"
        self.sequence = int(fields[7])
        body = json.loads(text)
        if body["type"].startswith("job."):
            self.follow(body, fields)
        self.events.append(body)

    def follow(self, body, fields):
        SCHEMAS[body["type"]].validate(body)
        data = body["data"]
        assert fields[4] == data["job_type"] and int(fields[5]) == data["priority"]
        assert fields[3] == (data["worker_id"] or "")
        if body["type"] == "job.submitted":
            assert data["job_id"] not in self.records
            self.records[data["job_id"]] = {key: value for key, value in data.items() if key != "job_id"}
            return
        record = self.records.setdefault(data["job_id"], {})
        if "old_status" in data:
            assert record.get("status", data["old_status"]) == data["old_status"], (record, data)
            record["status"] = data["new_status"]
        else:
            assert record.get("status", "in_progress") == "in_progress"
        record.update({key: value for key, value in data.items()
                       if key not in ("job_id", "old_status", "new_status", "reason", "updated_at")})

    def of(self, identity):
        return [e for e in self.events if e["type"].startswith("job.") and e["data"]["job_id"] == identity]

    def until(self, condition, what):
        def holds():
            while self.take():
                pass
            return condition()
        return wait_until(holds, what)

    def rejoin_after(self, start, control):
        """Its aggregator was killed: what that one said is heard, and what the next says from its first tick on. What was
        kept between and did not leave the one that was killed is had from the log, as a replica has it."""
        while self.take(50):
            pass
        start()
        assert self.socket.poll(harness.PATIENCE * 1000), "a tick"
        control.send("events", after=self.sequence, limit=10000)
        assert control.socket.poll(harness.PATIENCE * 1000), "the log"
        _, _, _, _, *told = control.socket.recv_multipart()
        for header, text in zip(told[::2], told[1::2]):
            self.hear(header, text)

    def life(self, identity, *types):
        """Waits for the last of these, and says what all were."""
        self.until(lambda: any(e["type"] == types[-1] for e in self.of(identity)), f"{types[-1]} of {identity}")
        told = [e["type"] for e in self.of(identity)]
        assert told == list(types), told
        return self.of(identity)

    def close(self):
        self.socket.close()

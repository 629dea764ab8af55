"""stand_in - an aggregator of the test's own, for gateways: a feed that says what the test says, and
answers over control about workers, jobs and alerts that the test made.

It speaks for one epoch, numbers its events, ticks when it is silent, and keeps all it has said. What it
does with a job is what the test tells it: nothing happens by itself. SPDX-License-Identifier: MIT"""
import datetime
import json
import re
import threading
import time
import uuid

import zmq

import harness

EPOCH = "0a1b2c3d"
SNAPSHOT = json.loads((harness.ROOT / "common/schema/snapshot.json").read_text())["required"]
SOURCES = dict(re.findall(r'EVENT \(\w+, +"([\w.]+)", +FEED, +"([\w.]+)"', (harness.ROOT / "common/event.h").read_text()))
BUILT_IN = {"metrics.refresh", "labs.refresh", "worker.pause", "worker.resume", "monitoring.enable"}
OPEN = ("pending", "assigned", "in_progress")
EMPTY = dict.fromkeys("worker_id workflow_id client_key step message assigned_at started_at completed_at failed_at cancelled_at "
                      "error error_code result cancelled_by runner_id".split())


def pack(value):
    return json.dumps(value, separators=(",", ":")).encode()


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_worker(number, region="us-east-1", status="running"):
    name = f"i-{number:017x}"
    identity = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"cmlwatch/{region}/{name}"))
    known = {"worker_id": identity, "id": identity, "name": f"worker-{number}", "region": region, "aws_instance_id": name,
             "status": status, "service_status": "available", "created_at": now(), "updated_at": now(),
             "ec2_freshness": "fresh", "cloudwatch_freshness": "absent", "cml_freshness": "absent",
             "is_idle_detection_enabled": True, "poll_interval": 30, "disk_utilization": None,
             **{f"{who}_{what}_count": 0 for who in ("auto", "manual") for what in ("pause", "resume")}}
    return {key: known.get(key) for key in SNAPSHOT}


class StandIn:
    def __init__(self, bus, workers=()):
        context = zmq.Context.instance()
        self.control, self.feed = context.socket(zmq.ROUTER), context.socket(zmq.PUB)
        self.feed.setsockopt(zmq.SNDHWM, 0)
        self.control.bind(bus.control)
        self.feed.bind(bus.feed)
        self.workers = {worker["worker_id"]: worker for worker in workers}
        self.jobs, self.alerts, self.log, self.asked = {}, {}, [], []
        self.seq, self.said_at, self.away, self.next_answer = 0, 0.0, False, {}
        self.lock, self.ended = threading.RLock(), False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def stop(self):
        self.ended = True
        self.thread.join()
        self.control.close(linger=0)
        self.feed.close(linger=0)

    #  --- the feed

    def header(self, kind, event="", worker=None, job=None, seq=None):
        worker = self.workers.get(worker, {})
        return "|".join(str(part) for part in (
            kind, event, worker.get("region", ""), worker.get("worker_id", ""), job["job_type"] if job else "",
            job["priority"] if job else 0, EPOCH, self.seq if seq is None else seq, int(time.time() * 1e6), "0+0")).encode()

    def say(self, event, data, worker=None, job=None):
        """One event to all gateways; the body as their clients get it."""
        with self.lock:
            self.seq += 1
            body = {"type": event, "source": SOURCES[event], "time": now(), "seq": self.seq, "data": data}
            frames = [self.header("event", event, worker, job), pack(body)]
            self.log.append((frames, body))
            self.feed.send_multipart(frames)
            self.said_at = time.monotonic()
            return body

    def serve(self):
        while not self.ended:
            ready = self.control.poll(20)
            with self.lock:
                if not self.away and time.monotonic() - self.said_at > 0.1:
                    self.feed.send(self.header("tick"))
                    self.said_at = time.monotonic()
            if ready:
                self.take(self.control.recv_multipart())

    def take(self, frames):
        identity, _, operation, number, question = frames[:5]
        if self.away:
            return
        question = json.loads(question)
        with self.lock:
            self.asked.append((operation.decode(), question))
            answer, payload = getattr(self, f"on_{operation.decode()}")(question)
            self.control.send_multipart([identity, b"reply", operation, number, pack(answer), *payload])

    #  --- jobs, as the test has them go

    def submit(self, job_type, worker=None, priority=5, by="test", **more):
        with self.lock:
            job = {"id": str(uuid.uuid4()), "job_type": job_type, "status": "pending", "priority": priority, **EMPTY,
                   "worker_id": worker, "payload": {}, "progress": 0, "created_at": now(), "submitted_by": by, "attempts": 0,
                   "timeout_seconds": 60, **more}
            self.jobs[job["id"]] = job
            self.say("job.submitted", {"job_id": job["id"], **job}, worker, job)
            return job

    def move(self, job, event, status, told=(), **changes):
        """A transition: the record changes, and what says so is told."""
        with self.lock:
            old = job["status"]
            job.update(changes, status=status)
            data = {key: job[key] for key in ("worker_id", "job_type", "priority", "workflow_id", "runner_id", "attempts")}
            data.update(job_id=job["id"], old_status=old, new_status=status, **{key: job[key] for key in changes}, **dict(told))
            return self.say(event, data, job["worker_id"], job)

    def assign(self, job, runner="runner-1"):
        return self.move(job, "job.assigned", "assigned", runner_id=runner, attempts=job["attempts"] + 1, step=None, assigned_at=now())

    def begin(self, job):
        return self.move(job, "job.status.updated", "in_progress", {"reason": None, "updated_at": now()},
                         step=None, progress=job["progress"], started_at=job["started_at"] or now())

    def give_back(self, job, reason="runner_lost"):
        return self.move(job, "job.status.updated", "pending", {"reason": reason, "updated_at": now()},
                         step=None, progress=0, started_at=job["started_at"], runner_id=None)

    def progress(self, job, progress, message=None):
        with self.lock:
            job.update(progress=progress, message=message)
            data = {key: job[key] for key in ("worker_id", "job_type", "priority", "workflow_id", "progress", "step", "message")}
            return self.say("job.progress", {"job_id": job["id"], **data, "updated_at": now()}, job["worker_id"], job)

    def complete(self, job):
        return self.move(job, "job.completed", "completed", progress=100, result={"ok": True}, completed_at=now())

    def fail(self, job, error="it broke"):
        return self.move(job, "job.failed", "failed", error=error, error_code="broken", failed_at=now())

    def cancel(self, job, by="test"):
        return self.move(job, "job.cancelled", "cancelled", error=None, cancelled_by=by, cancelled_at=now())

    def raise_alert(self, rule, worker=None, severity="warning"):
        with self.lock:
            of = self.workers.get(worker, {})
            alert = {"id": str(uuid.uuid4()), "rule": rule, "severity": severity, "state": "raised", "worker_id": worker,
                     "name": of.get("name"), "region": of.get("region"), "metric": "cpu_utilization", "value": 95, "threshold": 90,
                     "message": f"{rule} of {of.get('name')}", "raised_at": now(), "acknowledged_at": None,
                     "acknowledged_by": None, "cleared_at": None}
            self.alerts[alert["id"]] = alert
            self.say("alert.raised", {"alert_id": alert["id"], **alert}, worker)
            return alert

    #  --- answers

    def stats(self):
        of = lambda *statuses: sum(job["status"] in statuses for job in self.jobs.values())
        by = lambda key: {name: sum(w[key] == name for w in self.workers.values()) for name in {w[key] for w in self.workers.values()}}
        return {"total_workers": len(self.workers), "active_workers": by("status").get("running", 0), "by_status": by("status"),
                "by_region": by("region"), "total_jobs": len(self.jobs), "pending_jobs": of("pending"),
                "active_jobs": of("assigned", "in_progress"), "completed_jobs": of("completed"), "failed_jobs": of("failed")}

    def on_state(self, question):
        ids = sorted(identity for identity in self.workers if identity > question["cursor"])
        page = ids[:question["limit"]]
        frames = [part for identity in page for part in (self.header("state", "", identity), pack(self.workers[identity]))]
        answer = {"epoch": EPOCH, "seq": self.seq, "total": len(self.workers),
                  "next_cursor": page[-1] if len(ids) > len(page) else None, "stats": self.stats()}
        if not question["cursor"]:
            answer["jobs"] = [*self.of_state(OPEN), *(job for end in ("completed", "failed", "cancelled") for job in self.of_state((end,))[-100:])]
        return answer, frames

    def of_state(self, statuses):
        return [job for job in self.jobs.values() if job["status"] in statuses]

    def on_events(self, question):
        page = [frames for frames, body in self.log if body["seq"] > question["after"]][:question["limit"]]
        first = json.loads(page[0][1])["seq"] if page else 0
        return {"first": first}, [part for frames in page for part in frames]

    def on_worker(self, question):
        return {"status": 200}, [pack({"others": []})]

    def on_command(self, question):
        return {"status": 202}, [pack({"worker_id": question["id"], "is_idle_detection_enabled": question["enabled"], "changed": True})]

    def on_submit(self, question):
        if self.next_answer:
            answer, self.next_answer = self.next_answer, {}
            return answer, []
        known = next((j for j in self.jobs.values() if question.get("client_key") and j["client_key"] == question["client_key"]), None)
        if known:
            return {"status": 200}, [pack(known)]
        worker, kind = self.workers.get(question.get("worker")), question["job_type"]
        if kind in BUILT_IN and worker["status"] != "running" and kind != "worker.resume":
            return {"status": 409, "detail": "the worker is not running"}, []
        same = next((j for j in self.jobs.values() if kind in BUILT_IN and j["job_type"] == kind and j["status"] in OPEN
                     and j["worker_id"] == question["worker"]), None)
        if same:
            return {"status": 409, "detail": "such a job is on its way", "job_id": same["id"]}, []
        more = {key: question[key] for key in ("workflow_id", "payload", "client_key", "timeout_seconds", "priority") if key in question}
        return {"status": 202}, [pack(self.submit(kind, question.get("worker"), by=question["by"], **more))]

    def on_job(self, question):
        job = self.jobs.get(question["id"])
        return ({"status": 200}, [pack(job)]) if job else ({"status": 404, "detail": "there is no such job"}, [])

    def on_jobs(self, question):
        wanted = [job for job in reversed(self.jobs.values())
                  if ("status" not in question or job["status"] in question["status"].split(","))
                  and all(question.get(asked, job[key]) == job[key] for asked, key in
                          (("job_type", "job_type"), ("worker", "worker_id"), ("workflow_id", "workflow_id")))]
        cursors = [f"{job['id']}@{job['created_at']}" for job in wanted]
        if question.get("cursor", "") not in ["", *cursors]:
            return {"status": 400, "detail": f"cursor: '{question['cursor']}' is no next_cursor of a page before"}, []
        begin = cursors.index(question["cursor"]) + 1 if "cursor" in question else 0
        page = wanted[begin:begin + question["limit"]]
        more = begin + len(page) < len(wanted)
        return {"status": 200, "next_cursor": cursors[begin + len(page) - 1] if more else None}, [pack(job) for job in page]

    def on_cancel(self, question):
        job = self.jobs.get(question["id"])
        if not job or job["status"] not in OPEN:
            return {"status": 409 if job else 404, "detail": "it has ended already" if job else "there is no such job"}, []
        self.cancel(job, question["by"])
        return {"status": 202}, [pack(job)]

    def on_alerts(self, question):
        return {"status": 200}, [pack(alert) for alert in self.alerts.values()]

    def on_acknowledge(self, question):
        alert = self.alerts.get(question["id"])
        if not alert or alert["state"] != "raised":
            return {"status": 409 if alert else 404, "detail": "it is acknowledged" if alert else "there is no such alert"}, []
        alert.update(state="acknowledged", acknowledged_by=question["by"], acknowledged_at=now())
        self.say("alert.acknowledged", {"alert_id": alert["id"], **{key: alert[key] for key in (
            "rule", "severity", "worker_id", "acknowledged_by", "acknowledged_at")}}, alert["worker_id"])
        return {"status": 202}, [pack(alert)]

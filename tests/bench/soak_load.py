"""soak_load.py - who makes soak.py's stack work: streams that are followed event by event, a crowd of others, jobs.

SPDX-License-Identifier: MIT"""
import collections
import json
import random
import subprocess
import threading
import time

import harness
import runner


class Followed(threading.Thread):
    """A stream read event by event; it resumes where it was whenever it ends, or by chance. Gateways hold log_max events."""

    def __init__(self, gateways, over, log_max):
        super().__init__(daemon=True)
        self.gateways, self.over, self.log_max, self.last, self.events, self.resumes, self.faults = gateways, over, log_max, None, 0, 0, []
        self.left_out, self.resets = 0, 0

    def run(self):
        while not self.over.is_set():
            try:
                self.follow(random.choice(self.gateways()))
            except (OSError, AssertionError):
                time.sleep(random.uniform(0.1, 1))

    def follow(self, gateway):
        stream = harness.Stream(gateway.port, "?heartbeat=5&client=followed", {"Last-Event-ID": self.last} if self.last else {}, keep=False)
        self.resumes += self.last is not None
        end, told = time.monotonic() + random.uniform(20, 120), Told(self.last, self.log_max)
        stream.socket.settimeout(20)
        while time.monotonic() < end and not self.over.is_set() and (event := stream.next()):
            self.faults += told.hear(event)
            self.last = event.id or self.last
        stream.close()
        self.events, self.left_out, self.resets = self.events + told.events, self.left_out + told.told, self.resets + told.resets


class Told:
    """What one stream has said. Each number comes once and in order. Who reads too slowly is left out of what later events
    say as well, and its heartbeats say of how many: so many may be missing since the stream began, and no more. Who was away for
    longer than the log goes back, and only who was, is told so and has the state again."""

    def __init__(self, last, log_max):
        self.at, self.log_max, self.newest, self.inside = number_of(last), log_max, 0, False
        self.missing, self.told, self.events, self.resets = 0, 0, 0, 0

    def hear(self, event):
        """Faults."""
        if event.type == "connected":
            self.newest = number_of(event.data["last_event_id"])
        elif event.type == "system.reset":
            return self.reset(event.data)
        elif event.type == "system.state.begin":
            self.inside = True
        elif event.type == "system.state.end":
            self.at, self.missing, self.inside = number_of(event.id), 0, False
        elif event.type == "heartbeat":
            return self.beat(event.data)
        elif not self.inside and '"seq":null' not in event.raw[:200]:
            return self.take(event.sequence)
        return []

    def reset(self, data):
        """The state that follows may be a little older than the reset, or much where slow readers hold all that may be:
        what it covers says nothing about how far the log went back. The notice does; and of one that came back, its first word, how far
        it was behind."""
        self.resets += 1
        oldest, asked = number_of(data["oldest_id"]), number_of(data["requested_id"])
        if self.at is not None and oldest - 1 <= self.at:
            return [f"reset ({data['reason']}) at {self.at}, and the log went back to {oldest}"]
        if asked is not None and self.newest - asked < self.log_max:
            return [f"reset ({data['reason']}) of {asked} at {self.newest}, and the log holds {self.log_max}"]
        return []

    def take(self, sequence):
        late = [f"{sequence} after {self.at}"] if self.at is not None and sequence <= self.at else []
        self.events += 1
        self.missing += max(0, sequence - self.at - 1) if self.at is not None else 0
        self.at = sequence
        return late

    def beat(self, heartbeat):
        self.told = heartbeat["conflated"] + heartbeat["events_missed"]
        return [f"{self.missing} events are missing at {self.at}, and {self.told} were said to be"] if self.missing > self.told else []


def number_of(identity):
    return int(identity.split("-")[1]) if identity else None


class Crowd:
    """The crowd of crowd.c: a process of its own, for one that is slow would make the gateway look slow."""

    def __init__(self, program, size):
        self.process = subprocess.Popen([program, str(int(size)), "60", "5", "30", "30"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, sign, gateway):
        self.process.stdin.write(f"{sign}{gateway.port}\n")
        self.process.stdin.flush()

    def counts(self):
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        said, _ = self.process.communicate(timeout=harness.PATIENCE)
        assert self.process.returncode == 0, f"the crowd ended with {self.process.returncode}"
        return json.loads(said)


class Work(threading.Thread):
    """Ten jobs a second, and two who run them; one in twenty vanishes with what it has."""

    def __init__(self, bus, over):
        super().__init__(daemon=True)
        self.bus, self.over, self.submitted, self.completed, self.fault = bus, over, 0, 0, None

    def run(self):
        try:
            control, names = runner.Control(self.bus), [f"soak-{n}" for n in range(2)]
            held = collections.defaultdict(list)
            while not self.over.is_set():
                for _ in range(5):
                    control.submit("soak.work", priority=random.randint(-10, 10))
                    self.submitted += 1
                for name in names:
                    answer, _ = control.ask("runner", runner_id=name, job_types=["soak.work"], concurrency=50, wait_ms=0,
                                            running=[{"job_id": j, "attempt": a} for j, a in held[name]])
                    held[name] += [(each["job_id"], each["attempt"]) for each in answer["assigned"]]
                    if random.random() < 0.005:
                        held[name] = []
                        continue
                    done = [{"job_id": j, "attempt": a, "event": "completed", "result": {}} for j, a in held[name]]
                    if done:
                        control.ask("report", runner_id=name, reports=done)
                        self.completed += len(done)
                    held[name] = []
                time.sleep(0.5)
        except Exception as error:  # the main thread tells of it
            self.fault = repr(error)

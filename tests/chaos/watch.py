"""watch - what must hold whatever goes wrong: looked at throughout, and once more when all is well again.

Throughout: every program that was not killed lives; no worker is without a collector for longer than a lease needs to move, as
long as one of its kind is well; a gateway that says it is ready shows nothing as fresh whose last word is older than a source may
be silent; no follower misses an event or has one twice. A look that is slow, or that something disturbs which makes the answer
worthless (the aggregator was killed a moment ago; the clock that a time was written by was wrong), is no look.
In the end: the fleet is as the simulator has it, each job that was accepted has ended once, each alert was told to everybody
and to the hook, all pictures have one digest, each program ends with code 0, and no log has an error that no fault explains.
SPDX-License-Identifier: MIT"""
import datetime
import json
import re
import threading
import time

import zmq

import harness
import keys
from follower import quiet
from harness import http_json, wait_until
from picture import digest_of
from schedule import KINDS
from world import COLLECTORS, GATEWAYS, OURS, RENEW_MS, WORDS

LEASE_MOVES = 3 * RENEW_MS / 1000 + 2 * RENEW_MS / 1000 + 4  # it runs out, the next one asks and begins; the rest is for a busy machine
SILENCE = {"ec2": 3, "cloudwatch": 3, "cml": 6}              # three intervals, in whole seconds (a CML that pushes: twice)
SEEN_AT = {"ec2": "ec2_last_checked_at", "cloudwatch": "cloudwatch_last_collected_at", "cml": "cml_last_synced_at"}
SLACK = 4                                                    # a read begins when it is stamped and may take as long as it may
CLOCK_SEEN = 1                                               # seconds after which a process looks at its clock's file anew (world.py)
PACE = 0.25                                                  # of asking: the links' proxies run here too, and who asks all the time starves them
ERRORS = {"nothing is told until the store takes it": "disk_full"}  # a log line of level error, and which fault it is the answer to


class Watch(threading.Thread):
    def __init__(self, world):
        super().__init__(daemon=True, name="watch")
        self.world, self.over, self.faults, self.looks = world, threading.Event(), [], {"alive": 0, "owned": 0, "fresh": 0}
        self.under, self.well_since = {}, {}     # how many faults a program is under; since when none
        self.clock_set_back = 0.0                # when a clock was put right the last time
        self.unowned_since, self.suspects, self.longest = {}, {}, 0.0

    def begins(self, fault):
        for name in KINDS[fault.name].concerns(fault.what):
            self.under[name] = self.under.get(name, 0) + 1

    def ends(self, fault):
        for name in KINDS[fault.name].concerns(fault.what):
            self.under[name] -= 1
            self.well_since[name] = time.monotonic()
        if fault.name == "clock":
            self.clock_set_back = time.monotonic()

    def clocks_right_for(self):
        """Seconds for which no program has written a wrong time."""
        if any(each.read_text() != "+0" for each in self.world.clocks.values()):
            return 0
        return time.monotonic() - self.clock_set_back - CLOCK_SEEN

    def well_for(self, name):
        """Seconds; 0 while a fault concerns it."""
        return 0 if self.under.get(name) else time.monotonic() - self.well_since.get(name, 0)

    def run(self):
        while not self.over.wait(0.25):
            try:
                self.alive()
                self.owned()
                for name in GATEWAYS:
                    self.fresh(name)
            except (OSError, ValueError, KeyError):
                pass  # who was asked is away
            except Exception as error:
                self.faults.append(f"watch: {error!r}")
                return

    def alive(self):
        for name, program in self.world.programs.items():
            if name not in self.world.down and not program.alive() and name not in self.world.down:
                self.faults.append(f"{name} ended by itself with {program.process.returncode}:\n{program.log[-2000:]}")
                self.world.down.add(name)
        self.looks["alive"] += 1

    def owned(self):
        body = harness.http(f"{self.world.programs['aggregator'].url}/metrics", timeout=1)[2].decode()
        for kind, count in re.findall(r'^cmlwatch_workers_unowned{kind="(\w+)"} (\d+)', body, re.M):
            now = time.monotonic()
            others = [self.well_for(name) for name in COLLECTORS if name.startswith(kind)]
            if count == "0":
                self.unowned_since.pop(kind, None)
                continue
            since = self.unowned_since.setdefault(kind, now)
            lasted = min(now - since, self.well_for("aggregator"), max(others, default=0))
            self.longest = max(self.longest, lasted)
            if lasted > LEASE_MOVES:
                self.faults.append(f"{count} workers have had no {kind} collector for {lasted:.1f} s")
                self.unowned_since.pop(kind)
        self.looks["owned"] += 1

    def fresh(self, name):
        url, begun = self.world.programs[name].url, time.monotonic()
        workers = http_json(f"{url}/api/workers?limit=1000", timeout=1)["workers"]
        ready, now = harness.http(f"{url}/readyz", timeout=1)[0] == 200, datetime.datetime.now(datetime.timezone.utc)
        if not ready or time.monotonic() - begun > 0.5:
            return
        for worker in workers:
            if worker["aws_instance_id"] == "i-0bad" and "garbage was believed" not in self.faults:
                self.faults.append("garbage was believed")
            for source, at in SEEN_AT.items():
                place = (name, worker["aws_instance_id"], source)
                bound = SILENCE[source] + SLACK
                if worker[f"{source}_freshness"] != "fresh" or worker["aws_instance_id"].startswith("i-0chaos"):
                    self.suspects.pop(place, None)
                    continue
                age = (now - datetime.datetime.fromisoformat(worker[at].replace("Z", "+00:00"))).total_seconds()
                disturbed = min(self.well_for("aggregator"), self.well_for(name), self.clocks_right_for()) < bound
                if age <= bound or disturbed:
                    self.suspects.pop(place, None)
                    continue
                first = self.suspects.setdefault(place, time.monotonic())
                if time.monotonic() - first > 1:
                    self.faults.append(f"{name} shows {source} of {place[1]} as fresh, {age:.1f} s after its last word")
                    self.suspects[place] = float("inf")
        self.looks["fresh"] += 1


def truth(world):
    """What the simulator has and the first gateway shows otherwise; empty when they are one."""
    shown = {each["aws_instance_id"]: each for each in world.programs["gateway-1"].workers()}
    wrong = []
    for instance in world.sim.instances():
        worker, state = shown.get(instance["instance_id"]), instance["state"]
        if not worker or worker["status"] != state:
            if worker or state != "terminated":
                wrong.append((instance["instance_id"], state, worker and worker["status"]))
        elif state == "running":
            wrong += [(instance["instance_id"], source, worker[f"{source}_freshness"]) for source in SEEN_AT if worker[f"{source}_freshness"] != "fresh"]
    return wrong


def comes(condition, what, deadline, faults):
    """Waits; what does not come is a fault, and the others are looked at nevertheless."""
    try:
        wait_until(condition, what, deadline, PACE)
    except (AssertionError, OSError) as error:
        faults.append(str(error))


def jobs_ended(world):
    """Which of the jobs that were accepted have not ended, or are not known any more."""
    asks, open_ = world.asking.asks, []
    for identity in world.asking.known:
        answer, payload = asks.ask("job", id=identity)
        if not payload or payload[0]["status"] not in ("completed", "failed", "cancelled"):
            open_.append((identity, payload[0] if payload else answer))
    return open_


def settle(world, watch):
    """When everything is well again: what must become true, and does within its time."""
    faults, gateways = [], [world.programs[name] for name in GATEWAYS]
    for name in ("aggregator", *GATEWAYS):
        harness.wait_ready(world.programs[name], pace=PACE)
    comes(lambda: not truth(world), "the fleet is as it is", 45, faults)
    if faults:
        faults.append(f"what is shown otherwise: {truth(world)}")
    comes(lambda: not jobs_ended(world), "each job has ended", 45, faults)
    faults += [f"job {identity} has not ended: {record}" for identity, record in jobs_ended(world)[:3]]
    for each in (*world.runners, world.words):
        each.end()
    for number in range(WORDS):  # what was said to an aggregator that was away is lost; this is not
        said = f"final {number}"
        world.words.publisher.until_heard(gateways[1], OURS, world.words.name_of(number), interval_seconds=3600, name=said)
        comes(lambda: (world.words.publisher.instance(OURS, world.words.name_of(number), interval_seconds=3600, name=said),
                       gateways[1].worker(world.words.name_of(number))["name"] == said)[1], "the last word", 15, faults)
    watch.over.set()
    watch.join(10)
    for name in COLLECTORS:
        if world.programs[name].stop() != 0:
            faults.append(f"{name} ended badly:\n{world.programs[name].log[-1000:]}")
    last = int(quiet(gateways[0].url).rsplit("-", 1)[1])
    comes(lambda: min(each.last for each in world.followers) >= last, "every client has all of it", 30, faults)
    comes(lambda: len(digests(world)) == 1, "one digest", 10, faults)
    if len(digests(world)) > 1:
        faults.append(f"digests: {digests(world)}")
    for each in world.followers:
        faults += each.faults[:3]
        wrong = {identity: each.ends.get(identity, 0) for identity in world.asking.known if each.ends.get(identity, 0) != 1}
        faults += [f"client {each.number} heard of the end of {len(wrong)} jobs not once: {list(wrong.items())[:3]}"] if wrong else []
    faults += [each.fault for each in world.uses if each.fault] + world.bad_ends
    return faults + alerts(world), last


def answer_of(url):
    """JSON; None for a 503: the first question on a link that was half open is lost, and who asks asks again."""
    status, _, body = harness.http(url)
    assert status in (200, 503), f"{url}: {status} {body[:300]!r}"
    return json.loads(body) if status == 200 else None


def alerts(world):
    """What was told of alerts: to all clients the same, to the hook each, and what stands is what was said last."""
    faults, first = [], max(each.first for each in world.followers)  # what came before, not all of them have heard

    def since(ids):
        return {identity for identity in ids if int(identity.rsplit("-", 1)[1]) > first}
    heard = since(world.followers[0].alerts)
    comes(lambda: heard <= set(world.hook.told), "the hook has taken each alert", 60, faults)
    if faults:
        faults.append(f"the hook was not told of {sorted(heard - set(world.hook.told))[:3]}")
    if more := since(world.hook.told) - heard:
        faults.append(f"the hook was told of {sorted(more)[:3]}, and nobody else was")
    faults += [f"client {each.number} heard of other alerts: {sorted(since(each.alerts) ^ heard)[:3]}" for each in world.followers if since(each.alerts) != heard]
    raised = world.followers[0].raised
    for name in GATEWAYS:
        shown = {each["id"] for each in wait_until(lambda: answer_of(f"{world.programs[name].url}/api/alerts"), "alerts are answered", 15, PACE)["alerts"]
                 if not each["cleared_at"]}
        wrong = [identity for identity, is_raised in raised.items() if is_raised != (identity in shown)]
        faults += [f"{name} shows {len(wrong)} alerts otherwise than was told: {wrong[:3]}"] if wrong else []
    return faults


def owner_digest(world):
    """Of the aggregator's own state, as it answers a gateway that joins."""
    asks, total, cursor = zmq.Context.instance().socket(zmq.DEALER), 0, None
    asks.linger = 0
    if world.keys:
        keys.lock(world.keys, asks, "digest")
    asks.connect(world.bus.control)
    try:
        while True:
            asks.send_multipart([b"request", b"state", b"1", json.dumps({"limit": 1000, "cursor": cursor} if cursor else {"limit": 1000}).encode()])
            assert asks.poll(5000), "the aggregator answers"
            answer, *workers = asks.recv_multipart()[3:]
            total += sum(digest_of(each.decode()) for each in workers[1::2])  # each after its header
            cursor = json.loads(answer)["next_cursor"]
            if not cursor:
                return f"{total & (1 << 64) - 1:016x}"
    finally:
        asks.close()


def digests(world):
    return {owner_digest(world)} | {http_json(f"{world.programs[name].url}/api/state")["digest"] for name in GATEWAYS} | \
        {each.digest() for each in world.followers}


def end(world, schedule):
    """Stops what still runs and reads the logs."""
    faults, done = [], {fault.name for fault in schedule}
    for name in (*GATEWAYS, "aggregator"):
        if world.programs[name].stop() != 0:
            faults.append(f"{name} ended badly:\n{world.programs[name].log[-1000:]}")
    if world.sim.stop() != 0:
        faults.append("the simulator ended badly")
    for name, program in world.programs.items():
        for line in program.log.splitlines():
            why = next((fault for text, fault in ERRORS.items() if text in line), None)
            if ("level=error" in line and why not in done) or "Sanitizer" in line or "Assertion" in line:
                faults.append(f"{name} says: {line[:300]}")
    return faults

"""world - the whole stack with each of its links through a proxy of ours, and who uses it meanwhile.

Two regions on the simulator, an aggregator whose store lies on a small disk, two gateways, four collectors; every third seed
has keys on the bus, every second one has collectors whose AWS keys are of the metadata service. Beside them: a Hook that is told of alerts,
Churn (people who start, stop and terminate instances and labs), Words (an outsider who publishes what it measures), Asking
(jobs of a type of ours and refreshes) and two Runners, who vanish now and then.
SPDX-License-Identifier: MIT"""
import json
import os
import random
import signal
import subprocess
import threading
import time
import types

import zmq

import clock
import harness
import outside
import keys
import runner
from follower import Follower
from harness import wait_until
from hook import Hook
from messages import MessageProxy
from proxy import Proxy

COLLECTORS = ("ec2-1", "cloudwatch-1", "cml-1", "cml-2")
GATEWAYS = ("gateway-1", "gateway-2")
PROGRAMS = ("aggregator", "aggregator", *GATEWAYS, *COLLECTORS)  # the aggregator is drawn twice as often
LINKS = (*(f"{name}.{way}" for name in COLLECTORS for way in ("ingest", "control")),
         *(f"{name}.{way}" for name in GATEWAYS for way in ("feed", "control", "http")), "words.ingest", "runners.control")
BUS_LINKS = tuple(link for link in LINKS if not link.endswith(".http"))
CLOCKED = ("aggregator", "gateway-1", "ec2-1", "cloudwatch-1", "cml-1")
#  What is lost at once when a machine, or the switch between two, is: the programs that run there.
HOSTS = {"owner": ("aggregator",), "edge": GATEWAYS, "ears": COLLECTORS, "first": ("aggregator", "gateway-1", "ec2-1", "cml-1"),
         "second": ("gateway-2", "cml-2"), "all": ("aggregator", *GATEWAYS, *COLLECTORS)}
REGIONS, OURS = "us-east-1,eu-west-1", "us-east-1"
KEYS_SECONDS = 8  # those of the metadata service hold so long, so that it is asked all the time
RENEW_MS, INSTANCES, FOLLOWERS, WORDS = 1000, 6, 6, 4
ENDS = (b"job.completed", b"job.failed", b"job.cancelled")
ALERTS = (b"alert.raised", b"alert.acknowledged", b"alert.cleared")
RULES = """[chaos-busy]
when = cpu_utilization > 95 and name ~ i-0chaos*
for = 0s
clear_after = 0s
severity = info
"""
#  Who they are on a bus with keys.
OTHERS = {"words": "collector", "garbage": "collector", "noise": "operator", "asking": "operator", "runners": "runner", "digest": "operator"}


def links_of(host):
    """Each link that has one end on a machine and the other elsewhere."""
    inside, ends = HOSTS[host], {link: link.split(".") for link in LINKS}
    return [link for link, (name, way) in ends.items() if (name in inside) != (way != "http" and "aggregator" in inside)]


class Follows(Follower):
    """Also counts the ends of each job, and keeps what it heard of alerts: which event said what of which."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.ends, self.alerts, self.raised, self.first = {}, set(), {}, None

    def take(self, frame):
        kind, _, data = frame.partition(b"event: ")[2].partition(b"\ndata: ")
        if kind in ALERTS:
            self.alerts.add(frame.partition(b"id: ")[2].partition(b"\n")[0].decode())
            self.raised[json.loads(data)["data"]["alert_id"]] = kind != b"alert.cleared"
        if kind in ENDS:
            identity = json.loads(data)["data"]["job_id"]
            self.ends[identity] = self.ends.get(identity, 0) + 1
        super().take(frame)
        if kind == b"system.state.end" and self.first is None:
            self.first = self.last


def patient(world, name, socket, endpoint):
    """A ZeroMQ socket that gives up a connection on which nothing comes, as common/README.md advises; and has its key."""
    if world.keys:
        keys.lock(world.keys, socket, name)
    for option, milliseconds in ((zmq.HEARTBEAT_IVL, 500), (zmq.HEARTBEAT_TIMEOUT, 1500), (zmq.RECONNECT_IVL, 100)):
        socket.setsockopt(option, milliseconds)
    socket.disconnect(endpoint)
    socket.connect(endpoint)


class Asks(runner.Control):
    """A question that nobody answers is None: one asks again."""

    def __init__(self, world, name, bus):
        super().__init__(bus)
        patient(world, name, self.socket, bus.control)

    def receive(self, number):
        end = time.monotonic() + 2
        while (left := end - time.monotonic()) > 0:
            if self.socket.poll(left * 1000):
                frames = self.socket.recv_multipart()
                if int(frames[2]) == number and "error" not in json.loads(frames[3]):  # an error: as when the disk is full
                    return json.loads(frames[3]), [json.loads(frame) for frame in frames[4:] if frame[:1] == b"{"]
        return None, []


class Use(threading.Thread):
    """Somebody who does something every now and then, until told to stop; what goes wrong with it is kept."""

    def __init__(self, world, name, pause):
        super().__init__(daemon=True, name=name)
        self.world, self.pause, self.over, self.fault, self.chance = world, pause, threading.Event(), None, random.Random(f"{world.seed} {name}")

    def run(self):
        try:
            while not self.over.wait(self.pause):
                self.once()
        except Exception as error:  # told by who started it
            self.fault = f"{self.name}: {error!r}"

    def end(self):
        self.over.set()
        self.join(20)


class Churn(Use):
    def once(self):
        instances = [each for each in self.world.sim.instances() if each["state"] in ("running", "stopped")]
        running = [each for each in instances if each["state"] == "running"]
        act = self.chance.choices(("stop", "start", "terminate", "appear", "load", "lab"), (3, 5, 1, 1, 5, 8))[0]
        if act == "appear" and len(instances) < 2 * INSTANCES:
            self.world.sim.control("instances", {})
        elif act in ("stop", "start", "terminate") and len(running) > 2:
            some = self.chance.choice(instances)
            self.change(some, {"state": {"stop": "stopping", "start": "pending", "terminate": "terminated"}[act]})
        elif running:
            some = self.chance.choice(running)
            if act == "lab":
                self.world.sim.control("labs", {"instance": some["instance_id"], "lab": f"lab {self.chance.randrange(4)}",
                                                "state": self.chance.choice(("STARTED", "STOPPED"))})
            else:
                self.change(some, {"load": self.chance.randrange(100)})

    def change(self, instance, what):
        self.world.sim.control(f"instances/{instance['instance_id']}", what)


class Words(Use):
    """An outsider's utilisation of workers that no EC2 knows."""

    def __init__(self, world, name, pause):
        super().__init__(world, name, pause)
        self.publisher = outside.Publisher(world.links["words.ingest"].endpoint, "/collector/chaos/words")
        patient(world, "words", self.publisher.socket, world.links["words.ingest"].endpoint)

    def name_of(self, number):
        return f"i-0chaos{number}"

    def once(self):
        name = self.name_of(self.chance.randrange(WORDS))
        if self.chance.random() < 0.1:
            self.publisher.instance(OURS, name, interval_seconds=3600)
        else:
            self.publisher.publish("utilization.observed", f"{OURS}/{name}", {"cpu_percent": self.chance.randrange(10000) / 100, "interval_seconds": 3600})


class Asking(Use):
    """Jobs: of a type of ours with a key of its own, so that asking twice makes one; and refreshes."""

    def __init__(self, world, name, pause):
        super().__init__(world, name, pause)
        self.asks, self.number, self.known = Asks(world, "asking", world.bus), 0, set()

    def once(self):
        self.number += 1
        answer, payload = self.asks.ask("submit", job_type="chaos.work", by="chaos", priority=self.chance.randrange(-5, 6),
                                        timeout_seconds=5, client_key=f"{self.world.seed}-{self.number}")
        if answer is None:
            self.number -= 1
            return
        assert answer["status"] in (200, 202), answer
        self.known.add(payload[0]["id"])
        if self.chance.random() < 0.05:
            self.asks.ask("cancel", id=payload[0]["id"], by="chaos")
        if self.chance.random() < 0.2:
            self.refresh()

    def refresh(self):
        some = self.chance.choice(self.world.sim.instances())["instance_id"]
        answer, payload = self.asks.ask("submit", job_type=self.chance.choice(("metrics.refresh", "labs.refresh")), worker=some, by="chaos")
        assert answer is None or answer["status"] in (202, 404, 409, 429, 503), answer
        self.known.update(each["id"] for each in payload)


class Runs(Use):
    """Takes jobs, reports each until that is answered; by chance it forgets what it has, as one that was killed."""

    def __init__(self, world, name, pause):
        super().__init__(world, name, pause)
        self.asks, self.held, self.done = Asks(world, "runners", types.SimpleNamespace(control=world.links["runners.control"].endpoint)), {}, 0

    def once(self):
        answer, _ = self.asks.ask("runner", runner_id=f"/runner/chaos/{self.name}", job_types=["chaos.work"], concurrency=4, wait_ms=100,
                                  running=[{"job_id": job, "attempt": attempt} for job, attempt in self.held.items()])
        if answer is None:
            return
        for job in answer["assigned"]:
            self.held[job["job_id"]] = job["attempt"]
        for identity in answer["stop"]:
            self.held.pop(identity, None)
        if self.chance.random() < 0.02:
            self.held = {}
        for identity in [each for each in self.held if self.chance.random() < 0.7]:
            how = self.chance.choices(("completed", "failed", "progress"), (6, 1, 3))[0]
            more = {"completed": {"result": {}}, "failed": {"error_code": "chaos", "error_message": "x"}, "progress": {"progress": 50}}[how]
            answer, _ = self.asks.ask("report", runner_id=f"/runner/chaos/{self.name}", reports=[
                {"job_id": identity, "attempt": self.held[identity], "event": how, **more}])
            if answer is None:
                return
            if how != "progress" or identity in answer["stop"]:
                self.held.pop(identity)
                self.done += 1


class World:
    def __init__(self, folder, seed):
        self.folder, self.seed, self.down, self.links, self.clocks, self.programs, self.bad_ends = folder, seed, set(), {}, {}, {}, []
        self.metadata = seed % 2 == 0
        self.bus, self.sim, self.hook, self.stop, self.small, self.uses, self.followers = harness.Bus(), None, None, threading.Event(), False, [], []

    def build(self):
        folder, seed = self.folder, self.seed
        self.sim = harness.Simulator(folder, "--regions", REGIONS, "--seed", seed, instances=INSTANCES)
        (folder / "pins").write_text(self.sim.control("pins"))
        if self.metadata:
            self.sim.control("keys", {"seconds": KEYS_SECONDS})
        self.keys, self.hook = self.make_keys(seed), Hook()
        (folder / "rules").write_text(RULES)
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.small = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", self.disk], capture_output=True).returncode == 0
        self.programs["aggregator"] = harness.Aggregator(folder, self.bus, "--store", self.disk / "store", "--renew-ms", RENEW_MS,
                                                         "--refresh-min-seconds", 1, "--alert-rules", folder / "rules",
                                                         "--webhook-url", self.hook.url, "--webhook-timeout-seconds", 2,
                                                         *(keys.locked(self.keys) if self.keys else ()), environment=self.clock_of("aggregator"))
        for name in GATEWAYS:
            self.programs[name] = gateway = harness.Gateway(folder, self.path(name, "feed", "control"), *self.key_of(name), log_name=name,
                                                            environment=self.clock_of(name))
            self.links[f"{name}.http"] = Proxy(gateway.url)
        for name in COLLECTORS:
            self.programs[name] = self.collector(name)
        for link in LINKS:
            if link not in self.links:
                self.links[link] = MessageProxy(getattr(self.bus, link.split(".")[1]))
        direct = [self.programs[name].port for name in GATEWAYS]
        through = [self.links[f"{name}.http"].port for name in GATEWAYS]
        self.followers = [Follows(number, lambda ports=(direct, through)[number % 2]: ports, self.stop, seed) for number in range(FOLLOWERS)]
        self.words, self.asking = Words(self, "words", 0.02), Asking(self, "asking", 0.2)
        self.runners = [Runs(self, f"runner-{n}", 0.05) for n in range(2)]
        self.churn = Churn(self, "churn", 0.5)
        self.uses = [self.words, self.asking, *self.runners, self.churn]

    def make_keys(self, seed):
        """Those of everybody; None: a bus without."""
        if seed % 3:
            return None
        made = keys.Keys(self.folder)
        for name in (*GATEWAYS, *COLLECTORS):
            made.make(name, "gateway" if name in GATEWAYS else "collector")
        for name, role in OTHERS.items():
            made.make(name, role)
        return made

    def key_of(self, name):
        return self.keys.arguments(name) if self.keys else ()

    def path(self, name, *ways):
        for way in ways:
            self.links[f"{name}.{way}"] = MessageProxy(getattr(self.bus, way))
        return types.SimpleNamespace(**{way: self.links[f"{name}.{way}"].endpoint for way in ways})

    def clock_of(self, name):
        """The environment by which a process' clock is ours to set; empty where that cannot be."""
        if name not in CLOCKED or not clock.AVAILABLE or "address" in harness.BUILD.name:
            return {}
        self.clocks[name] = self.folder / f"{name}.clock"
        self.clocks[name].write_text("+0")
        return {**clock.environment(file=self.clocks[name]), "FAKETIME_CACHE_DURATION": "1"}

    def collector(self, name):
        kind, port = name.split("-")[0], self.sim.cml_port
        own = {"ec2": ("--interval-ms", 500, "--regions", REGIONS), "cloudwatch": ("--interval-ms", 1000, "--regions", REGIONS),
               "cml": ("--interval-ms", 1000, "--activity-interval-ms", 1000, "--push-poll-ms", 1000, "--report-interval-ms", 1000,
                       "--connect-ms", 1000, "--total-ms", 3000, "--push-idle-ms", 4000, "--push-again-ms", 3000,
                       "--port", port, "--verify", "fingerprint", "--fingerprints", self.folder / "pins", "--username", "cmlwatch")}[kind]
        environment = {**(self.metadata_of() if self.metadata else self.sim.environment()), **self.clock_of(name)}
        if kind == "cml":
            environment["CMLWATCH_COLLECTOR_CML_PASSWORD"] = "cmlwatch-demo"
        return harness.Collector(self.folder, kind, self.path(name, "ingest", "control"), *own, *self.key_of(name), environment=environment, collector_id=name)

    def metadata_of(self):
        """The environment of a collector whose keys are its machine's: nothing says them but the metadata service."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {"AWS_ENDPOINT_URL": self.sim.aws_url, "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "false",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.sim.aws_url}

    def possible(self, fault):
        if fault.name == "expire_keys" or fault.what.get("api") == "imds":
            return self.metadata
        return {"disk_full": self.small, "clock": bool(self.clocks), "messages": not self.keys}.get(fault.name, True)

    def begin(self):
        for number in range(WORDS):
            self.words.publisher.until_heard(self.programs["gateway-1"], OURS, self.words.name_of(number), interval_seconds=3600)
        for thread in self.followers:
            thread.start()
        wait_until(lambda: all(each.last for each in self.followers), "all clients have the state")
        for thread in self.uses:
            thread.start()

    def kill(self, name):
        self.down.add(name)
        self.programs[name].kill()

    def end(self, name):
        """As who restarts it in order; one that is stopped or down already cannot."""
        if self.programs[name].alive():
            self.down.add(name)
            self.programs[name].process.send_signal(signal.SIGTERM)

    def restart(self, name):
        if self.programs[name].alive() and name in self.down:
            self.ended(name)
        if not self.programs[name].alive():
            self.programs[name].start()
            self.down.discard(name)

    def ended(self, name):
        """Of one that was told to end: it may have been stopped before."""
        self.programs[name].process.send_signal(signal.SIGCONT)
        if self.programs[name].stop() != 0:
            self.bad_ends.append(f"{name} ended badly:\n{self.programs[name].log[-1000:]}")

    def fill_disk(self):
        try:
            with open(self.disk / "ballast", "ab", buffering=0) as ballast:
                while ballast.write(bytes(65536)):
                    pass
        except OSError:
            pass

    def empty_disk(self):
        (self.disk / "ballast").unlink(missing_ok=True)

    def garbage(self, seed, count):
        """Messages on both sockets that one can send to, none of which says anything."""
        chance, context = random.Random(seed), zmq.Context.instance()
        envelope = outside.Publisher(self.bus.ingest, "/collector/chaos/garbage")
        asks = context.socket(zmq.DEALER)
        asks.linger = 0
        if self.keys:
            keys.lock(self.keys, asks, "noise")
            patient(self, "garbage", envelope.socket, self.bus.ingest)
        asks.connect(self.bus.control)
        for number in range(count):
            good = json.dumps(envelope.envelope("instance.observed", f"{OURS}/i-0bad", {"instance_id": "i-0bad", "region": OURS})).encode()
            envelope.send(chance.choice((
                [chance.randbytes(chance.randrange(64)) for _ in range(chance.randrange(1, 5))],
                [b"instance.observed|x|y", good[:chance.randrange(len(good))]],
                [b"instance.observed|x|y", b"[" * chance.randrange(1, 5000)],
                [b"", b""],
                [b"instance.observed|x|y", b'{"specversion":"1.0"}' + b" " * 300000],
                [b"no.such.type|x|y", good.replace(b'instance.observed', b'no.such.type')],
                [f"instance.observed|{OURS}|i-0bad".encode(), good.replace(b'"i-0bad"', chance.choice((b"17", b"{}", b"[]")))],
            )))
            asks.send_multipart([chance.randbytes(chance.randrange(20)) for _ in range(chance.randrange(1, 6))])
        envelope.socket.close()
        asks.close()

    def mend(self):
        """Everything is well again, whatever was done."""
        self.empty_disk()
        self.hook.kind = None
        for link in self.links.values():
            link.mend()
        for path in self.clocks.values():
            path.write_text("+0")
        self.sim.control("reset", {})
        self.sim.control("keys", {"seconds": 0})
        for name, program in self.programs.items():
            if program.alive():
                program.process.send_signal(signal.SIGCONT)
            if name in self.down or not program.alive():
                self.restart(name)

    def close(self):
        self.stop.set()
        for each in self.uses:
            each.over.set()
        for program in (*self.programs.values(), self.sim):
            if program and program.alive():
                program.kill()
        if self.hook:
            self.hook.close()
        for link in self.links.values():
            link.close()
        if self.small:
            subprocess.run(["umount", "-l", self.disk], check=False)

"""fleet.py - what a large fleet costs the aggregator, what collectors cost that have nothing to do, and what a round costs at
AWS. Parts of bench.py; curves.py takes `Fleet` too. SPDX-License-Identifier: MIT"""
import datetime
import http.client
import itertools
import os
import pathlib
import re
import socket
import subprocess
import time

import harness
import outside
from sizes import FEW, QUICK, SECONDS, WORKERS
from systems import SERVER_CORE, aggregator, pinned, processor_seconds, resident_kib

IDLE_SECONDS = 2 if QUICK else 15
ROUND_WORKERS = 60 if QUICK else 1000
ASKED_ONE_BY_ONE = 10 if QUICK else 100
HOUR_MS = 3600000
END = b"event: system.state.end\n"
COMPUTE = {"hostname": "cml", "is_controller": True, "stats": {
    "cpu": {"count": 48, "percent": 20.5, "load": [1, 2, 3], "model": "Xeon Platinum 8252C"},
    "memory": {"total": 202466185216, "free": 100000000000, "used": 90000000000},
    "disk": {"total": 500000000000, "free": 300000000000, "used": 200000000000},
    "dominfo": {"allocated_cpus": 10, "allocated_memory": 20000, "total_nodes": 20, "running_nodes": 12}}}


def observations(number):
    """(source, type, data) of all that is known of one worker; with so many labs as a class has."""
    yield "ec2", "instance.observed", {"instance_id": f"i-{number:017x}", "region": "us-east-1", "name": f"cml-{number}", "state": "running",
                                       "instance_type": "m5zn.metal", "public_ip": "10.0.0.1", "private_ip": "10.0.0.2", "system_status": "ok",
                                       "instance_status": "ok", "tags": {"Name": f"cml-{number}", "team": "exam"}, "interval_seconds": HOUR_MS // 1000}
    yield "cloudwatch", "utilization.observed", {"cpu_percent": 10 + number % 80 + 0.25, "memory_percent": 31.5, "disk_percent": 44,
                                                 "interval_seconds": HOUR_MS // 1000}
    yield "cml", "system.observed", {"endpoint": "https://10.0.0.1", "reachable": True, "version": "2.9.0+build.6", "ready": True,
                                     "system_stats": {"computes": {"a": COMPUTE}}, "interval_seconds": HOUR_MS // 1000}
    yield "cml", "labs.observed", {"labs": [{"lab_id": f"l{n}", "title": f"ospf {n}", "state": "STARTED", "owner": "ada", "node_count": 4,
                                             "link_count": 5} for n in range(3)], "interval_seconds": HOUR_MS // 1000}
    yield "cml", "activity.observed", {"last_activity_at": outside.now(), "interval_seconds": HOUR_MS // 1000}


class Fleet:
    """An aggregator with a store that knows so many workers, on one core; a gateway when it is asked for."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.bus, self.admin = harness.Bus(), f"127.0.0.1:{harness.free_port()}"
        self.process, self.known, self.gateway = None, 0, None
        self.start()
        self.publishers = {kind: outside.Publisher(self.bus.ingest, f"/collector/{kind}/bench") for kind in ("ec2", "cloudwatch", "cml")}
        for publisher in self.publishers.values():
            publisher.socket = self.publishers["ec2"].socket

    def start(self):
        """Seconds from the program's start until it is ready."""
        began = time.monotonic()
        command = aggregator(self.bus.ingest, self.bus.control, self.bus.feed, self.admin, self.folder / "store", "--log-level", "warn")
        self.process = subprocess.Popen([str(word) for word in command], preexec_fn=pinned(SERVER_CORE), stdin=subprocess.DEVNULL)
        end = began + harness.PATIENCE
        while not self.is_ready():
            assert time.monotonic() < end and self.process.poll() is None, "the aggregator is ready"
            time.sleep(0.002)
        return time.monotonic() - began

    def is_ready(self):
        try:
            connection = http.client.HTTPConnection(self.admin, timeout=5)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(harness.PATIENCE)

    def say(self, number, most=None):
        for kind, what, data in itertools.islice(observations(number), most):
            self.publishers[kind].publish(what, f"us-east-1/i-{number:017x}", data)

    def grow(self, workers):
        """Until it knows so many, and has taken all that was said of them; of the last one only that it is there."""
        if self.known == 0:
            harness.wait_until(lambda: self.say(0) or self.count("cmlwatch_workers") > 0, "it hears")  # a PUB drops what is said before
        for number in range(self.known, workers - 1):
            self.say(number)
        self.say(workers - 1, 1)
        self.known = workers
        #  One connection keeps the order.
        harness.wait_until(lambda: self.count("cmlwatch_workers") >= workers, "all was taken", deadline=600)

    def count(self, name):
        """The sum of a metric; harness.metric takes seconds for a page of a thousand workers."""
        text = harness.http(f"http://{self.admin}/metrics")[2].decode()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if re.match(rf"{name}[ {{]", line))

    def memory_mb(self):
        """Without and with the pages of its store that the system holds for it."""
        return {"mb": resident_kib(self.process.pid, "RssAnon") / 1024, "store_mb": resident_kib(self.process.pid) / 1024}


def read_state(port, path):
    """Milliseconds until a new client has the whole state; and its bytes."""
    began, size, tail = time.monotonic(), 0, b""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        while part := connection.recv(1 << 20):
            size += len(part)
            tail = tail[-400:] + part
            if END in tail[-2000:] and tail.endswith(b"\n\n"):
                break
    return (time.monotonic() - began) * 1000, size


def state_times(folder, fleet, rounds=FEW):
    """Of the stream's full state, and of GET /api/state beside it."""
    gateway = harness.Gateway(folder, fleet.bus, "--requests-per-second", 0)
    os.sched_setaffinity(gateway.process.pid, {SERVER_CORE})
    try:
        harness.wait_until(lambda: harness.http_json(f"{gateway.url}/api/workers?limit=1")["workers"], "the gateway knows them")
        read_state(gateway.port, "/api/events/stream")
        return [(read_state(gateway.port, "/api/events/stream")[0], read_state(gateway.port, "/api/state")[0]) for _ in range(rounds)]
    finally:
        gateway.stop()


def fleet(folder, table):
    ours = Fleet(folder)
    try:
        ours.grow(WORKERS)
        if table.wants("fleet_memory"):
            table["fleet_memory"].add("aggregator", ours.memory_mb())
        if table.wants("fleet_state"):
            for stream_ms, polled_ms in state_times(folder, ours, FEW + 2):
                table["fleet_state"].add("gateway", {"state_ms": stream_ms})
                table["fleet_state"].add("polling", {"state_ms": polled_ms})
        for _ in range(FEW if table.wants("fleet_restart") else 0):
            ours.stop()
            table["fleet_restart"].add("aggregator", {"ready_ms": ours.start() * 1000})
            table.get("fleet_memory").add("restarted", ours.memory_mb())
    finally:
        ours.stop()


def idle(folder, table):
    """Collectors at their default intervals that have read what there is, of a fleet of six."""
    stack = Defaults(folder, instances=6)
    try:
        harness.wait_until(lambda: any(w["cml_version"] for w in stack.gateway.workers()), "the fleet is known")
        time.sleep(3 * SECONDS)
        programs = {"ec2": stack.ec2, "cloudwatch": stack.cloudwatch, "cml": stack.cml}
        before, began = {kind: processor_seconds(each.process.pid) for kind, each in programs.items()}, time.monotonic()
        time.sleep(IDLE_SECONDS)
        took = time.monotonic() - began
        for kind, each in programs.items():
            used = processor_seconds(each.process.pid) - before[kind]
            table.get(f"idle_{kind}").add("collector", {"mb": resident_kib(each.process.pid) / 1024, "cpu_percent": 100 * used / took})
    finally:
        stack.stop()


class Defaults(harness.Stack):
    """A stack whose collectors have the intervals that they have by themselves."""

    def collector(self, kind, *arguments, **more):
        environment = self.sim.environment()
        if kind == "cml":
            arguments += ("--port", self.sim.cml_port, "--verify", "fingerprint", "--fingerprints", self.pins, "--username", "cmlwatch")
            environment["CMLWATCH_COLLECTOR_CML_PASSWORD"] = "cmlwatch-demo"
        return harness.Collector(self.folder, kind, self.bus, *arguments, environment=environment, **more)


#  --- what AWS is asked

EC2_CALLS, METRICS = ("DescribeInstances", "DescribeInstanceStatus"), ("CPUUtilization", "mem_used_percent", "disk_used_percent")


def asked(sim):
    return dict(sim.control("calls")["aws"])


def difference(before, after, actions):
    return sum(after.get(action, 0) - before.get(action, 0) for action in actions)


def one_by_one(sim, instances):
    """Calls for each of these by itself: its state, its checks, three metrics; as they are counted."""
    clients = {service: boto(sim, service) for service in ("ec2", "cloudwatch")}
    before, now = asked(sim), datetime.datetime.now(datetime.timezone.utc)
    for instance in instances:
        clients["ec2"].describe_instances(InstanceIds=[instance["instance_id"]])
        clients["ec2"].describe_instance_status(InstanceIds=[instance["instance_id"]])
        for metric in METRICS:
            clients["cloudwatch"].get_metric_statistics(
                Namespace="AWS/EC2" if metric == METRICS[0] else "CWAgent", MetricName=metric, Period=300, Statistics=["Average"],
                Dimensions=[{"Name": "InstanceId", "Value": instance["instance_id"]}], StartTime=now - datetime.timedelta(minutes=15), EndTime=now)
    return difference(before, asked(sim), EC2_CALLS), difference(before, asked(sim), ("GetMetricStatistics",))


def boto(sim, service):
    import boto3
    return boto3.client(service, region_name="us-east-1", endpoint_url=sim.aws_url, aws_access_key_id=harness.ACCESS_KEY_ID,
                        aws_secret_access_key=harness.SECRET_ACCESS_KEY)


def round_of(folder, sim, running):
    """Calls of one round of each collector."""
    bus, counted = harness.Bus(), []
    programs = [harness.Aggregator(folder, bus)]
    try:
        for kind, published, actions in (("ec2", "instance.observed", EC2_CALLS),
                                         ("cloudwatch", "utilization.observed", ("GetMetricData", "GetMetricStatistics"))):
            before = asked(sim)
            one = harness.Collector(folder, kind, bus, environment=sim.environment())
            programs.append(one)
            harness.wait_until(lambda: harness.metric(one.url, "cmlwatch_bus_published_total", type=published) >= len(running),
                               f"{kind} has read all once", deadline=90)
            counted.append(difference(before, asked(sim), actions))
        return counted
    finally:
        for program in reversed(programs):
            program.stop()


def calls(folder, table):
    """Of 1,000 running workers of one region, as CloudWatch has basic data of all, and of two thirds of them; and by one call each."""
    sim = harness.Simulator(folder, instances=ROUND_WORKERS)
    try:
        running = [i for i in sim.instances() if i["state"] == "running"]
        assert len(running) >= ROUND_WORKERS * 0.95, f"{len(running)} of {ROUND_WORKERS} run"
        if table.wants("calls_mixed"):
            table["calls_mixed"].add("collector", {"calls": round_of(folder, sim, running)[1]})
        ids = [instance["instance_id"] for instance in running]
        for first in range(0, len(ids), 100):
            boto(sim, "ec2").unmonitor_instances(InstanceIds=ids[first:first + 100])
        ec2, cloudwatch = round_of(folder, sim, running)
        table.get("calls_ec2").add("collector", {"calls": ec2})
        table.get("calls_cloudwatch").add("collector", {"calls": cloudwatch})
        ec2, cloudwatch = (count * len(running) / ASKED_ONE_BY_ONE for count in one_by_one(sim, running[:ASKED_ONE_BY_ONE]))
        table.get("calls_ec2").add("one_by_one", {"calls": ec2})
        for name in ("calls_cloudwatch", "calls_mixed"):
            table.get(name).add("one_by_one", {"calls": cloudwatch})
    finally:
        sim.stop()


PARTS = {"fleet": fleet, "idle": idle, "calls": calls}

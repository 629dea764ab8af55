"""harness - starts the real programs on free ports and talks to them as users do.

A Program is one process with its log in a file; stopping it is part of the test (it must end
with code 0 within its drain). A Stack is the simulator, aggregator, gateway and collectors
wired together. Nothing here sleeps for a guess: wait_until polls a condition with a deadline.

CMLWATCH_BUILD names the folder of the programs, CMLWATCH_WRAP=valgrind runs each under valgrind.
SPDX-License-Identifier: MIT
"""
import collections
import contextlib
import itertools
import json
import os
import pathlib
import signal
import random
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import clock

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("CMLWATCH_BUILD", "build/gcc")
SHARED = ROOT.parent / "shared"
VALGRIND = os.environ.get("CMLWATCH_WRAP") == "valgrind"
SANITIZED = "address" in BUILD.name
PATIENCE = 120 if VALGRIND or SANITIZED else 60  # seconds; a deadline for failing, not a measure of speed

#  Of any certificate: which one it is, test_tls.py looks at.
TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE

ACCESS_KEY_ID = "AKIDEXAMPLE"
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


#  Below the range (32768 up) from which the kernel takes ports of its own for whoever connects:
#  one that is free now would be somebody's by the time a program listens there.
#  Tests that run beside each other (pytest-xdist) have parts of it that do not meet; whole runs beside
#  each other are told theirs by CMLWATCH_PORTS=<which>/<of how many>, as in 0/2 and 1/2.
WORKERS, WORKER = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")), int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
RUN, RUNS = map(int, os.environ.get("CMLWATCH_PORTS", "0/1").split("/"))
BLOCK = 4  # a program may want some in a row
BLOCKS = range(10000 + BLOCK * (RUN * WORKERS + WORKER), 32000 - BLOCK, BLOCK * WORKERS * RUNS)
PORTS = itertools.cycle(random.sample(BLOCKS, len(BLOCKS)))
RESERVED = collections.deque(maxlen=30)  # of the last tests


def reserve(port):
    """A socket that has the port on each address (the simulator's CMLs have many), or None. Who says SO_REUSEADDR, as all
    of ours do, may listen there all the same; for anybody who looks whether it is free it is not."""
    probe = socket.socket()
    try:
        probe.bind(("0.0.0.0", port))
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe
    except OSError:
        probe.close()
        return None


def free_port():
    """One that nobody has, as are the three above it."""
    for port in PORTS:
        block = [reserve(port + n) for n in range(BLOCK)]
        if all(block):
            RESERVED.append(block)
            return port
        for probe in filter(None, block):
            probe.close()


def wait_until(condition, what, deadline=PATIENCE, pace=0.02):
    """Polls, every pace seconds, until condition() is true and returns what it returned."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline} s")
        time.sleep(pace)


class Hiccups(threading.Thread):
    """Where the machine stood still, by a clock that looks on: it wants to wake every 20 ms, and notes when it did not."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.found = threading.Event(), []
        self.start()

    def run(self):
        last = time.monotonic()
        while not self.over.wait(0.02):
            now = time.monotonic()
            if now - last > 0.1:
                self.found.append((last, now))
            last = now

    def seconds(self):
        return sum(to - since for since, to in list(self.found))

    def stop(self):
        self.over.set()
        self.join()


def http(url, method="GET", body=None, headers=None, timeout=PATIENCE):
    """(status, headers, body bytes); an error status is an answer, not an exception."""
    data = json.dumps(body) if isinstance(body, (dict, list)) else body
    data = data.encode() if isinstance(data, str) else data
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=TLS if url.startswith("https") else None) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def http_json(url, **more):
    status, _, body = http(url, **more)
    assert status == 200, f"{url}: {status} {body[:300]!r}"
    return json.loads(body)


def curl(*arguments, until):
    """What curl prints of a stream, as soon as this stands in it."""
    with subprocess.Popen(["curl", "-sN", *arguments], stdout=subprocess.PIPE) as process:
        text, killer = b"", threading.Timer(PATIENCE, process.kill)
        killer.start()
        while until.encode() not in text and (more := process.stdout.read1(65536)):
            text += more
        killer.cancel()
        process.kill()
    assert until.encode() in text, text[-300:]
    return text.decode()


class Program:
    def __init__(self, folder, name, *arguments, environment=None, log_name=None):
        self.name, self.path = name, BUILD / f"cmlwatch-{name}"
        self.arguments = [str(argument) for argument in arguments]
        self.extra_environment = environment or {}
        self.log_path = pathlib.Path(folder) / f"{log_name or name}.log"
        self.process = None
        self.start()

    def start(self):
        command = [str(self.path), *self.arguments]
        if VALGRIND:
            command = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full",
                       "--errors-for-leak-kinds=definite,indirect", "--num-callers=30",
                       f"--suppressions={ROOT}/tests/support/valgrind.suppress", *command]
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("AWS_", "CMLWATCH_", "COLLECTOR_ID"))}
        environment.update({"AWS_EC2_METADATA_DISABLED": "true", **self.extra_environment})
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment)
        return self

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def wait_log(self, text):
        def seen():
            if text in self.log:
                return True
            assert self.alive(), f"{self.name} ended with {self.process.returncode}:\n{self.log[-2000:]}"
            return False
        wait_until(seen, f"'{text}' in the log of {self.name}")

    def waited(self):
        """Seconds that its thread was ready to run and had no processor, since its start."""
        try:
            return int(pathlib.Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9
        except OSError:  # a kernel that does not count it
            return 0

    def kill(self):
        self.process.kill()
        self.process.wait()
        clock.clear(self.process.pid)

    def stop(self):
        """SIGTERM, then the exit code; a process that has ended already keeps its own."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not drain:\n{self.log[-2000:]}") from None

    def metric(self, url, name, **labels):
        return metric(url, name, **labels)


def metric(base_url, name, **labels):
    """The sum of a metric's samples that have these labels; 0 when there is none."""
    from prometheus_client.parser import text_string_to_metric_families
    _, _, body = http(f"{base_url}/metrics")
    return sum(sample.value for family in text_string_to_metric_families(body.decode())
               for sample in family.samples
               if sample.name == name and all(sample.labels.get(k) == v for k, v in labels.items()))


class Simulator(Program):
    def __init__(self, folder, *arguments, instances=6, **more):
        self.port, self.cml_port = free_port(), free_port()
        self.aws_url = f"http://127.0.0.1:{self.port}"
        if "--scenario" not in arguments:
            arguments += ("--scenario", ROOT / "tests/simulator/scenarios/quiet.scenario")
        super().__init__(folder, "sim", "--aws", f"127.0.0.1:{self.port}", "--cml-port", self.cml_port,
                         "--instances", instances, *arguments, **more)
        wait_until(self.answers, "the simulator answers")

    def answers(self):
        assert self.alive(), f"the simulator ended:\n{self.log[-2000:]}"
        try:
            return http(self.aws_url + "/_sim/instances")[0] == 200
        except OSError:
            return False

    def control(self, path, body=None):
        status, _, answer = http(f"{self.aws_url}/_sim/{path}", method="POST" if body is not None else "GET", body=body)
        assert status < 300, f"/_sim/{path}: {status} {answer[:300]!r}"
        text = answer.decode()
        return json.loads(text) if text[:1] in "[{" else text

    def instances(self):
        answer = self.control("instances")
        return answer["instances"] if isinstance(answer, dict) else answer

    def fault(self, **fault):
        self.control("faults", fault)

    def environment(self):
        return {"AWS_ENDPOINT_URL": self.aws_url, "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
                "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}


class Bus:
    """The three endpoints of one aggregator."""

    def __init__(self):
        self.ingest, self.control, self.feed = (f"tcp://127.0.0.1:{free_port()}" for _ in range(3))


class Aggregator(Program):
    def __init__(self, folder, bus, *arguments, environment=None):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(folder, "aggregator", "--ingest", bus.ingest, "--control", bus.control, "--feed", bus.feed,
                         "--admin", f"127.0.0.1:{port}", *arguments, environment=environment)
        with or_ended(self):
            wait_ready(self)


class Gateway(Program):
    """headers go with every request, as a login does."""

    def __init__(self, folder, bus, *arguments, wait=True, headers=None, tls=False, **more):
        port = free_port()
        self.port, self.headers, self.tls = port, headers or {}, tls
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
        #  An aggregator that stands still for two seconds is no reason to answer 503 here; who tries that says so.
        super().__init__(folder, "gateway", "--control", bus.control, "--feed", bus.feed, "--drain-delay-ms", 0, "--ask-timeout-ms", 10000,
                         "--listen", f"127.0.0.1:{port}", *arguments, **more)
        if wait:
            with or_ended(self):
                wait_ready(self)

    def workers(self, query=""):
        return http_json(f"{self.url}/api/workers?limit=1000{query}", headers=self.headers)["workers"]

    def worker(self, instance_id):
        return next((w for w in self.workers() if w["aws_instance_id"] == instance_id), None)

    def stream(self, query="", headers=None):
        return Stream(self.port, query, {**self.headers, **(headers or {})}, tls=self.tls)

    def ask(self, path, method="GET", body=None, headers=None):
        """(status, headers, body); a body is sent as JSON. headers in place of the gateway's own."""
        headers = dict(self.headers if headers is None else headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        return http(self.url + path, method, body, headers)


class Collector(Program):
    def __init__(self, folder, kind, bus, *arguments, environment=None, collector_id=None):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        extra = ("--collector-id", collector_id) if collector_id else ()
        super().__init__(folder, f"collector-{kind}", "--ingest", bus.ingest, "--control", bus.control,
                         "--admin", f"127.0.0.1:{port}", *extra, *arguments, environment=environment,
                         log_name=f"collector-{kind}-{collector_id}" if collector_id else None)
        with or_ended(self):
            wait_alive(self)


def wait_answer(program, path, what, pace=0.02):
    def answers():
        assert program.alive(), f"{program.name} ended with {program.process.returncode}:\n{program.log[-2000:]}"
        try:
            return http(program.url + path)[0] == 200
        except OSError:
            return False
    wait_until(answers, f"{program.name} is {what}", pace=pace)


def wait_ready(program, **more):
    wait_answer(program, "/readyz", "ready", **more)


def wait_alive(program):
    wait_answer(program, "/healthz", "alive")


@contextlib.contextmanager
def or_ended(program):
    """What is not up in its constructor is nobody's yet who would end it."""
    try:
        yield
    except BaseException:
        program.kill()
        raise


class Stack:
    """Everything, wired; as deploy/demo does it, but on free ports and at a test's pace."""

    def __init__(self, folder, *sim_arguments, instances=6, gateway_arguments=(), pins=True,
                 everywhere=(), collectors=(), aggregator_arguments=()):
        self.folder, self.collector_arguments = folder, (*everywhere, *collectors)
        self.bus = Bus()
        self.sim = Simulator(folder, *sim_arguments, instances=instances)
        self.pins = pathlib.Path(folder) / "pins"
        self.pins.write_text(self.sim.control("pins"))
        self.aggregator = Aggregator(folder, self.bus, *everywhere, *aggregator_arguments)
        self.gateway = Gateway(folder, self.bus, *gateway_arguments, *everywhere)
        self.ec2 = self.collector("ec2")
        self.cloudwatch = self.collector("cloudwatch")
        self.cml = self.collector("cml")

    def collector(self, kind, *arguments, **more):
        own = {
            "ec2": ("--interval-ms", 500),
            "cloudwatch": ("--interval-ms", 1000),
            "cml": ("--interval-ms", 1000, "--activity-interval-ms", 1000, "--push-poll-ms", 1000, "--report-interval-ms", 1000, "--port", self.sim.cml_port, "--verify", "fingerprint",
                    "--fingerprints", self.pins, "--username", "cmlwatch"),
        }[kind]
        environment = self.sim.environment()
        environment["CMLWATCH_COLLECTOR_CML_PASSWORD"] = "cmlwatch-demo"
        if kind != "cml":
            del environment["CMLWATCH_COLLECTOR_CML_PASSWORD"]
        return Collector(self.folder, kind, self.bus, *own, *self.collector_arguments, *arguments, environment=environment, **more)

    def programs(self):
        return [self.cml, self.cloudwatch, self.ec2, self.gateway, self.aggregator, self.sim]

    def stop(self):
        codes = {}
        for program in self.programs():
            try:
                codes[program.name] = program.stop()
            except AssertionError:  # the others are ended all the same
                codes[program.name] = "no end within its drain"
        assert all(code == 0 for code in codes.values()), \
            f"{codes}\n" + "\n".join(f"--- {p.name}\n{p.log[-3000:]}" for p in self.programs() if codes[p.name])


class Event:
    def __init__(self, kind, data, identity):
        self.type, self.raw, self.id = kind, data, identity

    @property
    def body(self):
        return json.loads(self.raw)

    @property
    def data(self):
        return self.body["data"]

    @property
    def sequence(self):
        return int(self.id.rsplit("-", 1)[1])

    def __repr__(self):
        return f"<{self.type} {self.id} {self.raw[:120]}>"


class Stream:
    """A reader of text/event-stream by the HTML standard's rules (section 9.2.6), over a plain socket. keep: bytes and events
    hold all that came; who reads for hours wants none of it."""

    def __init__(self, port, query="", headers=None, path="/api/events/stream", tls=False, keep=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        if tls:
            self.socket = TLS.wrap_socket(self.socket, server_hostname="localhost")
        self.keep, self.bytes = keep, b""  # all of the body that was read
        self.at = 0  # in pending: up to there its lines were taken
        lines = [f"GET {path}{query} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: text/event-stream"]
        lines += [f"{key}: {value}" for key, value in (headers or {}).items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.pending = b""
        self.retry, self.last_id, self.events, self.comments, self.ended = None, "", [], 0, False
        self.status, self.headers = self._head()
        self.chunked = self.headers.get("transfer-encoding") == "chunked"
        assert not self.chunked, "streams are close-delimited"
        self._type, self._data = "", []

    def _more(self):
        chunk = self.socket.recv(65536)
        if not chunk:
            self.ended = True
        self.pending += chunk
        self.bytes += chunk if self.keep else b""
        return bool(chunk)

    def _head(self):
        while b"\r\n\r\n" not in self.pending:
            if not self._more():
                break
        head, _, self.pending = self.pending.partition(b"\r\n\r\n")
        self.bytes = self.pending
        first, *rest = head.decode().split("\r\n")
        return int(first.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in rest)}

    def _line(self):
        while (end := self.pending.find(b"\n", self.at)) < 0:
            self.pending, self.at = self.pending[self.at:], 0
            if not self._more():
                return None
        line, self.at = self.pending[self.at:end], end + 1
        return line.decode().rstrip("\r")

    def next(self):
        """The next event dispatched, or None at the end of the stream."""
        while (line := self._line()) is not None:
            if line == "":
                kind, data = self._type or "message", self._data
                self._type, self._data = "", []
                if data:
                    event = Event(kind, "\n".join(data), self.last_id)
                    if self.keep:
                        self.events.append(event)
                    return event
                continue
            if line.startswith(":"):
                self.comments += 1
                continue
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if field == "event":
                self._type = value
            elif field == "data":
                self._data.append(value)
            elif field == "id" and "\0" not in value:
                self.last_id = value
            elif field == "retry" and value.isdigit():
                self.retry = int(value)
        return None

    def wait(self, condition, what, deadline=PATIENCE):
        """Reads until an event fulfils the condition; a type name is a condition too."""
        if isinstance(condition, str):
            name = condition
            condition = lambda event: event.type == name
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                event = self.next()
            except (TimeoutError, socket.timeout):
                break
            assert event is not None, f"{what}: the stream ended; last: {self.events[-3:]}"
            if condition(event):
                return event
        raise AssertionError(f"{what}: not within {deadline} s; last: {self.events[-3:]}")

    def state(self):
        """Reads the full state: the snapshots between begin and end."""
        self.wait("system.state.begin", "the state begins")
        start = len(self.events)
        self.wait("system.state.end", "the state ends")
        return [event for event in self.events[start:] if event.type == "worker.snapshot"]

    def close(self):
        self.socket.close()

"""systems.py - the systems that are compared: each a server, or several, and the process that loads it.

They live at the same time and are measured in turn; one that is not at work costs nothing worth counting.
SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import harness
import sizes

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
PROGRAMS = harness.BUILD
STILL, DISTURBED = 0.08, 0.15  # parts of all cores, taken by others
TICKS = os.sysconf("SC_CLK_TCK")

NGINX = """daemon off; master_process on; worker_processes 1; worker_rlimit_nofile 20000; pid {folder}/nginx.pid;
error_log stderr crit; load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
events {{ worker_connections 19900; use epoll; multi_accept on; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 1h; client_header_timeout 1h; chunked_transfer_encoding off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; client_body_buffer_size 16k;
  nchan_shared_memory_size 64m;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /stream {{ nchan_subscriber eventsource; nchan_channel_id a; nchan_subscriber_first_message newest; }}
    location = /publish {{ nchan_publisher; nchan_channel_id a; nchan_message_buffer_length 2000; }}
  }}
}}
"""


def pinned(core):
    def prepare():
        os.sched_setaffinity(0, {core})
    return prepare


def process(command, core, log, **more):
    return subprocess.Popen([str(part) for part in command], preexec_fn=pinned(core), stderr=log, **more)


def answers(port):
    try:
        return harness.http(f"http://127.0.0.1:{port}/", timeout=2)[0] > 0
    except OSError:
        return False


def resident_kib(pid, what="VmRSS"):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+)", status)[1])


def processor_seconds(pid):
    """Of a process with all its threads, to the nanosecond."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def others_seconds(ours):
    """Processor time that all processes but these have had, those that they have buried included."""
    ticks = 0
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.parent.name) not in ours:
                fields = path.read_text().rpartition(")")[2].split()
                ticks += sum(int(field) for field in fields[11:15])
        except OSError:
            pass
    return ticks / TICKS


class Quiet:
    """Prefers moments in which others leave the machine alone, for as long as there is patience."""

    def __init__(self, patience):
        self.patience = patience

    def timed(self, ours, work):
        """What work() returned, the part of all cores that others took meanwhile, and how long it was."""
        at, before = time.monotonic(), others_seconds(ours)
        result = work()
        took = time.monotonic() - at
        return result, max(0, others_seconds(ours) - before) / took / len(CORES), took

    def measure(self, ours, work):
        while True:
            others = 1
            while self.patience > 0 and others > STILL:
                _, others, took = self.timed(ours, lambda: time.sleep(0.2))
                self.patience -= took if others > STILL else 0
            result, others, took = self.timed(ours, work)
            if self.patience <= 0 or others <= DISTURBED:
                return result, others
            self.patience -= took


quiet = Quiet(sizes.PATIENCE)


def stretch(row, who, system, everyone, *words):
    """One measured stretch of a system that is loaded as these words say, as a round of the row."""
    ours = {os.getpid()}.union(*(each.pids() for each in everyone))
    measured, others = quiet.measure(ours, lambda: system.say(*words))
    row.others.append(others)
    row.add(who, {measure: value for measure, value in measured.items() if value >= 0})  # -1: there is none
    for fault in ("missing", "wrong", "closed", "refused"):
        if measured[fault] and who != "nchan":
            print(f"bench: {row.name}: {who}: {measured[fault]} {fault}", file=sys.stderr)
    return measured


class Loaded:
    """What has a process that loads it, which takes a line and answers with one; `with` ends both."""
    load = None

    def say(self, *words):
        try:
            self.load.stdin.write(" ".join(str(word) for word in words) + "\n")
            self.load.stdin.flush()
            answer = json.loads(self.load.stdout.readline() or '{"ok": false}')
        except BrokenPipeError:
            answer = {"ok": False}
        if not answer.get("ok", True):
            log = pathlib.Path(self.log.name).read_text()[-1500:]
            raise RuntimeError(f"{self.name}: {words} failed; servers {[each.poll() for each in self.servers]}, "
                               f"load {self.load.poll()}: {log}")
        return answer

    def begin(self, *command):
        self.load = process(command, LOAD_CORE, self.log, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.say("ready")

    def pids(self):
        return {each.pid for each in (*self.servers, self.load)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.load:
            try:
                self.load.communicate()  # it ends with its stdin
            except BrokenPipeError:
                self.load.wait()
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        self.log.close()


class System(Loaded):
    """A server of a stream and the process that loads it, both new."""
    path = "/"

    def __init__(self, folder, *arguments, path=None, packed=False):
        self.folder = pathlib.Path(folder)
        self.port, feed, control = (harness.free_port() for _ in range(3))
        self.feed, self.control = f"tcp://127.0.0.1:{feed}", f"tcp://127.0.0.1:{control}"
        self.log = open(self.folder / f"{self.name}.log", "ab")
        self.servers = [process(command, SERVER_CORE, self.log, stdin=subprocess.DEVNULL, stdout=self.log)
                        for command in self.commands(*arguments)]
        self.pid = self.find_pid()
        self.begin(PROGRAMS / "sse_load", self.kind(), self.at(), self.control, self.port, self.counted(),
                   path or self.path, "gzip" if packed else "plain")
        self.wait_ready()

    def kind(self):
        return self.name

    def at(self):
        return self.feed

    def find_pid(self):
        return self.servers[0].pid

    def counted(self):
        """Whose processor time is the system's."""
        return self.pid

    def wait_ready(self):
        pass

    def resident_kib(self):
        return resident_kib(self.pid)

    def pids(self):
        return super().pids() | {self.pid}


class Gateway(System):
    name = "gateway"
    path = "/api/events/stream?state=0&heartbeat=60"

    def commands(self, *arguments):
        return [[PROGRAMS / "cmlwatch-gateway", "--listen", f"127.0.0.1:{self.port}", "--feed", self.feed,
                 "--control", self.control, "--clients-max", 19000, *arguments]]

    def wait_ready(self):
        harness.wait_until(lambda: harness.http(f"http://127.0.0.1:{self.port}/readyz")[0] == 200, "the gateway is ready")


class Bare(System):
    name = "bare"

    def commands(self):
        return [[PROGRAMS / "sse_broadcaster", self.port, self.feed]]


class Nchan(System):
    name = "nchan"
    path = "/stream"

    def commands(self):
        conf = self.folder / "nginx.conf"
        conf.write_text(NGINX.format(folder=self.folder, port=self.port))
        return [["/usr/sbin/nginx", "-p", self.folder, "-e", "stderr", "-c", conf]]

    def at(self):
        return self.port

    def find_pid(self):
        """Of the one worker, when it serves."""
        harness.wait_until(lambda: answers(self.port), "nginx answers")
        master = self.servers[0].pid
        children = pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()
        assert len(children) == 1, f"nginx has {children} below it, and one worker is wanted"
        return int(children[0])


class Chain(Gateway):
    """An observation goes in at the aggregator, which has a store, and comes out at the gateway's clients."""
    name = "chain"
    path = "/api/events/stream?state=0&heartbeat=60&event_types=worker.metrics.updated"

    def commands(self, *arguments):
        self.ingest, admin = (f"127.0.0.1:{harness.free_port()}" for _ in range(2))
        return [*super().commands(*arguments), aggregator(f"tcp://{self.ingest}", self.control, self.feed, admin, self.folder / "chain")]

    def kind(self):
        return "collector"

    def at(self):
        return f"tcp://{self.ingest}"

    def counted(self):
        return ",".join(str(server.pid) for server in self.servers)


def aggregator(ingest, control, feed, admin, store, *arguments):
    return [PROGRAMS / "cmlwatch-aggregator", "--ingest", ingest, "--control", control, "--feed", feed, "--admin", admin,
            "--store", store, *arguments]


class Bus(Loaded):
    """An aggregator between a collector and a reader of its feed; name tells it from another with other settings."""

    def __init__(self, folder, name, *arguments, workers=1000):
        self.name, self.folder = name, pathlib.Path(folder)
        ingest, control, feed, admin = (f"127.0.0.1:{harness.free_port()}" for _ in range(4))
        self.ingest, self.control, self.feed, self.url = f"tcp://{ingest}", f"tcp://{control}", f"tcp://{feed}", f"http://{admin}"
        self.log = open(self.folder / f"{name}.log", "ab")
        self.servers = [process(self.command(admin, *arguments), SERVER_CORE, self.log, stdin=subprocess.DEVNULL, stdout=self.log)]
        self.begin(PROGRAMS / "bus_load", "raw" if name == "raw" else "aggregator", self.ingest, self.feed, self.servers[0].pid, workers)

    def command(self, admin, *arguments):
        if self.name == "raw":
            return [PROGRAMS / "bus_raw", self.ingest, self.feed]
        return aggregator(self.ingest, self.control, self.feed, admin, self.folder / self.name, *arguments)

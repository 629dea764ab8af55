"""systems.py - the systems that bench_sse.py compares: each a server, and the process that loads it.

They live at the same time and are measured in turn; one that is not at work costs nothing worth counting.
SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import re
import subprocess
import time

import harness

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


class System:
    """A server and the process that loads it, both new; `with` ends them."""
    path = "/"

    def __init__(self, folder, *arguments, path=None, packed=False):
        self.folder = pathlib.Path(folder)
        self.port, feed, control = (harness.free_port() for _ in range(3))
        self.feed, self.control = f"tcp://127.0.0.1:{feed}", f"tcp://127.0.0.1:{control}"
        self.log = open(self.folder / f"{self.name}.log", "ab")
        self.load = None
        self.server = process(self.command(*arguments), SERVER_CORE, self.log, stdin=subprocess.DEVNULL,
                              stdout=self.log)
        self.pid = self.find_pid()
        self.load = process([PROGRAMS / "sse_load", self.name, self.at(), self.control, self.port, self.pid,
                             path or self.path, "gzip" if packed else "plain"], LOAD_CORE, self.log,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.say("ready")
        self.wait_ready()

    def at(self):
        return self.feed

    def find_pid(self):
        return self.server.pid

    def wait_ready(self):
        pass

    def say(self, *words):
        try:
            self.load.stdin.write(" ".join(str(word) for word in words) + "\n")
            self.load.stdin.flush()
            answer = json.loads(self.load.stdout.readline() or '{"ok": false}')
        except BrokenPipeError:
            answer = {"ok": False}
        if not answer.get("ok", True):
            log = pathlib.Path(self.log.name).read_text()[-1500:]
            raise SystemExit(f"bench: {self.name}: {words} failed; server {self.server.poll()}, load {self.load.poll()}: {log}")
        return answer

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def pids(self):
        return {self.server.pid, self.pid, self.load.pid}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.load:
            try:
                self.load.communicate()  # it ends with its stdin
            except BrokenPipeError:
                self.load.wait()
        self.server.terminate()
        try:
            self.server.wait(10)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.log.close()


class Gateway(System):
    name = "gateway"
    path = "/api/events/stream?state=0&heartbeat=60"

    def command(self, *arguments):
        return [PROGRAMS / "cmlwatch-gateway", "--listen", f"127.0.0.1:{self.port}", "--feed", self.feed,
                "--control", self.control, "--clients-max", 19000, *arguments]

    def wait_ready(self):
        harness.wait_until(lambda: harness.http(f"http://127.0.0.1:{self.port}/readyz")[0] == 200, "the gateway is ready")


class Bare(System):
    name = "bare"

    def command(self):
        return [PROGRAMS / "sse_broadcaster", self.port, self.feed]


class Nchan(System):
    name = "nchan"
    path = "/stream"

    def command(self):
        conf = self.folder / "nginx.conf"
        conf.write_text(NGINX.format(folder=self.folder, port=self.port))
        return ["/usr/sbin/nginx", "-p", self.folder, "-e", "stderr", "-c", conf]

    def at(self):
        return self.port

    def find_pid(self):
        """Of the one worker, when it serves."""
        harness.wait_until(lambda: answers(self.port), "nginx answers")
        children = pathlib.Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split()
        assert len(children) == 1, f"nginx has {children} below it, and one worker is wanted"
        return int(children[0])

"""The stream as the clients that people have read it: curl, Python, Node's EventSource, Chromium's.

Each sees the full state, then what happens, by number and without a gap; and goes on exactly where it
was when the gateway was killed and started anew. Those that come back by themselves do so; the others
are asked again with the id that the standard's reader kept.
SPDX-License-Identifier: MIT"""
import functools
import http.client
import http.server
import json
import re
import shutil
import subprocess
import tempfile
import threading
import urllib.request

import pytest

import harness
import outside
from eventsource import Parser
from harness import http_json, wait_until

NODE = harness.ROOT / "build" / "node"
TYPES = re.findall(r'EVENT \(\w+, +"([\w.]+)", +(?:FEED|STREAM),', (harness.ROOT / "common/event.h").read_text())
NAMES = ("plain", "ünïcödé 😀", "line\nbreak\r\n\r\ndata: forged")


class Follower:
    """What a client has dispatched: (type, data, id), and the id it would come back with."""
    gzip = False

    def __init__(self, url):
        self.url, self.events, self.last_id = url, [], ""
        self.open()

    def read(self, more):
        """One connection to its end, by the standard's rules; what is cut is dropped."""
        parser = Parser()
        parser.id_buffer = self.last_id
        try:
            while data := more():
                seen = len(parser.events)
                parser.feed(data)
                self.last_id = parser.last_event_id
                self.events += parser.events[seen:]
        except (OSError, ValueError, http.client.HTTPException):
            pass

    def follow(self, more):
        self.thread = threading.Thread(target=self.read, args=(more,), daemon=True)
        self.thread.start()

    def headers(self):
        return {"Last-Event-ID": self.last_id} if self.last_id else {}

    def come_back(self):
        self.thread.join(harness.PATIENCE)
        assert not self.thread.is_alive(), "the stream has ended"
        self.close()
        self.open()


class Curl(Follower):
    flags = ()

    def open(self):
        command = ["curl", "-sN", *self.flags, self.url]
        for name, value in self.headers().items():
            command += ["-H", f"{name}: {value}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.follow(functools.partial(self.process.stdout.read1, 65536))

    def close(self):
        self.process.kill()
        self.process.wait()
        self.thread.join(harness.PATIENCE)
        self.process.stdout.close()


class CurlCompressed(Curl):
    flags, gzip = ("--compressed",), True


class Python(Follower):
    def open(self):
        self.answer = urllib.request.urlopen(urllib.request.Request(self.url, headers=self.headers()), timeout=harness.PATIENCE)
        assert self.answer.status == 200 and self.answer.headers["Content-Type"] == "text/event-stream"
        self.follow(functools.partial(self.answer.read1, 65536))

    def close(self):
        self.answer.close()


class Node(Follower):
    encoding = "identity"

    def open(self):
        installed = subprocess.run([harness.ROOT / "tests/support/node/install"], capture_output=True, text=True)
        if installed.returncode == 75:
            pytest.skip(installed.stderr.strip())
        assert installed.returncode == 0, installed.stderr
        self.process = subprocess.Popen(["node", harness.ROOT / "tests/support/node/listen.cjs", NODE, self.url, ",".join(TYPES), self.encoding],
                                        stdout=subprocess.PIPE)
        self.opened = []
        self.thread = threading.Thread(target=self.lines, daemon=True)
        self.thread.start()

    def lines(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "open" in said:
                self.opened.append(said)
            elif "type" in said:
                self.events.append((said["type"], said["data"], said["id"]))

    def come_back(self):
        """It does so by itself, and says where it was."""
        wait_until(lambda: any("Last-Event-ID" in each["sent"] and each["open"].get("content-type") == "text/event-stream"
                               for each in self.opened), "it has come back")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.thread.join(harness.PATIENCE)
        self.process.stdout.close()


class NodeCompressed(Node):
    encoding, gzip = "gzip", True


PAGE = f"""<!doctype html><meta charset="utf-8"><script>
window.seen = [];
const source = new EventSource(new URLSearchParams(location.search).get('stream'));
for (const type of {json.dumps(TYPES)}) {{
  source.addEventListener(type, e => window.seen.push([type, e.data, e.lastEventId]));
}}
source.onerror = () => window.seen.push(['error', String(source.readyState), '']);
</script>"""


class Chromium(Follower):
    """Of another origin, as a page of somebody's own would be."""
    gzip = True

    def open(self):
        from selenium import webdriver
        from selenium.webdriver.chrome.options import Options
        from selenium.webdriver.chrome.service import Service
        self.profile = tempfile.TemporaryDirectory()
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={self.profile.name}"):
            options.add_argument(flag)
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.get(f"{ORIGIN.url}/?stream={urllib.request.quote(self.url)}")

    @property
    def events(self):
        while more := self.driver.execute_script("return window.seen.splice(0, 500)"):
            self.all += [tuple(each) for each in more]
        return [each for each in self.all if each[0] != "error"]

    @events.setter
    def events(self, value):
        self.all = value

    def come_back(self):
        assert self.events is not None
        wait_until(lambda: sum(kind == "connected" for kind, _, _ in self.events) > 1, "it has come back")
        assert ("error", "0", "") in self.all, "it was connecting again, not closed for good"

    def close(self):
        self.driver.quit()
        self.profile.cleanup()


class Origin:
    """A page that lives elsewhere."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def log_message(self, *arguments):
            pass

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", harness.free_port()), self.Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


ORIGIN = None


@pytest.fixture(scope="module", autouse=True)
def origin():
    global ORIGIN
    ORIGIN = Origin()
    yield
    ORIGIN.server.shutdown()
    ORIGIN.server.server_close()


class Fleet:
    def __init__(self, start, bus, tmp_path):
        self.aggregator = start(harness.Aggregator, bus, "--store", tmp_path / "store")
        self.gateway = start(harness.Gateway, bus, "--cors-origins", ORIGIN.url)
        self.publisher = outside.Publisher(bus.ingest, "/collector/cloudwatch/clients")
        for number, name in enumerate(NAMES):
            self.publisher.until_heard(self.gateway, "us-east-1", f"i-0{number}", interval_seconds=3600)
            self.publisher.instance("us-east-1", f"i-0{number}", name=name, interval_seconds=3600)
        wait_until(lambda: {w["name"] for w in self.gateway.workers()} == set(NAMES), "the fleet")

    def load(self, values):
        for value in values:
            self.publisher.publish("utilization.observed", "us-east-1/i-00", {"cpu_percent": value, "interval_seconds": 3600})


def body_of(event):
    return json.loads(event[1])


def has_value(client, value):
    return lambda: any(kind == "worker.metrics.updated" and body_of((kind, data, name))["data"].get("cpu_utilization") == value
                       for kind, data, name in client.events)


def assert_state(events, workers):
    kinds = [kind for kind, _, _ in events]
    begin, end = kinds.index("system.state.begin"), kinds.index("system.state.end")
    snapshots = {}
    for event in events[begin:end]:
        if event[0] == "worker.snapshot":
            data = body_of(event)["data"]
            assert data.pop("_reason") == "initial"
            snapshots[data["worker_id"]] = data
    assert kinds[0] == "connected" and snapshots == {worker["worker_id"]: worker for worker in workers}
    assert re.fullmatch(r"[0-9a-f]{8}-\d+", events[end][2]), "the state's end has the id to go on from"
    return events[end][2]


def assert_exact(events, begin):
    """From the state's id on, each number once and in order, under its own id."""
    epoch, first = begin.rsplit("-", 1)
    numbered = [(body_of(event)["seq"], event) for event in events if body_of(event).get("seq")]
    assert [number for number, _ in numbered] == list(range(int(first) + 1, int(first) + 1 + len(numbered)))
    assert all(event[2] == f"{epoch}-{number}" for number, event in numbered)
    assert all(event[0] == body_of(event)["type"] for event in events)


@pytest.mark.skipif(harness.VALGRIND, reason="the clients are not ours to check")
@pytest.mark.parametrize("kind", [Curl, CurlCompressed, Python, Node, NodeCompressed, Chromium])
def test_client_sees_the_state_and_every_event_also_over_a_kill_of_the_gateway(start, bus, tmp_path, kind):
    assert kind is not Chromium or shutil.which("chromium"), "deploy/deps test installs it"
    fleet = Fleet(start, bus, tmp_path)
    workers = fleet.gateway.workers()
    client = kind(f"{fleet.gateway.url}/api/events/stream?heartbeat=1")
    compressed = lambda: [c["compressed"] for c in http_json(fleet.gateway.url + "/api/clients")["clients"]]
    try:
        wait_until(lambda: any(event[0] == "system.state.end" for event in client.events), "the state")
        assert compressed() == [kind.gzip]
        fleet.load(range(1, 51))
        wait_until(has_value(client, 50), "live events")

        fleet.gateway.kill()
        fleet.load(range(51, 81))
        fleet.gateway.start()
        harness.wait_ready(fleet.gateway)
        client.come_back()
        wait_until(has_value(client, 80), "what it missed")
        assert compressed() == [kind.gzip]
        fleet.load(range(81, 100))
        wait_until(has_value(client, 99), "and what came then")
        beats = len([event for event in client.events if event[0] == "heartbeat"])
        wait_until(lambda: len([event for event in client.events if event[0] == "heartbeat"]) > beats, "a heartbeat")
        events = list(client.events)
    finally:
        client.close()

    begin = assert_state(events, workers)
    assert_exact(events, begin)
    kinds = [event[0] for event in events]
    assert kinds.count("system.state.begin") == 1 and "system.reset" not in kinds
    loads = [body_of(event)["data"]["cpu_utilization"] for event in events if event[0] == "worker.metrics.updated"]
    assert loads == list(range(1, 100))

"""The images are built and the docker-compose stack runs, for real: `make test-compose`, as root.

The profile demo stands in for AWS and CML. The tests are a story, in order.
SPDX-License-Identifier: MIT"""
import json
import os
import re
import shlex
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from engine import ROOT, Engine, wait_until

DEPLOY = ROOT / "deploy"
PROJECT = "cmlwatchtest"
SERVICES = ["aggregator", "gateway", "proxy", "collector-ec2", "collector-cloudwatch", "collector-cml", "simulator"]
INSECURE = ssl.create_default_context()
INSECURE.check_hostname, INSECURE.verify_mode = False, ssl.CERT_NONE


class Stack:
    def __init__(self, engine, folder):
        self.engine, self.folder = engine, folder
        told = subprocess.run([DEPLOY / "new-secrets", folder / "secrets"], check=True, capture_output=True, text=True).stdout
        self.token = re.search(r"this once: (\S+)", told)[1]
        self.environment = folder / "env"
        self.environment.write_text((DEPLOY / "demo.env").read_text() +
                                    f"SECRETS={folder / 'secrets'}\nPORT=18443\nCMLWATCH_IMAGE=cmlwatch-under-test\nCMLWATCH_VERSION=0.1\n"
                                    "PROMETHEUS_IMAGE=cmlwatch-under-test-prometheus:0.1\n")

    def compose(self, *arguments, **more):
        return self.engine.run("docker-compose", "--project-name", PROJECT, "--env-file", self.environment,
                               "--file", DEPLOY / "docker-compose.yml", *arguments, cwd=DEPLOY, **more)

    def up(self, *arguments):
        #  Those of the profile by name: compose 1 reads COMPOSE_PROFILES from its own environment alone.
        self.compose("up", "-d", "--no-build", *arguments, *SERVICES)

    def containers(self, service):
        return self.compose("ps", "-q", service).stdout.split()

    def inspect(self, container):
        return json.loads(self.engine.docker("inspect", container).stdout)[0]

    def healthy(self, service, count=1):
        found = [self.inspect(container)["State"] for container in self.containers(service)]
        return len(found) == count and all(state.get("Health", {}).get("Status") == "healthy" for state in found)

    def get(self, path, token=True):
        request = urllib.request.Request(f"https://127.0.0.1:18443{path}", headers={"Authorization": f"Bearer {self.token}"} if token else {})
        return urllib.request.urlopen(request, context=INSECURE, timeout=10)

    def state(self):
        with self.get("/api/state") as answer:
            return json.load(answer)

    def workers(self):
        with self.get("/api/workers?limit=1000") as answer:
            return json.load(answer)["workers"]

    def metric(self, service, name):
        """Of each container of a service, read from within its network by the probe."""
        values = []
        for container in self.containers(service):
            text = self.engine.docker("exec", container, "cmlwatch-probe", "127.0.0.1:8080/metrics", check=False).stdout
            values += [float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M)]
        return values


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("an engine of its own is started as root")
    engine = Engine()
    folder = tmp_path_factory.mktemp("compose")
    made = None
    try:
        engine.start()
        made = Stack(engine, folder)
        yield made
    finally:
        if made:
            made.compose("down", "--volumes", "--remove-orphans", "--rmi", "all", check=False)
            engine.docker("rmi", "cmlwatch-under-test-prometheus:0.1", check=False)
        engine.stop()


def test_the_images_are_built_and_small(stack):
    stack.compose("build", *SERVICES)

    for name in ("", "-proxy", "-demo"):
        image = stack.inspect(f"cmlwatch-under-test{name}:0.1")
        base = stack.inspect("debian:bookworm-slim")
        added = (image["Size"] - base["Size"]) / 1e6
        print(f"cmlwatch{name}: {image['Size'] / 1e6:.0f} MB, {added:.0f} above the base")
        assert added < 40
        assert image["Config"]["User"] == "10001:10001" and image["Config"]["Healthcheck"]
    labels = stack.inspect("cmlwatch-under-test:0.1")["Config"]["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "MIT" and labels["org.opencontainers.image.version"] == "0.1"


def test_an_image_has_no_tools_to_build_with(stack):
    found = stack.engine.docker("run", "--rm", "cmlwatch-under-test:0.1", "sh", "-c", "command -v gcc cc make git python3 curl; true").stdout

    assert found == ""


def test_the_stack_is_ready_in_the_order_of_its_health(stack):
    began = time.monotonic()
    stack.up()
    for service in SERVICES:
        wait_until(lambda: stack.healthy(service), f"{service} is healthy", 90)
    print(f"from nothing to all healthy: {time.monotonic() - began:.1f} s")

    started = {service: stack.inspect(stack.containers(service)[0])["State"]["StartedAt"] for service in SERVICES}
    assert started["aggregator"] < min(started[name] for name in ("gateway", "collector-ec2", "collector-cloudwatch", "collector-cml"))
    assert started["gateway"] < started["proxy"]


def test_it_shows_the_fleet_over_http_2_and_only_with_a_login(stack):
    def read():
        workers = stack.workers()
        return len(workers) >= 24 and sum(1 for worker in workers if worker["cml_version"]) >= 15
    wait_until(read, "the fleet is read, its CMLs too", 90)

    #  To curl itself the gateway shows the table of text, which wants a login.
    spoken = stack.engine.run("curl", "-A", "Mozilla/5.0", "-sk", "--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "https://127.0.0.1:18443/").stdout
    assert spoken == "2 200"
    for path, status in (("/api/state", 401), ("/metrics", 404)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            stack.get(path, token=False)
        assert refused.value.code == status


def test_the_stream_is_not_buffered(stack):
    with stack.get("/api/events/stream?state=0&heartbeat=1") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        seen, end = [], time.monotonic() + 30
        while "heartbeat" not in seen and time.monotonic() < end:
            line = stream.readline().decode()
            if line.startswith("event: "):
                seen.append(line[7:].strip())
    assert seen[0] == "connected" and "heartbeat" in seen


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_may_do_little(stack, service):
    container = stack.containers(service)[0]
    about = stack.inspect(container)

    assert about["HostConfig"]["ReadonlyRootfs"] and about["HostConfig"]["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in about["HostConfig"]["SecurityOpt"]
    assert 0 < about["HostConfig"]["Memory"] <= 2 ** 30 and about["HostConfig"]["PidsLimit"] == 64
    assert about["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    status = stack.engine.docker("exec", container, "cat", "/proc/1/status").stdout
    assert re.search(r"^Uid:\s+10001\s", status, re.M) and re.search(r"^CapEff:\s+0+$", status, re.M)
    assert stack.engine.docker("exec", container, "touch", "/usr/bin/x", check=False).returncode != 0
    ports = [port for port in about["HostConfig"]["PortBindings"] or {}]
    assert ports == (["8443/tcp"] if service == "proxy" else [])


def test_the_bus_leads_nowhere(stack):
    """Nothing of its networks is routed; only the proxy and the collectors have another."""
    outward = {name: json.loads(stack.engine.docker("network", "inspect", f"{PROJECT}_{name}").stdout)[0]["Internal"]
               for name in ("bus", "front", "edge", "outside")}
    assert outward == {"bus": True, "front": True, "edge": False, "outside": False}
    networks = {service: {name.removeprefix(f"{PROJECT}_") for name in stack.inspect(stack.containers(service)[0])["NetworkSettings"]["Networks"]}
                for service in SERVICES}
    assert networks["aggregator"] == {"bus"} and networks["gateway"] == {"bus", "front"} and networks["proxy"] == {"front", "edge"}


def test_the_bus_knows_its_callers(stack):
    """Who has keys was let in; a gateway that has none on the same network hears nothing."""
    assert sum(stack.metric("aggregator", "cmlwatch_bus_callers_total")) > 0
    stranger = stack.engine.docker(
        "run", "-d", "--rm", "--network", f"{PROJECT}_bus", "-e", "CMLWATCH_GATEWAY_ALLOW_UNAUTHENTICATED_REMOTE=yes",
        "-e", "CMLWATCH_GATEWAY_CONTROL=tcp://aggregator:5572", "-e", "CMLWATCH_GATEWAY_FEED=tcp://aggregator:5573",
        "cmlwatch-under-test:0.1", "cmlwatch-gateway").stdout.strip()
    try:
        wait_until(lambda: stack.engine.docker("exec", stranger, "cmlwatch-probe", "127.0.0.1:8080/healthz", check=False).returncode == 0, "it runs")
        time.sleep(3)  # twelve ticks of the feed, each of which would be heard
        assert stack.engine.docker("exec", stranger, "cmlwatch-probe", check=False).returncode == 1
    finally:
        stack.engine.docker("kill", stranger, check=False)


def test_it_scales(stack):
    stack.up("--scale", "collector-cml=4", "--scale", "gateway=2")
    wait_until(lambda: stack.healthy("collector-cml", 4) and stack.healthy("gateway", 2), "four and two are healthy", 90)

    def shared():
        units = stack.metric("collector-cml", "cmlwatch_collector_units")
        return len(units) == 4 and min(units) > 0 and sum(units) >= 15 and units
    print("workers of each collector-cml:", wait_until(shared, "each reads a part of the fleet", 60))

    def once():
        twice = stack.metric("aggregator", "cmlwatch_workers_multi_owned")
        return twice and not any(twice)
    wait_until(once, "no worker is read twice", 30)


#  Debian's, in the form of the image that compose names: no registry is needed for it.
PROMETHEUS = """FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends prometheus && install -d -o nobody -g nogroup /prometheus
USER nobody
ENTRYPOINT ["prometheus"]
"""


def test_prometheus_finds_each_container_by_itself(stack):
    stack.engine.docker("build", "-t", "cmlwatch-under-test-prometheus:0.1", "-", input=PROMETHEUS)
    stack.compose("up", "-d", "--no-build", "--no-deps", "prometheus")
    container = stack.containers("prometheus")[0]
    address = stack.inspect(container)["NetworkSettings"]["Networks"][f"{PROJECT}_bus"]["IPAddress"]

    def ask(path):
        try:
            return json.load(urllib.request.urlopen(f"http://{address}:9090/api/v1/{path}", timeout=5))["data"]
        except OSError:
            return None

    def found():
        targets = (ask("targets") or {}).get("activeTargets", [])
        up = [target["labels"]["service"] for target in targets if target["health"] == "up"]
        return up.count("gateway") == 2 and up.count("collector-cml") == 4 and len(up) == len(targets) == 9
    wait_until(found, "all nine are scraped", 90)
    rules = ask("rules")["groups"][0]["rules"]
    assert len(rules) > 10 and all(rule["health"] in ("ok", "unknown") for rule in rules)


def test_both_gateways_are_behind_the_proxy(stack):
    clients = []
    try:
        def spread():
            clients.append(stack.get("/api/events/stream?state=0"))
            return len([n for n in stack.metric("gateway", "cmlwatch_gateway_clients") if n > 0]) == 2
        wait_until(spread, "streams are at both", 60)
    finally:
        for client in clients:
            client.close()


def test_events_flow_through_the_scaled_stack(stack):
    with stack.get("/api/events/stream?state=0") as stream:
        began, sequences, identity = time.monotonic(), [], None
        while len(sequences) < 300 and time.monotonic() - began < 60:
            line = stream.readline().decode()
            identity = line.rsplit("-", 1)[1] if line.startswith("id: ") else identity
            if line.startswith("event: ") and "heartbeat" not in line and identity:
                sequences.append(int(identity))
            identity = identity if line.startswith("id: ") else None
        print(f"{len(sequences)} events in {time.monotonic() - began:.1f} s through proxy, one of two gateways, four collector-cml")
    assert len(sequences) == 300 and sequences == list(range(sequences[0], sequences[0] + 300)), "each number once, in order"


def test_a_gateway_that_goes_takes_nobody_with_it(stack):
    stack.engine.docker("kill", stack.containers("gateway")[0])

    for _ in range(20):
        with stack.get("/api/session") as answer:
            assert answer.status == 200
    wait_until(lambda: stack.workers(), "the other serves", 30)


def test_a_stop_is_heard_at_once(stack):
    for service in ("collector-ec2", "aggregator"):
        container = stack.containers(service)[0]
        stack.engine.docker("stop", "--time", "20", container)
        state = stack.inspect(container)["State"]
        assert state["ExitCode"] == 0, f"{service} did not hear SIGTERM: {state}"


def test_the_state_outlives_the_containers(stack):
    stack.up("--scale", "gateway=1", "--scale", "collector-cml=1")
    wait_until(lambda: stack.healthy("aggregator") and stack.healthy("gateway"), "it is up again", 90)
    wait_until(lambda: stack.get("/readyz", token=False).status == 200, "it is served", 60)
    epoch = stack.state()["last_event_id"].split("-")[0]
    stack.compose("rm", "--stop", "--force", "aggregator")
    gateway = stack.containers("gateway")[0]
    wait_until(lambda: stack.inspect(gateway)["State"]["Health"]["FailingStreak"] > 3, "the gateway has missed it for longer than others are given", 60)

    stack.up()

    def again():
        try:
            return stack.state()["last_event_id"].split("-")[0]
        except urllib.error.HTTPError:
            return None
    wait_until(lambda: stack.healthy("aggregator"), "the aggregator is up again", 60)
    assert wait_until(again, "the state is served", 60) == epoch


def test_a_backup_is_restored_as_the_guide_says(stack):
    chapter = re.search(r"^## Backup and restore\n(.*?)^## ", (ROOT / "docs/operator.md").read_text(), re.S | re.M)[1]
    copy, take, stop, put, start = re.findall(r"^    docker compose (\S.*)$", chapter, re.M)
    before = stack.state()

    def say(line):
        """As it stands there; compose 1 wants to be told that nobody types, and has docker's cp alone."""
        words = [word.replace("$PWD", str(stack.folder)) for word in shlex.split(line)]
        stack.compose(words[0], *(["-T"] if words[0] in ("exec", "run") else []), *words[1:])
    say(copy)
    words = shlex.split(take)
    assert words == ["cp", "aggregator:/var/lib/cmlwatch/copy", "./backup"]
    stack.engine.docker("cp", f"{stack.containers('aggregator')[0]}:/var/lib/cmlwatch/copy", stack.folder / "backup")
    for line in (stop, put, start):
        say(line)

    def restored():
        try:
            state = stack.state()
        except urllib.error.HTTPError:
            return False
        return state["last_event_id"].split("-")[0] != before["last_event_id"].split("-")[0] and len(state["workers"]) >= len(before["workers"])
    wait_until(restored, "the copy is served, in an epoch of its own", 60)


def test_all_of_it_goes(stack):
    stack.compose("down", "--volumes", "--remove-orphans")

    assert stack.engine.docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={PROJECT}").stdout == ""

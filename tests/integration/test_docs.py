"""What docs/ says is true: the examples run as printed, the table of metrics is the sources', links lead somewhere.
SPDX-License-Identifier: MIT"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

import harness
import outside
from harness import wait_until

DOCS = harness.ROOT / "docs"
CONSUMER = (DOCS / "consumer.md").read_text()


def example(language):
    return re.findall(rf"```{language}\n(.*?)```", CONSUMER, re.S)


@pytest.fixture
def run(tmp_path):
    """Starts an example against a gateway; what it says so far is read from its file."""
    processes = []

    def starter(command, gateway, text, **more):
        said = (tmp_path / f"example{len(processes)}.log").open("w+")
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{gateway.port}")
        processes.append(subprocess.Popen([*command, text], stdout=said, stderr=subprocess.STDOUT, start_new_session=True, **more))
        return pathlib.Path(said.name).read_text
    yield starter
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def fleet(start, bus, tmp_path):
    class Fleet:
        aggregator = start(harness.Aggregator, bus, "--store", tmp_path / "store")
        gateway = start(harness.Gateway, bus)
        publisher = outside.Publisher(bus.ingest, "/collector/ec2/docs")
    Fleet.publisher.until_heard(Fleet.gateway, "us-east-1", "i-0docs")
    return Fleet


def flip(fleet, said, wanted):
    """Stops and starts the worker until the example has said so."""
    def heard():
        fleet.publisher.instance("us-east-1", "i-0docs", state="stopped")
        fleet.publisher.instance("us-east-1", "i-0docs", state="running")
        return wanted in said()
    wait_until(heard, f"it says {wanted!r}")


def test_python_keeps_the_picture_and_comes_back(fleet, run):
    said = run([sys.executable, "-u", "-c"], fleet.gateway, example("python")[0])
    wait_until(lambda: "the fleet: 1 workers" in said(), "it has the state")
    flip(fleet, said, "i-0docs running -> stopped")

    fleet.gateway.kill()
    wait_until(lambda: "again:" in said(), "it notices")
    fleet.publisher.instance("us-east-1", "i-0docs", state="pending")
    fleet.gateway.start()
    wait_until(lambda: "-> pending" in said(), "it gets what it missed", deadline=2 * harness.PATIENCE)
    assert said().count("the fleet:") == 1, "resumed, not begun anew"


def test_curl_prints_events(fleet, run):
    said = run(["bash", "-c"], fleet.gateway, example("sh")[0])
    flip(fleet, said, '"new_status":"stopped"')


def test_browser_and_node_examples_are_the_library_s(fleet, run, tmp_path):
    if not shutil.which("node"):
        pytest.skip("no node here; deploy/deps test installs it")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/cmlwatch-client").symlink_to(harness.ROOT / "gateway/dashboard/client")
    node = example("js")[1]
    assert node.split("import", 1)[1].split("\n", 1)[1].replace("http://127.0.0.1:8080", "") == example("js")[0].split("import", 1)[1].split("\n", 1)[1]
    said = run(["node", "--input-type=module", "-e"], fleet.gateway, node, cwd=tmp_path)
    flip(fleet, said, "running → stopped")


def test_go_example_is_built_and_comes_back(fleet, run, tmp_path):
    if not shutil.which("go"):
        pytest.skip("no go here; Debian's golang-go will do")
    source = tmp_path / "main.go"
    source.write_text(example("go")[0].replace("127.0.0.1:8080", f"127.0.0.1:{fleet.gateway.port}"))
    environment = {**os.environ, "GOCACHE": str(tmp_path / "cache"), "GOPATH": str(tmp_path / "path"), "GO111MODULE": "off"}
    for arguments in (["vet"], ["build", "-o", tmp_path / "reader"]):
        done = subprocess.run(["go", *arguments, source], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
    said = run([tmp_path / "reader"], fleet.gateway, "")
    wait_until(lambda: "system.state.end" in said(), "it has the state")
    flip(fleet, said, '"new_status":"stopped"')

    fleet.gateway.kill()
    fleet.publisher.instance("us-east-1", "i-0docs", state="pending")
    fleet.gateway.start()

    wait_until(lambda: '"new_status":"pending"' in said(), "it gets what it missed", deadline=2 * harness.PATIENCE)
    assert said().count("system.state.end {") == 1, "resumed, not begun anew"


def test_table_of_metrics_is_the_sources():
    printed = subprocess.run([sys.executable, harness.ROOT / "tests/support/metrics_table.py"], capture_output=True, text=True, check=True).stdout
    assert (DOCS / "metrics.md").read_text().strip() == printed.strip(), "run `make metrics`"


def test_metrics_that_are_shown_are_in_the_table(stack):
    known = set(re.findall(r"`(cmlwatch_\w+)`", (DOCS / "metrics.md").read_text()))
    for program in stack.programs():
        if not hasattr(program, "url") or "sim" in program.name:
            continue
        shown = set(re.findall(r"^# TYPE (\w+)", harness.http(program.url + "/metrics")[2].decode(), re.M))
        assert shown <= known, program.name


def test_metrics_that_documents_name_exist():
    known = set(re.findall(r"`(cmlwatch_\w+)`", (DOCS / "metrics.md").read_text()))
    for path in [*DOCS.glob("*.md"), harness.ROOT / "README.md", *harness.ROOT.glob("*/README.md")]:
        for name in re.findall(r"\b(cmlwatch_[a-z_]+)\b", path.read_text()):
            name = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in known or name.startswith("cmlwatch_session") or any(each.startswith(name) for each in known), f"{path}: {name}"


def test_links_lead_somewhere():
    for path in [*DOCS.glob("*.md"), harness.ROOT / "README.md", *harness.ROOT.glob("*/README.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if not re.match(r"https?:|mailto:", target):
                assert (path.parent / target).exists(), f"{path}: {target}"

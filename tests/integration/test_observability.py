"""What Prometheus and Grafana are given: metrics, rules and a dashboard that fit what the programs say.
SPDX-License-Identifier: MIT"""
import json
import re
import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

import harness
from harness import ROOT, http, wait_until

PROMETHEUS, DASHBOARD = ROOT / "deploy/prometheus", ROOT / "deploy/grafana/dashboards/cmlwatch.json"
#  Said only when the thing has happened; the programs' sources name them.
RARE = {"cmlwatch_bus_lost_total", "cmlwatch_ingest_rejected_total", "cmlwatch_store_failures_total"}


def promtool(*arguments, **more):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not here (Debian's package prometheus)")
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=harness.PATIENCE, **more)


def panels():
    return json.loads(DASHBOARD.read_text())["panels"]


def queries():
    """(where, expression) of all rules and panels."""
    import yaml
    for rule in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"][0]["rules"]:
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    """Each process's /metrics, of a stack that reads a fleet while somebody looks at it."""
    stack = harness.Stack(tmp_path_factory.mktemp("metrics"), instances=6)
    programs = {"aggregator": stack.aggregator, "gateway": stack.gateway, "collector-ec2": stack.ec2,
                "collector-cloudwatch": stack.cloudwatch, "collector-cml": stack.cml}
    stream = stack.gateway.stream()
    wait_until(lambda: all(w["cml_version"] and w["cloudwatch_cpu_utilization"] is not None for w in stack.gateway.workers())
               and stack.gateway.workers(), "the fleet is read")
    wait_until(lambda: harness.metric(stack.cml.url, "cmlwatch_cml_push_connected"), "a CML pushes")
    said = {name: http(program.url + "/metrics")[2].decode() for name, program in programs.items()}
    stream.close()
    stack.stop()
    return said


@pytest.mark.parametrize("name", ["aggregator", "gateway", "collector-ec2", "collector-cloudwatch", "collector-cml"])
def test_promtool_finds_nothing_to_say_of_the_metrics(metrics, name):
    done = promtool("check", "metrics", input=metrics[name])

    assert done.returncode == 0 and not done.stderr, done.stderr


def test_promtool_takes_the_configuration_and_the_rules():
    done = promtool("check", "config", PROMETHEUS / "prometheus.yml")

    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_are_raised_when_they_should_and_only_then():
    done = promtool("test", "rules", PROMETHEUS / "rules_test.yml")

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_metric_that_is_asked_for_is_said(metrics):
    said = {sample.name for text in metrics.values() for family in text_string_to_metric_families(text) for sample in family.samples}
    source = "".join(path.read_text() for folder in ("aggregator", "gateway", "collector", "common") for path in (ROOT / folder).rglob("*.c"))

    for where, query in queries():
        for name in re.findall(r"\bcmlwatch_\w+", query):
            assert name in said or (name in RARE and f'"{name}"' in source), f"{where}: nobody says {name}"


def test_each_label_that_is_asked_for_is_said(metrics):
    labels = {}
    for text in metrics.values():
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels.setdefault(sample.name, set()).update((key, value) for key, value in sample.labels.items())
    for where, query in queries():
        for name, matchers in re.findall(r"\b(cmlwatch_\w+)\{([^}]*)\}", query):
            for key, operator, value in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', matchers):
                if name not in labels or operator == "!=":
                    continue
                known = {known for label, known in labels[name] if label == key}
                assert known, f"{where}: {name} has no label {key}"
                if operator == "=" and name != "cmlwatch_aws_calls_total":  # outcomes come when they happen
                    assert value in known, f"{where}: {name} has no {key}={value}"


def test_the_dashboards_queries_are_queries(tmp_path):
    """As recording rules promtool reads them; Grafana's own variables stand for a duration."""
    rules = [{"record": f"q:{number}", "expr": query.replace("$__rate_interval", "1m")} for number, (_, query) in enumerate(queries())]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "q", "rules": rules}]}))

    done = promtool("check", "rules", path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboards_panels_do_not_lie_on_each_other():
    taken = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())

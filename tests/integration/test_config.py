"""What a person sees who starts a program wrongly. SPDX-License-Identifier: MIT"""
import re
import socket
import subprocess

import pytest

import harness

PROGRAMS = ["aggregator", "gateway", "collector-ec2", "collector-cloudwatch", "collector-cml", "sim"]


def run(name, *arguments, **environment):
    import os
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CMLWATCH_"))}
    return subprocess.run([harness.BUILD / f"cmlwatch-{name}", *map(str, arguments)], capture_output=True, text=True,
                          timeout=harness.PATIENCE, env={**clean, **environment})


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_lists_each_key_with_flag_and_variable(name):
    result = run(name, "--help")

    assert result.returncode == 0 and not result.stderr
    assert f"cmlwatch-{name}" in result.stdout and "--log-level" in result.stdout
    assert f"CMLWATCH_{name.upper().replace('-', '_')}_LOG_LEVEL" in result.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_version_is_one_line(name):
    result = run(name, "--version")

    assert result.returncode == 0 and re.fullmatch(rf"cmlwatch-{name} \S+\n", result.stdout)


@pytest.mark.parametrize("name", PROGRAMS)
def test_check_config_prints_what_can_be_read_back(name, tmp_path):
    login = {"CMLWATCH_COLLECTOR_CML_USERNAME": "u", "CMLWATCH_COLLECTOR_CML_PASSWORD": "very-secret"} \
        if name == "collector-cml" else {}
    first = run(name, "--check-config", **login)
    assert first.returncode == 0, first.stderr
    assert f"[{name}]" in first.stdout and "very-secret" not in first.stdout

    path = tmp_path / "cmlwatch.conf"
    path.write_text("\n".join(line for line in first.stdout.splitlines() if "***" not in line))
    second = run(name, "--config", path, "--check-config", **login)

    assert second.returncode == 0, second.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_wrong_key_in_the_file_names_file_line_and_key(name, tmp_path):
    path = tmp_path / "wrong.conf"
    path.write_text(f"# a comment\n[{name}]\nlog_level = info\nlog_levle = debug\n")

    result = run(name, "--config", path)

    assert result.returncode == 2
    assert f"{path}:4" in result.stderr and "log_levle" in result.stderr and "log_level" in result.stderr


def test_wrong_value_says_what_is_allowed(tmp_path):
    result = run("gateway", "--clients-max", "lots")
    assert result.returncode == 2 and "clients-max" in result.stderr.replace("_", "-") and "lots" in result.stderr

    result = run("aggregator", CMLWATCH_AGGREGATOR_LOG_LEVEL="loud")
    assert result.returncode == 2 and "CMLWATCH_AGGREGATOR_LOG_LEVEL" in result.stderr and "debug" in result.stderr


def test_misspelled_variable_is_refused():
    result = run("aggregator", CMLWATCH_AGGREGATOR_TICK="250")

    assert result.returncode == 2 and "CMLWATCH_AGGREGATOR_TICK" in result.stderr


def test_missing_configuration_file_is_named(tmp_path):
    result = run("gateway", "--config", tmp_path / "none.conf")

    assert result.returncode == 2 and "none.conf" in result.stderr


def test_flag_wins_over_environment_and_environment_over_file(tmp_path):
    path = tmp_path / "c.conf"
    path.write_text("[gateway]\nheartbeat_seconds = 7\nclients_max = 70\nlog_level = error\n")

    shown = run("gateway", "--config", path, "--heartbeat-seconds", 9, "--check-config",
                CMLWATCH_GATEWAY_HEARTBEAT_SECONDS="8", CMLWATCH_GATEWAY_CLIENTS_MAX="80").stdout

    values = dict(re.findall(r"^(\w+) *= *(\S*)", shown, re.M))
    assert (values["heartbeat_seconds"], values["clients_max"], values["log_level"]) == ("9", "80", "error")


def test_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        http = run("gateway", "--listen", f"127.0.0.1:{port}")
        bus = run("aggregator", "--ingest", f"tcp://127.0.0.1:{port}", "--admin", "127.0.0.1:0",
                  "--control", "tcp://127.0.0.1:*", "--feed", "tcp://127.0.0.1:*")

    assert http.returncode != 0 and str(port) in http.stderr and "in use" in http.stderr
    assert bus.returncode != 0 and str(port) in bus.stderr and "in use" in bus.stderr


def test_gateway_without_authentication_refuses_to_listen_beyond_loopback():
    result = run("gateway", "--listen", "0.0.0.0:0")

    assert result.returncode == 2 and "loopback" in result.stderr


def test_collector_without_credentials_names_each_place_looked_at(start, bus):
    program = start(harness.Collector, "ec2", bus, "--interval-ms", 200)

    program.wait_log("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY")
    assert program.alive()


def test_scenario_with_an_error_names_file_and_line(tmp_path):
    path = tmp_path / "wrong.scenario"
    path.write_text("at 5s stop everything-and-more\nat noon dance\n")

    result = run("sim", "--scenario", path, "--aws", "127.0.0.1:0")

    assert result.returncode == 2 and f"{path}:" in result.stderr

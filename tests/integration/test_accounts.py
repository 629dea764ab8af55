"""Several accounts: each region of each is read with the keys of its own role, side by side.
SPDX-License-Identifier: MIT"""
import signal
import subprocess

import pytest

import harness
from harness import metric, wait_until
from listener import Listener

ONE, OTHER = "111122223333", "444455556666"
ROLE = "arn:aws:iam::{}:role/{}"


@pytest.fixture
def world(start):
    """Two accounts, both in us-east-1; the first in eu-central-1 as well."""
    return start(harness.Simulator, "--accounts", f"{ONE},{OTHER}", "--regions", "us-east-1,eu-central-1", instances=12)


@pytest.fixture
def listener(bus):
    own = Listener(bus)
    yield own
    own.close()


def accounts_file(folder, other="external-4711"):
    path = folder / "accounts"
    path.write_text(f"# both\n[own]\nregions = us-east-1, eu-central-1\n\n[other]\nrole_arn = {ROLE.format(OTHER, other)}\n"
                    "external_id = 4711\nregions = us-east-1\n")
    return path


def collector(start, bus, sim, kind, path, *arguments):
    return start(harness.Collector, kind, bus, "--interval-ms", 300, "--accounts", path, *arguments,
                 environment=sim.environment(), collector_id=f"{kind}-accounts")


def expected(sim):
    return {i["instance_id"]: i["account"] for i in sim.instances()
            if i["account"] == ONE or i["region"] == "us-east-1"}


def test_instances_of_both_accounts_are_observed_in_the_region_they_share(start, bus, world, listener, tmp_path):
    program = collector(start, bus, world, "ec2", accounts_file(tmp_path))
    known = expected(world)

    seen = listener.collect("instance.observed", lambda events: len({e["subject"] for e in events}) == len(known))

    told = {e["data"]["instance_id"]: e["data"]["account_id"] for e in seen}
    assert told == known and {e["data"]["region"] for e in seen} == {"us-east-1", "eu-central-1"}
    assert all(e["subject"] == f"{e['data']['region']}/{e['data']['instance_id']}" for e in seen)
    assert not [e for e in listener.all if e["type"] in ("instance.gone", "collector.error")]
    assert sorted(listener.leases[-1]["regions"]) == ["eu-central-1", "us-east-1"]
    for account in ("own", "other"):
        assert metric(program.url, "cmlwatch_aws_calls_total", api="DescribeInstances", account=account, outcome="ok") > 0
    assert metric(program.url, "cmlwatch_aws_calls_total", api="AssumeRole", account="other", outcome="ok") == 1
    assert metric(program.url, "cmlwatch_collector_units") == 3


def test_account_that_cannot_be_entered_is_nobody_elses_fault(start, bus, world, listener, tmp_path):
    program = collector(start, bus, world, "ec2", accounts_file(tmp_path, other="denied"))
    own = {i for i, account in expected(world).items() if account == ONE}

    seen = listener.collect("instance.observed", lambda events: len({e["subject"] for e in events}) >= len(own))
    errors = listener.collect("collector.error", lambda events: {e["data"]["api"] for e in events} >= {"AssumeRole", "DescribeInstances"})

    assert {e["data"]["instance_id"] for e in seen} == own
    assert not [e for e in listener.all if e["type"] == "instance.gone"]
    assert all(e["data"]["error_message"].startswith("account other: ") for e in errors)
    assert "AccessDenied" in " ".join(e["data"]["error_message"] for e in errors) and program.alive()


def test_gone_is_told_by_the_account_that_had_it(start, bus, world, listener, tmp_path):
    collector(start, bus, world, "ec2", accounts_file(tmp_path))
    victim = next(i for i, account in expected(world).items() if account == OTHER)
    listener.collect("instance.observed", lambda events: len({e["subject"] for e in events}) == len(expected(world)))

    world.control(f"instances/{victim}", {"state": "vanished"})
    gone = listener.collect("instance.gone", lambda events: events)

    assert [e["data"]["instance_id"] for e in gone] == [victim]


def test_cloudwatch_asks_each_worker_with_the_keys_of_its_account(start, bus, world, tmp_path):
    path = accounts_file(tmp_path)
    aggregator = start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus)
    collector(start, bus, world, "ec2", path)
    cloudwatch = collector(start, bus, world, "cloudwatch", path, "--api", "data")
    known = set(expected(world))

    def measured():
        return {w["aws_instance_id"] for w in gateway.workers() if w["cloudwatch_cpu_utilization"] is not None}
    wait_until(lambda: measured() == known, "every worker of both accounts has a value")

    assert metric(cloudwatch.url, "cmlwatch_aws_calls_total", api="GetMetricData", account="other", outcome="ok") > 0
    assert metric(cloudwatch.url, "cmlwatch_collector_units") == 3
    assert aggregator.alive()
    #  Had one been asked with the other's keys, it would have been answered without a value; the bill says
    #  that nobody was asked for twice: CPU and, with an agent, memory and disk of each, once a round.
    #  (One that is under way is billed before it counts as a round.)
    billed = world.control("calls")["metrics_billed"]
    assert billed <= len(known) * 3 * (metric(cloudwatch.url, "cmlwatch_collector_rounds_total") + 1)


@pytest.mark.parametrize("text, said", [
    ("[a]\nrole = x\n", "accounts:2: unknown key 'role'"),
    ("[a b]\n", "accounts:1: [a b]"),
    ("[a]\nrole_arn = x\n", "account a: role_arn = 'x'"),
    ("[a]\nregions = US\n", "account a: regions = 'US'"),
    ("[a]\n[b]\n", "accounts a and b are one"),
    ("[a]\n[a]\n", "accounts:2: [a] is there twice"),
    ("# none\n", "no [section]"),
    ("[a]\n external_id = 1\n", "accounts:2: the line is indented"),
])
def test_wrong_list_is_refused_with_its_line(tmp_path, text, said):
    path = tmp_path / "accounts"
    path.write_text(text)

    result = subprocess.run([harness.BUILD / "cmlwatch-collector-ec2", "--accounts", path, "--check-config"],
                            capture_output=True, text=True, timeout=harness.PATIENCE)

    assert result.returncode == 2 and said in result.stderr, result.stderr


def test_collectors_whose_lists_differ_are_named_until_they_agree(start, bus, sim, tmp_path):
    paths = {name: tmp_path / name for name in ("one", "two")}
    for path in paths.values():
        path.write_text("[own]\n")
    aggregator = start(harness.Aggregator, bus, "--renew-ms", 1000)
    collectors = {name: start(harness.Collector, "ec2", bus, "--accounts", path, environment=sim.environment(), collector_id=name)
                  for name, path in paths.items()}

    def lists():
        return metric(aggregator.url, "cmlwatch_collector_lists", kind="ec2")
    wait_until(lambda: metric(aggregator.url, "cmlwatch_collectors") == 2, "both are known")
    assert lists() == 1 and "different files" not in aggregator.log

    paths["two"].write_text("[own]\n[lab]\nrole_arn = arn:aws:iam::111122223333:role/x\n")
    collectors["two"].process.send_signal(signal.SIGHUP)
    wait_until(lambda: lists() == 2, "it is seen")
    aggregator.wait_log("different files of accounts or servers")
    line = next(line for line in aggregator.log.splitlines() if "different files" in line)
    assert "/collector/ec2/one" in line and "/collector/ec2/two" in line

    paths["one"].write_text("[lab]\nrole_arn=arn:aws:iam::111122223333:role/x\n# the keys' own\n[own]\n")
    collectors["one"].process.send_signal(signal.SIGHUP)
    wait_until(lambda: lists() == 1, "they agree again")
    assert aggregator.log.count("different files") <= 2, "it is said when it changes, not with each question"


@pytest.mark.parametrize("kind, interval, calls", [("ec2", 30000, 2), ("cloudwatch", 300000, 1)])
def test_estimate_is_of_each_region_in_each_account(tmp_path, kind, interval, calls):
    path = tmp_path / "accounts"
    path.write_text("[own]\nregions = us-east-1, eu-west-1\n"
                    "[lab]\nrole_arn = arn:aws:iam::111122223333:role/x\nregions = us-east-1\n"
                    "[exam]\nrole_arn = arn:aws:iam::444455556666:role/x\n")
    month = 30 * 86400 * 1000 // interval * calls

    def estimate(*arguments):
        shown = subprocess.run([harness.BUILD / f"cmlwatch-collector-{kind}", "--check-config", "--regions", "eu-west-1,us-west-2",
                                *arguments], capture_output=True, text=True, timeout=harness.PATIENCE)
        assert shown.returncode == 0, shown.stderr
        return " ".join(shown.stdout.replace("#", "").split())

    assert f"of 1 account, 2 in all: at least {2 * month}" in estimate()
    assert f"of 3 accounts, 5 in all: at least {(2 + 1 + 2) * month}" in estimate("--accounts", path)


def test_list_that_is_not_there_is_refused(tmp_path):
    result = subprocess.run([harness.BUILD / "cmlwatch-collector-cloudwatch", "--accounts", tmp_path / "none"],
                            capture_output=True, text=True, timeout=harness.PATIENCE)

    assert result.returncode == 2 and "No such file" in result.stderr

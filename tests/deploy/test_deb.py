"""The package in a system of its own: installed, started by systemd, used, upgraded, removed, purged.

`make test-deb`, as root: debootstrap makes the system, tests/deploy/boot starts its systemd in name
spaces. The simulator stands in for AWS and CML on its loopback. The tests are a story, in order.
SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from certificate import Pair  # noqa: E402
from harness import ACCESS_KEY_ID, BUILD, ROOT, SECRET_ACCESS_KEY, wait_until  # noqa: E402

DEB = pathlib.Path(os.environ.get("CMLWATCH_DEB", "")).resolve()
WORK = ROOT / "build/deploy"
SIM_AWS, SIM_CML = "http://127.0.0.1:5580", 5543
UNITS = ["cmlwatch-aggregator", "cmlwatch-gateway", "cmlwatch-collector-ec2@9101", "cmlwatch-collector-cloudwatch@9102",
         "cmlwatch-collector-cml@9103", "cmlwatch-collector-cml@9104"]
#  What any package's coming and going leaves behind, and what a running system writes.
NOT_OURS = ("./var/lib/dpkg/", "./var/lib/systemd/", "./var/log/", "./var/cache/", "./etc/ld.so.cache", "./root/", "./etc/.pwd.lock",
            "./proc/", "./sys/", "./run/", "./dev/", "./tmp/", "./etc/machine-id", "./var/lib/private/", "./var/tmp/")


class System:
    """A Debian with systemd in it, running."""

    def __init__(self, root):
        self.root = root
        self.boot = self.pid = None

    def prepare(self):
        base = WORK / "base.tar"
        subprocess.run([HERE / "base", base], check=True)
        subprocess.run(["tar", "-C", self.root, "-xf", base], check=True)
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        depends = subprocess.run(["dpkg-deb", "-f", DEB, "Depends"], check=True, capture_output=True, text=True).stdout.strip()
        script = ("mount -t proc proc /proc && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y "
                  "--no-install-recommends install systemd dbus curl man-db && DEBIAN_FRONTEND=noninteractive apt-get -qq -y "
                  '--no-install-recommends satisfy "$0" && apt-get clean')
        #  Nothing of it starts here: there is no systemd yet.
        done = subprocess.run(["unshare", "--mount", "chroot", self.root, "sh", "-c", script, depends], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        self.write("/etc/hostname", "cmlwatch-test\n")
        shutil.copy(DEB, self.root / "cmlwatch.deb")
        shutil.copy(BUILD / "cmlwatch-sim", self.root / "sim")
        shutil.copy(ROOT / "tests/simulator/scenarios/quiet.scenario", self.root / "scenario")

    def start(self):
        self.boot = subprocess.Popen([HERE / "boot", self.root])
        def first():
            assert self.boot.poll() is None, "the system did not boot"
            children = pathlib.Path(f"/proc/{self.boot.pid}/task/{self.boot.pid}/children").read_text().split()
            self.pid = children and children[0]
            return self.pid and pathlib.Path(f"/proc/{self.pid}/comm").read_text().strip() == "systemd"
        wait_until(first, "systemd is there")
        wait_until(lambda: self.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded"), "the system is up", 60)

    def run(self, *command, check=True, text=True):
        done = subprocess.run(["nsenter", "-t", str(self.pid), "-m", "-p", "-n", "-u", "-i", "-r", "-w", *command],
                              capture_output=True, text=text, timeout=120)
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def show(self, unit, name):
        return self.run("systemctl", "show", "-P", name, f"{unit}.service").strip()

    def get(self, url):
        return self.run("curl", "-sS", "--max-time", "10", url)

    def write(self, path, text):
        (self.root / path.lstrip("/")).write_text(text)

    def files(self):
        """What it has, but for what is not a package's."""
        found = subprocess.run(["find", ".", "-xdev", "-printf", "%p%y\n"], cwd=self.root, check=True, capture_output=True, text=True).stdout
        return {line for line in found.splitlines() if not line.startswith(NOT_OURS)}

    def stop(self):
        if self.boot:
            self.boot.kill()
            self.boot.wait()


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("a system of its own is made as root")
    assert DEB.is_file(), "CMLWATCH_DEB names no package; `make test-deb` does"
    WORK.mkdir(parents=True, exist_ok=True)
    root = tmp_path_factory.mktemp("system")
    root.chmod(0o755)
    made = System(root)
    try:
        made.prepare()
        made.start()
        made.before = made.files()
        yield made
    finally:
        made.stop()
        shutil.rmtree(root, ignore_errors=True)


def test_installing_starts_nothing(system):
    system.run("dpkg", "-i", "/cmlwatch.deb")

    assert system.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "cmlwatch*") == ""
    assert "loaded" in system.run("systemctl", "show", "-P", "LoadState", "cmlwatch-aggregator.service")
    assert oct((system.root / "etc/cmlwatch/secrets").stat().st_mode & 0o777) == "0o700"
    assert system.run("dpkg", "--audit") == ""


def test_each_program_has_its_page(system):
    for program in (system.root / "usr/bin").glob("cmlwatch*"):
        section = 1 if program.name == "cmlwatch" else 8
        assert system.run("man", "-w", program.name).strip() == f"/usr/share/man/man{section}/{program.name}.{section}.gz"
        assert (system.root / "usr/share/bash-completion/completions" / program.name).exists()


def test_aggregator_and_gateway_start_and_say_when_they_are_ready(system):
    system.run("systemctl", "enable", "cmlwatch.target", "cmlwatch-aggregator", "cmlwatch-gateway")
    system.run("systemctl", "start", "cmlwatch.target")
    system.run("systemctl", "start", "cmlwatch-aggregator", "cmlwatch-gateway")

    for unit in ("cmlwatch-aggregator", "cmlwatch-gateway"):
        assert system.show(unit, "ActiveState") == "active"
        assert system.show(unit, "StatusText") == "ready"
        began, ready = (int(system.show(unit, f"{name}TimestampMonotonic")) for name in ("InactiveExit", "ActiveEnter"))
        print(f"{unit}: cold start to ready {(ready - began) / 1000:.0f} ms")
    assert json.loads(system.get("http://127.0.0.1:8080/readyz"))["status"] == "ready"


def test_nobody_runs_as_root_and_nobody_sees_the_others(system):
    for unit in ("cmlwatch-aggregator", "cmlwatch-gateway"):
        pid = system.show(unit, "MainPID")
        status = system.run("cat", f"/proc/{pid}/status")
        uid = int(re.search(r"^Uid:\s+(\d+)", status, re.M)[1])
        assert 61184 <= uid <= 65519, f"{unit} is no dynamic user: {uid}"
        assert re.search(r"^CapBnd:\s+0+$", status, re.M) and re.search(r"^NoNewPrivs:\s+1$", status, re.M)
        assert re.search(r"^Seccomp:\s+2$", status, re.M)


@pytest.mark.parametrize("unit", UNITS)
def test_exposure_is_small(system, unit):
    exposure = system.run("systemd-analyze", "security", "--no-pager", f"{unit}.service")
    score = float(re.search(r"exposure level.*: ([\d.]+)", exposure)[1])
    print(f"{unit}: exposure {score}")
    assert score < 2


def test_collectors_read_the_fleet_with_secrets_of_systemd(system):
    sim = ["/sim", "--aws", "127.0.0.1:5580", "--cml-port", str(SIM_CML), "--instances", "4", "--scenario", "/scenario"]
    system.run("systemd-run", "--unit=sim", *sim)
    wait_until(lambda: "i-" in system.run("curl", "-sS", f"{SIM_AWS}/_sim/instances", check=False), "the simulator is there")
    system.write("/etc/cmlwatch/environment", f"AWS_ENDPOINT_URL={SIM_AWS}\n")
    for kind in ("ec2", "cloudwatch"):
        system.write(f"/etc/cmlwatch/secrets/collector-{kind}/aws_credentials",
                     f"[default]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n")
    system.write("/etc/cmlwatch/secrets/collector-cml/password", "cmlwatch-demo\n")
    conf = (system.root / "etc/cmlwatch/cmlwatch.conf").read_text()
    conf = re.sub(r"(?m)^tag_filter.*\n", "interval_ms = 1000\n", conf)
    conf = re.sub(r"(?m)^verify .*$", f"verify = off\nport = {SIM_CML}\ninterval_ms = 1000", conf)
    system.write("/etc/cmlwatch/cmlwatch.conf", conf)

    system.run("systemctl", "enable", "--now", *UNITS[2:])

    def read():
        workers = json.loads(system.get("http://127.0.0.1:8080/api/workers"))["workers"]
        return len(workers) == 4 and all(w["cml_version"] for w in workers if w["status"] == "running") and workers
    wait_until(read, "all workers and their CMLs are read", 60)
    assert "cmlwatch-test-9103" in system.run("journalctl", "-u", UNITS[4], "--no-pager")
    assert system.get("http://127.0.0.1:9104/metrics").startswith("#")
    for unit in UNITS:
        assert system.show(unit, "ActiveState") == "active" and system.show(unit, "NRestarts") == "0"


def test_a_collector_shows_what_it_sees_as_the_guide_says(system):
    look, check = re.findall(r"^    ((?:AWS|CMLWATCH)_\S+ cmlwatch-collector.*)$", (ROOT / "docs/operator.md").read_text(), re.M)

    seen = system.run("sh", "-c", f"AWS_ENDPOINT_URL={SIM_AWS} {look}")
    settings = system.run("sh", "-c", check)

    observed = [event["subject"] for event in map(json.loads, seen.splitlines()) if event["type"] == "instance.observed"]
    assert len(observed) == 4
    assert "password = ***" in settings


def test_a_collector_reloads(system):
    system.run("systemctl", "reload", UNITS[4])

    wait_until(lambda: system.show(UNITS[4], "ActiveState") == "active", "the reload is over")
    assert "settings read anew" in system.run("journalctl", "-u", UNITS[4], "--no-pager")


def test_a_start_that_waits_for_another_is_no_failure(system):
    """Longer than TimeoutStartSec, for it says each second that it lives."""
    folder = system.root / "etc/systemd/system/cmlwatch-gateway.service.d"
    folder.mkdir(parents=True)
    (folder / "soon.conf").write_text("[Service]\nTimeoutStartSec=1\n")
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "stop", "cmlwatch-aggregator", "cmlwatch-gateway")

    system.run("systemctl", "start", "--no-block", "cmlwatch-gateway")

    wait_until(lambda: system.show("cmlwatch-gateway", "StatusText").startswith("not ready: "), "it says what it waits for")
    began = int(system.show("cmlwatch-gateway", "InactiveExitTimestampMonotonic"))
    wait_until(lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000 - began > 3_000_000, "three times its time is over")
    assert system.show("cmlwatch-gateway", "ActiveState") == "activating" and system.show("cmlwatch-gateway", "NRestarts") == "0"
    system.run("systemctl", "start", "cmlwatch-aggregator")
    wait_until(lambda: system.show("cmlwatch-gateway", "ActiveState") == "active", "it is ready with the aggregator")
    shutil.rmtree(folder)
    system.run("systemctl", "daemon-reload")


def test_a_gateway_that_hangs_is_started_again(system):
    folder = system.root / "etc/systemd/system/cmlwatch-gateway.service.d"
    folder.mkdir(parents=True)
    (folder / "soon.conf").write_text("[Service]\nWatchdogSec=1\nRestartSec=100ms\nTimeoutAbortSec=1\n")
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "restart", "cmlwatch-gateway")
    before = system.show("cmlwatch-gateway", "MainPID")

    system.run("kill", "-STOP", before)

    wait_until(lambda: system.show("cmlwatch-gateway", "NRestarts") == "1", "systemd starts it again", 60)
    wait_until(lambda: system.show("cmlwatch-gateway", "ActiveState") == "active", "it is ready again", 60)
    assert system.show("cmlwatch-gateway", "MainPID") != before
    shutil.rmtree(folder)
    system.run("systemctl", "daemon-reload")


def with_certificate(system, setting):
    """The gateway speaks TLS, by the drop-in of deploy/README.md or by systemd's credentials."""
    folder = system.root / "etc/systemd/system/cmlwatch-gateway.service.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tls.conf").write_text(f"[Service]\n{setting}")
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "restart", "cmlwatch-gateway")
    return folder


def speaks(system, pair):
    """The gateway shows this very certificate, for it vouches for itself."""
    return system.run("curl", "-sS", "--cacert", f"/etc/cmlwatch/{pair}/certificate.pem", "https://localhost:8080/healthz", check=False).startswith("{")


def test_a_certificate_that_is_renewed_is_served_without_a_restart(system):
    system.run("groupadd", "--system", "cmlwatch-tls")
    group = int(system.run("getent", "group", "cmlwatch-tls").split(":")[2])
    place = system.root / "etc/cmlwatch/tls"
    place.mkdir()
    pair = Pair(place, 1)

    def closed():
        """Root's and the group's, as a key ought to be."""
        for path, mode in ((place, 0o750), (pair.key, 0o640), (pair.certificate, 0o644)):
            os.chown(path, 0, group)
            path.chmod(mode)
    closed()
    folder = with_certificate(system, "SupplementaryGroups=cmlwatch-tls\n"
                              "Environment=CMLWATCH_GATEWAY_TLS_CERTIFICATE=/etc/cmlwatch/tls/certificate.pem\n"
                              "Environment=CMLWATCH_GATEWAY_TLS_KEY=/etc/cmlwatch/tls/key.pem\n")
    wait_until(lambda: speaks(system, "tls"), "it speaks TLS")
    before = system.show("cmlwatch-gateway", "MainPID")

    pair.write(2)
    closed()

    wait_until(lambda: speaks(system, "tls"), "it shows the new one")
    assert system.show("cmlwatch-gateway", "MainPID") == before and system.show("cmlwatch-gateway", "NRestarts") == "0"
    assert system.run("systemctl", "show", "-P", "DynamicUser", "cmlwatch-gateway").strip() == "yes"
    shutil.rmtree(folder)
    shutil.rmtree(place)
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "restart", "cmlwatch-gateway")
    system.run("groupdel", "cmlwatch-tls")


def test_a_key_among_the_secrets_is_taken_anew_by_a_restart(system):
    """systemd copies credentials when a unit starts: what deploy/README.md says of a deploy hook."""
    place = system.root / "etc/cmlwatch/secrets/gateway"
    pair = Pair(place, 1)
    folder = with_certificate(system, "Environment=CMLWATCH_GATEWAY_TLS_CERTIFICATE=%d/gateway_certificate.pem\n"
                              "Environment=CMLWATCH_GATEWAY_TLS_KEY=%d/gateway_key.pem\n")
    wait_until(lambda: speaks(system, "secrets/gateway"), "it speaks TLS")

    pair.write(2)
    assert not speaks(system, "secrets/gateway")
    system.run("systemctl", "restart", "cmlwatch-gateway")

    wait_until(lambda: speaks(system, "secrets/gateway"), "it shows the new one")
    shutil.rmtree(folder)
    pair.key.unlink()
    pair.certificate.unlink()
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "restart", "cmlwatch-gateway")


def test_the_state_outlives_a_restart_of_all(system):
    epoch = json.loads(system.get("http://127.0.0.1:8080/api/state"))["last_event_id"].split("-")[0]

    system.run("systemctl", "restart", "cmlwatch.target")

    def again():
        answer = system.run("curl", "-sS", "http://127.0.0.1:8080/api/state", check=False)
        return answer.startswith("{") and json.loads(answer).get("last_event_id", "").startswith(epoch)
    wait_until(again, "the same store is served", 60)


def test_a_backup_is_restored_as_the_guide_says(system):
    chapter = re.search(r"^## Backup and restore\n(.*?)^## ", (ROOT / "docs/operator.md").read_text(), re.S | re.M)[1]
    commands = [line for line in re.findall(r"^    (\S.*)$", chapter, re.M) if not line.startswith("docker")]
    backup, restore = [line for line in commands if "--new-epoch" not in line][:2], commands[2:6]
    assert "--backup" in backup[1] and restore[0] == "systemctl stop cmlwatch-aggregator"
    before = json.loads(system.get("http://127.0.0.1:8080/api/state"))

    for line in (*backup, *restore):
        system.run("sh", "-c", line)

    def restored():
        answer = system.run("curl", "-sS", "http://127.0.0.1:8080/api/state", check=False)
        state = json.loads(answer) if answer.startswith("{") else {}
        epoch = state.get("last_event_id", "-").split("-")[0]
        return epoch and epoch != before["last_event_id"].split("-")[0] and len(state["workers"]) == len(before["workers"])
    wait_until(restored, "the copy is served, in an epoch of its own", 60)
    assert system.show("cmlwatch-aggregator", "ActiveState") == "active"
    shutil.rmtree(system.root / "backup")
    shutil.rmtree(system.root / "var/lib/private/cmlwatch.lost")


def test_an_upgrade_restarts_what_ran_and_keeps_the_configuration(system):
    system.run("systemctl", "stop", UNITS[5])
    before = {unit: system.show(unit, "InvocationID") for unit in UNITS}

    system.run("dpkg", "-i", "--force-confold", "/cmlwatch.deb")

    for unit in UNITS[:5]:
        wait_until(lambda: system.show(unit, "ActiveState") == "active", f"{unit} runs again", 60)
        assert system.show(unit, "InvocationID") != before[unit], unit
    assert system.show(UNITS[5], "ActiveState") == "inactive"
    assert "verify = off" in (system.root / "etc/cmlwatch/cmlwatch.conf").read_text()


def test_removing_ends_all_and_keeps_what_is_the_operators(system):
    system.run("dpkg", "-r", "cmlwatch")

    assert system.run("pgrep", "cmlwatch-", check=False) == ""
    assert (system.root / "etc/cmlwatch/secrets/collector-cml/password").exists()
    assert (system.root / "var/lib/private/cmlwatch").exists()
    assert not list((system.root / "usr/bin").glob("cmlwatch*"))


def test_purging_leaves_nothing(system):
    system.run("dpkg", "-P", "cmlwatch")

    left = {name for name in system.files() - system.before if "man/" not in name}
    assert not left, left
    assert not (system.root / "var/lib/private/cmlwatch").exists()

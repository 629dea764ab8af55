"""engine - a Docker of its own, for as long as a test runs; and the commands that speak to it.

CMLWATCH_DOCKER_HOST names one that runs already. Else dockerd is started by hand, as root, with
everything it keeps in build/deploy, and taken down with all it made: containers, images, bridges, and
the rules of the packet filter, which are put back as they were.
SPDX-License-Identifier: MIT"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from harness import ROOT, wait_until  # noqa: E402

WORK = ROOT / "build/deploy"
BASE = "debian:bookworm-slim"
FILTERS = ("iptables", "ip6tables")


def save_filters():
    return {name: subprocess.run([f"{name}-save"], capture_output=True, text=True).stdout for name in FILTERS if shutil.which(f"{name}-save")}


def bridges():
    return {path.name for path in pathlib.Path("/sys/class/net").iterdir() if (path / "bridge").exists()}


class Engine:
    def __init__(self):
        self.host = os.environ.get("CMLWATCH_DOCKER_HOST")
        self.process = None
        self.folder = WORK / "docker"

    def start(self):
        if not self.host:
            self.filters, self.bridges = save_filters(), bridges()
            self.forwards = pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text()
            self.folder.mkdir(parents=True, exist_ok=True)
            self.host = f"unix://{self.folder}/socket"
            with open(self.folder / "log", "wb") as log:
                self.process = subprocess.Popen(
                    ["dockerd", "--data-root", self.folder / "data", "--exec-root", self.folder / "exec", "--host", self.host,
                     "--pidfile", self.folder / "pid", "--storage-driver", "overlay2"], stdout=log, stderr=log)
            wait_until(self.answers, "dockerd answers", 60)
        if self.docker("image", "inspect", BASE, check=False).returncode != 0 and self.docker("pull", "-q", BASE, check=False).returncode != 0:
            #  No registry is reached: Debian itself is.
            subprocess.run([HERE / "base", WORK / "base.tar"], check=True)
            self.docker("import", WORK / "base.tar", BASE)

    def answers(self):
        assert self.process.poll() is None, f"dockerd ended:\n{(self.folder / 'log').read_text()[-2000:]}"
        return self.docker("version", check=False).returncode == 0

    def docker(self, *arguments, **more):
        return self.run("docker", *arguments, **more)

    def run(self, *command, check=True, timeout=900, **more):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}, **more)
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def stop(self):
        if not self.process:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for name in bridges() - self.bridges:
            subprocess.run(["ip", "link", "delete", name], check=False)
        for name, rules in self.filters.items():
            subprocess.run([f"{name}-restore"], input=rules or "*filter\nCOMMIT\n*nat\nCOMMIT\n", text=True, check=False)
        pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text(self.forwards)
        subprocess.run(["umount", "-R", self.folder / "exec"], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

"""netns - two hosts and the cable between them: network namespaces and a veth pair, made by name and removed by name.

What is started or opened inside() a host stays there; of the test itself only that block is there.
SPDX-License-Identifier: MIT"""
import contextlib
import ctypes
import itertools
import os
import subprocess

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
NUMBERS = itertools.count()


def ip(*words):
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True)
    except FileNotFoundError:
        raise OSError("there is no ip here: apt-get install iproute2") from None
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def enter(namespace):
    if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Host:
    """A namespace that holds one end of the cable."""

    def __init__(self, name, link, address):
        self.name, self.link, self.address = name, link, address

    @contextlib.contextmanager
    def inside(self):
        """Of this thread, and of what it starts."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            enter(there)
            try:
                yield self
            finally:
                enter(home)

    def up(self):
        ip("-n", self.name, "link", "set", self.link, "up")

    def down(self):
        ip("-n", self.name, "link", "set", self.link, "down")


class Cable:
    """near and far, each with an address of a network that is nowhere else; OSError where that cannot be made."""

    def __init__(self):
        own = f"cw{os.getpid()}-{next(NUMBERS)}"  # an interface has at most 15 characters
        self.near, self.far = (Host(f"{own}{end}", f"{own}{end}", f"10.255.77.{n}") for n, end in ((1, "a"), (2, "b")))
        try:
            self.make()
        except OSError:
            self.remove()
            raise

    def make(self):
        for host in (self.near, self.far):
            ip("netns", "add", host.name)
        ip("-n", self.near.name, "link", "add", self.near.link, "type", "veth", "peer", "name", self.far.link, "netns", self.far.name)
        for host in (self.near, self.far):
            ip("-n", host.name, "addr", "add", f"{host.address}/30", "dev", host.link)
            ip("-n", host.name, "link", "set", "lo", "up")
            host.up()

    def remove(self):
        """The pair goes with its namespaces."""
        for host in (self.near, self.far):
            with contextlib.suppress(OSError):
                ip("netns", "del", host.name)

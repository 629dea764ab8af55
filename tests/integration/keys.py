"""keys - a bus with keys, made by pyzmq, which reads and writes the same files.
SPDX-License-Identifier: MIT"""
import zmq
import zmq.auth


class Keys:
    """A folder of keys and one of those who are let in, as an operator keeps them."""

    def __init__(self, folder):
        self.folder, self.allowed = folder / "keys", folder / "allowed"
        self.folder.mkdir()
        self.allowed.mkdir()
        self.make("aggregator", None)

    def make(self, name, role):
        zmq.auth.create_certificates(self.folder, name)
        if role:
            self.allow(name, role)
        return self.folder / f"{name}.key"

    def allow(self, name, role):
        public = (self.folder / f"{name}.key").read_text()
        (self.allowed / f"{name}.key").write_text(public.replace("metadata\n", f'metadata\n    name = "{name}"\n    role = "{role}"\n'))

    def public(self, name):
        return zmq.auth.load_certificate(self.folder / f"{name}.key")[0].decode()

    def pair(self, name):
        return zmq.auth.load_certificate(self.folder / f"{name}.key_secret")

    def arguments(self, name, server="aggregator"):
        return ("--curve-key", self.folder / f"{name}.key", "--curve-server-key", self.public(server))


def lock(keys, it, name, server="aggregator"):
    """A socket that connects from here on as whose key it is."""
    it.curve_publickey, it.curve_secretkey = keys.pair(name)
    it.curve_serverkey = keys.public(server).encode()


def socket(keys, kind, endpoint, name, server="aggregator"):
    it = zmq.Context.instance().socket(kind)
    it.linger = 0
    lock(keys, it, name, server)
    it.connect(endpoint)
    return it


def locked(keys):
    return ("--curve-key", keys.folder / "aggregator.key", "--curve-allow", keys.allowed)

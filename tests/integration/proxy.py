"""proxy - a loopback TCP link between two programs that a test can cut, half open or freeze.
SPDX-License-Identifier: MIT"""
import socket
import threading
import time

import harness


class Proxy:
    """A loopback TCP link that can be cut: what is on its way is lost, whoever connects is turned away."""

    def __init__(self, endpoint):
        self.target = ("127.0.0.1", int(endpoint.rsplit(":", 1)[1]))
        self.port, self.whole, self.swallows, self.pairs = harness.free_port(), True, set(), []
        self.delay = lambda: 0  # of each piece, in seconds; pieces of one connection keep their order, those of two do not
        self.flows = threading.Event()
        self.flows.set()
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.whole:
                near.close()
                continue
            try:
                far = socket.create_connection(self.target, timeout=harness.PATIENCE)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self.pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def carry(self, source):
        """What becomes of the bytes of one direction of a connection."""
        return lambda data: data

    def pump(self, source, sink):
        carry = self.carry(source)
        try:
            while self.flows.wait() and (data := source.recv(65536)):
                if (late := self.delay()) > 0:
                    time.sleep(late)
                if source not in self.swallows and sink not in self.swallows:
                    sink.sendall(carry(data))
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.whole = False
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs = []

    def half_open(self):
        """As when a firewall forgets them: connections look open, nothing arrives, nobody is told."""
        self.whole = False
        for pair in self.pairs:
            self.swallows.update(pair)

    def freeze(self):
        """As when the far machine has lost its power: nothing is read any more, and nobody is told."""
        self.flows.clear()

    def mend(self):
        self.whole, self.delay = True, lambda: 0
        self.flows.set()

    def close(self):
        self.flows.set()
        self.cut()
        self.listener.close()

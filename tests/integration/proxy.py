"""proxy - a loopback TCP link between two programs that a test can cut, half open (both ways, or one) or freeze.
SPDX-License-Identifier: MIT"""
import socket
import threading
import time

import harness


SIDES = ("near", "far")  # who connected; whom it meant


class Proxy:
    """A loopback TCP link that can be cut: what is on its way is lost, whoever connects is turned away."""

    def __init__(self, endpoint):
        self.target = ("127.0.0.1", int(endpoint.rsplit(":", 1)[1]))
        self.port, self.whole, self.swallows, self.pairs = harness.free_port(), True, set(), []
        self.lock = threading.Lock()  # of whole and pairs: a connection that is being made is cut as well
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
            with self.lock:
                kept = self.whole
                self.pairs += [(near, far)] if kept else []
            if not kept:
                near.close()
                far.close()
                continue
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
                if source not in self.swallows:
                    sink.sendall(carry(data))
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self.lock:
            self.whole, pairs, self.pairs = False, self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def half_open(self):
        """As when a firewall forgets them: connections look open, nothing arrives, nobody is told."""
        with self.lock:
            self.whole = False
            for pair in self.pairs:
                self.swallows.update(pair)

    def one_way(self, dumb):
        """As when a route is lost in one direction: what one side says never arrives, what it is told does."""
        self.whole = False
        self.swallows.update(pair[SIDES.index(dumb)] for pair in self.pairs)

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

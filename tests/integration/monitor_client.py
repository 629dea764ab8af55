"""monitor_client - a monitor of the older hub: python3-websockets, and a socket that says what no library would.
SPDX-License-Identifier: MIT"""
import asyncio
import base64
import json
import os
import socket
import struct
import time

import websockets

import harness

PATIENCE = harness.PATIENCE


class Monitor:
    """One connection; each call runs the loop until it is done, so the test is in charge of what is read."""

    loop, open = asyncio.new_event_loop(), []

    def __init__(self, gateway, name="m", headers=None, receive_buffer=None, **more):
        self.name, self.messages = name, []
        if receive_buffer:  # as little as this waits in the kernel on its behalf
            more["sock"] = socket.socket()
            more["sock"].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            more["sock"].connect(("127.0.0.1", gateway.port))
        scheme, host = ("wss", "localhost") if gateway.tls else ("ws", "127.0.0.1")
        if gateway.tls:
            more["ssl"] = harness.TLS
        async def connect():
            return await websockets.connect(f"{scheme}://{host}:{gateway.port}/api/monitor", max_size=None, ping_interval=None, compression=None,
                                            extra_headers={**gateway.headers, **(headers or {})}, **more)
        self.ws = self.run(connect())
        Monitor.open.append(self)

    @classmethod
    def cut_all(cls):
        """Whoever is left goes without a word."""
        while cls.open:
            monitor = cls.open.pop()
            monitor.ws.transport.abort()
            monitor.run(monitor.ws.wait_closed())

    def run(self, what, deadline=PATIENCE):
        return self.loop.run_until_complete(asyncio.wait_for(what, deadline))

    def tell(self, kind, **more):
        self.run(self.ws.send(json.dumps({"type": kind, "monitor_id": self.name, "timestamp": int(time.time() * 1000), **more})))
        return self

    def next(self, deadline=PATIENCE):
        text = self.run(self.ws.recv(), deadline)
        assert isinstance(text, str)
        self.messages.append(json.loads(text))
        return self.messages[-1]

    def wait(self, condition, what):
        if isinstance(condition, str):
            kind = condition
            condition = lambda message: message["type"] == kind
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            message = self.next(end - time.monotonic())
            if condition(message):
                return message
        raise AssertionError(f"{what}; last: {self.messages[-3:]}")

    def join(self, *topics, **filters):
        """The whole state, and from then on these topics; the state."""
        state = self.tell("monitor_connect", request_full_state=True).next()
        assert state["type"] == "full_state_snapshot", state
        self.subscribe(*topics, **filters)
        return state

    def subscribe(self, *topics, **filters):
        return self.tell("subscribe", topics=list(topics), **({"filters": filters} if filters else {}))

    def ack(self):
        """The answer to a heartbeat: all that was said before has been taken, all before it been read."""
        return self.tell("heartbeat").wait("heartbeat_ack", "the heartbeat's answer")

    def events(self):
        """Events of the log so far, oldest first."""
        return [message for message in self.messages if "event_id" in message]

    def until(self, event_id):
        """Reads until the monitor has all up to this id."""
        seq = int(event_id.split("-")[1])
        harness.wait_until(lambda: int(self.ack()["last_event_id"].split("-")[1]) >= seq, f"all up to {event_id}")
        return self.events()

    def ended(self):
        """(code, reason) of the close."""
        try:
            while True:
                self.next()
        except websockets.ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (None, "")

    def close(self):
        self.run(self.ws.close())
        return self.ws.close_code


def frame(first, payload=b"", mask=b"\1\2\3\4", size=None):
    """One frame as a client makes it; mask None: not masked; size: what its head says in place of the truth."""
    size = len(payload) if size is None else size
    bit = 0x80 if mask is not None else 0
    head = bytes([first, bit | size]) if size < 126 else bytes([first, bit | 126]) + struct.pack(">H", size) if size < 65536 \
        else bytes([first, bit | 127]) + struct.pack(">Q", size)
    return head + (mask or b"") + (payload if mask is None else bytes(c ^ mask[i % 4] for i, c in enumerate(payload)))


class RawMonitor:
    def __init__(self, port, headers=(), key=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.pending = b""
        key = key or base64.b64encode(os.urandom(16)).decode()
        self.status, self.head = self.ask("GET /api/monitor HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
                                          f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers)

    def ask(self, *lines):
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.pending:
            chunk = self.socket.recv(65536)
            assert chunk, self.pending
            self.pending += chunk
        head, _, self.pending = self.pending.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        return int(first.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in rest)}

    def send(self, *frames):
        try:
            self.socket.sendall(b"".join(frames))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has been closed in the middle; what was said before that can still be read
        return self

    def read(self, size):
        while len(self.pending) < size:
            chunk = self.socket.recv(65536)
            if not chunk:
                return None
            self.pending += chunk
        out, self.pending = self.pending[:size], self.pending[size:]
        return out

    def next(self):
        """(opcode, payload) of a frame; None at the end."""
        head = self.read(2)
        if head is None:
            return None
        assert head[0] & 0xf0 == 0x80 and head[1] < 128, head
        size = head[1]
        if size > 125:
            size = int.from_bytes(self.read(2 if size == 126 else 8), "big")
        return head[0] & 0xf, self.read(size)

    def ended(self):
        """The close's code; None: it ended without one."""
        while (got := self.next()) is not None:
            if got[0] == 8:
                return int.from_bytes(got[1][:2], "big") if got[1] else 1005
        return None

"""middle - a web proxy before a gateway, with the faults that such have.

It carries one request a connection. `mode` says what becomes of those to come and of those under way:
pass; down (502 for everybody, open streams are cut); hold (of streams, gives on what has come each `hold_seconds` only).
Of streams alone, `change(bytes)` is given what goes by and returns what goes on now (it may lie, keep or raise OSError), `head(lines)` what
stands before it; nothing is compressed, so that it can be read, unless `coding` says how.
`answers` has what each path was answered, head and all, as often as it was; a stream's is not kept.
SPDX-License-Identifier: MIT"""
import re
import socket
import threading
import time

import harness


class Lie:
    """A change: one text for another in all that a stream brings, until it brings a state anew."""

    def __init__(self, true, false):
        self.true, self.false, self.told, self.over = true, false, 0, False

    def __call__(self, data):
        self.over |= bool(self.told) and b"event: system.state.begin" in data
        if self.over or self.true not in data:
            return data
        self.told += 1
        return data.replace(self.true, self.false)


class Middle:
    def __init__(self, gateway, change=None, head=None, coding="identity"):
        self.answers, self.coding = [], coding
        self.target = ("127.0.0.1", gateway.port)
        self.mode, self.hold_seconds, self.change, self.head, self.refused = "pass", 1.0, change, head, 0
        self.listener = socket.create_server(("127.0.0.1", harness.free_port()))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.ends = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def refuse(self, near):
        self.refused += 1
        near.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbad")

    def carry(self, near):
        far = None
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                more = near.recv(65536)
                if not more:
                    return
                head += more
            if self.mode == "down":
                self.refuse(near)
                return
            head = re.sub(rb"(?i)\r\n(accept-encoding|connection):[^\r]*", b"", head)
            head = head.replace(b"\r\n", b"\r\nConnection: close\r\nAccept-Encoding: %s\r\n" % self.coding.encode(), 1)
            try:
                far = socket.create_connection(self.target, timeout=harness.PATIENCE)
            except OSError:
                self.refuse(near)
                return
            far.settimeout(None)
            self.ends |= {near, far}
            far.sendall(head)
            stream = head.startswith(b"GET /api/events/stream")
            answer = bytearray()
            if not stream:
                self.answers.append((head.split(b" ")[1].decode(), answer))
            threading.Thread(target=self.watch, args=(near, far), daemon=True).start()
            data = self.answer_head(far) if stream and self.head else far.recv(65536)
            while data:
                if stream and self.mode == "hold":
                    data = self.gather(far, data)
                if not stream:
                    answer += data
                near.sendall(self.change(data) if stream and self.change else data)
                data = far.recv(65536)
        except OSError:
            pass
        finally:
            for end in (near, far):
                if end:
                    self.ends.discard(end)
                    self.shut(end)  #  a thread that still reads it would keep it open
                    end.close()

    def answer_head(self, far):
        answer = b""
        while b"\r\n\r\n" not in answer:
            if not (more := far.recv(65536)):
                return answer
            answer += more
        top, _, rest = answer.partition(b"\r\n\r\n")
        return b"\r\n".join(self.head(top.split(b"\r\n"))) + b"\r\n\r\n" + rest

    def gather(self, far, data):
        end = time.monotonic() + self.hold_seconds
        far.settimeout(0.05)
        while (left := end - time.monotonic()) > 0:
            try:
                data += far.recv(65536)
            except TimeoutError:
                time.sleep(min(left, 0.05))
        far.settimeout(None)
        return data

    def watch(self, near, far):
        """What the browser has left is no stream any more."""
        try:
            while data := near.recv(65536):
                far.sendall(data)
            far.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    @staticmethod
    def shut(end):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def down(self):
        self.mode = "down"
        for end in list(self.ends):
            self.shut(end)

    def close(self):
        self.down()
        self.listener.close()

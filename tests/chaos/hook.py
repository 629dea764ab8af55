"""hook - who is told of alerts over HTTP, and does not always listen.
SPDX-License-Identifier: MIT"""
import http.server
import threading
import time

import harness

SLOW_SECONDS = 1.5


class Request(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        kind, identity = self.server.hook.kind, self.headers["webhook-id"]
        self.rfile.read(int(self.headers["content-length"]))
        if kind in (None, "slow", "cut"):  # it has it by then, whatever becomes of the answer
            self.server.hook.told.append(identity)
        if kind == "cut":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 2")
            return
        if kind == "slow":
            time.sleep(SLOW_SECONDS)
        self.send_response({"error500": 500, "throttle": 429, "html": 302}.get(kind, 204))
        if kind == "throttle":
            self.send_header("Retry-After", "1")
        if kind == "html":
            self.send_header("Location", "http://127.0.0.1:1/login")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # who asked was killed


class Hook:
    """told: the ids it has taken, some of them twice when it could not say so."""

    KINDS = ("error500", "throttle", "html", "slow", "cut")

    def __init__(self):
        self.kind, self.told = None, []
        self.server = Server(("127.0.0.1", harness.free_port()), Request)
        self.server.hook = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/alerts"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

"""nginx - Debian's nginx as a server of TLS, HTTP/2 and HTTP/1.1 before another one. SPDX-License-Identifier: MIT"""
import collections
import json
import shutil
import subprocess

import pytest

import harness
from harness import wait_until

PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CONFIGURATION = """daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log info;
events {{ worker_connections 512; }}
http {{
  log_format line escape=json '{{"version":"$server_protocol","connection":$connection,"requests":$connection_requests,"status":$status,"path":"$uri"}}';
  access_log {folder}/nginx-access.log line;
  map $http_upgrade $wanted {{ default upgrade; '' ''; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; client_body_buffer_size 1m;
  server {{
    listen 127.0.0.1:{port} ssl{http2}; ssl_certificate {pair.certificate}; ssl_certificate_key {pair.key};
    keepalive_requests {keepalive_requests};
    location / {{ proxy_pass {to}; proxy_set_header Host $http_host; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $wanted; }}
  }}
}}
"""
PROBE = "/is-it-there"
Seen = collections.namedtuple("Seen", "version connection requests status path")


class Nginx:
    """What it was asked it says itself: its log is the judge of versions and connections."""

    def __init__(self, folder, pair, to, http2=True, keepalive_requests=10000):
        if not PROGRAM:
            pytest.skip("there is no nginx here: apt-get install nginx-light")
        self.name, self.folder, self.port = "nginx", folder / "nginx", harness.free_port()
        self.folder.mkdir()
        configuration = self.folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=self.folder, port=self.port, pair=pair, to=to, keepalive_requests=keepalive_requests,
                                                      http2=" http2" if http2 else ""))
        self.url = f"https://localhost:{self.port}"
        self.process = subprocess.Popen([PROGRAM, "-e", self.folder / "nginx-error.log", "-p", self.folder, "-c", configuration])
        wait_until(self.answers, "nginx answers")

    def answers(self):
        assert self.process.poll() is None, self.log
        try:
            return harness.http(self.url + PROBE, timeout=5)[0] > 0
        except OSError:
            return False

    @property
    def log(self):
        return (self.folder / "nginx-error.log").read_text()

    def seen(self):
        lines = (self.folder / "nginx-access.log").read_text().splitlines(keepends=True)
        return [seen for line in lines if line.endswith("\n") and (seen := Seen(**json.loads(line))).path != PROBE]

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        self.process.terminate()
        return self.process.wait(harness.PATIENCE)

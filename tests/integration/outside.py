"""outside - a publisher that knows nothing of cmlwatch but common/README.md: pyzmq and json.
SPDX-License-Identifier: MIT"""
import datetime
import json
import secrets

import zmq


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Publisher:
    def __init__(self, endpoint, source):
        self.socket = zmq.Context.instance().socket(zmq.XPUB)  # a PUB that hears who subscribes
        self.socket.linger = 1000
        self.socket.sndhwm = 0  # a PUB drops what is beyond it; nobody here would say it again
        self.socket.connect(endpoint)
        self.source, self.epoch, self.sequence = source, secrets.token_hex(4), 0

    def joined(self):
        """Waits until somebody hears it; what it says before that is dropped."""
        from harness import PATIENCE
        assert self.socket.poll(PATIENCE * 1000), "nobody subscribes"
        self.socket.recv()
        return self

    def envelope(self, kind, subject, data, **changes):
        self.sequence += 1
        number = f"{self.sequence:012d}"
        event = {"specversion": "1.0", "type": kind, "source": self.source, "id": f"{self.epoch}-{number}",
                 "subject": subject, "time": now(), "datacontenttype": "application/json",
                 "sequence": number, "data": data}
        event.update(changes)
        return event

    def publish(self, kind, subject, data, **changes):
        event = self.envelope(kind, subject, data, **changes)
        region, _, key = subject.partition("/")
        self.send([f"{kind}|{region}|{key}".encode(), json.dumps(event).encode()])
        return event

    def send(self, frames):
        self.socket.send_multipart(frames)

    def instance(self, region, instance_id, **data):
        data = {"instance_id": instance_id, "region": region, "name": instance_id, "state": "running",
                "instance_type": "m5zn.metal", **data}
        return self.publish("instance.observed", f"{region}/{instance_id}", data)

    def until_heard(self, gateway, region, instance_id, **data):
        """PUB drops what it sends before the other side has joined: say it until it shows."""
        from harness import wait_until

        def shown():
            self.instance(region, instance_id, **data)
            return gateway.worker(instance_id)
        return wait_until(shown, f"{instance_id} shows")

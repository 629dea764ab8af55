"""picture - what a client of the stream knows, and the digest by which it proves it.

Written from common/digest.h alone, so it is a second opinion on the gateway's arithmetic.
SPDX-License-Identifier: MIT"""


def fnv_1a(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return value


def digest_of(snapshot):
    """Of the text of a snapshot, as it stands in an event's data."""
    if '"status":"terminated"' in snapshot.split('"ami_id"')[0]:
        return 0
    return fnv_1a(snapshot[:snapshot.rindex(',"ec2_freshness":')].encode())


class Picture:
    """The last snapshot of each worker, as its text."""

    def __init__(self):
        self.workers, self.taking = {}, None

    def take(self, event):
        if event.type == "system.state.begin":
            self.taking = {}
        elif event.type == "system.state.end":
            self.workers, self.taking = self.taking, None
        elif event.type == "worker.snapshot":
            text = event.raw[event.raw.index('"data":') + len('"data":'):-1]
            (self.workers if self.taking is None else self.taking)[event.data["worker_id"]] = text

    def digest(self):
        return f"{sum(map(digest_of, self.workers.values())) & 0xffffffffffffffff:016x}"

"""/ws/ui of the simulated CMLs, seen by a client that is not ours (python3-websockets).
SPDX-License-Identifier: MIT"""
import asyncio
import json

import pytest
import websockets

import harness
from harness import PATIENCE
from proxy import Proxy

OLD_IMAGE = "ami-07d4be19c6a2f8053"


@pytest.fixture
def sim(start):
    return start(harness.Simulator, "--push-stats-ms", 100, instances=6)


@pytest.fixture
def cml(sim):
    return next(i for i in sim.instances() if i["state"] == "running" and i["image_id"] != OLD_IMAGE)


def connect(sim, cml):
    return websockets.connect(f"wss://{cml['public_ip']}:{sim.cml_port}/ws/ui", ssl=harness.TLS, max_size=1 << 20)


def token(sim, cml):
    status, _, body = harness.http(f"https://{cml['public_ip']}:{sim.cml_port}/api/v0/authenticate", "POST",
                                   {"username": "cmlwatch", "password": "cmlwatch-demo"})
    assert status == 200
    return json.loads(body)


async def wait_for(socket, **members):
    """The first message with these members."""
    while True:
        message = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
        if all(message.get(key) == value for key, value in members.items()):
            return message


def run(sim, cml, what, say=None):
    async def main():
        async with connect(sim, cml) as socket:
            await socket.send(json.dumps({"token": token(sim, cml) if say is None else say}))
            return await what(socket)
    return asyncio.run(main())


def test_load_is_the_answer_of_rest(sim, cml):
    stats = run(sim, cml, lambda socket: wait_for(socket, event_type="system_stats"))

    assert set(stats["data"]) == {"computes", "all", "controller"}


class Records(Proxy):
    """Counts TLS records and their bytes (RFC 8446 section 5.1) from the CML."""

    def __init__(self, cml, port):
        super().__init__(f"tcp://{cml['public_ip']}:{port}")
        self.target, self.records = (cml["public_ip"], port), []

    def carry(self, source):
        held = bytearray()

        def count(data):
            if source.getpeername() == self.target:
                held.extend(data)
                while len(held) >= 5 and len(held) >= (size := 5 + int.from_bytes(held[3:5], "big")):
                    self.records.append(size)
                    del held[:size]
            return data
        return count


def test_message_is_not_cut_into_small_records(sim, cml):
    """Who listens reads as often as there are records: four bytes in each, and it does little else."""
    link = Records(cml, sim.cml_port)

    async def listen():
        async with websockets.connect(f"wss://127.0.0.1:{link.port}/ws/ui", ssl=harness.TLS) as socket:
            await socket.send(json.dumps({"token": token(sim, cml)}))
            for _ in range(5):
                await wait_for(socket, event_type="system_stats")
    asyncio.run(listen())
    link.close()

    assert sum(link.records) / len(link.records) > 100


def test_change_of_a_lab_and_its_nodes_is_pushed(sim, cml):
    async def change(socket):
        await wait_for(socket, event_type="system_stats")
        sim.control("labs", {"instance": cml["instance_id"], "lab": "rip", "state": "STARTED"})
        lab = await wait_for(socket, event_type="lab_event", event="created")
        await wait_for(socket, event_type="lab_event", event="state", lab_id=lab["lab_id"])
        sim.control("labs", {"instance": cml["instance_id"], "lab": "rip", "state": "STOPPED"})
        return await wait_for(socket, event_type="state_change", element_type="node", lab_id=lab["lab_id"])

    assert run(sim, cml, change)["event"] == "STOPPED"


def test_message_of_the_control_arrives_as_it_is(sim, cml):
    message = {"event_type": "state_change", "element_type": "node", "stamp": 12345, "element_id": "n1"}

    async def push(socket):
        await wait_for(socket, event_type="system_stats")
        answer = sim.control("push", {"instance": cml["instance_id"], "message": message})
        assert answer["listeners"] == 1 and answer["at_us"] > 0
        return await wait_for(socket, stamp=12345)

    assert run(sim, cml, push) == message


def test_ping_is_answered(sim, cml):
    async def ping(socket):
        await asyncio.wait_for(await socket.ping(), PATIENCE)

    run(sim, cml, ping)


def test_fragments_are_put_together_by_others_too(sim, cml):
    sim.fault(api="/ws/ui", kind="push_fragment", for_ms=60000)

    assert run(sim, cml, lambda socket: wait_for(socket, event_type="system_stats"))["data"]


@pytest.mark.parametrize("kind, sent, received", [
    ("push_garbage", 1002, None), ("push_huge", 1009, None), ("push_refuse", 3000, 3000), ("push_cut", None, None),
])
def test_fault_is_what_it_says(sim, cml, kind, sent, received):
    sim.fault(api="/ws/ui", kind=kind, count=1)

    with pytest.raises(websockets.ConnectionClosedError) as caught:
        run(sim, cml, lambda socket: wait_for(socket, event_type="system_stats"))

    assert (caught.value.sent.code if caught.value.sent else None) == sent
    assert (caught.value.rcvd.code if caught.value.rcvd else None) == received


def test_wrong_token_is_closed_with_3000(sim, cml):
    with pytest.raises(websockets.ConnectionClosedError) as caught:
        run(sim, cml, lambda socket: wait_for(socket, event_type="system_stats"), say="nonsense")

    assert caught.value.rcvd.code == 3000


def test_older_version_has_no_such_path(sim):
    old = next(i for i in sim.instances() if i["state"] == "running" and i["image_id"] == OLD_IMAGE)

    with pytest.raises(websockets.InvalidStatusCode) as caught:
        run(sim, old, lambda socket: None)

    assert caught.value.status_code == 404

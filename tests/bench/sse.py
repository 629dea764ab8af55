"""sse.py - the gateway beside nginx with nchan and a bare epoll broadcaster; and the whole way, from a collector to a client.

Servers are pinned to one core, readers to another; the systems take turns (A B C, A B C). Parts of bench.py.
SPDX-License-Identifier: MIT"""
import resource
import time

import harness
import polling
from sizes import CLIENTS, FEW, NCHAN_ROUNDS, QUICK, ROUNDS, SECONDS
from systems import Bare, Chain, Gateway, Nchan, stretch

CLOSED = (1, 8, 64)
PACKED_CLIENTS = 1000  # each unpacks what it gets
WAY_CLIENTS = 1000
WAY_RATE = 400         # to one client
WAY_ROUNDS = FEW
STOPPED = (("stopped_5_percent", CLIENTS - CLIENTS // 20, CLIENTS // 20, 10), ("stopped_200", 500, 200, 100))
FILL = 1000            # events, more than a stopped reader's buffers and the server's for it hold
SETTLE = 0.5           # seconds, before memory is read


def fanout(folder, table):
    with Gateway(folder) as gateway, Bare(folder) as bare, Nchan(folder) as nchan:
        systems = (gateway, bare, nchan)
        for system in systems:
            system.say("clients", CLIENTS)

        def turn(name, those, *words):
            for system in those if table.wants(name) else ():
                stretch(table[name], system.name, system, systems, *words)

        for number in range(ROUNDS):
            few = systems if number < NCHAN_ROUNDS else (gateway, bare)
            for depth in CLOSED:
                turn(f"closed_{depth}", few, "closed", depth, SECONDS)
            turn("open_5", few if number < FEW else (), "open", 5, 4 * SECONDS)
            turn("open_20", few, "open", 20, 2 * SECONDS)
            turn("open_500", (gateway, bare), "open", 500, 2 * SECONDS)  # nchan carries a tenth of it


def memory(folder, table):
    """Resident memory of the server for each idle client, new processes, growing."""
    most = 500 if QUICK else resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500
    sizes = [count for count in (1000, 5000, 10000) if table.wants(f"memory_{count}") and count <= max(most, 1000)]
    for kind in (Gateway, Nchan, Bare):
        with kind(folder) as system:
            system.say("clients", 10)
            before = system.resident_kib()
            for count in sizes:
                system.say("clients", count)
                time.sleep(SETTLE)
                table[f"memory_{count}"].add(system.name, {"kib_each": (system.resident_kib() - before) / (count - 10)})


def fill(system, count):
    """So many readers that stop, told more than fits between them and the server."""
    system.say("stopped", count)
    system.say("tell", FILL, 64)
    if system.name == "gateway":
        behind = harness.metric(f"http://127.0.0.1:{system.port}", "cmlwatch_gateway_clients_behind")
        assert behind == count, f"{count} readers stopped, and {behind} are behind"


def stopped(folder, table):
    for name, live, still, rate in STOPPED:
        if not table.wants(name):
            continue
        with Gateway(folder, "--stall-timeout-seconds", 3600) as gateway, Bare(folder) as bare:
            for system in (gateway, bare):
                system.say("clients", live)
            for _ in range(ROUNDS):
                stretch(table[name], "without", gateway, (gateway, bare), "open", rate, 2 * SECONDS)
                for system in (gateway, bare):
                    fill(system, still)
                    stretch(table[name], system.name, system, (gateway, bare), "open", rate, 2 * SECONDS)
                    system.say("stopped", 0)


def packed(folder, table):
    (folder / "plain").mkdir()
    with Gateway(folder, packed=True) as gateway, Gateway(folder / "plain") as plain:
        for system in (gateway, plain):
            system.say("clients", PACKED_CLIENTS)
            system.say("open", 50, 1.5)  # until all share the packer's context
        for _ in range(FEW):
            stretch(table["gzip"], "gateway", gateway, (gateway, plain), "open", 50, 2 * SECONDS)
            stretch(table["gzip"], "plain", plain, (gateway, plain), "open", 50, 2 * SECONDS)


def against_polling(folder, table):
    counts, by_type = polling.measure(folder, 60 if QUICK else polling.WATCHED_SECONDS)
    for who, bytes_second in counts.items():
        table["stream"].add(who, {"bytes_second": bytes_second})
    print("bench: stream: bytes a second by type:", by_type, flush=True)


def way(folder, table):
    """Through aggregator, store and gateway, all on one core; the bare broadcaster and nchan are told directly."""
    with Chain(folder) as chain, Bare(folder) as bare, Nchan(folder) as nchan:
        systems = (chain, bare, nchan)
        for name, clients, those, words in (("way_1", 1, (chain, bare), ("open", WAY_RATE, 4 * SECONDS)),
                                            ("way_1000", WAY_CLIENTS, systems, ("open", 20, 4 * SECONDS))):
            if table.wants(name):
                for system in those:
                    system.say("clients", clients)
                for _ in range(WAY_ROUNDS):
                    for system in those:
                        stretch(table[name], system.name, system, systems, *words)


PARTS = {"fanout": fanout, "memory": memory, "stopped": stopped, "gzip": packed, "polling": against_polling, "way": way}

"""The bus with keys: made by pyzmq, which reads and writes the same files; who may enter, who may do what,
and keys that are changed while all goes on.
SPDX-License-Identifier: MIT"""
import json
import shutil
import subprocess
import time

import pytest
import zmq
import zmq.auth

import harness
import outside
from harness import metric, wait_until
from keys import Keys, locked, socket


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path)


def ask(dealer, operation, patience=harness.PATIENCE, **question):
    dealer.send_multipart([b"request", operation.encode(), b"1", json.dumps(question).encode()])
    if not dealer.poll(int(patience * 1000)):
        return None
    return json.loads(dealer.recv_multipart()[3])


@pytest.fixture
def aggregator(start, bus, keys):
    return start(harness.Aggregator, bus, *locked(keys))


def test_whole_stack_runs_with_keys_and_says_so(start, tmp_path, keys, bus, sim, aggregator):
    for name, role in (("gateway", "gateway"), ("ec2", "collector")):
        keys.make(name, role)
    gateway = start(harness.Gateway, bus, *keys.arguments("gateway"))
    collector = start(harness.Collector, "ec2", bus, *keys.arguments("ec2"), environment=sim.environment())
    wait_until(lambda: len(gateway.workers()) == 6, "all workers show")

    for where, role in (("ingest", "collector"), ("control", "collector"), ("control", "gateway"), ("feed", "gateway")):
        assert metric(aggregator.url, "cmlwatch_bus_callers_total", socket=where, role=role, outcome="accepted") >= 1
    wait_until(lambda: metric(collector.url, "cmlwatch_bus_handshakes_total", outcome="succeeded") == 3, "ingest, its lease, its jobs")
    assert gateway.ask(f"/api/workers/{gateway.workers()[0]['worker_id']}/labs")[0] == 200


def test_who_is_not_in_the_list_is_not_heard_until_it_is(start, keys, bus, aggregator):
    keys.make("gateway", "gateway")
    gateway = start(harness.Gateway, bus, *keys.arguments("gateway"))
    keys.make("stranger", None)
    stranger = outside.Publisher(bus.ingest, "/collector/ec2/stranger")
    stranger.socket.close()
    stranger.socket = socket(keys, zmq.PUB, bus.ingest, "stranger")

    wait_until(lambda: metric(aggregator.url, "cmlwatch_bus_callers_total", socket="ingest", role="none", outcome="refused"),
               "it was refused")
    stranger.instance("us-east-1", "i-0stranger")
    aggregator.wait_log("somebody is not let in on the bus")
    assert keys.public("stranger") in aggregator.log, "the key is named, so that an operator may add it"
    assert gateway.workers() == []

    keys.allow("stranger", "collector")
    stranger.socket.close()  # libzmq gives up for good what was refused
    stranger.socket = socket(keys, zmq.PUB, bus.ingest, "stranger")
    stranger.until_heard(gateway, "us-east-1", "i-0stranger")


def test_without_keys_nobody_is_heard(keys, bus, aggregator):
    plain = zmq.Context.instance().socket(zmq.DEALER)
    plain.linger = 0
    plain.connect(bus.control)
    assert ask(plain, "state", patience=2) is None

    ear = zmq.Context.instance().socket(zmq.SUB)
    ear.subscribe(b"")
    ear.connect(bus.feed)
    assert not ear.poll(2000), "not even a tick"


@pytest.mark.parametrize("role,may,may_not", [
    ("collector", ["lease"], ["state", "command", "alerts", "acknowledge", "events"]),
    ("gateway", ["state", "events", "alerts"], ["lease"]),
    ("operator", ["state", "alerts"], ["lease"])])
def test_role_decides_what_is_answered(keys, bus, aggregator, role, may, may_not):
    keys.make("somebody", role)
    dealer = socket(keys, zmq.DEALER, bus.control, "somebody")

    for operation in may:
        assert "error" not in ask(dealer, operation, collector_id="/collector/ec2/x", kind="ec2")
    for operation in may_not:
        assert ask(dealer, operation, collector_id="/collector/ec2/x", kind="ec2")["error"]["code"] == "forbidden"


def test_role_decides_which_sockets_are_open(keys, bus, aggregator):
    for role in ("collector", "gateway", "operator"):
        keys.make(role, role)
    for role, where, endpoint, kind in (("gateway", "ingest", bus.ingest, zmq.PUB), ("collector", "feed", bus.feed, zmq.SUB),
                                        ("operator", "ingest", bus.ingest, zmq.PUB), ("operator", "feed", bus.feed, zmq.SUB)):
        it = socket(keys, kind, endpoint, role)
        wait_until(lambda: metric(aggregator.url, "cmlwatch_bus_callers_total", socket=where, role=role, outcome="refused"),
                   f"{role} is refused on {where}")
        it.close()


def test_key_of_a_client_is_changed_while_all_goes_on(start, keys, bus, aggregator):
    keys.make("gateway-1", "gateway")
    old = start(harness.Gateway, bus, *keys.arguments("gateway-1"))
    keys.make("gateway-2", "gateway")
    new = start(harness.Gateway, bus, *keys.arguments("gateway-2"))
    (keys.allowed / "gateway-1.key").unlink()

    keys.make("ec2", "collector")
    publisher = outside.Publisher(bus.ingest, "/collector/ec2/one")
    publisher.socket.close()
    publisher.socket = socket(keys, zmq.PUB, bus.ingest, "ec2")
    publisher.until_heard(new, "us-east-1", "i-0one")
    wait_until(lambda: old.worker("i-0one"), "one that is connected stays so")
    old.stop()
    again = start(harness.Gateway, bus, *keys.arguments("gateway-1"), wait=False)
    again.wait_log("does not let this process in")
    assert again.ask("/readyz")[0] == 503
    keys.allow("gateway-1", "gateway")
    harness.wait_ready(again)


def test_key_of_the_aggregator_is_changed_and_nothing_is_lost(start, tmp_path, keys, bus):
    keys.make("aggregator-2", None)
    keys.make("gateway", "gateway")
    keys.make("ec2", "collector")
    both = ("--curve-server-key", f"{keys.public('aggregator')},{keys.folder / 'aggregator-2.key'}")
    aggregator = start(harness.Aggregator, bus, *locked(keys), "--store", tmp_path / "store")
    gateway = start(harness.Gateway, bus, "--curve-key", keys.folder / "gateway.key", *both)
    publisher = outside.Publisher(bus.ingest, "/collector/ec2/one")
    publisher.socket.close()
    publisher.socket = socket(keys, zmq.PUB, bus.ingest, "ec2")
    publisher.until_heard(gateway, "us-east-1", "i-0one")
    stream = gateway.stream()
    stream.state()

    assert aggregator.stop() == 0
    aggregator = start(harness.Aggregator, bus, "--curve-key", keys.folder / "aggregator-2.key", "--curve-allow", keys.allowed,
                       "--store", tmp_path / "store")
    publisher.socket.close()
    publisher.socket = socket(keys, zmq.PUB, bus.ingest, "ec2", server="aggregator-2")
    publisher.until_heard(gateway, "us-east-1", "i-0two")
    event = stream.wait(lambda e: e.type == "worker.created", "the open stream goes on")
    assert event.data["name"] == "i-0two"
    assert metric(gateway.url, "cmlwatch_bus_handshakes_total", outcome="failed") >= 1


def test_every_key_is_changed_in_turn_and_a_client_misses_nothing(start, bus, sim, tmp_path):
    """As common/README.md says it, with the programs' own keys: a collector's, a gateway's, the aggregator's."""
    made, allowed = tmp_path / "made", tmp_path / "allowed"
    allowed.mkdir()
    made.mkdir()

    def allow(name, role):
        assert keygen(made, "--name", name, "--role", role).returncode == 0
        if role != "aggregator":
            (made / f"{name}.key").rename(allowed / f"{name}.key")

    for name, role in (("hub-1", "aggregator"), ("hub-2", "aggregator"), ("gate-1", "gateway"), ("ec2-1", "collector")):
        allow(name, role)
    both = ("--curve-server-key", f"{made / 'hub-1.key'},{made / 'hub-2.key'}")
    secret = {name: ("--curve-key", made / f"{name}.key_secret") for name in ("hub-1", "hub-2", "gate-1", "gate-2", "ec2-1", "ec2-2")}
    hub = ("--curve-allow", allowed, "--store", tmp_path / "store")
    aggregator = start(harness.Aggregator, bus, *secret["hub-1"], *hub)
    gateway = start(harness.Gateway, bus, *secret["gate-1"], *both)

    def collector(name):
        return start(harness.Collector, "ec2", bus, *secret[name], *both, "--interval-ms", 300, environment=sim.environment(), collector_id=name)
    old = collector("ec2-1")
    wait_until(lambda: len(gateway.workers()) == 6, "all workers show")
    stream = gateway.stream()
    stream.state()
    instance = next(one["instance_id"] for one in sim.instances() if one["state"] == "running")
    events = []

    def change(state):
        """What EC2 says of a worker, until the client hears of it."""
        sim.control(f"instances/{instance}", {"state": state})
        while not (events and events[-1].type == "worker.status.updated" and events[-1].data["new_status"] == state):
            events.append(stream.next())
            assert events[-1] and events[-1].type != "system.reset"

    allow("ec2-2", "collector")
    collector("ec2-2")
    assert old.stop() == 0
    (allowed / "ec2-1.key").unlink()
    change("stopped")

    allow("gate-2", "gateway")
    again = start(harness.Gateway, bus, *secret["gate-2"], *both)
    stream.close()
    stream = again.stream("?heartbeat=1", headers={"Last-Event-ID": [event.id for event in events if event.id][-1]})
    assert gateway.stop() == 0
    (allowed / "gate-1.key").unlink()
    change("running")

    assert aggregator.stop() == 0
    aggregator = start(harness.Aggregator, bus, *secret["hub-2"], *hub)
    change("stopped")

    numbers = [event.sequence for event in events if event.id and event.type not in ("connected", "heartbeat")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "each once, in order"
    assert metric(aggregator.url, "cmlwatch_bus_lost_total") == 0


def test_several_keys_that_are_all_wrong_are_not_tried_without_a_rest(start, bus, keys, aggregator):
    for name in ("gateway", "one", "two"):
        keys.make(name, "gateway")
    gateway = start(harness.Gateway, bus, "--curve-key", keys.folder / "gateway.key", "--curve-server-key",
                    f"{keys.public('one')},{keys.public('two')}", wait=False)
    failed = lambda: metric(gateway.url, "cmlwatch_bus_handshakes_total", outcome="failed")
    wait_until(lambda: "msg=ready" in gateway.log and failed() >= 4, "both keys were tried on both sockets")

    seconds = 3
    before = failed()
    time.sleep(seconds)  # what is counted is how much happens in a time, and less is no failure
    assert failed() - before < 100 * seconds, "libzmq itself tries again some ten times a second"


def put_as_a_cluster_does(folder, files, version):
    """A secret's volume: names are links into a folder that is put in place of the one before at once."""
    (folder / version).mkdir(parents=True)
    for name, text in files.items():
        (folder / version / name).write_text(text)
    (folder / "..new").symlink_to(version)
    (folder / "..new").rename(folder / "..data")
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for old in folder.iterdir():
        if old.is_symlink() and not old.exists() or old.is_dir() and not old.is_symlink() and old.name != version:
            old.unlink() if old.is_symlink() else shutil.rmtree(old)


def test_a_list_that_a_cluster_mounts_is_read_again_when_it_changes(start, keys, bus, tmp_path):
    for name in ("gateway-1", "gateway-2"):
        keys.make(name, "gateway")
    text = {name: (keys.allowed / f"{name}.key").read_text() for name in ("gateway-1", "gateway-2")}
    mounted = tmp_path / "mounted"
    put_as_a_cluster_does(mounted, {"gateway.key": text["gateway-1"]}, "..2026_11_28_1")
    aggregator = start(harness.Aggregator, bus, "--curve-key", keys.folder / "aggregator.key", "--curve-allow", mounted)
    start(harness.Gateway, bus, *keys.arguments("gateway-1"))

    put_as_a_cluster_does(mounted, {"gateway.key": text["gateway-2"]}, "..2026_11_28_2")
    start(harness.Gateway, bus, *keys.arguments("gateway-2"))
    old = start(harness.Gateway, bus, *keys.arguments("gateway-1"), wait=False)

    old.wait_log("does not let this process in")
    #  What it said may have been of the other socket.
    wait_until(lambda: metric(aggregator.url, "cmlwatch_bus_callers_total", socket="feed", role="none", outcome="refused") >= 1, "its feed is refused")


def test_wrong_keys_are_refused_at_the_start(keys, tmp_path):
    keys.make("gateway", "gateway")
    (tmp_path / "nothing").write_text("no keys\n")
    public = keys.public("aggregator")
    secret = keys.folder / "gateway.key"
    (tmp_path / "public").write_bytes(secret.read_bytes())
    rows = [
        ("gateway", ["--curve-key", tmp_path / "missing", "--curve-server-key", public], "cannot be read as keys"),
        ("gateway", ["--curve-key", tmp_path / "nothing", "--curve-server-key", public], "curve_key"),
        ("gateway", ["--curve-key", tmp_path / "public", "--curve-server-key", public], "has no secret key"),
        ("gateway", ["--curve-key", secret], "curve_server_key is not"),
        ("gateway", ["--curve-server-key", public], "curve_key is not"),
        ("gateway", ["--curve-key", secret, "--curve-server-key", "short"], "neither a public key (40 characters)"),
        ("gateway", ["--curve-key", secret, "--curve-server-key", ",".join([public] * 5)], "more than 4 keys"),
        ("aggregator", ["--curve-key", secret], "go together"),
        ("aggregator", ["--curve-allow", tmp_path], "go together"),
        ("aggregator", ["--curve-key", secret, "--curve-allow", tmp_path / "missing"], "is no folder"),
        ("aggregator", ["--ingest", "tcp://0.0.0.0:5571"], "tcp://0.0.0.0:5571 can be reached from other hosts"),
        ("aggregator", ["--feed", "tcp://*:5573"], "say insecure_bus = yes"),
    ]
    for program, arguments, says in rows:
        done = subprocess.run([harness.BUILD / f"cmlwatch-{program}", *map(str, arguments), "--check-config"], capture_output=True, text=True,
                              timeout=harness.PATIENCE)
        assert done.returncode == 2 and says in done.stderr, (arguments, done.stderr)


def test_bus_is_open_to_others_without_keys_only_when_told_so(start, bus):
    bus.ingest = bus.ingest.replace("127.0.0.1", "0.0.0.0")
    aggregator = start(harness.Aggregator, bus, "--insecure-bus", "yes")
    assert aggregator.alive()


def keygen(folder, *arguments):
    return subprocess.run([harness.BUILD / "cmlwatch", "keygen", "--out", folder, *arguments], capture_output=True, text=True, timeout=harness.PATIENCE)


def test_keys_that_the_program_makes_are_good_for_all_and_for_pyzmq(start, bus, tmp_path):
    made, allowed = tmp_path / "made", tmp_path / "allowed"
    made.mkdir()
    allowed.mkdir()
    public = {name: keygen(made, "--name", name, "--role", role).stdout.strip()
              for name, role in (("hub", "aggregator"), ("gate-1", "gateway"), ("host-1", "collector"))}
    for name in ("gate-1", "host-1"):
        (allowed / f"{name}.key").write_bytes((made / f"{name}.key").read_bytes())
        assert (made / f"{name}.key_secret").stat().st_mode & 0o777 == 0o600
        assert zmq.auth.load_certificate(made / f"{name}.key_secret")[0].decode() == public[name]
    start(harness.Aggregator, bus, "--curve-key", made / "hub.key", "--curve-allow", allowed)
    gateway = start(harness.Gateway, bus, "--curve-key", made / "gate-1.key", "--curve-server-key", made / "hub.key")
    publisher = outside.Publisher(bus.ingest, "/collector/ec2/host-1")
    publisher.socket.curve_publickey, publisher.socket.curve_secretkey = zmq.auth.load_certificate(made / "host-1.key_secret")
    publisher.socket.curve_serverkey = public["hub"].encode()
    publisher.socket.disconnect(bus.ingest)
    publisher.socket.connect(bus.ingest)
    publisher.until_heard(gateway, "us-east-1", "i-0one")


def test_keys_are_never_overwritten_and_wrong_words_are_refused(tmp_path):
    assert keygen(tmp_path, "--name", "a").returncode == 0
    before = (tmp_path / "a.key_secret").read_bytes()
    for arguments, code, says in ((["--name", "a"], 1, "is not overwritten"), ([], 2, "wants a name"), (["--name", "../b"], 2, "is no name"),
                                  (["--name", "b", "--role", "king"], 2, "role")):
        done = keygen(tmp_path, *arguments)
        assert done.returncode == code and says in done.stderr, done.stderr
    assert keygen(tmp_path / "missing", "--name", "c").returncode == 1
    assert (tmp_path / "a.key_secret").read_bytes() == before and len(list(tmp_path.iterdir())) == 2

"""schedule - what goes wrong, when and for how long: drawn from a seed, so that it can be drawn again.

FAULTS is the table: a name, how often it is drawn beside the others, what is drawn for it, what begins it and what ends
it. A fault may fall upon another: what is killed may have been stopped, a link that is cut may be late already. So
beginning and ending ask how things are and take nothing for granted.
SPDX-License-Identifier: MIT"""
import collections
import json
import random
import signal

from hook import Hook
from proxy import SIDES, Proxy
from world import BUS_LINKS, CLOCKED, HOSTS, KEYS_SECONDS, LINKS, PROGRAMS, links_of

Fault = collections.namedtuple("Fault", "at seconds name what")
Kind = collections.namedtuple("Kind", "name weight draw begin end concerns")

#  What the simulator can do to an answer; api, kind, and how often at most.
APIS = [(api, kind, 4) for api in ("DescribeInstances", "DescribeInstanceStatus", "GetMetricData", "/system_stats", "/labs", "cml")
        for kind in ("throttle", "error500", "cut", "html", "slow", "unreachable")]
APIS += [("DescribeInstances", "huge", 1), ("GetMetricData", "huge", 1), ("/system_stats", "huge", 1), ("*", "skew", 0),
         ("cml", "wrong_certificate", 0), ("cml", "deny_login", 0), ("cml", "expire_tokens", 0), ("cml", "push_absent", 0),
         ("DescribeInstances", "deny", 0), ("DescribeInstanceStatus", "deny", 0), ("GetMetricData", "deny", 0)]
#  Of who takes its keys from the instance's metadata: whom that answers wrongly, it has none to sign with.
APIS += [("imds", kind, 4) for kind in ("throttle", "error500", "cut", "html", "slow", "unreachable")] + [("imds", "huge", 1)]
APIS += [("/ws/ui", f"push_{kind}", 3) for kind in ("refuse", "garbage", "text", "fragment", "huge", "cut")] + [("/ws/ui", "push_silent", 0)]

OFFSETS = (-3600, -60, -2, 2, 60, 3600)  # seconds


def api_begin(world, seconds, api, kind, count):
    fault = {"api": api, "kind": kind, "delay_ms": 1500}
    world.sim.fault(**fault, **({"count": count} if count else {"for_ms": int(seconds * 1000)}))


def stop(world, victim, number):
    if world.programs[victim].alive():
        world.programs[victim].process.send_signal(number)


def clock(world, victim, offset):
    world.clocks[victim].write_text(f"{offset:+d}")


def late(world, link, most):
    chance = random.Random(most)
    world.links[link].delay = lambda: chance.uniform(0, most)


def part(world, host, how):
    """A machine off the net: all links between its programs and others at once; those among its own stay."""
    for link in links_of(host):
        {"cut": Proxy.cut, "half_open": Proxy.half_open, "freeze": Proxy.freeze}[how](world.links[link])


def join(world, host):
    for link in links_of(host):
        world.links[link].mend()


def power(world, host):
    for victim in HOSTS[host]:
        world.kill(victim)


def light(world, host):
    for victim in HOSTS[host]:
        world.restart(victim)


def expire(world, again):
    """All temporary keys given so far end, and those given from now on hold only so many seconds."""
    world.sim.control("keys", {"expire": True, "seconds": again})


def hook(world, kind):
    world.hook.kind = kind


def of_program(what):
    return {what["victim"]}


def of_host(what):
    return set(HOSTS[what["host"]])


def of_link(what):
    return {what["link"].split(".")[0]}


KINDS = {kind.name: kind for kind in (
    Kind("kill", 10, lambda chance: {"victim": chance.choice(PROGRAMS)},
         lambda world, seconds, victim: world.kill(victim), lambda world, victim: world.restart(victim), of_program),
    Kind("restart", 4, lambda chance: {"victim": chance.choice(PROGRAMS)},
         lambda world, seconds, victim: world.end(victim), lambda world, victim: world.restart(victim), of_program),
    Kind("stop", 7, lambda chance: {"victim": chance.choice(PROGRAMS)},
         lambda world, seconds, victim: stop(world, victim, signal.SIGSTOP),
         lambda world, victim: stop(world, victim, signal.SIGCONT), of_program),
    Kind("cut", 6, lambda chance: {"link": chance.choice(LINKS)},
         lambda world, seconds, link: world.links[link].cut(), lambda world, link: world.links[link].mend(), of_link),
    Kind("half_open", 4, lambda chance: {"link": chance.choice(LINKS)},
         lambda world, seconds, link: world.links[link].half_open(), lambda world, link: world.links[link].mend(), of_link),
    Kind("one_way", 4, lambda chance: {"link": chance.choice(LINKS), "dumb": chance.choice(SIDES)},
         lambda world, seconds, link, dumb: world.links[link].one_way(dumb), lambda world, link, dumb: world.links[link].mend(), of_link),
    Kind("partition", 3, lambda chance: {"host": chance.choice(list(HOSTS)), "how": chance.choice(("cut", "half_open", "freeze"))},
         lambda world, seconds, host, how: part(world, host, how), lambda world, host, how: join(world, host), of_host),
    Kind("power", 2, lambda chance: {"host": chance.choice(list(HOSTS))},
         lambda world, seconds, host: power(world, host), lambda world, host: light(world, host), of_host),
    Kind("freeze", 4, lambda chance: {"link": chance.choice(LINKS)},
         lambda world, seconds, link: world.links[link].freeze(), lambda world, link: world.links[link].mend(), of_link),
    Kind("late", 5, lambda chance: {"link": chance.choice(LINKS), "most": round(chance.uniform(0.02, 0.4), 3)},
         lambda world, seconds, link, most: late(world, link, most), lambda world, link, most: world.links[link].mend(), of_link),
    Kind("messages", 6, lambda chance: {"link": chance.choice(BUS_LINKS), "seed": chance.randrange(1 << 30), "lost": chance.choice((0, 0.05, 0.3)),
                                        "twice": chance.choice((0, 0.1)), "late": chance.choice((0, 0.1, 0.3))},
         lambda world, seconds, link, **what: world.links[link].hurt(**what), lambda world, link, **_: world.links[link].mend(), of_link),
    Kind("hook", 4, lambda chance: {"kind": chance.choice(Hook.KINDS)},
         lambda world, seconds, kind: hook(world, kind), lambda world, kind: hook(world, None), lambda what: set()),
    Kind("clock", 4, lambda chance: {"victim": chance.choice(CLOCKED), "offset": chance.choice(OFFSETS)},
         lambda world, seconds, victim, offset: clock(world, victim, offset),
         lambda world, victim, offset: clock(world, victim, 0), of_program),
    Kind("disk_full", 3, lambda chance: {}, lambda world, seconds: world.fill_disk(), lambda world: world.empty_disk(),
         lambda what: {"aggregator"}),
    Kind("api", 14, lambda chance: dict(zip(("api", "kind", "count"), chance.choice(APIS))),
         api_begin, lambda world, api, kind, count: None, lambda what: set()),
    Kind("expire_keys", 3, lambda chance: {"again": chance.choice((1, KEYS_SECONDS))},
         lambda world, seconds, again: expire(world, again), lambda world, again: expire(world, KEYS_SECONDS), lambda what: set()),
    Kind("garbage", 5, lambda chance: {"seed": chance.randrange(1 << 30), "count": chance.randrange(1, 300)},
         lambda world, seconds, seed, count: world.garbage(seed, count), lambda world, seed, count: None, lambda what: set()),
)}


def draw(seed, seconds):
    """The faults of a seed within so many seconds, the first one first."""
    chance, faults = random.Random(seed), []
    for _ in range(max(3, int(seconds * 0.8))):
        kind = chance.choices(list(KINDS.values()), [kind.weight for kind in KINDS.values()])[0]
        lasts = round(chance.uniform(6, 16) if chance.random() < 0.15 else min(chance.expovariate(1 / 2.0) + 0.05, 6), 2)  # most are short
        at = round(chance.uniform(0, seconds - 1), 2)
        faults.append(Fault(at, round(min(lasts, seconds - at), 2), kind.name, kind.draw(chance)))
    return sorted(faults, key=lambda fault: fault.at)


def told(fault):
    return f"{fault.at:6.2f} s for {fault.seconds:5.2f} s  {fault.name:9} {json.dumps(fault.what)}"

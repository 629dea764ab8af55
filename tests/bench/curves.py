"""curves.py - how everything grows: `make curves` measures, finds each curve's knee, and draws.

    curves.py FOLDER [clients] [rate] [bus] [workers]

FOLDER holds the programs; FOLDER/curves.json keeps the points of each picture that was made, the others stay. The
pictures are docs/curves/*.svg, what they say in figures docs/curves/README.md; PICTURES in the environment names another folder.

    clients   100 → 10,000 readers of one stream: the gateway, the bare broadcaster, nchan
    rate      1 → as many as are carried, to 1,000 readers: the same, and the whole way from a collector
    bus       observations a second through the aggregator, and through raw publish and subscribe
    workers   100 → 10,000 of them: memory, state, restart, observations a second

The rules for knees and ends are knee.py's; sizes and QUICK are sizes.py's. SPDX-License-Identifier: MIT"""
import datetime
import json
import os
import pathlib
import resource
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
os.environ["CMLWATCH_BUILD"] = str(pathlib.Path(sys.argv[1]).resolve())
import chart  # noqa: E402
import fleet as fleets  # noqa: E402
from knee import is_saturated, knee  # noqa: E402
from rows import Row, median  # noqa: E402
from sizes import QUICK, SECONDS  # noqa: E402
from systems import Bare, Bus, Chain, Gateway, Nchan, stretch  # noqa: E402

ROUNDS = 1 if QUICK else 2
CLIENTS = (100, 200, 400) if QUICK else (100, 200, 500, 1000, 2000, 5000, 10000)
WORKERS = (100, 200, 400) if QUICK else (100, 300, 1000, 3000, 10000)
RATES = (1, 10, 100, 1000) if QUICK else (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
BUS_RATES = (100, 1000, 10000) if QUICK else (100, 300, 1000, 3000, 10000, 20000, 30000, 50000, 70000, 100000, 150000, 200000, 300000, 500000)
RATE_CLIENTS = 100 if QUICK else 1000
CALM = 10       # events a second that all can carry
EVENTS = 4      # at least, of a stretch
EDGE = 2        # events that its ends may cut off


class Curves:
    """panel → name → points; a panel has a title and what its axes are."""

    def __init__(self, title, x, **panels):
        self.title, self.x, self.panels = title, x, panels
        self.points, self.saturated = {key: {} for key in panels}, {}

    def add(self, key, name, x, y):
        if y and y > 0:
            self.points[key].setdefault(name, []).append((x, round(y, 4)))

    def as_json(self):
        return {"title": self.title, "panels": [
            {"title": title, "x": self.x, "series": {
                name: {"points": points, "knee": knee(points), "saturated": self.saturated.get(name)}
                for name, points in self.points[key].items()}} for key, title in self.panels.items() if self.points[key]]}


def measured(name, systems, *words):
    """Medians of each system's rounds, in turn."""
    row = Row(name, "", "", "", "all")
    for _ in range(ROUNDS):
        for system in systems:
            stretch(row, system.name, system, systems, *words)
    return {system.name: {measure: median(row.values(system.name, measure)) for measure in ("p99_ms", "per_second", "cpu_share", "told", "events", "seconds")}
            for system in systems}


def clients(folder):
    curves = Curves("Clients of one stream, 100 to 10,000", "clients", p99=f"p99 at {CALM} events/s, ms",
                    rate="delivered a second, 1 in flight", memory="resident memory, MB")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500
    with Gateway(folder) as gateway, Bare(folder) as bare, Nchan(folder) as nchan:
        systems = (gateway, bare, nchan)
        for count in (count for count in CLIENTS if count <= most):
            for system in systems:
                system.say("clients", count)
            calm = measured("calm", systems, "open", CALM, max(2 * SECONDS, EVENTS / CALM))
            closed = measured("closed", systems, "closed", 1, SECONDS)
            for system in systems:
                curves.add("p99", system.name, count, calm[system.name]["p99_ms"])
                curves.add("rate", system.name, count, closed[system.name]["per_second"])
                curves.add("memory", system.name, count, system.resident_kib() / 1024)
    return curves


def grow(curves, systems, rates, fan):
    """Each until it is saturated; fan: deliveries of an event."""
    going = list(systems)
    for rate in rates:
        seen = measured("rate", going, "open", rate, max(2 * SECONDS, EVENTS / rate)) if going else {}
        for system in list(going):
            one = seen[system.name]
            if is_saturated(rate * one["seconds"] - EDGE, min(one["told"], one["events"] / fan)):
                curves.saturated[system.name] = rate
                going.remove(system)
                continue
            curves.add("p99", system.name, rate, one["p99_ms"])
            curves.add("cpu", system.name, rate, 100 * one["cpu_share"])


def rate(folder):
    curves = Curves(f"Events a second to {RATE_CLIENTS:,} clients, until no more are carried", "events a second", p99="p99, ms",
                    cpu="processor, % of a core")
    with Gateway(folder) as gateway, Bare(folder) as bare, Nchan(folder) as nchan, Chain(folder) as chain:
        for system in (gateway, bare, nchan, chain):
            system.say("clients", RATE_CLIENTS)
        grow(curves, (gateway, bare, nchan, chain), RATES, RATE_CLIENTS)
    return curves


def bus(folder):
    curves = Curves("Observations a second through the bus, until no more are carried", "observations a second",
                    p99="p99 from collector to feed, ms", cpu="processor, % of a core")
    with Bus(folder, "aggregator") as ours, Bus(folder, "raw") as raw:
        grow(curves, (ours, raw), BUS_RATES, 1)
    return curves


def workers(folder):
    curves = Curves("Workers, 100 to 10,000", "workers", memory="the aggregator's memory, MB", state="full state to a new client, ms",
                    restart="start until ready, ms", rate="observations a second")
    for count in WORKERS:
        sub = pathlib.Path(folder) / str(count)
        sub.mkdir()
        of_fleet(curves, sub, count)
        with Bus(sub, "aggregator", workers=count) as ours, Bus(sub, "raw", workers=count) as raw:
            for name, one in measured("closed", (ours, raw), "closed", 1000, 2 * SECONDS).items():
                curves.add("rate", name, count, one["per_second"])
    return curves


def of_fleet(curves, folder, count):
    fleet = fleets.Fleet(folder)
    try:
        fleet.grow(count)
        curves.add("memory", "aggregator", count, fleet.memory_mb()["mb"])
        times = fleets.state_times(folder, fleet)
        curves.add("state", "gateway", count, median([stream for stream, _ in times]))
        curves.add("state", "polling", count, median([polled for _, polled in times]))
        restarts = []
        for _ in range(ROUNDS):
            fleet.stop()
            restarts.append(1000 * fleet.start())
        curves.add("restart", "aggregator", count, median(restarts))
    finally:
        fleet.stop()


DRAWN = {"clients": clients, "rate": rate, "bus": bus, "workers": workers}


def in_words(pictures):
    lines = ["# How it grows", "", "Measured and drawn by `make curves`. The knee is the point of a curve that is farthest from the straight line",
             "between its ends, on axes by decades; a curve that nowhere leaves it by 12 % of the picture has none (–). A curve ends at",
             "the first load of which less than 95 % comes through.", ""]
    for name, picture in pictures.items():
        lines += [f"![{picture['title']}]({name}.svg)", "", picture.get("about", ""), "", "| | | from | to | knee | more is not carried from |", "| --- | --- | ---: | ---: | ---: | ---: |"]
        for panel in picture["panels"]:
            for who, series in panel["series"].items():
                (x0, y0), (x1, y1), bend = series["points"][0], series["points"][-1], series["knee"]
                lines.append(f"| {panel['title']} | {who} | {y0:,.4g} at {x0:,} | {y1:,.4g} at {x1:,} | "
                             f"{f'{bend[1]:,.4g} at {bend[0]:,}' if bend else '–'} | {series['saturated'] or ''} |")
        lines.append("")
    return "\n".join(lines)


def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kept, drawn = pathlib.Path(sys.argv[1]) / ("curves-quick.json" if QUICK else "curves.json"), pathlib.Path(os.environ.get("PICTURES") or HERE.parents[1] / "docs/curves")
    known = json.loads(kept.read_text()) if kept.exists() else {}
    drawn.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or DRAWN:
        began, load = time.monotonic(), os.getloadavg()[0]
        with tempfile.TemporaryDirectory(prefix="cmlwatch-curves-") as folder:
            known[name] = DRAWN[name](folder).as_json()
        known[name]["about"] = f"{datetime.date.today()}, {os.cpu_count()} cores, load {load:.1f} at the start"
        print(f"curves: {name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    pictures = {name: known[name] for name in DRAWN if name in known}
    kept.write_text(json.dumps(pictures, indent=1) + "\n")
    for name, picture in pictures.items():
        (drawn / f"{name}.svg").write_text(chart.svg(picture["title"], picture["panels"], 3 if len(picture["panels"]) == 3 else 2))
    (drawn / "README.md").write_text(in_words(pictures))
    print((drawn / "README.md").read_text())


if __name__ == "__main__":
    main()

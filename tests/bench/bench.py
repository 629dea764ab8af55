"""bench.py - every row of the benchmarks in one run, beside peers and limits: `make bench`.

    bench.py FOLDER [ROW or PART…]

FOLDER holds the programs. What the rows are: catalogue.py; how they are told and judged: rows.py; what is to be reached:
floors.json; how much is measured: sizes.py. At the end one table, FOLDER/bench.json with all that was measured
(bench-part.json, of a part or a quick run), and each floor with what was reached when it is missed; exit code 1 when one is, or when a part could not be measured.
`others` in the JSON is the part of the processors that other programs took meanwhile: if it is not near 0, believe little.
SPDX-License-Identifier: MIT"""
import datetime
import json
import os
import pathlib
import platform
import resource
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
os.environ["CMLWATCH_BUILD"] = str(pathlib.Path(sys.argv[1]).resolve())
import bus  # noqa: E402
import catalogue  # noqa: E402
import fleet  # noqa: E402
import rows as told  # noqa: E402
import scripts  # noqa: E402
import sizes  # noqa: E402
import sse  # noqa: E402

PARTS = {**sse.PARTS, **bus.PARTS, **fleet.PARTS, **scripts.PARTS}


def machine():
    model = next((line.partition(": ")[2] for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "processor": model,
            "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(), "load": os.getloadavg()[0], "quick": sizes.QUICK}


def measure(table):
    """The names of the parts that could not be measured; the others go on."""
    broken = []
    for part in table.parts():
        began = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="cmlwatch-bench-") as folder:
                PARTS[part](pathlib.Path(folder), table)
        except Exception:
            traceback.print_exc()
            broken.append(part)
        print(f"bench: {part}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return broken


def again(table, floors):
    """Rows whose rounds do not say yet on which side of a floor they are get as many rounds more, pass or not."""
    broken = []
    for _ in range(sizes.AGAIN):
        doubtful = [row for row in table.rows if row.part not in broken and
                    any(floor["row"] == row.name and not floor.get("aim") and told.unsure(floor, row) for floor in floors)]
        if not doubtful:
            break
        print(f"bench: again: {' '.join(row.name for row in doubtful)}", file=sys.stderr, flush=True)
        for row in doubtful:
            row.even()
        broken += measure(catalogue.Table(rows=doubtful))
    return broken


def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    table, floors, began = catalogue.Table(sys.argv[2:]), json.loads((HERE / "floors.json").read_text()), time.monotonic()
    wrong = told.faults(floors, {row.name for row in catalogue.all_rows()})
    assert not wrong, wrong
    if sizes.QUICK:
        floors = [{**floor, "aim": True} for floor in floors]
    about = machine()
    broken = measure(table)
    broken += again(table, floors)
    about["seconds"] = round(time.monotonic() - began)
    lines, verdicts = told.lines(table.rows, floors), told.verdicts(table.rows, floors)
    missed = [(floor, row) for floor, row, verdict in verdicts if verdict == "FAIL"]
    print(f"\n{told.text(lines)}\n")
    for floor, row in missed:
        value = told.reached(floor, row)
        others = f"; others took {told.median(row.others):.0%}" if row.others else ""
        print(f"FAIL  {floor['row']} {floor['measure']}{' / ' + floor['against'] if 'against' in floor else ''}: "
              f"{'nothing' if value is None else f'{value:.3g}'}, {told.bound(floor)}{others}")
    result = {"machine": about, "rows": told.as_json(table.rows), "floors": [{**floor, "verdict": verdict} for floor, _, verdict in verdicts]}
    name = "bench-part.json" if sizes.QUICK or sys.argv[2:] else "bench.json"
    (pathlib.Path(sys.argv[1]) / name).write_text(json.dumps(result, indent=1) + "\n")
    print(f"bench: {about['seconds']} s, {len(missed)} floors missed, {len(broken)} parts broken {' '.join(broken)}")
    sys.exit(1 if missed or broken else 0)


if __name__ == "__main__":
    main()

"""chaos.py - the whole stack while everything goes wrong that a seed says: make chaos SEED=7, make chaos SEEDS=20.

    chaos.py FOLDER [--seed N | --seeds N] [--first N] [--seconds S] [--schedule]

FOLDER holds the programs. A seed gives a schedule of faults (schedule.py) and all that who uses the stack does by chance
(world.py); watch.py says what must hold. A seed that fails is told with its schedule; the same seed has the same schedule
again, though a machine is never twice as busy, so what it does to each process may fall a moment earlier or later.
One line of JSON for each seed; code 1 when one has failed.
SPDX-License-Identifier: MIT"""
import argparse
import heapq
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent


def run(folder, seed, seconds):
    """(what went wrong, figures) of one seed."""
    import schedule
    import watch
    import world as worlds
    faults, begun = schedule.draw(seed, seconds), time.monotonic()
    world = worlds.World(folder, seed)
    eyes, figures = watch.Watch(world), {"seed": seed, "faults": len(faults)}
    try:
        world.build()
        world.begin()
        eyes.start()
        hurt(world, eyes, [fault for fault in faults if world.possible(fault)])
        world.mend()
        world.churn.end()
        world.asking.end()
        wrong, events = watch.settle(world, eyes)
        wrong = eyes.faults + wrong + watch.end(world, faults)
        figures.update(events=events, jobs=len(world.asking.known), alerts=len(world.followers[0].alerts), keys=bool(world.keys),
                       said=world.words.publisher.sequence)
    except Exception as error:  # a check that breaks, or a world that does not begin, is a seed that fails, and the others are run
        wrong = [*eyes.faults, *traceback.format_exception(error)[-3:]]
    finally:
        eyes.over.set()
        world.close()
    return wrong, {**figures, "connections": sum(each.connections for each in world.followers), "looks": eyes.looks,
                   "unowned_longest_seconds": round(eyes.longest, 1), "seconds": round(time.monotonic() - begun, 1)}


def hurt(world, eyes, faults):
    """Begins and ends each fault at its time; what is late because the machine is busy comes at once."""
    import schedule
    start, acts = time.monotonic(), []
    for number, fault in enumerate(faults):
        heapq.heappush(acts, (fault.at, 0, number))
        heapq.heappush(acts, (fault.at + fault.seconds, 1, number))
    while acts:
        at, ends, number = heapq.heappop(acts)
        time.sleep(max(0, start + at - time.monotonic()))
        fault = faults[number]
        kind = schedule.KINDS[fault.name]
        if ends:
            kind.end(world, **fault.what)
            eyes.ends(fault)
        else:
            eyes.begins(fault)
            kind.begin(world, fault.seconds, **fault.what)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--schedule", action="store_true", help="print the schedule and end")
    choice = parser.parse_args()
    os.environ["CMLWATCH_BUILD"] = str(choice.folder.resolve())
    sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
    import schedule
    failed = []
    for seed in [choice.seed] if choice.seed is not None else range(choice.first, choice.first + choice.seeds):
        if choice.schedule:
            print(*map(schedule.told, schedule.draw(seed, choice.seconds)), sep="\n")
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
        wrong, figures = run(folder, seed, choice.seconds)
        print(json.dumps({**figures, "wrong": wrong}), flush=True)
        if wrong:
            failed.append(seed)
            print(f"seed {seed} failed; its logs are in {folder}, its schedule:", *map(schedule.told, schedule.draw(seed, choice.seconds)),
                  sep="\n", file=sys.stderr, flush=True)
        else:
            shutil.rmtree(folder)
    if failed:
        print(f"failed: {' '.join(f'SEED={seed}' for seed in failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""scripts.py - parts of bench.py that are programs of their own: each prints a line of JSON, from which rows are taken.

A part is a command, how often it is run, and for each row who reached what: a measure and the path to its figure, with
what it is to be multiplied by. SPDX-License-Identifier: MIT"""
import json
import pathlib
import subprocess
import sys

from sizes import FEW, QUICK, ROUNDS
from systems import PROGRAMS, SERVER_CORE, pinned

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT = 600  # seconds, of one run


def python(name, *arguments):
    return [sys.executable, HERE / f"{name}.py", PROGRAMS, *arguments]


def at(tree, path):
    for step in path.split("."):
        tree = tree[step]
    return float(tree)


def take(table, tree, wanted):
    """wanted: row → who → measure → path, or (path, factor)."""
    for row, those in wanted.items():
        for who, measures in those.items():
            pairs = {measure: path if isinstance(path, tuple) else (path, 1) for measure, path in measures.items()}
            table.get(row).add(who, {measure: at(tree, path) * factor for measure, (path, factor) in pairs.items()})


def run(command, one_core=False):
    """Every line of JSON that it prints; a code other than 0 is said, and what it has measured counts."""
    ended = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, timeout=TIMEOUT,
                           preexec_fn=pinned(SERVER_CORE) if one_core else None)
    lines = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    if ended.returncode != 0:
        print(f"bench: {' '.join(pathlib.Path(str(word)).name for word in command)} ended with {ended.returncode}", file=sys.stderr)
    assert lines, f"{command} measured nothing"
    return lines


def aggregate(folder, table):
    for _ in range(ROUNDS):
        (tree,) = run([PROGRAMS / "bench_aggregate", 1000, 20000 if QUICK else 100000, 1, folder], one_core=True)
        take(table, tree, {"aggregate": {who: {"observations": f"{who}_per_second"} for who in ("domain", "decoded", "told", "whole")}})


def ingest(folder, table):
    for _ in range(FEW):
        (tree,) = run(python("bench_ingest", *((200, 3000) if QUICK else (1000, 100000)), 1))
        most = max(tree["curve"], key=int)
        take(table, tree, {"ingest": {who: {"per_second": f"{of}.per_second", "core_second": f"{of}.per_core_second"}
                                      for who, of in (("aggregator", f"curve.{most}"), ("raw", "relay"))}})


def store(folder, table):
    for _ in range(FEW):
        (tree,) = run([PROGRAMS / "bench_store", folder, 100 if QUICK else 1000, 1000 if QUICK else 10000, 1])
        take(table, tree, {"store": {who: {"us": f"{who}_256.p50_us", "per_second": f"{who}_256.events_per_second"}
                                     for who in ("process", "power")}})


def publish(folder, table):
    for _ in range(FEW):
        (tree,) = run(python("bench_publish", 20 if QUICK else 200, 2))
        take(table, tree, {"publish": {who: {"p50_ms": (f"publish_{who}.p50_us", 0.001), "p99_ms": (f"publish_{who}.p99_us", 0.001)}
                                       for who in ("process", "power")}})


def keys(folder, table):
    for _ in range(FEW):
        (tree,) = run(python("bench_keys", *((20, 1, 1000) if QUICK else (300, 2, 10000))))
        take(table, tree, {"keys": {who: {"p50_ms": (f"bus_{who}.p50_us", 0.001), "p99_ms": (f"bus_{who}.p99_us", 0.001),
                                          "per_second": f"bus_{who}.per_second", "cpu_us": f"bus_{who}.cpu_us"} for who in ("keys", "open")}})


def push(folder, table):
    for _ in range(FEW):
        (tree,) = run(python("bench_push", 20 if QUICK else 300))
        take(table, tree, {"push": {"stream": {"p50_ms": "push_to_stream_ms.p50", "p99_ms": "push_to_stream_ms.p99"}}})


def monitor(folder, table):
    paces = [pace for pace in (10, 1) if table.wants(f"monitor_{pace}")]
    for tree in run(python("bench_monitor", 60 if QUICK else 300, *paces)):
        take(table, tree, {f"monitor_{tree['progress_seconds']}": {
            who: {"bytes_second": f"bytes_second.{who}"} for who in ("stream", "stream_gzip", "status", "polling")}})


def jobs(folder, table):
    few, many = (5, 20) if QUICK else (100, 1000)
    for _ in range(FEW):
        (tree,) = run(python("bench_jobs", few, many))
        for who, count in (("few", few), ("many", many)):
            of = f"jobs.{count}"
            take(table, tree, {"jobs": {who: {"jobs": f"{of}.whole_lives_per_second", "job_cpu_us": f"{of}.aggregator_us_each"}},
                               "jobs_beside": {who: {"p50_ms": f"{of}.beside_ms.p50", "p99_ms": f"{of}.beside_ms.p99"}}})


def job_monitor(folder, table):
    few, many = (5, 20) if QUICK else (100, 1000)
    for _ in range(min(FEW, 2)):
        for tree in run(python("bench_job_monitor", few, many)):
            who = "many" if tree["open"] == many else "few"
            take(table, tree, {"job_monitor": {who: {"p50_ms": "submitted_ms.p50", "p99_ms": "submitted_ms.p99", "whole": "whole"}}})


PARTS = {"aggregate": aggregate, "ingest": ingest, "store": store, "publish": publish, "keys": keys, "push": push, "monitor": monitor, "jobs": jobs,
         "job_monitor": job_monitor}

"""record.py - puts what `make bench` has measured into the documents: `make record`.

    record.py FOLDER

Of FOLDER/bench.json: docs/measured.md, the whole table with the machine it was made on, and in README.md what stands
between the marks, the rows of WANTED. A run in which one of them could not be measured is refused.
SPDX-License-Identifier: MIT"""
import json
import pathlib
import sys

import rows as told

ROOT = pathlib.Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- made by `make record` -->", "<!-- end of what is made by `make record` -->"
#  row → measures
WANTED = {"closed_1": "per_second", "closed_8": "per_second", "closed_64": "per_second", "open_20": "p50_ms p99_ms cpu_us",
          "open_500": "p99_ms missing", "memory_10000": "kib_each", "way_1": "p50_ms p99_ms", "way_1000": "p99_ms", "aggregate": "observations", "ingest": "per_second core_second",
          "bus_1000": "per_second", "alerts": "cpu_us", "open_jobs": "per_second", "fleet_memory": "mb", "fleet_state": "state_ms",
          "fleet_restart": "ready_ms", "stopped_200": "p99_ms", "idle_ec2": "mb cpu_percent", "stream": "bytes_second", "gzip": "bytes_each",
          "calls_ec2": "calls", "calls_cloudwatch": "calls", "jobs": "jobs", "jobs_beside": "p50_ms p99_ms", "job_monitor": "p50_ms p99_ms"}


def chosen(rows):
    for row in rows:
        if row.name in WANTED:
            row.measures = WANTED[row.name].split()
            yield row


def about(machine):
    return (f"Measured {machine['at'][:10]} on {machine['cores']} cores ({machine['processor']}), Linux {machine['kernel']}, load "
            f"{machine['load']:.1f} at the start, in {machine['seconds'] / 60:.0f} minutes.")


def page(result, rows):
    return "\n".join(["# What is measured", "", about(result["machine"]), "",
                      "`make bench` measures it, beside peers that take turns with it, and `make record` writes it here. A figure is the median",
                      "of the rounds, ± half of what lies between the least and the most; a ratio is the median of the rounds' own. A bound is held",
                      "by `make bench` unless it is an aim. What the rows are: [tests/bench](../tests/bench/README.md). How it grows: [curves](curves/README.md).",
                      "", told.markdown(told.lines(rows, result["floors"])), ""])


def replaced(text, block):
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"no marks: {BEGIN} … {END}"
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def main():
    result = json.loads((pathlib.Path(sys.argv[1]) / "bench.json").read_text())
    rows = told.of_json(result["rows"])
    lacking = WANTED.keys() - {row.name for row in rows if row.rounds}
    if lacking:
        sys.exit(f"record: not measured: {' '.join(sorted(lacking))}")
    (ROOT / "docs/measured.md").write_text(page(result, rows))
    readme = ROOT / "README.md"
    block = f"{about(result['machine'])}\n\n{told.markdown(told.lines(chosen(told.of_json(result['rows'])), result['floors']))}"
    readme.write_text(replaced(readme.read_text(), block))
    print("record: README.md, docs/measured.md")


if __name__ == "__main__":
    main()

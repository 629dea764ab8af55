"""metrics_table - docs/metrics.md, out of the sources: each metric a program can show, what it means, and where it is
counted. `make metrics` writes it, tests/integration/test_docs.py compares. SPDX-License-Identifier: MIT"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = [("Every program", ["common"]), ("Aggregator", ["aggregator"]), ("Gateway", ["gateway"]),
         ("Collectors", ["collector/core", "collector/aws", "collector/ec2", "collector/cloudwatch", "collector/cml", "collector/prometheus"])]
NAME = re.compile(r'"(cmlwatch_\w+)"\s*,\s*(?:METRIC_\w+\s*,\s*)?((?:"(?:[^"\\]|\\.)*"\s*)+)?', re.S)
#  static const char NAME [] = "cmlwatch_…"; the words follow in HELP, or in the call.
LATER = re.compile(r'NAME \[\] = "(cmlwatch_\w+)";.{0,120}?"((?:[^"\\]|\\.)*)"', re.S)
KIND = re.compile(r"METRIC_(COUNTER|GAUGE|HISTOGRAM)")
COOKIE = "cmlwatch_session"


def kind_of(name, source, at):
    """As the call or the table's row says, else as its name does: counters end in _total."""
    near = KIND.findall(source[max(0, at - 90):at]) or KIND.findall(source[at:at + 90])
    return "counter" if name.endswith("_total") else near[-1].lower() if near else "gauge"


def metrics_of(folders):
    """name -> (kind, help)"""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / folder).glob("*.[ch]")):
            source = path.read_text()
            for match in NAME.finditer(source):
                name, words = match.groups()
                text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', words or "")).replace('\\"', '"')
                if text and name != COOKIE:
                    found.setdefault(name, (kind_of(name, source, match.start()), text[0].upper() + text[1:]))
            for name, text in LATER.findall(source):
                found.setdefault(name, ("counter" if name.endswith("_total") else "gauge", text))
    return found


def table():
    lines = ["# What each metric means", "",
             "Every program shows its own under `/metrics`, in Prometheus' text form (the gateway on its HTTP port, the others on",
             "`admin`). Counters begin at 0 with the process. This page is made of the sources by `make metrics`.", ""]
    for title, folders in PARTS:
        lines += [f"## {title}", "", "| metric | kind | |", "| --- | --- | --- |"]
        for name, (kind, text) in sorted(metrics_of(folders).items()):
            lines.append(f"| `{name}` | {kind} | {text.replace('|', chr(92) + '|')} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        pathlib.Path(sys.argv[1]).write_text(table())
    else:
        print(table())

"""rows.py - a row of the benchmarks, and what is told of all: medians, spread, ratios, floors, one table. Pure.

A row has rounds: what each of those who are compared reached in it, a dictionary of measures. A figure is the
median of the rounds, its spread half of what lies between the least and the most, as a part of the median. A
ratio is the median of the rounds' own ratios: absolute figures drift with the machine by 20 to 30 percent, ratios
to a peer a second later by less, so floors are ratios wherever there is a peer. What is absolute and hangs on the
machine is an aim, or a bound far from what is reached.

A floor: {"row", "measure", "who"?, "against"?, "at_least" or "at_most", "aim"?}. who is the row's first if it is
not said. An aim is judged and held against nobody. SPDX-License-Identifier: MIT"""
import math
import statistics

UNITS = {"per_second": "events a second", "kib_each": "KiB a client", "p50_ms": "p50, ms", "p99_ms": "p99, ms",
         "p999_ms": "p99.9, ms", "cpu_us": "processor, µs an event", "bytes_each": "bytes an event",
         "bytes_second": "bytes a second", "missing": "events lost", "mb": "MB resident", "state_ms": "ms", "ready_ms": "ms",
         "cpu_percent": "% of a core", "calls": "calls", "per_call": "workers a call", "us": "µs", "observations": "observations a second",
         "core_second": "a second of a core",
         "jobs": "jobs a second", "job_cpu_us": "processor, µs a job", "store_mb": "MB, pages of the store among it", "whole": "whole"}


class Row:
    """pairs: "gateway/bare gateway/nchan", who is compared with whom; "gateway" alone has no peer."""

    def __init__(self, name, part, what, measures, pairs):
        self.name, self.part, self.what, self.measures = name, part, what, measures.split()
        self.pairs = [tuple(pair.split("/")) if "/" in pair else (pair, None) for pair in pairs.split()]
        self.rounds, self.others = {}, []

    @property
    def ours(self):
        return self.pairs[0][0]

    def add(self, who, measured):
        self.rounds.setdefault(who, []).append(measured)

    def even(self):
        """Rounds that come later pair with each other, whoever had fewer before."""
        most = max(map(len, self.rounds.values()), default=0)
        for rounds in self.rounds.values():
            rounds.extend({} for _ in range(most - len(rounds)))

    def values(self, who, measure):
        return [each[measure] for each in self.rounds.get(who, []) if each.get(measure) is not None]

    def ratios(self, measure, who, against):
        pairs = zip(self.rounds.get(who, []), self.rounds.get(against, []))
        return [a[measure] / b[measure] for a, b in pairs if a.get(measure) is not None and b.get(measure, 0) > 0]


def median(values):
    return statistics.median(values) if values else None


def spread(values):
    """Half of what lies between the least and the most, as a part of the median; None of less than two."""
    middle = median(values)
    return (max(values) - min(values)) / 2 / abs(middle) if len(values) > 1 and middle else None


def each_reached(floor, row):
    who, against = floor.get("who", row.ours), floor.get("against")
    return row.ratios(floor["measure"], who, against) if against else row.values(who, floor["measure"])


def reached(floor, row):
    return median(each_reached(floor, row))


def unsure(floor, row):
    """Rounds lie on both sides of the bound, and so many on either that a tenth of all fair coins would say as much (a sign test)."""
    values = each_reached(floor, row)
    below = sum(value < floor.get("at_least", floor.get("at_most")) for value in values)
    fewer = min(below, len(values) - below)
    return fewer > 0 and sum(math.comb(len(values), k) for k in range(fewer + 1)) / 2 ** len(values) > 0.1


def judge(floor, row):
    """pass, aim (missed, and held against nobody) or FAIL; nothing reached is missed."""
    value = reached(floor, row)
    ok = value is not None and floor.get("at_least", value) <= value <= floor.get("at_most", value)
    return "pass" if ok else "aim" if floor.get("aim") else "FAIL"


def bound(floor):
    return f"≥ {figure(floor['at_least'])}" if "at_least" in floor else f"≤ {figure(floor['at_most'])}"


def faults(floors, names):
    """What is wrong with the floors themselves: each has one bound and a row that there is."""
    return [f"floors: {floor}" for floor in floors
            if floor.get("row") not in names or ("at_least" in floor) == ("at_most" in floor) or "measure" not in floor]


def verdicts(rows, floors):
    """(floor, row, verdict) of each floor whose row was measured or was to be."""
    by_name = {row.name: row for row in rows}
    return [(floor, by_name[floor["row"]], judge(floor, by_name[floor["row"]])) for floor in floors if floor["row"] in by_name]


#  --- the table

def figure(value):
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def part_of(value):
    return "" if value is None else f" ± {100 * value:.0f} %"


def told(values):
    return figure(median(values)) + part_of(spread(values))


HEAD = ("what", "", "who", "reached", "beside", "reached", "ratio", "to reach")


def lines(rows, floors):
    """The table's lines: one for each row, measure and pair; what is said once is not said again below."""
    result = []
    for row in rows:
        shown = row.what
        for measure in row.measures:
            for who, against in row.pairs:
                if not row.values(who, measure):
                    continue
                beside = row.values(against, measure) if against else []
                ratios = row.ratios(measure, who, against) if against else []
                bounds = [(floor, judge(floor, row)) for floor in floors
                          if (floor["row"], floor["measure"], floor.get("who", row.ours)) == (row.name, measure, who)
                          and floor.get("against") in (against, None) and (floor.get("against") == against or against == first_peer(row, who))]
                result.append((shown, UNITS.get(measure, measure), who, told(row.values(who, measure)), against if beside else "",
                               told(beside) if beside else "", told(ratios) if ratios else "",
                               ", ".join(said(floor, verdict) for floor, verdict in bounds)))
                shown = ""
    return result


def first_peer(row, who):
    """Where a bound that is not against anyone is told."""
    return next(against for mine, against in row.pairs if mine == who)


def said(floor, verdict):
    of = f" of {floor['against']}" if "against" in floor else ""
    return f"{bound(floor)}{of} {verdict}" + (" (aim)" if floor.get("aim") and verdict == "pass" else " missed" if verdict == "aim" else "")


def text(table):
    widths = [max(len(line[column]) for line in (HEAD, *table)) for column in range(len(HEAD))]
    return "\n".join("  ".join(cell.rjust(width) if column in (3, 5, 6) else cell.ljust(width)
                               for column, (cell, width) in enumerate(zip(line, widths))).rstrip()
                     for line in (HEAD, *table))


def markdown(table):
    rows = (HEAD, ("---", "---", "---", "---:", "---", "---:", "---:", "---"), *table)
    return "\n".join("| " + " | ".join(line) + " |" for line in rows)


def as_json(rows):
    return [{"row": row.name, "part": row.part, "what": row.what, "pairs": ["/".join(filter(None, pair)) for pair in row.pairs],
             "measures": row.measures, "rounds": row.rounds,
             "median": {who: {measure: median(row.values(who, measure)) for measure in row.measures if row.values(who, measure)}
                        for who in row.rounds},
             "others": round(median(row.others), 3) if row.others else None} for row in rows]


def of_json(told_rows):
    rows = []
    for each in told_rows:
        row = Row(each["row"], each["part"], each["what"], " ".join(each["measures"]), " ".join(each["pairs"]))
        row.rounds, row.others = each["rounds"], [each["others"]] if each["others"] is not None else []
        rows.append(row)
    return rows

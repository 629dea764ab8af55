"""What `make bench` says of what it measured: medians, ratios, floors, its table and its curves. Nothing is measured here.
SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

import pytest

BENCH = pathlib.Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))
import catalogue  # noqa: E402
import chart  # noqa: E402
import knee  # noqa: E402
import record  # noqa: E402
import rows  # noqa: E402

ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "QUICK"}
FLOOR = {"row": "r", "measure": "per_second", "against": "bare", "at_least": 0.95}


def row_of(ours, bare, measure="per_second"):
    row = rows.Row("r", "part", "what", measure, "gateway/bare")
    for who, values in (("gateway", ours), ("bare", bare)):
        for value in values:
            row.add(who, {measure: value})
    return row


def test_ratio_is_the_median_of_the_rounds_own_ratios():
    row = row_of([100, 210, 90], [100, 200, 300])

    assert rows.median(row.ratios("per_second", "gateway", "bare")) == 1.0
    assert rows.spread(row.values("gateway", "per_second")) == pytest.approx(0.6)
    assert rows.told([100, 210, 90]) == "100 ± 60 %"


@pytest.mark.parametrize("ours, verdict", [([95, 95, 95], "pass"), ([94, 94, 99], "FAIL"), ([], "FAIL")])
def test_floor_fails_below_it_and_where_nothing_was_measured(ours, verdict):
    assert rows.judge(FLOOR, row_of(ours, [100, 100, 100])) == verdict


@pytest.mark.parametrize("ours, doubtful", [
    ([94, 96, 97, 93, 98], True), ([90, 91, 92, 93, 99], True), ([96, 97, 98, 99, 94], True),
    ([96, 97, 98, 99, 100], False), ([90] * 8 + [99] * 2, False), ([90] * 7 + [99] * 3, True), ([90], False), ([], False)])
def test_doubt_is_where_rounds_lie_on_both_sides_of_a_floor_and_few_of_them(ours, doubtful):
    assert rows.unsure(FLOOR, row_of(ours, [100] * len(ours))) == doubtful
    assert rows.unsure({"row": "r", "measure": "per_second", "at_most": 95}, row_of(ours, [])) == doubtful


def test_later_rounds_pair_with_each_other():
    row = row_of([100, 100, 100], [50])
    row.even()
    row.add("gateway", {"per_second": 90})
    row.add("bare", {"per_second": 30})

    assert row.ratios("per_second", "gateway", "bare") == [2, 3]
    assert row.values("bare", "per_second") == [50, 30]


def test_bound_from_above_fails_above_it_and_an_aim_is_held_against_nobody():
    slow, floor = row_of([5], [4], "p99_ms"), {"row": "r", "measure": "p99_ms", "at_most": 4.9}

    assert rows.judge(floor, slow) == "FAIL"
    assert rows.judge({**floor, "aim": True}, slow) == "aim"
    assert rows.judge({**floor, "at_most": 5}, slow) == "pass"


def test_each_verdict_stands_in_the_table_where_its_peer_does():
    floors = [FLOOR, {"row": "r", "measure": "per_second", "at_least": 1000, "aim": True}]

    (line,) = rows.lines([row_of([90], [100])], floors)

    assert line[2:7] == ("gateway", "90", "bare", "100", "0.9")
    assert line[7] == "≥ 0.95 of bare FAIL, ≥ 1,000 aim missed"
    assert "FAIL" in rows.text([line]) and rows.markdown([line]).count("\n") == 2


def test_committed_floors_are_whole_and_every_floor_is_of_a_row_that_is_measured():
    floors = json.loads((BENCH / "floors.json").read_text())
    measured = {row.name: row for row in catalogue.all_rows()}

    assert rows.faults(floors, measured) == []
    assert rows.faults([{"row": "nowhere", "measure": "x", "at_least": 1}], measured) != []
    assert rows.faults([{"row": "way_1", "measure": "p50_ms"}], measured) != []
    for floor in floors:
        row = measured[floor["row"]]
        who = {name for pair in row.pairs for name in pair}
        assert floor["measure"] in row.measures and {floor.get("who", row.ours), floor.get("against", row.ours)} <= who, floor
    assert {row.name for row in measured.values()} >= record.WANTED.keys()


def test_rows_are_chosen_by_their_names_and_by_their_parts():
    assert catalogue.Table(["closed_8"]).parts() == ["fanout"]
    assert [row.name for row in catalogue.Table(["way"]).rows] == ["way_1", "way_1000"]
    with pytest.raises(SystemExit, match="no row or part 'nonsense'"):
        catalogue.Table(["nonsense"])


def test_what_was_measured_is_the_same_read_from_its_file():
    row = row_of([100, 110], [100, 100])

    again = rows.of_json(json.loads(json.dumps(rows.as_json([row]))))

    assert rows.lines(again, [FLOOR]) == rows.lines([row], [FLOOR])


def test_record_replaces_what_lies_between_its_marks_and_nothing_else():
    text = f"before\n{record.BEGIN}\nold\n{record.END}\nafter\n"

    assert record.replaced(text, "new") == f"before\n{record.BEGIN}\nnew\n{record.END}\nafter\n"
    with pytest.raises(AssertionError):
        record.replaced("no marks", "new")
    readme = (BENCH.parents[1] / "README.md").read_text()
    assert record.replaced(readme, "x") != readme


def test_knee_is_where_a_curve_bends_and_a_straight_one_has_none():
    assert knee.knee([(1, 1), (10, 1), (100, 1), (1000, 100)]) == (100, 1)
    assert knee.knee([(1, 1), (10, 10), (100, 100), (1000, 100)]) == (100, 100)
    assert knee.knee([(1, 2), (10, 20), (100, 200), (1000, 2000)]) is None
    assert knee.knee([(1, 1), (2, 5)]) is None
    assert knee.is_saturated(100, 94) and not knee.is_saturated(100, 96)


def test_picture_is_whole_and_legible_on_light_and_dark():
    panel = {"title": "p99, ms", "x": "clients", "series": {
        "gateway": {"points": [(100, 0.2), (1000, 3), (10000, 90)], "knee": (1000, 3), "saturated": None},
        "nchan": {"points": [(100, 1), (1000, 20)], "knee": None, "saturated": 10000}}}

    text = chart.svg("Clients & more", [panel, panel, panel])

    xml.etree.ElementTree.fromstring(text)
    assert "prefers-color-scheme:dark" in text and "Clients &amp; more" in text
    assert text.count("<polyline") == 6 and text.count('class="ring') == 3
    inside = [float(y) for points in re.findall(r'<polyline[^>]*points="([^"]*)"', text) for _, y in (p.split(",") for p in points.split())]
    assert max(inside) <= chart.HEAD + chart.HEIGHT and min(inside) >= chart.HEAD
    for light, dark, _ in chart.LOOKS.values():
        assert contrast(light, "#ffffff") >= 4.5 and contrast(dark, "#0d1117") >= 4.5


def test_words_of_knees_that_are_close_stand_beside_each_other_within_the_picture():
    near = {name: {"points": [(1, 90 + up), (10, 100 + up), (100, 10)], "knee": (10, 100 + up), "saturated": None}
            for up, name in enumerate(("gateway", "bare", "nchan", "chain"))}

    text = chart.svg("Knees", [{"title": "p99, ms", "x": "clients", "series": near}])

    said = re.findall(r'class="f-\w+" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">(10)<', text)
    boxes = [chart.box_of(words, float(x), float(y), anchor) for x, y, anchor, words in said]
    assert len(boxes) == 4
    assert all(chart.covered(one, other) == 0 for at, one in enumerate(boxes) for other in boxes[:at])
    assert all(left >= 0 and top >= 0 and right <= chart.WIDTH + chart.GAP for left, top, right, _ in boxes)


def contrast(one, other):
    """WCAG 2.1's."""
    def luminance(colour):
        parts = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
        return sum(weight * (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4) for weight, part in zip((0.2126, 0.7152, 0.0722), parts))
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_what_is_in_doubt_is_measured_again_and_nothing_else(tmp_path):
    program = f"""
import sys
sys.argv = ["bench.py", {str(tmp_path)!r}, "way_1", "store"]
sys.path.insert(0, {str(BENCH)!r})
import bench
def way(folder, table):
    for lost in (0, 1, 0, 0, 0):
        table["way_1"].add("chain", {{"p50_ms": 0.2, "p99_ms": 1, "missing": lost}})
    table["way_1"].add("bare", {{"p50_ms": 0.2, "p99_ms": 1, "missing": 0}})
bench.PARTS.update(way=way, store=lambda folder, table: [table["store"].add("process", {{"us": 1, "per_second": 1000000}})])
bench.json.loads = lambda text: [{{"row": "way_1", "measure": "missing", "at_most": 0.5}}]
bench.main()
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "bench: again: way_1" in ended.stderr
    kept = {row["row"]: row["rounds"] for row in json.loads((tmp_path / "bench-part.json").read_text())["rows"]}
    assert [each.get("missing") for each in kept["way_1"]["chain"]] == [0, 1, 0, 0, 0] * 2, "two of ten: no doubt any more"
    assert [len(each) > 0 for each in kept["way_1"]["bare"]] == [True, False, False, False, False, True]
    assert len(kept["store"]["process"]) == 1


@pytest.mark.parametrize("measure, code, said", [
    ('[table["way_1"].add(who, {"p50_ms": 0.2, "p99_ms": 9, "missing": 0}) for who in ("chain", "bare")]', 0, "0 floors missed, 0 parts broken"),
    ('[table["way_1"].add(who, {"p50_ms": 0.2, "p99_ms": 1, "missing": 1}) for who in ("chain", "bare")]', 1, "FAIL  way_1 missing: 1, ≤ 0"),
    ('{}["nothing"]', 1, "1 parts broken way")])
def test_program_fails_when_a_floor_is_missed_or_a_part_is_broken_and_keeps_what_it_measured(tmp_path, measure, code, said):
    program = f"""
import sys
sys.argv = ["bench.py", {str(tmp_path)!r}, "way_1"]
sys.path.insert(0, {str(BENCH)!r})
import bench
bench.PARTS["way"] = lambda folder, table: {measure}
bench.main()
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60,
                           env=ENVIRONMENT)

    assert (ended.returncode, said in ended.stdout) == (code, True), ended.stdout + ended.stderr
    kept = json.loads((tmp_path / "bench-part.json").read_text())
    assert [row["row"] for row in kept["rows"]] == ["way_1"]
    assert {floor["verdict"] for floor in kept["floors"]} & {"FAIL"} == ({"FAIL"} if code else set())

"""chart.py - lines on axes by decades, as SVG that is legible on light and dark pages. Pure.

A picture is a row of panels: {"title", "x", "y", "series": {name: {"points": [(x, y)…], "knee": (x, y) or None,
"saturated": x or None}}}. Every name has its colour and its mark, so that nobody has to tell colours apart; a ring is a
knee, a cross the end. SPDX-License-Identifier: MIT"""
import html
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, HEAD, GAP = 320, 240, 52, 12, 30, 44, 84, 8
RING, LETTER, LINE = 8, 7, 12  # a ring's radius; about how wide and high a letter is
#  where a knee's words may stand: from its point, and how they are anchored; the first of them that covers least
PLACES = ((0, -13, "middle"), (0, 22, "middle"), (12, 4, "start"), (-12, 4, "end"), (10, -10, "start"), (10, 18, "start"), (-10, -10, "end"),
          (-10, 18, "end"), (0, -27, "middle"), (0, 36, "middle"))
#  name → colour on light, on dark, mark
LOOKS = {"gateway": ("#1d4ed8", "#7aa5ff", "circle"), "bare": ("#6b7280", "#a8b0bd", "square"), "nchan": ("#b45309", "#f0a04b", "triangle"),
         "chain": ("#15803d", "#5fce85", "diamond"), "aggregator": ("#15803d", "#5fce85", "diamond"), "raw": ("#6b7280", "#a8b0bd", "square"),
         "polling": ("#b45309", "#f0a04b", "triangle")}
STYLE = """.page{fill:#ffffff}.ink{fill:#1f2328}.soft{fill:#59636e}.grid{stroke:#d8dee4}.axis{stroke:#59636e}
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif}.title{font-weight:600}.line{fill:none;stroke-width:2}
.ring{fill:none;stroke-width:1.6}"""
DARK = ".page{fill:#0d1117}.ink{fill:#e6edf3}.soft{fill:#9198a1}.grid{stroke:#2a313c}.axis{stroke:#9198a1}"


def style(names):
    light = "".join(f".c-{name}{{stroke:{LOOKS[name][0]}}}.f-{name}{{fill:{LOOKS[name][0]}}}" for name in names)
    dark = "".join(f".c-{name}{{stroke:{LOOKS[name][1]}}}.f-{name}{{fill:{LOOKS[name][1]}}}" for name in names)
    return f"<style>{STYLE}{light}@media (prefers-color-scheme:dark){{{DARK}{dark}}}</style>"


def decades(values):
    """The powers of ten around all of these."""
    low, high = math.floor(math.log10(min(values)) + 1e-9), math.ceil(math.log10(max(values)) - 1e-9)
    return low, max(high, low + 1)


def number(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def short(value):
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


class Scale:
    def __init__(self, values, begin, end):
        self.low, self.high = decades(values)
        self.begin, self.end = begin, end

    def at(self, value):
        return self.begin + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self):
        return [10 ** power for power in range(self.low, self.high + 1)]


def mark(kind, x, y, name, size=3.6):
    if kind == "circle":
        return f'<circle class="f-{name}" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"/>'
    corners = {"square": ((-1, -1), (1, -1), (1, 1), (-1, 1)), "diamond": ((0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0)),
               "triangle": ((0, -1.3), (1.2, 1), (-1.2, 1))}[kind]
    return f'<polygon class="f-{name}" points="{" ".join(f"{x + a * size:.1f},{y + b * size:.1f}" for a, b in corners)}"/>'


def text(x, y, words, kind="soft", anchor="start"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'


def curve(name, series, across, up):
    at = [(across.at(x), up.at(y)) for x, y in series["points"]]
    drawn = [f'<polyline class="line c-{name}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in at)}"/>']
    drawn += [mark(LOOKS[name][2], x, y, name) for x, y in at]
    if series.get("knee"):
        x, y = across.at(series["knee"][0]), up.at(series["knee"][1])
        drawn.append(f'<circle class="ring c-{name}" cx="{x:.1f}" cy="{y:.1f}" r="{RING}"/>')
    if series.get("saturated"):
        x, y = at[-1]
        drawn.append(f'<path class="line c-{name}" d="M{x - 6:.1f},{y - 6:.1f}l12,12m0,-12l-12,12"/>')
    return drawn


def box_of(words, x, y, anchor):
    """left, top, right, bottom of a text."""
    width = LETTER * len(words)
    left = {"start": x, "middle": x - width / 2, "end": x - width}[anchor]
    return left, y - LINE + 2, left + width, y + 2


def covered(one, other):
    return max(0, min(one[2], other[2]) - max(one[0], other[0])) * max(0, min(one[3], other[3]) - max(one[1], other[1]))


def along(points, step=4):
    """The points and, every few units, those of the lines between them."""
    for (x, y), (to_x, to_y) in zip(points, points[1:]):
        parts = max(1, round(math.hypot(to_x - x, to_y - y) / step))
        yield from ((x + (to_x - x) * part / parts, y + (to_y - y) * part / parts) for part in range(parts))
    yield points[-1]


def knees(series, across, up, inner):
    """Each knee's words in its curve's colour, where they cover least of the other words, of rings and of points."""
    rings = {name: (across.at(each["knee"][0]), up.at(each["knee"][1])) for name, each in series.items() if each.get("knee")}
    taken = [((x - RING, y - RING, x + RING, y + RING), 1) for x, y in rings.values()]
    for each in series.values():
        taken += [((x - 2, y - 2, x + 2, y + 2), 1) for x, y in along([(across.at(x), up.at(y)) for x, y in each["points"]])]
    drawn = []
    for name, (x, y) in rings.items():
        words = short(series[name]["knee"][0])

        def cost(place):
            box = box_of(words, x + place[0], y + place[1], place[2])
            size = (box[2] - box[0]) * (box[3] - box[1])
            return sum(weight * covered(box, other) for other, weight in taken) + 2 * (size - covered(box, (inner[0], inner[2], inner[1], inner[3])))
        right, down, anchor = min(PLACES, key=cost)
        taken.append((box_of(words, x + right, y + down, anchor), 4))
        drawn.append(text(x + right, y + down, words, f"f-{name}", anchor))
    return drawn


def panel(left, top, what):
    points = [point for series in what["series"].values() for point in series["points"]]
    inner = (left + LEFT, left + WIDTH - RIGHT, top + TOP, top + HEIGHT - BOTTOM)
    across, up = Scale([x for x, _ in points], inner[0], inner[1]), Scale([y for _, y in points], inner[3], inner[2])
    drawn = [text(left + LEFT, top + 16, what["title"], "ink title")]
    for value in up.ticks():
        drawn.append(f'<path class="grid" d="M{inner[0]},{up.at(value):.1f}H{inner[1]}"/>')
        drawn.append(text(inner[0] - 6, up.at(value) + 4, short(value), anchor="end"))
    for value in across.ticks():
        drawn.append(f'<path class="grid" d="M{across.at(value):.1f},{inner[2]}V{inner[3]}"/>')
        drawn.append(text(across.at(value), inner[3] + 16, short(value), anchor="middle"))
    drawn.append(f'<path class="axis" fill="none" d="M{inner[0]},{inner[2]}V{inner[3]}H{inner[1]}"/>')
    drawn.append(text((inner[0] + inner[1]) / 2, inner[3] + 34, what["x"], anchor="middle"))
    for name, series in what["series"].items():
        drawn += curve(name, series, across, up)
    return drawn + knees(what["series"], across, up, inner)


def svg(title, panels, columns=3):
    names = list(dict.fromkeys(name for each in panels for name in each["series"]))
    columns = min(columns, len(panels))
    width, height = columns * (WIDTH + GAP) + GAP, HEAD + -(-len(panels) // columns) * (HEIGHT + GAP)
    said = "; ".join(f"{each['title']}: " + ", ".join(f"{name} up to {number(series['points'][-1][1])} at {number(series['points'][-1][0])}"
                                                      for name, series in each["series"].items()) for each in panels)
    drawn = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t d">',
             f'<title id="t">{html.escape(title)}</title><desc id="d">{html.escape(said)}</desc>', style(names),
             f'<rect class="page" width="{width}" height="{height}" rx="6"/>', text(16, 24, title, "ink title")]
    at = 16
    for name in names:
        drawn += [f'<path class="line c-{name}" d="M{at},44h26"/>', mark(LOOKS[name][2], at + 13, 44, name), text(at + 32, 48, name, "ink")]
        at += 52 + 8 * len(name)
    drawn.append(text(16, 70, "ring: the knee, and where it is; cross: more is not carried"))
    for index, each in enumerate(panels):
        drawn += panel(GAP + index % columns * (WIDTH + GAP), HEAD + index // columns * (HEIGHT + GAP), each)
    return "\n".join([*drawn, "</svg>", ""])

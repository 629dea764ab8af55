"""chart.py - lines on axes by decades, as SVG that is legible on light and dark pages. Pure.

A picture is a row of panels: {"title", "x", "y", "series": {name: {"points": [(x, y)…], "knee": (x, y) or None,
"saturated": x or None}}}. Every name has its colour and its mark, so that nobody has to tell colours apart; a ring is a
knee, a cross the end. SPDX-License-Identifier: MIT"""
import html
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, HEAD, GAP = 320, 240, 52, 12, 30, 44, 84, 8
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
        drawn.append(f'<circle class="ring c-{name}" cx="{x:.1f}" cy="{y:.1f}" r="8"/>')
        drawn.append(text(x, y - 13, short(series["knee"][0]), anchor="middle"))
    if series.get("saturated"):
        x, y = at[-1]
        drawn.append(f'<path class="line c-{name}" d="M{x - 6:.1f},{y - 6:.1f}l12,12m0,-12l-12,12"/>')
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
    return drawn


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

"""knee.py - where a curve bends, and where it ends. Pure.

The knee is the point of a curve that is farthest from the straight line between its ends, on the axes as they are drawn
(both by decades), each scaled to 1: before it what is asked costs little more, after it much more, or brings little more.
A curve that nowhere leaves that line by LEAST has none. It is saturated at the first load of which less than CARRIED
comes through; what it was asked beyond is not drawn. SPDX-License-Identifier: MIT"""
import math

LEAST, CARRIED = 0.12, 0.95


def scaled(values):
    logs = [math.log10(value) for value in values]
    low, high = min(logs), max(logs)
    return [(value - low) / (high - low) if high > low else 0.0 for value in logs]


def knee(points):
    """The (x, y) of it, or None."""
    points = sorted((x, y) for x, y in points if x > 0 and y > 0)
    if len(points) < 4:
        return None
    xs, ys = scaled([x for x, _ in points]), scaled([y for _, y in points])
    if xs[-1] == xs[0]:
        return None
    slope = (ys[-1] - ys[0]) / (xs[-1] - xs[0])
    away = [abs(y - ys[0] - slope * (x - xs[0])) for x, y in zip(xs, ys)]
    farthest = max(range(len(points)), key=away.__getitem__)
    return points[farthest] if away[farthest] >= LEAST else None


def is_saturated(asked, carried):
    return carried < CARRIED * asked

#!/usr/bin/env python3
"""measure_heap [MINUTES [WORKERS[:A_SECOND]]] - whether the page's heap stays flat while a fleet lives, as JSON.

The world of measure_page; each minute all that can be collected is, and what is left is noted. What is kept on purpose fills up
first (2,000 events, 40 values a sparkline), so the slope is that of the second half. More than SLOPE_MOST: code 1. SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import sys
import tempfile
import threading
import time

from measure_page import World, swept
from browser import Browser
from dashboard import LIVE
from harness import wait_until

SLOPE_MOST = 0.05  # MB a minute: 70 MB a day, and far above what a sweep varies by


def least(page):
    """What is there while a batch is on its way is no growth: the least of some sweeps."""
    return min(swept(page) for _ in range(5))


def slope(samples):
    """MB a minute, by least squares."""
    count, middle, mean = len(samples), (len(samples) - 1) / 2, sum(samples) / len(samples)
    return sum((at - middle) * (value - mean) for at, value in enumerate(samples)) / (sum((at - middle) ** 2 for at in range(count)) or 1)


def main(minutes="10", workers="1000"):
    count, _, a_second = workers.partition(":")
    count, a_second = int(count), int(a_second or count)
    with tempfile.TemporaryDirectory() as folder:
        browser, world = Browser("--js-flags=--expose-gc"), World(pathlib.Path(folder), count)
        try:
            page = browser.open(f"{world.gateway.url}/", context="heap", viewport={"width": 1280, "height": 800})
            page.wait(LIVE, "live", 120)
            page.metrics()
            threading.Thread(target=world.tell, args=(a_second,), daemon=True).start()
            wait_until(lambda: world.told > 2 * a_second, "it flows")
            samples, nodes, began = [least(page)], [], time.monotonic()
            for minute in range(1, int(minutes) + 1):
                time.sleep(max(0, began + 60 * minute - time.monotonic()))
                samples.append(least(page))
                nodes.append(int(page.metrics()["Nodes"]))
            told = round(world.told / (time.monotonic() - began))
        finally:
            browser.stop()
            world.stop()
    grows = round(slope(samples[len(samples) // 2:]), 3)
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()[0], "workers": count, "told_per_second": told, "heap_MB_swept_each_minute": samples, "nodes": nodes,
                      "MB_a_minute_in_the_second_half": grows}, indent=1))
    return grows > SLOPE_MOST


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

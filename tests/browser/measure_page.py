#!/usr/bin/env python3
"""measure_page [SECONDS [WORKERS[:A_SECOND]...]] - what the page costs and how soon it shows what happened, as JSON.

The real aggregator and gateway, an outside publisher that tells a new load of A_SECOND workers a second (of
each once, where that is not said), headless Chromium. `main_thread` is the page's own share of one core (the CPU time of its main thread); `event_to_document_ms` goes from
the publisher's call to the moment the text stands in the document. SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "integration"), str(HERE)]
import harness  # noqa: E402
import outside  # noqa: E402
from browser import Browser  # noqa: E402
from dashboard import LIVE  # noqa: E402
from harness import http, http_json, wait_until  # noqa: E402

PROBE = "i-0probe"
WATCH = """() => {
  window.seen = [];
  const row = document.querySelector("tr[data-instance='i-0probe']");
  let last = '';
  new MutationObserver(() => { const name = row.querySelector('.name a').textContent; if (name !== last) { last = name; seen.push(Date.now() - Number(name.split(' ')[1])); } })
    .observe(row, { subtree: true, childList: true, characterData: true });
}"""

#  Asks for each frame, which costs by itself: not while the main thread's share is measured.
FRAMES = """() => {
  window.frames = 0; window.longest = 0;
  const tick = at => { if (window.before) longest = Math.max(longest, at - before); window.before = at; frames++; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""


def sizes(gateway, first):
    """Bytes over the wire; `first` is what the browser asked for before the first rows. The SharedWorker takes nothing besides."""
    everything = ["/" + line.split('"')[1] for line in (harness.ROOT / "gateway/dashboard_files.S").read_text().splitlines() if line.startswith('    file "')]
    fetch = lambda path, coding: len(http(gateway.url + path, headers={"Accept-Encoding": coding})[2])
    total = lambda paths: {coding: sum(fetch(path, coding) for path in paths) for coding in ("br", "gzip")}
    return {"first_view": {"files": len(first), **total(first)}, "of_it_the_shared_worker": total(["/client/worker.js"]),
            "all": {"files": len(everything), **total(everything)}}


class World:
    def __init__(self, folder, workers):
        self.bus = harness.Bus()
        self.aggregator = harness.Aggregator(folder, self.bus)
        self.gateway = harness.Gateway(folder, self.bus)
        self.ec2, self.load = (outside.Publisher(self.bus.ingest, f"/collector/{kind}/measure") for kind in ("ec2", "cloudwatch"))
        self.names = [f"i-1{number:05}" for number in range(workers)]
        self.ended, self.told = threading.Event(), 0
        self.ec2.until_heard(self.gateway, "us-east-1", PROBE, name="# 0", interval_seconds=3600)
        for start in range(0, workers, 500):
            for name in self.names[start:start + 500]:
                self.ec2.instance("us-east-1", name, name=f"worker {name}", interval_seconds=3600)
            wait_until(lambda: len(http_json(f"{self.gateway.url}/api/state")["workers"]) > min(workers, start + 500) - 1, "they are known")

    def tell(self, a_second):
        """Of one worker after the other, evenly."""
        began = time.monotonic()
        while not self.ended.is_set():
            due = int((time.monotonic() - began) * a_second)
            while self.told < due:
                name = self.names[self.told % len(self.names)]
                self.load.publish("utilization.observed", f"us-east-1/{name}", {"cpu_percent": round(self.told * 7 % 1000 / 10, 1), "interval_seconds": 3600})
                self.told += 1
            time.sleep(0.005)

    def stop(self):
        self.ended.set()
        for program in (self.gateway, self.aggregator):
            program.stop()


def probe(world, seconds):
    """Ten times a second the probe's name is the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        world.ec2.instance("us-east-1", PROBE, name=f"# {int(time.time() * 1000)}", interval_seconds=3600)
        time.sleep(0.1)


def swept(page):
    """Megabytes that are in use when nothing is left to be collected."""
    page.run("gc()")
    return round(page.metrics()["JSHeapUsedSize"] / 1e6, 1)


def run(browser, folder, workers, a_second, seconds):
    world = World(folder, workers)
    result = {"workers": workers}
    try:
        page = browser.open(context=f"of {workers}", viewport={"width": 1280, "height": 800},
                            init="new MutationObserver((_, me) => { if (document.querySelector('tr[data-id]')) { window.rows = performance.now(); me.disconnect(); } }).observe(document, { childList: true, subtree: true });")
        page.goto(world.gateway.url + "/")
        result["cold_load_ms"] = round(page.wait("window.rows", "rows"))
        page.wait(LIVE, "live")
        first = page.run("performance.getEntriesByType('resource').filter(e => e.startTime < rows).map(e => new URL(e.name).pathname).filter(p => !p.startsWith('/api') && p !== '/healthz')")
        if workers <= 1000:
            result["sizes"] = sizes(world.gateway, {"/index.html", "/client/worker.js", *first})
        page.wait(f"document.querySelector(\"tr[data-instance='{PROBE}']\")", "the probe is in sight")
        page.metrics()
        teller = threading.Thread(target=world.tell, args=(a_second,), daemon=True)
        teller.start()
        wait_until(lambda: world.told > 2 * a_second, "it flows")
        page.run(WATCH, 0)
        heap = [swept(page)]
        before, told, at = page.metrics(), world.told, time.monotonic()
        probe(world, seconds)
        after, told, wall = page.metrics(), world.told - told, time.monotonic() - at
        heap.append(swept(page))
        page.run(FRAMES, 0)
        counting = time.monotonic()
        probe(world, seconds / 2)
        frames = page.run("frames") / (time.monotonic() - counting)
        share = lambda *names: round(sum(after[name] - before[name] for name in names) / wall, 3)
        seen = sorted(page.run("seen"))
        result |= {"told_per_second": round(told / wall), "main_thread": share("ThreadTime"), "main_thread_with_waits_for_a_core": share("TaskDuration"),
                   "script": share("ScriptDuration"), "layout_and_style": share("LayoutDuration", "RecalcStyleDuration"),
                   "frames_per_second": round(frames, 1), "longest_frame_ms": round(page.run("longest")),
                   "event_to_document_ms": {"p50": seen[len(seen) // 2], "p99": seen[int(len(seen) * 0.99)], "of": len(seen)},
                   "heap_MB_swept": heap}
        if workers <= 1000:
            world.gateway.kill()
            page.wait("document.querySelector('#realtime').dataset.state !== 'connected'", "it is away")
            world.gateway.start()
            began = time.monotonic()
            harness.wait_ready(world.gateway)
            ready = time.monotonic()
            page.wait(LIVE, "live again")
            result["live_again_ms"] = {"after_the_start": round(1000 * (time.monotonic() - began)), "after_it_was_ready": round(1000 * (time.monotonic() - ready))}
        page.close()
    finally:
        world.stop()
    return result


def main(seconds="20", *workers):
    found = []
    for asked in workers or ("1000", "10000:1000"):
        count, _, a_second = asked.partition(":")
        with tempfile.TemporaryDirectory() as folder:
            browser = Browser("--js-flags=--expose-gc")
            try:
                found.append(run(browser, pathlib.Path(folder), int(count), int(a_second or count), float(seconds)))
            finally:
                browser.stop()
    print(json.dumps({"cores": os.cpu_count(), "seconds": float(seconds), "runs": found}, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])

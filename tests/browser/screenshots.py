#!/usr/bin/env python3
"""screenshots FOLDER [VIEW...] - each view of the page as it looks on a desk, light and dark, and on a phone.
SPDX-License-Identifier: MIT"""
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "integration"), str(HERE)]
from browser import Browser  # noqa: E402
from harness import http_json, wait_until  # noqa: E402
from showcase import Showcase  # noqa: E402

LOOKS = {
    "light": {"colorScheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"colorScheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {"colorScheme": "light", "viewport": {"width": 360, "height": 740}, "isMobile": True},
}
VIEWS = {  # name: where, and what is there when it is full
    "workers": ("#/workers", "document.querySelectorAll('tr[data-id] .spark').length > 3"),
    "worker": ("#/worker/{worker}", "document.querySelectorAll('.chart canvas').length === 4 && document.querySelector('#labs td')"),
    "jobs": ("#/jobs", "document.querySelectorAll('#jobs tr').length > 8"),
    "events": ("#/events", "document.querySelectorAll('#events li').length > 12"),
    "alerts": ("#/alerts", "document.querySelector('#alerts tr')"),
    "system": ("#/system", "document.querySelector('#clients tr')"),
}

#  A chart wants a past: a sample is a minute.
MINUTES = 5


def telling(gateway):
    """One with labs and a load."""
    return wait_until(lambda: max((w for w in gateway.workers() if w["cml_labs_count"] and w["cpu_utilization"]),
                                  key=lambda w: w["cml_labs_count"], default=None), "a worker with labs")["worker_id"]


def main(folder, names):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        show, browser = Showcase(pathlib.Path(scratch)), Browser()
        try:
            show.fill()
            worker = telling(show.gateway)
            history = f"{show.url}/api/workers/{worker}/history?metric=cpu_utilization"
            wait_until(lambda: len(http_json(history)["samples"]) >= MINUTES, "something to draw", 60 * (MINUTES + 1))
            for look, options in LOOKS.items():
                page = browser.open(f"{show.url}/", context=look, **options)
                page.wait(VIEWS["workers"][1], "the fleet", 60)
                for name in names or VIEWS:
                    where, full = VIEWS[name]
                    page.run("hash => { location.hash = hash; scrollTo(0, 0); }", where.format(worker=worker))
                    page.wait(full, f"the view {name}", 60)
                    page.call("screenshot", {"path": str(folder / f"{name}-{look}.png")})
                assert page.complaints() == []
                page.close()
        finally:
            browser.stop()
            show.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

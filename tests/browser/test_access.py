"""axe-core finds nothing to complain of: each view, light, dark and in forced colours, on a desk and on a phone; and on a phone
nothing has to be pushed sideways.
SPDX-License-Identifier: MIT"""
import pytest

import harness
from browser import FOLDER
from dashboard import LIVE
from screenshots import VIEWS, telling
from showcase import Showcase

pytestmark = pytest.mark.skipif(harness.VALGRIND, reason="the browser is not ours to check")
LOOKS = {"light": {"colorScheme": "light"}, "dark": {"colorScheme": "dark"}, "forced": {"forcedColors": "active"}}
WIDTHS = {1280: 800, 360: 740}
FOUND = """axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.flatMap(
  ({ id, nodes }) => nodes.map(node => `${id}: ${node.target.join(' ')}: ${node.failureSummary}`)))"""


@pytest.fixture(scope="module")
def show(tmp_path_factory):
    made = Showcase(tmp_path_factory.mktemp("show"))
    yield made.fill()
    made.stop()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_no_violation(show, chromium, look, width):
    page = chromium.open(f"{show.url}/", context=f"axe {look} {width}", reducedMotion="reduce", viewport={"width": width, "height": WIDTHS[width]}, **LOOKS[look])
    page.wait(LIVE, "it is live")
    page.call("evaluate", (FOLDER / "node_modules/axe-core/axe.min.js").read_text())
    worker, found = telling(show.gateway), []
    for name, (where, full) in VIEWS.items():
        page.run("hash => { location.hash = hash; }", where.format(worker=worker))
        page.wait(full, name, 60)
        found += [f"{name}: {fault}" for fault in page.run(FOUND)]
    page.run("document.querySelector('#realtime').open = true")
    page.call("keyboard.press", "?")
    page.wait("document.querySelector('dialog[open]')", "the keys")
    found += [f"keys: {fault}" for fault in page.run(FOUND)]
    page.close()

    assert not found, "\n".join(found)


#  What is wider than it may be: the page itself, and whatever would scroll within it.
SIDEWAYS = """(() => {
  const wide = [...document.querySelectorAll('body *')].filter(e => e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX) && e.checkVisibility())
    .map(e => `${e.tagName} ${e.id || e.className} '${e.getAttribute('aria-label') ?? ''}': ${e.scrollWidth} in ${e.clientWidth}`);
  const page = document.documentElement.scrollWidth;
  return page > innerWidth ? [`the page: ${page} in ${innerWidth}`, ...wide] : wide;
})()"""


def test_nothing_scrolls_sideways_on_a_phone(show, chromium):
    page = chromium.open(f"{show.url}/", context="narrow", viewport={"width": 360, "height": 740}, isMobile=True, reducedMotion="reduce")
    page.wait(LIVE, "it is live")
    worker, found = telling(show.gateway), []
    for name, (where, full) in VIEWS.items():
        page.run("hash => { location.hash = hash; }", where.format(worker=worker))
        page.wait(full, name, 60)
        found += [f"{name}: {fault}" for fault in page.run(SIDEWAYS)]
    page.run("document.querySelector('#realtime').open = true")
    page.wait("document.querySelector('.path')", "the way of an event")
    found += [f"path: {fault}" for fault in page.run(SIDEWAYS)]
    page.close()

    assert not found, "\n".join(found)

"""What the page costs, as far as no clock is needed to tell; `make page` measures the rest. SPDX-License-Identifier: MIT"""
import pytest

import harness
from dashboard import LIVE, Fleet
from harness import http
from middle import Middle

pytestmark = pytest.mark.skipif(harness.VALGRIND, reason="the browser is not ours to check")
#  Bytes over the wire until the first rows stand. Browsers take br over TLS and from their own host, gzip elsewhere.
FIRST_MOST = {"br": 25_000, "gzip": 28_000}
ALL_MOST = 150_000
ROWS_AT = """new MutationObserver((_, me) => { if (document.querySelector('tr[data-id]')) { window.rows = performance.now(); me.disconnect(); } })
  .observe(document, { childList: true, subtree: true });"""
BEFORE = "performance.getEntriesByType('resource').filter(entry => entry.startTime < rows).map(entry => new URL(entry.name).pathname)"


@pytest.fixture
def fleet(start, bus, tmp_path):
    return Fleet(start, bus, tmp_path)


def files(wire):
    """path, coding and size of each answer that was a file; one that the browser had already has none."""
    for path, answer in list(wire.answers):
        head, _, body = bytes(answer).partition(b"\r\n\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head.decode().splitlines()[1:])
        if "etag" in fields:
            yield path, fields.get("content-encoding"), len(body)


@pytest.mark.parametrize("coding", FIRST_MOST)
def test_first_view_is_small_on_the_wire(fleet, chromium, request, coding):
    wire = Middle(fleet.gateway, coding=coding)
    page = chromium.open(f"{wire.url}/", context=request.node.name, init=ROWS_AT)
    page.wait(LIVE, "it is live")
    page.wait("window.rows", "the first rows")
    before = {"/", *page.run(BEFORE)}
    page.close()
    wire.close()

    came = [each for each in files(wire) if each[0] in before]
    assert {"/", "/app.js", "/style.css", "/client/worker.js"} <= {path for path, *_ in came}, came
    assert all(used == coding for _, used, size in came if size), came
    assert sum(size for *_, size in came) <= FIRST_MOST[coding], came
    assert all(path in before for path, *_ in files(wire) if path.startswith("/client/")), "the worker takes nothing that the page has not"


def test_all_of_it_is_small(fleet):
    names = [line.split('"')[1] for line in (harness.ROOT / "gateway/dashboard_files.S").read_text().splitlines() if line.startswith('    file "')]
    size = {coding: sum(len(http(f"{fleet.gateway.url}/{name}", headers={"Accept-Encoding": coding})[2]) for name in names) for coding in FIRST_MOST}
    assert max(size.values()) <= ALL_MOST, size


def test_browser_asks_its_own_host_for_br(fleet, chromium, request):
    page = chromium.open(f"{fleet.gateway.url}/", context=request.node.name)
    page.wait(LIVE, "it is live")
    assert page.run("fetch('/app.js').then(answer => answer.headers.get('content-encoding'))") == "br"
    page.close()

"""The integration tests' fixtures, a browser for a file's tests, and what the tests of the page begin with.
SPDX-License-Identifier: MIT"""
import importlib.util
import json
import pathlib
import sys

import pytest

INTEGRATION = pathlib.Path(__file__).resolve().parents[1] / "integration"
sys.path.insert(0, str(INTEGRATION))
spec = importlib.util.spec_from_file_location("integration_fixtures", INTEGRATION / "conftest.py")
fixtures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixtures)
globals().update({name: value for name, value in vars(fixtures).items() if not name.startswith("__")})


@pytest.fixture(scope="module")
def chromium():
    """One process; a test takes contexts of its own from it."""
    from browser import Browser
    made = Browser()
    yield made
    made.stop()


@pytest.fixture
def fleet(start, bus, tmp_path):
    from dashboard import Fleet
    return Fleet(start, bus, tmp_path)


@pytest.fixture
def tab(chromium, request):
    """tab(origin, hash): a tab on the page, live; it has complained of nothing in the end."""
    from dashboard import LIVE, NOTES, Tab
    made = []

    def opener(origin, where="", live=True, settings=None, **options):
        init = NOTES + (f"localStorage.setItem('cmlwatch.settings', {json.dumps(json.dumps(settings))});" if settings else "")
        page = Tab(chromium.open(f"{origin}/{where}", context=request.node.name, init=init, **options))
        made.append(page)
        if live:
            page.wait(LIVE, "it is live")
        return page
    yield opener
    for page in made:
        said = [line for line in page.complaints() if "net::ERR" not in line and "status of 50" not in line]
        page.page.close()
        assert said == []

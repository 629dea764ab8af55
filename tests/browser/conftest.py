"""The integration tests' fixtures, and a browser for a file's tests.
SPDX-License-Identifier: MIT"""
import importlib.util
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

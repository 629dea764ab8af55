"""The page in a real browser (Debian's Chromium), against the real stack.
SPDX-License-Identifier: MIT"""
import tempfile

import pytest

import harness
from harness import wait_until

selenium = pytest.importorskip("selenium.webdriver")
pytestmark = pytest.mark.skipif(harness.VALGRIND, reason="the browser is not ours to check")


@pytest.fixture
def browser():
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    with tempfile.TemporaryDirectory() as profile:
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync",
                     "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--window-size=1280,900"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = selenium.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        yield driver
        driver.quit()


def text(browser):
    return browser.execute_script("return document.body.innerText")


def badge(browser):
    return browser.execute_script(
        "const e = document.querySelector('#realtime'); return e && e.dataset.state")


def test_page_shows_the_fleet_and_a_stop_moves_on_it(stack, browser):
    names = {i["name"]: i for i in stack.sim.instances()}
    browser.get(stack.gateway.url + "/")
    wait_until(lambda: all(name in text(browser) for name in names), "all names are on the page")
    wait_until(lambda: badge(browser) == "connected", "the badge is green")

    victim = next(i for i in names.values() if i["state"] == "running")
    row = f"[data-instance='{victim['instance_id']}']"
    wait_until(lambda: browser.execute_script(f"return document.querySelector(\"{row}\")?.dataset.status") == "running",
               "its row says running")
    stack.sim.control(f"instances/{victim['instance_id']}", {"state": "stopped"})
    wait_until(lambda: browser.execute_script(f"return document.querySelector(\"{row}\")?.dataset.status") == "stopped",
               "its row says stopped")

    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe, severe


def test_page_keeps_what_it_knows_while_the_gateway_is_away_and_comes_back(stack, browser):
    names = [i["name"] for i in stack.sim.instances()]
    browser.get(stack.gateway.url + "/")
    wait_until(lambda: badge(browser) == "connected" and all(n in text(browser) for n in names), "live")

    stack.gateway.kill()
    wait_until(lambda: badge(browser) in ("reconnecting", "disconnected", "error"), "the badge says it")
    assert all(name in text(browser) for name in names), "never emptied"
    stack.gateway.start()

    wait_until(lambda: badge(browser) == "connected", "live again", deadline=60)
    assert all(name in text(browser) for name in names)

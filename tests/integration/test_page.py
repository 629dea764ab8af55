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

    wait_until(lambda: badge(browser) == "connected", "live again")
    assert all(name in text(browser) for name in names)


def test_page_asks_for_a_login_where_one_is_wanted_and_again_when_it_is_taken_back(start, bus, browser, tmp_path):
    import hashlib
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.by import By

    import outside
    tokens, known = tmp_path / "tokens", hashlib.sha256(b"word").hexdigest()
    tokens.write_text(f"ada viewer sha256:{known}\n")
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, "--auth", "token", "--tokens-file", tokens, headers={"Authorization": "Bearer word"})
    outside.Publisher(bus.ingest, "/collector/ec2/page").until_heard(gateway, "us-east-1", "i-0page")
    browser.get(gateway.url + "/")
    fields = lambda: browser.find_elements(By.ID, "token")
    wait_until(fields, "it asks")

    fields()[0].send_keys("wrong\n")
    wait_until(lambda: "not known" in text(browser), "it says what is wrong")
    fields()[0].send_keys("word\n")
    wait_until(lambda: "i-0page" in text(browser) and "ada" in text(browser), "the fleet, and who sees it")
    wait_until(lambda: not fields(), "it asks no more")
    assert not browser.execute_script("return document.cookie"), "no script reads the cookie"
    tokens.write_text(f"bob viewer sha256:{'0' * 64}\n")
    wait_until(fields, "it asks again")
    tokens.write_text(f"ada viewer sha256:{known}\n")

    def back():
        try:
            for field in fields():
                field.send_keys("word\n")
        except WebDriverException:
            pass  # it has gone while we typed: it is let in already
        return badge(browser) == "connected" and not fields()
    wait_until(back, "it is back")
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "#account button"), "who is logged in")[0].click()
    wait_until(fields, "logged out")

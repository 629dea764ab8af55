"""The page over a working day: upgraded under its reader, looked away from, taken elsewhere, read without a mouse.
SPDX-License-Identifier: MIT"""
import csv
import datetime
import hashlib
import io
import json
import subprocess
import urllib.parse

import pytest

import harness
import outside
from dashboard import LIVE, Fleet, row
from harness import http_json, wait_until

pytestmark = pytest.mark.skipif(harness.VALGRIND, reason="the browser is not ours to check")

#  A headless tab is never hidden: the document says that it is, as one behind others would.
HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}"""
SAVED = """(() => { const make = URL.createObjectURL; URL.createObjectURL = blob => { blob.text().then(text => { window.saved = text; }); return make(blob); };
  HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; }; })()"""


def restart(fleet, page, path=None):
    """Another process, perhaps another program, and the page has heard which it is."""
    fleet.gateway.kill()
    page.wait("document.querySelector('#realtime').dataset.state !== 'connected'", "it is away")
    fleet.gateway.path = path or fleet.gateway.path
    asked = "performance.getEntriesByType('resource').filter(e => e.name.endsWith('/healthz') && e.responseStatus === 200).length"
    before = page.run(asked)
    fleet.gateway.start()
    page.wait(f"{LIVE} && {asked} > {before}", "live, and the version is asked for")


def test_page_of_another_version_is_taken_when_nobody_looks(fleet, tab, tmp_path):
    page = tab(fleet.gateway.url)
    page.run("window.mark = true")
    version = http_json(fleet.gateway.url + "/healthz")["version"]
    restart(fleet, page)
    page.run(HIDE, True)
    page.run(HIDE, False)
    assert page.run("fetch('/healthz').then(() => window.mark)"), "the same version has the same page"

    other = tmp_path / "cmlwatch-gateway"
    other.write_bytes(fleet.gateway.path.read_bytes().replace(version.encode() + b"\0", (version[:-1] + "~").encode() + b"\0"))
    other.chmod(0o755)
    restart(fleet, page, other)
    assert http_json(fleet.gateway.url + "/healthz")["version"] != version
    page.click("th.name button")
    page.wait("location.hash.includes('sort')", "it goes on")
    assert page.run("fetch('/healthz').then(() => window.mark)"), "never under somebody's eyes"

    page.run(f"({HIDE})(true), 0")

    def loaded_anew():
        try:
            return page.run(f"!window.mark && {LIVE}")
        except AssertionError as error:
            assert "context was destroyed" in str(error), error  # asked amid it
            return False
    wait_until(loaded_anew, "loaded anew")
    assert "sort" in page.hash(), "where one was"


def test_browser_notifies_on_request_of_what_is_critical_while_nobody_looks(fleet, tab):
    #  The real permission; what is shown is noted, for a headless browser shows it nowhere.
    note = "(() => { const Real = Notification; window.shown = []; window.Notification = class extends Real { constructor(title, more) { super(title, more); shown.push(`${title}: ${more.body}`); } }; })()"
    page = tab(fleet.gateway.url, permissions=["notifications"])
    page.run(note)
    page.has("#toasts")
    #  What stands there goes after some seconds, and so does its count, which a slow machine takes for a few clicks: what it said is kept.
    page.run("""window.said = []; new MutationObserver(() => said.push(...[...document.querySelectorAll('.toast')].map(e => e.innerText)))
      .observe(document.querySelector('#toasts'), { childList: true, subtree: true, characterData: true })""")
    fleet.measure("alpha", 99)
    page.wait("said.some(text => text.includes('alpha'))", "a toast")
    page.run(HIDE, True)
    fleet.measure("bravo", 99)
    page.wait("said.some(text => text.includes('bravo'))", "it is told in the corner")
    assert page.run("shown") == [], "nobody asked for them"
    page.run(HIDE, False)

    page.press("?")
    page.click("#notify")
    page.wait("document.querySelector('#notify').checked", "the browser says yes")
    page.press("Escape")
    fleet.measure("charlie", 99)
    page.wait("said.some(text => text.includes('charlie'))", "while one looks, the corner is enough")
    assert page.run("shown") == []
    page.run(HIDE, True)
    fleet.measure("delta", 99)
    page.wait("shown.length === 1 && shown[0].startsWith('cmlwatch: ') && shown[0].includes('delta')", "it is shown")


def test_browser_that_says_no_to_notifications_is_believed(fleet, tab):
    page = tab(fleet.gateway.url)
    page.run("Notification.requestPermission = async () => 'denied'")
    page.press("?")
    page.click("#notify")
    page.wait("!document.querySelector('#notify').checked", "it is off")
    assert page.run("JSON.parse(localStorage.getItem('cmlwatch.settings')).notify") == "off"


def test_what_is_shown_is_copied_as_curl_and_saved_as_csv_and_json(fleet, tab):
    page = tab(fleet.gateway.url, "#/workers?region=us-east-1&status=running", permissions=["clipboard-read", "clipboard-write"])
    page.shows("alpha", "bravo", "charlie")
    page.click(".export summary")
    curl = "[...document.querySelectorAll('.export button')].find(b => b.textContent.includes('curl'))"
    page.wait(curl + " !== undefined", "what it can be taken away as")
    page.run(curl + ".focus()")
    page.press("Enter")
    page.reads(".export code", "copied")
    command = page.run("navigator.clipboard.readText()")
    assert command.startswith("curl ")
    answer = json.loads(subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout)
    assert sorted(worker["name"] for worker in answer["workers"]) == ["alpha", "bravo", "charlie"]

    page.run(SAVED)
    for name, read in (("CSV", lambda text: [line["name"] for line in csv.DictReader(io.StringIO(text))]), ("JSON", lambda text: [worker["name"] for worker in json.loads(text)])):
        page.run("window.saved = null")
        page.run(f"[...document.querySelectorAll('.export button')].find(b => b.textContent === '{name}').click()")
        assert read(page.wait("window.saved", name)) == ["alpha", "bravo", "charlie"]
        assert page.run("savedAs") == f"workers.{name.lower()}"


def test_icon_of_the_tab_counts_troubles_and_kiosk_shows_the_view_alone(fleet, tab):
    page = tab(fleet.gateway.url)
    icon = lambda: urllib.parse.unquote(page.run("document.querySelector('link[rel=icon]').href"))
    assert icon().endswith("/icon.svg")
    for number, name in enumerate(("alpha", "bravo"), 1):
        fleet.measure(name, 99)
        wait_until(lambda: f">{number}</text>" in icon() and page.run("document.title") == f"({number}) cmlwatch", f"{number} of them")
    fleet.measure("alpha", 1)
    wait_until(lambda: ">1</text>" in icon(), "one is left")

    seen = "s => { const e = document.querySelector(s); return !!e && e.checkVisibility(); }"
    page.press("k")
    page.wait("document.documentElement.dataset.kiosk === 'on'", "kiosk")
    assert [page.run(seen, s) for s in ("nav", "#find", "#pause", ".filters", "#realtime", "#tiles", "#fleet")] == [False] * 4 + [True] * 3
    page.press("k")
    page.wait("document.querySelector('nav').checkVisibility()", "and back")


HELD_ALERTS = """(() => {
  const real = window.fetch;
  window.held = 0;
  window.fetch = async (path, ...more) => {
    const answer = await real(path, ...more);
    if (String(path).endsWith('/api/alerts')) await new Promise(go => { window.letGo = go; window.held++; });
    return answer;
  };
})()"""


def test_alert_that_is_told_while_all_are_asked_for_stays(fleet, tab):
    page = tab(fleet.gateway.url)
    shows = lambda number: page.wait(f"document.title === '({number}) cmlwatch'", f"{number} of them")
    fleet.measure("alpha", 99)
    shows(1)
    page.run(HELD_ALERTS)
    page.to("#/alerts")  # asks anew
    page.wait("held === 1", "the gateway has answered, and it is on its way")
    fleet.measure("bravo", 99)
    shows(2)

    page.run("letGo()")
    fleet.measure("charlie", 99)

    shows(3)
    wait_until(lambda: all(name in page.text("main") for name in ("alpha", "bravo", "charlie")), "all stand in the view")


def test_ten_tabs_of_the_page_are_one_stream(fleet, tab):
    pages = [tab(fleet.gateway.url) for _ in range(10)]
    fleet.measure("alpha", 61)
    for page in pages:
        page.reads(f"{row(fleet, 'alpha')} .cpu", "61 %")
    clients = http_json(fleet.gateway.url + "/api/clients")["clients"]
    assert [client["name"] for client in clients] == ["dashboard"]
    pages[0].click("#realtime summary")
    pages[0].reads(".path", "10 tabs")


def test_path_goes_on_to_each_collector(fleet, tab):
    page = tab(fleet.gateway.url)
    page.click("#realtime summary")
    page.reads(".path", "none has been heard")

    def heard():  # it is heard for three intervals, which a machine may stand still for
        fleet.load.publish("collector.heartbeat", "", {"interval_ms": 1000, "units": 7, "usage": []})
        return page.run("document.querySelector('.path').innerText.replace(/\\s+/g, ' ').includes('cloudwatch/page: heard, reads 7, 0 messages lost')")
    wait_until(heard, "it is heard")
    page.reads(".path", "none has been heard")  # three intervals of silence later


def test_times_are_where_one_is_or_of_the_whole_world(fleet, tab):
    page = tab(fleet.gateway.url, "#/events", timezoneId="Asia/Tokyo")
    fleet.say("alpha", state="stopped")
    page.reads("#events", "running → stopped")
    #  Of one event: others may come above it.
    event = page.run("document.querySelector('#events li').dataset.id")
    time = f"document.querySelector('#events li[data-id=\"{event}\"] time')"
    at = datetime.datetime.fromisoformat(page.run(f"{time}.dateTime").replace("Z", "+00:00"))
    local = at.astimezone(datetime.timezone(datetime.timedelta(hours=9)))
    assert page.run(f"{time}.textContent") == f"{local:%H:%M:%S}"
    page.click("#zone")
    page.wait(f"{time}.textContent === '{at:%H:%M:%S}'", "UTC")
    assert page.run(f"{time}.title").endswith("UTC")


def test_order_is_held_while_the_focus_is_in_it(fleet, tab):
    for name, cpu in zip(Fleet.NAMES, (10, 20, 30, 40)):
        fleet.measure(name, cpu)
    page = tab(fleet.gateway.url, "#/workers?sort=-cpu")
    page.shows("delta", "charlie", "bravo", "alpha", "echo")
    page.run(f"document.querySelector(\"{row(fleet, 'charlie')}\").focus()")
    fleet.measure("alpha", 95)
    fleet.ec2.instance("us-east-1", "i-0new", name="new", interval_seconds=3600)
    page.reads("#shown", "6 workers")
    page.reads(f"{row(fleet, 'alpha')} .cpu", "95 %")
    assert page.rows() == ["delta", "charlie", "bravo", "alpha", "echo", "new"]
    assert page.run("document.activeElement.dataset.id") == fleet.ids["charlie"]
    page.run("document.activeElement.blur()")
    fleet.measure("bravo", 21)
    page.shows("alpha", "delta", "charlie", "bravo", "echo", "new")


def test_tab_and_enter_alone_reach_and_do_everything(fleet, tab):
    """By the tabulator, as one without a mouse: the way goes through everything that can be done, and nothing holds it."""
    page = tab(fleet.gateway.url)
    page.shows(*Fleet.NAMES)
    name = "(e => e === document.body ? '' : `${e.tagName} ${e.id || e.className || ''} ${e.textContent.trim().slice(0, 20)}`)"
    what = f"{name}(document.activeElement)"
    all_of_it, here = [], None
    while here != "" and len(all_of_it) < 80:
        page.press("Tab")
        here = page.run(what)
        all_of_it.append(here)
    way = "\n".join(all_of_it)
    for each in ("A skip", "A  Jobs", "INPUT find", "SUMMARY  ", "BUTTON pause", "BUTTON theme", "BUTTON zone", "BUTTON keys", "BUTTON tile running", "SELECT region", "INPUT tag", "BUTTON  Name"):
        assert each in way, f"{each} is not on the way:\n{way}"
    assert len(all_of_it) < 80, "it comes to an end"

    def tab_to(words):
        page.wait(f"[...document.querySelectorAll('a, button, input, select, summary, [tabindex]')].some(e => {name}(e).includes({json.dumps(words)}))", words)
        for _ in range(80):
            page.press("Tab")
            if words in page.run(what):
                return
        raise AssertionError(f"{words} is not reached")
    tab_to("tile stopped")
    page.press("Enter")
    page.shows("echo")
    page.press("Enter")
    page.shows(*Fleet.NAMES)
    tab_to("alpha")
    page.press("Enter")
    page.has(f"article[data-worker='{fleet.ids['alpha']}']")
    tab_to("BUTTON  refresh labs")
    tab_to("BUTTON  pause")
    page.press("Enter")
    page.reads("dialog[open]", "Stop alpha?")
    assert page.run("document.activeElement.value") == "no", "what does no harm is chosen"
    page.press("Escape")
    page.lacks("dialog[open]")
    page.run("document.querySelector('#idle-switch').focus()")
    page.press("Space")
    wait_until(lambda: not fleet.gateway.worker("i-0alpha")["is_idle_detection_enabled"], "switched by the space bar")

    fleet.measure("bravo", 99)
    page.press("4")
    page.has("[data-alert]")
    tab_to("acknowledge")
    page.press("Enter")
    page.has("[data-alert][data-state=acknowledged]")


def test_login_opens_the_page_and_says_what_one_may(start, bus, tab, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("".join(f"{name} {role} sha256:{hashlib.sha256(word).hexdigest()}\n" for name, role, word in (("ada", "viewer", b"see"), ("bob", "operator", b"do"))))
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, "--auth", "token", "--tokens-file", tokens, headers={"Authorization": "Bearer see"})
    worker = outside.Publisher(bus.ingest, "/collector/ec2/login").until_heard(gateway, "us-east-1", "i-0one", name="one")["worker_id"]
    page = tab(gateway.url, f"#/worker/{worker}", live=False)
    page.has("#login")
    page.wait("document.activeElement.id === 'token'", "one may type at once")
    page.call("keyboard.type", "wrong")
    page.press("Enter")
    page.wait("document.querySelector('#token').value === '' && document.querySelector('#refused').textContent", "it is refused, and says why")
    assert not page.run("document.querySelector('article')")

    def log_in(word):
        page.has("#login")
        page.call("fill", "#token", word)
        page.press("Enter")
        page.wait(LIVE, "live")
        page.lacks("#login")
    log_in("see")
    page.reads("#account", "ada viewer")
    page.reads(".title", "one")
    assert page.run("document.querySelectorAll('[data-action]').length") == 0 and page.run("document.querySelector('#idle-switch').disabled")
    page.click("#account button")
    page.has("#login")
    wait_until(lambda: "one" not in page.text("main"), "nobody sees what was shown to somebody")
    log_in("do")
    page.reads("#account", "bob operator")
    page.has("[data-action=pause]")
    assert [line for line in page.complaints() if "401" not in line] == []

"""The page in Chromium, against the real aggregator and gateway: what an operator sees and does.
SPDX-License-Identifier: MIT"""
import json

import pytest

import harness
from dashboard import LIVE, Fleet, row
from harness import http_json, wait_until
from middle import Middle
from runner import Runner

pytestmark = pytest.mark.skipif(harness.VALGRIND, reason="the browser is not ours to check")


# --- the fleet

def test_fleet_is_painted_and_a_change_shows_where_it_happened(fleet, tab):
    page = tab(fleet.gateway.url)
    page.shows("alpha", "bravo", "charlie", "delta", "echo")
    assert page.run(f"document.querySelector(\"{row(fleet, 'echo')}\").dataset.status") == "stopped"

    fleet.measure("alpha", 42)
    page.reads(f"{row(fleet, 'alpha')} .cpu", "42 %")
    assert page.run("[...document.querySelectorAll('td.changed')].map(e => e.className.split(' ')[0])") == ["cpu"], "that cell alone is marked"
    fleet.say("bravo", state="stopped")
    page.has(f"{row(fleet, 'bravo')}[data-status=stopped]")
    page.reads("#tiles", "2 stopped")


def test_filters_search_and_order_stand_in_the_address(fleet, tab):
    page = tab(fleet.gateway.url)
    page.shows(*Fleet.NAMES)
    page.call("selectOption", "#region", "us-east-1")
    page.shows("alpha", "bravo", "charlie")
    page.click("th.name button")
    page.shows("charlie", "bravo", "alpha")
    assert page.run("document.querySelector('th.name').ariaSort") == "descending"
    page.call("fill", "#tag", "team=blue")
    page.shows("charlie", "alpha")
    page.call("fill", "#find", "ALPH")
    page.shows("alpha")
    page.reads("#shown", "1 of 5 workers")
    address = page.hash()
    assert all(word in address for word in ("region=us-east-1", "sort=-name", "q=ALPH", "tag=team"))

    other = tab(fleet.gateway.url, address)
    other.shows("alpha")
    assert other.run("['find', 'region', 'tag'].map(id => document.getElementById(id).value)") == ["ALPH", "us-east-1", "team=blue"]
    page.click("#fleet a")
    page.has(f"article[data-worker='{fleet.ids['alpha']}']")
    page.call("goBack")
    page.shows("alpha")
    assert page.hash() == address


def test_a_word_with_a_colon_says_where_to_look(fleet, tab):
    page = tab(fleet.gateway.url, "#/workers?q=tag:team%3Dred")
    page.shows("bravo")
    page.call("fill", "#find", "region:eu status:stopped")
    page.shows("echo")
    page.call("fill", "#find", "nobody")
    page.shows()
    page.reads(".empty", "No worker fits")


def test_counters_are_filters(fleet, tab):
    page = tab(fleet.gateway.url)
    page.shows(*Fleet.NAMES)
    page.click(".tile.stopped")
    page.shows("echo")
    assert page.run("document.querySelector('.tile.stopped').ariaPressed") == "true" and "group=stopped" in page.hash()
    fleet.say("alpha", state="stopped")
    page.shows("alpha", "echo")
    page.click(".tile.stopped")
    page.shows(*Fleet.NAMES)
    page.click(".tile.running")
    page.shows("bravo", "charlie", "delta")


def test_order_is_held_while_somebody_points_at_it(fleet, tab):
    for name, cpu in zip(Fleet.NAMES, (10, 20, 30, 40)):
        fleet.measure(name, cpu)
    page = tab(fleet.gateway.url, "#/workers?sort=-cpu")
    page.shows("delta", "charlie", "bravo", "alpha", "echo")
    page.call("hover", row(fleet, "bravo"))
    fleet.measure("alpha", 95)
    page.reads(f"{row(fleet, 'alpha')} .cpu", "95 %")
    fleet.ec2.instance("us-east-1", "i-0new", name="new", interval_seconds=3600)
    page.reads("#shown", "6 workers")  # the order has been worked out anew
    assert page.rows() == ["delta", "charlie", "bravo", "alpha", "echo", "new"], "nothing moves under the pointer; who is new stands at the end"

    page.call("mouse.move", 5, 5)
    fleet.measure("bravo", 21)
    page.shows("alpha", "delta", "charlie", "bravo", "echo", "new")


def test_stale_absent_and_zero_look_different(fleet, tab):
    fleet.measure("alpha", 0)
    fleet.measure("bravo", 50, interval_seconds=1)
    page = tab(fleet.gateway.url)
    page.reads(f"{row(fleet, 'alpha')} .cpu", "0.0 %")
    page.has(f"{row(fleet, 'bravo')} .fresh3 i.stale:nth-child(2)")
    look = """names => names.map(s => { const e = document.querySelector(s), c = getComputedStyle(e); return [e.textContent, c.borderStyle, c.color].join(); })"""
    stale, absent, fresh = page.run(look, [f"{row(fleet, name)} .fresh3 i:nth-child(2)" for name in ("bravo", "charlie", "alpha")])

    assert len({stale, absent, fresh}) == 3
    assert page.text(f"{row(fleet, 'charlie')} .cpu") == "–" and page.text(f"{row(fleet, 'charlie')} .labs") == "–"
    assert "not asked" in page.run(f"document.querySelector(\"{row(fleet, 'charlie')} .fresh3 i:nth-child(2)\").ariaLabel")


def test_only_rows_in_sight_are_in_the_document(fleet, tab):
    for number in range(300):
        fleet.ec2.instance("us-east-1", f"i-1{number:03}", name=f"many-{number:03}", interval_seconds=3600)
    page = tab(fleet.gateway.url)
    page.reads("#shown", "305 workers")
    assert len(page.rows()) < 60 and page.run("document.querySelector('table').ariaRowCount") == "306"

    page.run("scrollTo(0, document.body.scrollHeight)")
    wait_until(lambda: page.rows()[-1:] == ["many-299"], "the last one")
    assert page.run("document.querySelector('tr[data-id]:last-of-type').ariaRowIndex") == "306" and len(page.rows()) < 60


def test_keys_alone_are_enough(fleet, tab):
    page = tab(fleet.gateway.url)
    page.shows(*Fleet.NAMES)
    page.press("/")
    page.call("keyboard.type", "team:red")
    page.shows()
    page.press("Control+A")
    page.call("keyboard.type", "status:running")
    page.shows("alpha", "bravo", "charlie", "delta")
    page.press("Escape")
    assert page.run("document.activeElement === document.body")
    page.run(f"document.querySelector(\"{row(fleet, 'alpha')}\").focus()")
    page.press("ArrowDown")
    page.wait(f"document.activeElement.dataset.id === '{fleet.ids['bravo']}'", "a row down")
    page.press("End")
    page.wait(f"document.activeElement.dataset.id === '{fleet.ids['delta']}'", "the last")
    page.press("Enter")
    page.has(f"article[data-worker='{fleet.ids['delta']}']")
    page.press("Escape")
    page.has("#fleet")

    page.press("?")
    page.has("dialog[open] kbd")
    page.press("Escape")
    page.lacks("dialog[open]")
    for key, view in (("2", "jobs"), ("3", "events"), ("4", "alerts"), ("5", "system"), ("1", "workers")):
        page.press(key)
        wait_until(lambda: page.hash() == f"#/{view}", view)
        page.wait(f"document.querySelector('nav [aria-current=page]').textContent.toLowerCase().includes('{view}')", "the tab says it")


def test_looks_are_kept_in_this_browser(fleet, tab):
    page = tab(fleet.gateway.url, colorScheme="dark")
    page.press("t", "t")
    page.wait("document.documentElement.dataset.theme === 'dark'", "auto, light, dark")
    page.press("z")
    page.reads("#zone", "UTC")
    other = tab(fleet.gateway.url)
    other.reads("#zone", "UTC")
    other.press("k")
    page.wait("document.documentElement.dataset.kiosk === 'on'", "one tab's settings are another's")
    assert page.run("getComputedStyle(document.querySelector('nav')).display") == "none"


# --- the link

def test_page_is_never_empty_and_says_how_long_it_was_away(fleet, tab):
    page = tab(fleet.gateway.url)
    page.shows(*Fleet.NAMES)
    fleet.gateway.kill()
    page.has("#realtime[data-state=reconnecting]")
    page.reads(".banner", "what was last known")
    page.reads("#realtime summary", "retry in")
    fleet.measure("alpha", 77)
    fleet.say("bravo", state="stopped")
    #  Longer than the second below which nothing is said of it.
    away = page.run("performance.now()")
    page.wait(f"performance.now() > {away} + 1500", "a while")
    assert page.rows() == list(Fleet.NAMES)

    fleet.gateway.start()
    page.wait(LIVE, "live again")
    page.reads(".banner", "back after")
    page.reads(f"{row(fleet, 'alpha')} .cpu", "77 %")
    page.has(f"{row(fleet, 'bravo')}[data-status=stopped]")
    notes = page.run("notes")
    assert notes["least"] == 5, "never emptied"
    assert notes["states"] == ["reconnecting", "connected", "reconnecting", "connected"]


def test_view_that_was_not_there_yet_comes_when_the_gateway_is_back(fleet, tab):
    page = tab(fleet.gateway.url)
    page.shows(*Fleet.NAMES)
    fleet.gateway.kill()
    page.to("#/jobs")
    page.reads(".empty", "could not be loaded")
    page.to("#/workers")
    page.shows(*Fleet.NAMES)
    page.to("#/jobs")
    fleet.gateway.start()
    page.reads(".empty", "No jobs")


def test_proxys_502_is_named_and_come_through(fleet, tab):
    middle = Middle(fleet.gateway)
    try:
        page = tab(middle.url)
        page.shows(*Fleet.NAMES)
        middle.down()
        page.has("#realtime:not([data-state=connected])")
        fleet.measure("alpha", 66)
        middle.mode = "pass"
        page.wait(LIVE, "live again")
        page.reads(f"{row(fleet, 'alpha')} .cpu", "66 %")
        assert page.run("notes.least") == 5
    finally:
        middle.close()


def test_badge_opens_into_the_way_of_an_event(fleet, tab):
    page = tab(fleet.gateway.url)
    page.click("#realtime summary")
    page.reads(".path", "heartbeat")
    page.reads(".path", "missed · replayed · repaired 0 · 0 · 0")
    stream = http_json(fleet.gateway.url + "/api/clients")["clients"][0]["id"]
    page.click("#realtime button")
    wait_until(lambda: [c["id"] for c in http_json(fleet.gateway.url + "/api/clients")["clients"]] not in ([], [stream]), "opened anew")
    page.wait(LIVE, "live")


def test_pause_holds_what_is_shown_and_counts_what_waits(fleet, tab):
    page, other = tab(fleet.gateway.url), tab(fleet.gateway.url)
    page.shows(*Fleet.NAMES)
    page.press("p")
    fleet.measure("alpha", 55)
    other.reads(f"{row(fleet, 'alpha')} .cpu", "55 %")
    page.reads("#pause", "waiting")
    wait_until(lambda: "(0 waiting)" not in page.text("#pause"), "something waits")
    assert page.text(f"{row(fleet, 'alpha')} .cpu").endswith("1.0 %")

    page.click("#pause")
    page.reads(f"{row(fleet, 'alpha')} .cpu", "55 %")
    page.reads("#pause", "pause")


# --- a worker

def test_worker_stands_by_source_and_one_that_fails_leaves_the_others(start, tab):
    stack = start(harness.Stack)
    victim = next(i for i in stack.sim.instances() if i["state"] == "running")["instance_id"]
    wait_until(lambda: (w := stack.gateway.worker(victim)) and w["cml_freshness"] == w["cloudwatch_freshness"] == "fresh" and w["cml_version"], "all three are heard")
    page = tab(stack.gateway.url, f"#/worker/{victim}")
    version = stack.gateway.worker(victim)["cml_version"]
    for source in ("ec2", "cloudwatch", "cml"):
        page.has(f"[data-source={source}][data-freshness=fresh]")
    page.reads("[data-source=cml]", version)
    page.wait("document.querySelectorAll('.chart canvas').length === 4", "charts")
    page.run("window.charts = [...document.querySelectorAll('canvas')]")

    stack.sim.fault(api="cml", instance=victim, kind="unreachable", for_ms=600000)
    page.has("[data-source=cml][data-freshness=error], [data-source=cml][data-freshness=stale]")
    page.reads("[data-source=cml] .trouble", "since")
    page.reads("[data-source=cml] .values", version)
    #  In one look, and in another when the machine stands still: three rounds of half a second are soon missed.
    page.wait("""(() => { const of = (s, what) => document.querySelector(`[data-source=${s}] .${what}`), dim = s => getComputedStyle(of(s, 'values')).color;
        return dim('cml') !== dim('ec2') && dim('ec2') === dim('cloudwatch') && !of('ec2', 'trouble')?.innerText.trim() && !of('cloudwatch', 'trouble')?.innerText.trim(); })()""",
              "the others are well")
    page.reads("#timeline", "worker.freshness.changed")
    assert page.run("charts.every(c => c.isConnected)"), "no chart was drawn anew"


def test_idle_toggle_neither_flickers_nor_resets_a_bar(fleet, tab):
    fleet.measure("alpha", 37, memory_percent=61)
    page = tab(fleet.gateway.url, f"#/worker/{fleet.ids['alpha']}")
    page.reads("#load .now", "61 %")
    page.wait("document.querySelectorAll('.chart canvas').length === 4", "charts")
    page.run("""(() => {
        window.moves = []; window.canvases = [...document.querySelectorAll('canvas')];
        new MutationObserver(all => moves.push(...all.map(m => m.type + m.target.textContent))).observe(document.querySelector('#load .now'), { subtree: true, childList: true, characterData: true, attributes: true });
        window.checks = []; const box = document.querySelector('#idle-switch');
        const look = () => { if (checks.at(-1) !== box.checked) checks.push(box.checked); requestAnimationFrame(look); }; look();
      })()""")
    page.click("#idle-switch")
    wait_until(lambda: not fleet.gateway.worker("i-0alpha")["is_idle_detection_enabled"], "it is off")
    page.wait("!document.querySelector('#activity .switch small')", "the stream has confirmed it")
    page.reads("#timeline", "worker.idle_detection.toggled")

    assert page.run("checks") == [True, False], "once, and not back"
    assert page.run("moves") == [] and page.run("canvases.every(c => c.isConnected)")
    other = tab(fleet.gateway.url, f"#/worker/{fleet.ids['alpha']}")
    other.wait("document.querySelector('#idle-switch')?.checked === false", "everybody sees it")
    other.click("#idle-switch")
    page.wait("document.querySelector('#idle-switch').checked", "and that it is on again")


def test_switch_goes_back_when_the_gateway_says_no(fleet, tab):
    page = tab(fleet.gateway.url, f"#/worker/{fleet.ids['alpha']}")
    page.has("#idle-switch")
    page.run("(() => { const f = window.fetch; window.fetch = (u, o) => o?.method === 'PUT' ? Promise.resolve(new Response('{\"detail\":\"not today\"}', { status: 503, headers: { 'Content-Type': 'application/problem+json' } })) : f(u, o); })()")
    page.click("#idle-switch")
    page.reads("article [role=alert]", "not today")
    page.wait("document.querySelector('#idle-switch').checked", "it is as it was")


def test_worker_that_leaves_stays_readable(fleet, tab):
    page = tab(fleet.gateway.url, f"#/worker/{fleet.ids['alpha']}")
    page.reads(".title", "alpha")
    fleet.say("alpha", state="terminated")
    page.wait("/terminated|left the fleet/.test(document.querySelector('article').innerText)", "it is told")
    page.reads(".title", "alpha")
    page.to("#/worker/nobody")
    page.reads(".empty", "No worker has the id nobody")


# --- jobs, alerts, events, system

def test_job_goes_from_a_button_to_its_end_and_another_is_cancelled(fleet, tab):
    page = tab(fleet.gateway.url, f"#/worker/{fleet.ids['alpha']}")
    page.click("[data-action=pause]")
    page.reads("dialog[open]", "Stop alpha?")
    page.click("dialog[open] button[value=no]")
    page.lacks("dialog[open]")
    runner = Runner(fleet.bus, "/runner/page", "image.sync", concurrency=2)
    try:
        runner.poll(0)
        for number in range(2):
            status, _, body = fleet.gateway.ask("/api/jobs", "POST", {"job_type": "image.sync", "worker_id": fleet.ids["alpha"], "priority": number})
            assert status == 202, body
        first = runner.work()
        second = wait_until(lambda: next((job for job in runner.running.values() if job is not first), None) or runner.poll(50) and None, "the other")
        runner.report(first, "progress", progress=40, step="copy", message="half")
        page.reads(".actions .jobs", "40 %")
        page.to("#/jobs")
        page.reads(f"[data-job='{first['job_id']}']", "40 % copy · half")
        page.reads("nav", "Jobs 2")

        page.click(f"[data-job='{second['job_id']}'] button")
        page.reads("dialog[open]", "Cancel image.sync?")
        page.click("dialog[open] button[value=yes]")
        page.has(f"[data-job='{second['job_id']}'][data-status=cancelled]")
        wait_until(lambda: runner.poll(50) and second["job_id"] not in runner.running, "the runner is told to stop")
        runner.report(first, "completed", result={})
        page.has(f"[data-job='{first['job_id']}'][data-status=completed]")
        page.reads("#tiles", "1 completed")
    finally:
        runner.close()


def test_alert_is_raised_seen_and_cleared(fleet, tab):
    page = tab(fleet.gateway.url, "#/alerts")
    page.reads(".empty", "All is well")
    page.reads("section[aria-label=Rules]", "cpu_utilization > 90")
    page.reads("section[aria-label=Rules] tr.resting", "would have never fired")
    fleet.measure("alpha", 99)
    page.has("[data-state=raised][data-alert]")
    page.wait("document.title.startsWith('(1)') && document.querySelector('link[rel=icon]').href.startsWith('data:')", "the tab's own icon counts it")
    page.click("[data-alert] button")
    page.has("[data-state=acknowledged][data-alert]")
    other = tab(fleet.gateway.url, "#/workers?group=attention")
    other.shows("alpha")

    fleet.measure("alpha", 5)
    page.reads("section[aria-label='Cleared alerts']", "alpha")
    page.reads(".empty", "All is well")
    page.wait("document.title === 'cmlwatch'", "no trouble, no number")


def test_events_come_newest_first_wait_while_one_reads_and_have_links(fleet, tab):
    page = tab(fleet.gateway.url, "#/events", viewport={"width": 1000, "height": 500})
    for number in range(40):
        fleet.say("alpha", state="stopped" if number % 2 == 0 else "running")
        wait_until(lambda: fleet.gateway.worker("i-0alpha")["status"] == ("stopped" if number % 2 == 0 else "running"), "it is said")
    page.reads("#events", "stopped → running")
    wait_until(lambda: page.run("document.querySelectorAll('#events li').length") >= 40, "all are there")
    #  Two frames: before the second the page has been told that it was scrolled.
    page.run("new Promise(done => { scrollTo(0, 400); requestAnimationFrame(() => requestAnimationFrame(() => done(true))); })")
    top = page.run("document.querySelector('#events li').dataset.id")
    fleet.say("bravo", state="stopped")
    page.reads(".new", "new")
    assert page.run("document.querySelector('#events li').dataset.id") == top, "nothing moves while one reads"
    page.click(".new button")
    page.reads("#events li:first-child", "bravo")

    page.click("#events li:first-child .here")
    page.reads(".one pre", fleet.ids["bravo"])
    other = tab(fleet.gateway.url, page.hash())
    other.reads(".one pre", fleet.ids["bravo"])
    page.to("#/events?q=bravo")
    wait_until(lambda: all("bravo" in line for line in page.text("#events li").split(" | ")), "a search finds")


def test_gap_is_a_line_of_its_own(fleet, tab):
    page = tab(fleet.gateway.url, "#/events")
    page.click("#realtime summary")
    page.click(".pop button:nth-of-type(2)")
    page.reads("#events .gap", "events before this are not known")


def test_events_are_saved_as_lines_of_json(fleet, tab):
    page = tab(fleet.gateway.url, "#/events")
    page.run("""(() => { const make = URL.createObjectURL; URL.createObjectURL = blob => { blob.text().then(text => { window.saved = text; }); return make(blob); };
        HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; }; })()""")
    fleet.say("alpha", state="stopped")
    page.reads("#events", "running → stopped")
    page.run("[...document.querySelectorAll('.filters button')].find(b => b.textContent === 'NDJSON').click()")
    saved = [json.loads(line) for line in page.wait("window.saved", "it is saved").splitlines()]

    assert page.run("savedAs") == "events.ndjson"
    assert any(event["type"] == "worker.status.updated" and event["data"]["new_status"] == "stopped" for event in saved)


def test_system_says_who_looks_and_what_is_counted(fleet, tab):
    page = tab(fleet.gateway.url, "#/system")
    page.reads("#clients .own", "dashboard")
    page.reads("section[aria-label=Counters]", "cmlwatch_gateway_clients")
    page.reads("section[aria-label='The gateway']", http_json(fleet.gateway.url + "/healthz")["version"])


def test_system_says_who_reads_what_and_what_it_costs(fleet, tab):
    usage = [{"account": "lab", "region": "us-east-1", "calls": 1200, "failed": 3, "throttled": 4, "billed": 900, "cost_usd_month": 41.5},
             {"account": "lab", "region": "eu-west-1", "calls": 34, "cost_usd_month": 0.5}]
    beat = {"interval_ms": 60000, "version": "7.8", "units": 2, "rounds_overdue": 5, "usage_since": "2026-01-01T00:00:00Z", "usage": usage, "cost_cents": 4200, "budget_usd": 50, "stretch_percent": 100}
    fleet.load.publish("collector.heartbeat", "", beat)
    page = tab(fleet.gateway.url, "#/system")
    mine = "[data-collector='/collector/cloudwatch/page']"
    page.reads(mine, "cloudwatch/page 7.8")
    for words in ("1,234", "$42", "near its $50"):
        page.reads(mine, words)
    assert page.text(f"{mine} [data-label='rounds skipped']") == "5" and page.text(f"{mine} [data-label='reads']") == "2"
    page.reads("[data-part='lab · us-east-1']", "1,200")
    page.reads("[data-part='lab · eu-west-1']", "$0.50")
    page.reads("#usage", "1,234 calls, 3 failed, 4 throttled; $42 a month at this pace")

    fleet.load.publish("collector.heartbeat", "", {**beat, "budget_usd": 20, "stretch_percent": 210})
    page.reads(f"{mine} [data-budget=beyond]", "beyond $20: intervals are 2.10 times as long")
    page.reads("#usage", "1 collector seldomer to keep a budget")


def test_toasts_are_merged_at_most_three_and_a_flood_is_one_line(fleet, tab):
    page = tab(fleet.gateway.url, settings={"toasts": "all"})
    page.has("#toasts")
    #  They stay for seconds, which a busy machine may look away for: what they said is kept.
    page.run("""window.mostToasts = 0; window.said = []; new MutationObserver(() => {
        const all = [...document.querySelectorAll('.toast')];
        mostToasts = Math.max(mostToasts, all.length); said.push(...all.map(e => `${e.dataset.type}: ${e.innerText.replace(/\\s+/g, ' ')}`));
      }).observe(document.querySelector('#toasts'), { childList: true, subtree: true, characterData: true })""")
    for number in range(2):
        fleet.ec2.instance("us-east-1", f"i-0new{number}", name=f"new {number}", interval_seconds=3600)
    page.wait("said.some(text => text.startsWith('worker.created: 2 × new 1 appeared'))", "both in one")
    page.run("document.querySelector('.toast[data-type=\"worker.created\"] button')?.click()")
    page.lacks(".toast[data-type='worker.created']")

    for number in range(60):
        fleet.ec2.instance("us-east-1", f"i-0flood{number}", name=f"flood {number}", interval_seconds=3600)
    page.wait("said.some(text => text.startsWith('flood: ') && text.includes('things happened'))", "one line")
    assert page.run("mostToasts") <= 3
    page.to("#/events?q=flood")
    page.reads("#shown", "60 events")


def test_toasts_are_of_what_is_critical_unless_one_says_otherwise(fleet, tab):
    page = tab(fleet.gateway.url)
    page.has("#toasts")
    fleet.ec2.instance("us-east-1", "i-0quiet", name="quiet", interval_seconds=3600)
    fleet.measure("bravo", 98)
    page.reads(".toast", "bravo")
    page.reads("#shown", "6 workers")
    assert "quiet" not in page.text("#toasts")


# --- the policy

def test_each_view_is_within_the_policy_from_the_program_and_from_a_folder(start, fleet, tab):
    unbuilt = start(harness.Gateway, fleet.bus, "--dashboard-dir", harness.ROOT / "gateway/dashboard")
    for gateway in (fleet.gateway, unbuilt):
        page = tab(gateway.url)
        for view in ("jobs", "events", "alerts", "system", f"worker/{fleet.ids['alpha']}", "workers"):
            page.to(f"#/{view}")
            page.wait("document.querySelector('main section, main article')", view)
        assert page.run("performance.getEntriesByType('resource').every(e => e.name.startsWith(origin))"), "nothing from elsewhere"

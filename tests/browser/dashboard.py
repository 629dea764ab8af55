"""dashboard - what the tests of the page stand on: a fleet that an outside publisher speaks for, and tabs on it.
SPDX-License-Identifier: MIT"""
import harness
import outside
from harness import wait_until

#  Before the page's own scripts: what passes between two looks is noted.
NOTES = """
window.notes = { least: Infinity, most: 0, states: [] };
new MutationObserver(() => {
  const rows = document.querySelectorAll('tr[data-id]').length, state = document.querySelector('#realtime')?.dataset.state;
  if (notes.most) notes.least = Math.min(notes.least, rows);
  notes.most = Math.max(notes.most, rows);
  if (state && state !== notes.states.at(-1)) notes.states.push(state);
}).observe(document, { childList: true, subtree: true, attributes: true });
"""
ROWS = "[...document.querySelectorAll('tr[data-id]')].map(row => row.querySelector('.name a').textContent)"
LIVE = "document.querySelector('#realtime')?.dataset.state === 'connected'"
RULES = """
[cpu-high]
for = 0s
clear_after = 0s
severity = critical
[data-stale]
enabled = no
[cml-unavailable]
enabled = no
[idle-running]
enabled = no
"""


class Fleet:
    """alpha to echo: the first three in us-east-1, the others in eu-west-1; echo is stopped, team is a tag."""
    NAMES = ("alpha", "bravo", "charlie", "delta", "echo")

    def __init__(self, start, bus, folder, *gateway):
        rules = folder / "alerts.conf"
        rules.write_text(RULES)
        self.bus = bus
        self.aggregator = start(harness.Aggregator, bus, "--store", folder / "store", "--alert-rules", rules, "--renew-ms", 10000)
        self.gateway = start(harness.Gateway, bus, *gateway)
        self.ec2 = outside.Publisher(bus.ingest, "/collector/ec2/page")
        self.load = outside.Publisher(bus.ingest, "/collector/cloudwatch/page")
        for name in self.NAMES:
            wait_until(lambda: self.say(name) or self.gateway.worker(f"i-0{name}"), name)
        self.ids = {name: self.gateway.worker(f"i-0{name}")["worker_id"] for name in self.NAMES}
        wait_until(lambda: self.measure("alpha", 1) or self.gateway.worker("i-0alpha")["cpu_utilization"] == 1, "the load is heard")

    def region(self, name):
        return "us-east-1" if name in self.NAMES[:3] else "eu-west-1"

    def say(self, name, **data):
        data = {"name": name, "state": "stopped" if name == "echo" else "running", "interval_seconds": 3600,
                "tags": {"team": "red" if name == "bravo" else "blue"}, **data}
        self.ec2.instance(self.region(name), f"i-0{name}", **data)

    def measure(self, name, cpu, **data):
        self.load.publish("utilization.observed", f"{self.region(name)}/i-0{name}", {"cpu_percent": cpu, "interval_seconds": 3600, **data})


def row(fleet, name):
    return f"tr[data-id='{fleet.ids[name]}']"


class Tab:
    """A page that is looked at as a user does: by what stands in it."""

    def __init__(self, page):
        self.page = page
        self.run, self.wait, self.call, self.complaints = page.run, page.wait, page.call, page.complaints

    def rows(self):
        return self.run(ROWS)

    def shows(self, *names):
        """The rows are these, in this order."""
        wait_until(lambda: self.rows() == list(names), f"the rows are {names}, and are {self.rows()}")

    def text(self, selector):
        return self.run("s => [...document.querySelectorAll(s)].map(e => e.innerText.replace(/\\s+/g, ' ').trim()).join(' | ')", selector)

    def reads(self, selector, what):
        wait_until(lambda: what in self.text(selector), f"'{what}' stands in {selector}")

    def lacks(self, selector):
        self.wait(f"!document.querySelector({selector!r})", f"no {selector}")

    def has(self, selector):
        self.wait(f"document.querySelector({selector!r})", selector)

    def hash(self):
        return self.run("location.hash")

    def to(self, where):
        self.run("hash => { location.hash = hash; }", where)

    def press(self, *keys):
        for key in keys:
            self.call("keyboard.press", key)

    def click(self, selector):
        self.call("click", selector)

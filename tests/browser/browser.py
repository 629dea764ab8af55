"""browser - Debian's Chromium, driven through tests/browser/driver.mjs.

A Browser is one process; its pages of one context are tabs of one browser. Page.call reaches each of playwright's
methods; nothing is waited for by time, but by a condition that stands in the document (traps: never by an idle network).
SPDX-License-Identifier: MIT"""
import itertools
import json
import os
import shutil
import subprocess

import pytest

import harness
from harness import wait_until

FOLDER = harness.ROOT / "build" / "browser"
HERE = harness.ROOT / "tests" / "browser"
NODE_LEAST = 18  # playwright-core's; later ones than 1.61 want more than Debian 12 has


def node():
    """What runs playwright-core; the test is skipped where there is nothing, and says why."""
    if not os.path.exists("/usr/bin/chromium") or not shutil.which("node"):
        pytest.skip("no Chromium or no node here; deploy/deps test installs them")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_LEAST:
        pytest.skip(f"playwright-core wants node {NODE_LEAST} or later, and here is {version}")
    installed = subprocess.run([harness.ROOT / "tests/support/node/install", HERE, FOLDER], capture_output=True, text=True)
    if installed.returncode == 75:
        pytest.skip(installed.stderr.strip())
    assert installed.returncode == 0, installed.stderr
    return "node"


class Page:
    def __init__(self, browser, name):
        self.browser, self.name = browser, name

    def call(self, method, *arguments):
        return self.browser.ask(page=self.name, call=method, args=arguments)

    def goto(self, url):
        self.call("goto", url, {"waitUntil": "commit"})
        return self

    def run(self, script, argument=None):
        """The value of an expression; a promise's is waited for. A function is called with the argument."""
        return self.call("evaluate", script if argument is None else f"({script})({json.dumps(argument)})")

    def wait(self, script, what, deadline=harness.PATIENCE):
        return wait_until(lambda: self.run(script), what, deadline)

    def complaints(self):
        """What the page has said on its console as an error, and what it threw."""
        return self.call("log")

    def metrics(self):
        """Chromium's own counts: TaskDuration and ScriptDuration in seconds, JSHeapUsedSize, Nodes."""
        return self.call("metrics")

    def close(self):
        self.call("close", {"runBeforeUnload": False})


class Browser:
    def __init__(self, *flags):
        self.numbers = itertools.count(1)
        self.process = subprocess.Popen([node(), HERE / "driver.mjs", FOLDER, *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **question):
        question["id"] = next(self.numbers)
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the driver has ended"
        answer = json.loads(line)
        assert answer["id"] == question["id"]
        if "error" in answer:
            raise AssertionError(f"{question.get('call', 'open')}: {answer['error']}")
        return answer["value"]

    def open(self, url=None, **options):
        """A tab: context=name, init=script; colorScheme, forcedColors, reducedMotion, viewport for a context's first."""
        page = Page(self, self.ask(args=[options]))
        return page.goto(url) if url else page

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(harness.PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()

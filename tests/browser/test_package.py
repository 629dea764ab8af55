"""The client library as others get it: the npm package, installed, runs its README's example; what a gateway serves is it.
SPDX-License-Identifier: MIT"""
import gzip
import re
import shutil
import subprocess

import pytest

import harness
import outside
from harness import http, http_json, wait_until

CLIENT = harness.ROOT / "gateway/dashboard/client"
README = (CLIENT / "README.md").read_text()
FILES = sorted(path.relative_to(CLIENT.parent).as_posix() for path in CLIENT.glob("*.js"))

pytestmark = pytest.mark.skipif(harness.VALGRIND or not shutil.which("npm"), reason="no npm here, or valgrind")


@pytest.fixture
def gateway(start, bus):
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus)
    gateway.publisher = outside.Publisher(bus.ingest, "/collector/ec2/package")
    for name in ("i-0one", "i-0two"):
        gateway.publisher.until_heard(gateway, "us-east-1", name)
    return gateway


def npm(folder, *arguments):
    done = subprocess.run(["npm", *arguments, "--offline", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_package_runs_the_example_of_its_readme(gateway, tmp_path):
    npm(CLIENT, "pack", "--pack-destination", tmp_path)
    package = next(tmp_path.glob("cmlwatch-client-*.tgz"))
    (tmp_path / "package.json").write_text('{"type":"module","private":true}')
    npm(tmp_path, "install", package)
    example = re.search(r"```js\n(.*?)```", README, re.S)[1].replace("http://127.0.0.1:8080", gateway.url)
    (tmp_path / "example.js").write_text(example)

    with open(tmp_path / "output", "w+") as output:
        process = subprocess.Popen(["node", "example.js"], cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: "i-0two running" in (tmp_path / "output").read_text(), "the fleet")
            gateway.publisher.instance("us-east-1", "i-0two", state="stopped")
            wait_until(lambda: "i-0two stopped" in (tmp_path / "output").read_text(), "a change")
        finally:
            process.kill()
            process.wait()
    assert "i-0one running" in (tmp_path / "output").read_text()


def test_page_of_the_readme_shows_the_fleet(gateway, chromium, request, tmp_path):
    """Served by a gateway from a folder, under its policy but for the inline script, which the folder has as a file."""
    page = re.search(r"```html\n(.*?)```", README, re.S)[1]
    script = re.search(r'<script type="module">\n(.*?)</script>', page, re.S)[1]
    folder = tmp_path / "page"
    shutil.copytree(CLIENT.parent, folder)
    (folder / "app.js").write_text(script)
    (folder / "index.html").write_text(page[:page.index("<script")] + '<script type="module" src="/app.js"></script>')
    gateway.stop()
    gateway.arguments += ["--dashboard-dir", str(folder)]
    gateway.start()
    harness.wait_ready(gateway)

    tab = chromium.open(gateway.url + "/", context=request.node.name)
    tab.wait("document.body.innerText.includes('i-0two: running, CPU – %') && document.body.innerText.includes('Realtime: connected')", "the fleet")
    gateway.publisher.instance("us-east-1", "i-0two", state="stopped")
    tab.wait("document.body.innerText.includes('i-0two: stopped')", "a change")
    assert tab.complaints() == []
    tab.close()


PACKED = {"gzip": gzip.decompress, "br": lambda body: subprocess.run(["brotli", "-dc"], input=body, capture_output=True, check=True).stdout}


def test_gateway_serves_each_module_plain_and_small(gateway):
    for name in FILES:
        source = (CLIENT.parent / name).read_bytes()
        status, headers, body = http(f"{gateway.url}/{name}", headers={"Accept-Encoding": "identity, br;q=0"})
        assert (status, headers["Content-Type"], body) == (200, "text/javascript; charset=utf-8", source)
        assert "require-trusted-types-for 'script'" in headers["Content-Security-Policy"] and headers["Vary"] == "Accept-Encoding"

        etags, small = {headers["ETag"]: "identity"}, set()
        for coding, unpack in PACKED.items():
            status, packed, body = http(f"{gateway.url}/{name}", headers={"Accept-Encoding": f"deflate, {coding}"})
            assert (status, packed["Content-Encoding"], packed["Content-Type"]) == (200, coding, headers["Content-Type"])
            small.add(unpack(body))
            assert b"SPDX-License-Identifier: MIT" in unpack(body)
            etags[packed["ETag"]] = coding
        assert len(etags) == 3 and len(small) == 1, "one small form, packed in two ways"
        for etag, coding in etags.items():
            assert http(f"{gateway.url}/{name}", headers={"If-None-Match": etag, "Accept-Encoding": coding})[0] == 304
    assert http(f"{gateway.url}/client/package.json")[0] == 404 and http_json(f"{gateway.url}/healthz")


def test_what_a_view_takes_of_the_first_one_is_there_when_it_is_small(gateway):
    """One module is what the first view was: names that two of its parts have would be lost without a word."""
    fetch = lambda name: PACKED["br"](http(f"{gateway.url}/{name}", headers={"Accept-Encoding": "br"})[2]).decode()
    there = set(re.findall(r"(?:^|[{,])(?:[\w$]+ as )?([\w$]+)(?=[,}])", re.search(r"export(\{[^}]*\});?\s*$", fetch("app.js"))[1]))
    leading = [path for path in CLIENT.parent.rglob("*.js") if fetch(path.relative_to(CLIENT.parent)).strip().endswith('export * from "/app.js";')]
    assert {path.name for path in leading} > {"ui.js", "live.js", "cells.js"}
    for view in {*CLIENT.parent.glob("views/*.js"), *CLIENT.parent.glob("lib/*.js")} - {*leading}:
        for names, path in re.findall(r"import \{([^}]*)\} from '([^']*)'", view.read_text()):
            if (view.parent / path).resolve() in leading:
                wanted = {name.split(" as ")[0].strip() for name in names.split(",")}
                assert wanted <= there, f"{view.name} takes {wanted - there} of {path}"

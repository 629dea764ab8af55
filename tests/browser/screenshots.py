#!/usr/bin/env python3
"""screenshots FOLDER [VIEW...] - each view of the page as it looks on a desk, light and dark, and on a phone.
SPDX-License-Identifier: MIT"""
import base64
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "integration"), str(HERE)]
from browser import Browser  # noqa: E402
from harness import http_json, wait_until  # noqa: E402
from showcase import Showcase  # noqa: E402

LOOKS = {
    "light": {"colorScheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"colorScheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {"colorScheme": "light", "viewport": {"width": 360, "height": 740}, "isMobile": True},
}
VIEWS = {  # name: where, and what is there when it is full
    "workers": ("#/workers", "document.querySelectorAll('tr[data-id] .spark').length > 3"),
    "worker": ("#/worker/{worker}", "document.querySelectorAll('.chart canvas').length === 4 && document.querySelector('#labs td')"),
    "jobs": ("#/jobs", "document.querySelectorAll('#jobs tr').length > 8"),
    "events": ("#/events", "document.querySelectorAll('#events li').length > 12"),
    "alerts": ("#/alerts", "document.querySelector('#alerts tr')"),
    "system": ("#/system", "document.querySelector('#clients tr')"),
}

#  A chart wants a past: a sample is a minute.
MINUTES = 5

#  A picture of 256 colours is a third of one of millions, and looks the same here: what is drawn is flat and text.
SHRINK = """async base64 => {
  const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), c => c.charCodeAt(0))])), { width, height } = picture;
  const context = new OffscreenCanvas(width, height).getContext('2d');
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, width, height), counts = new Map(), colors = new Uint32Array(width * height);
  for (let i = 0; i < colors.length; i++) {
    const color = colors[i] = data[4 * i] << 16 | data[4 * i + 1] << 8 | data[4 * i + 2];
    counts.set(color, (counts.get(color) ?? 0) + 1);
  }
  const palette = [...counts].sort(([, a], [, b]) => b - a).slice(0, 256).map(([color]) => color), index = new Map(palette.map((color, at) => [color, at]));
  const apart = (a, b) => ((a >> 16) - (b >> 16)) ** 2 + ((a >> 8 & 255) - (b >> 8 & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2;
  for (const color of counts.keys()) if (!index.has(color)) index.set(color, palette.reduce((best, each, at) => (apart(each, color) < apart(palette[best], color) ? at : best), 0));
  const rows = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) rows[y * (width + 1) + x + 1] = index.get(colors[y * width + x]);
  const packed = new Uint8Array(await new Response(new Blob([rows]).stream().pipeThrough(new CompressionStream('deflate'))).arrayBuffer());
  const crc = bytes => { let c = -1; for (const byte of bytes) { c ^= byte; for (let k = 0; k < 8; k++) c = c & 1 ? c >>> 1 ^ 0xedb88320 : c >>> 1; } return ~c; };
  const word = n => [n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255];
  const chunk = (name, body) => { const named = Uint8Array.from([...new TextEncoder().encode(name), ...body]); return [...word(body.length), ...named, ...word(crc(named))]; };
  const bytes = [137, 80, 78, 71, 13, 10, 26, 10, ...chunk('IHDR', [...word(width), ...word(height), 8, 3, 0, 0, 0]),
    ...chunk('PLTE', palette.flatMap(color => word(color).slice(1))), ...chunk('IDAT', packed), ...chunk('IEND', [])];
  return btoa(bytes.map(byte => String.fromCharCode(byte)).join(''));
}"""


def shrink(page, path):
    small = base64.b64decode(page.run(SHRINK, base64.b64encode(path.read_bytes()).decode()))
    if len(small) < path.stat().st_size:
        path.write_bytes(small)


def telling(gateway):
    """One with labs and a load."""
    return wait_until(lambda: max((w for w in gateway.workers() if w["cml_labs_count"] and w["cpu_utilization"]),
                                  key=lambda w: w["cml_labs_count"], default=None), "a worker with labs")["worker_id"]


def main(folder, names):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        show, browser = Showcase(pathlib.Path(scratch)), Browser()
        try:
            show.fill()
            worker = telling(show.gateway)
            history = f"{show.url}/api/workers/{worker}/history?metric=cpu_utilization"
            wait_until(lambda: len(http_json(history)["samples"]) >= MINUTES, "something to draw", 60 * (MINUTES + 1))
            for look, options in LOOKS.items():
                page = browser.open(f"{show.url}/", context=look, **options)
                page.wait(VIEWS["workers"][1], "the fleet", 60)
                for name in names or VIEWS:
                    where, full = VIEWS[name]
                    page.run("hash => { location.hash = hash; scrollTo(0, 0); }", where.format(worker=worker))
                    page.wait(full, f"the view {name}", 60)
                    page.call("screenshot", {"path": str(folder / f"{name}-{look}.png")})
                assert page.complaints() == []
                page.close()
            page = browser.open("about:blank")
            for path in folder.glob("*.png"):
                shrink(page, path)
        finally:
            browser.stop()
            show.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

"""bench_push.py - from what a CML server pushes to what a browser's stream has of it.

    bench_push.py FOLDER [SAMPLES]

FOLDER holds the programs. The whole stack runs; the simulator stamps a change of a node just before
it sends it on /ws/ui (TLS), and the same change is waited for on a Server-Sent Events stream of the
gateway: collector, ZeroMQ, aggregator, ZeroMQ, gateway, and Python's reading of it. One at a time,
SAMPLES of them. Prints one line of JSON and keeps it in FOLDER/push_latency.json.
SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import sys
import tempfile
import time

FOLDER = pathlib.Path(sys.argv[1]).resolve()
SAMPLES = int(sys.argv[2]) if len(sys.argv) > 2 else 500
WARM_UP = 20
OLD_IMAGE = "ami-07d4be19c6a2f8053"  # CML 2.8.1 pushes nothing

os.environ.setdefault("CMLWATCH_BUILD", str(FOLDER))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))


def ask(stack, stream, cml, number):
    message = {"event_type": "state_change", "element_type": "node", "element_id": f"stamp-{number}",
               "event": "BOOTED", "lab_id": "0f1e2d3c-0000-4000-8000-000000000000"}
    said = f'"stamp-{number}"'
    sent = stack.sim.control("push", {"instance": cml["instance_id"], "message": message})
    assert sent["listeners"] == 1, sent
    stream.wait(lambda event: said in event.raw, "the change is streamed")
    return (time.time() * 1e6 - sent["at_us"]) / 1000


def main():
    import harness
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        stack = harness.Stack(folder, instances=6)
        cmls = [i for i in stack.sim.instances() if i["state"] == "running" and i["image_id"] != OLD_IMAGE]
        harness.wait_until(lambda: harness.metric(stack.cml.url, "cmlwatch_cml_push_connected") == len(cmls),
                           "all that can do push")
        stream = stack.gateway.stream()
        stream.state()
        times = sorted([ask(stack, stream, cmls[0], number) for number in range(WARM_UP + SAMPLES)][WARM_UP:])
        stream.close()
        stack.stop()
    result = {"push_to_stream_ms": {"p50": round(times[len(times) // 2], 2), "p99": round(times[len(times) * 99 // 100], 2),
                                    "most": round(times[-1], 2)}, "samples": SAMPLES}
    text = json.dumps(result, separators=(",", ":"))
    (FOLDER / "push_latency.json").write_text(text + "\n")
    print(text)


main()

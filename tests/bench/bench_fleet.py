"""bench_fleet.py - what a large fleet costs at real intervals: memory and processor time of each process, calls, the bill.

    bench_fleet.py FOLDER [INSTANCES] [CMLS] [SECONDS]

FOLDER holds the programs. The whole stack runs on the simulator with all intervals at their defaults (EC2 30 s, CloudWatch
300 s, CML pushed or 15 s): INSTANCES in five regions, CMLS of them running with a CML server each. After every worker has
been read once, SECONDS are measured. Not part of `make bench`: it takes minutes. Prints one line of JSON.
SPDX-License-Identifier: MIT"""
import json
import os
import pathlib
import sys
import tempfile
import time

FOLDER = pathlib.Path(sys.argv[1]).resolve()
INSTANCES, CMLS, SECONDS = (int(sys.argv[n]) if len(sys.argv) > n else value for n, value in ((2, 2000), (3, 500), (4, 120)))
REGIONS = "us-east-1,us-west-2,eu-west-1,eu-central-1,ap-southeast-2"
MONTH_HOURS = 720

os.environ.setdefault("CMLWATCH_BUILD", str(FOLDER))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))


def processor(program):
    fields = pathlib.Path(f"/proc/{program.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(program):
    status = pathlib.Path(f"/proc/{program.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def start(harness, folder):
    bus = harness.Bus()
    sim = harness.Simulator(folder, "--regions", REGIONS, instances=INSTANCES)
    running = [i for i in sim.instances() if i["state"] == "running"]
    for instance in running[CMLS:]:
        sim.control(f"instances/{instance['instance_id']}", {"state": "stopped"})
    pins = pathlib.Path(folder) / "pins"
    pins.write_text(sim.control("pins"))
    aggregator = harness.Aggregator(folder, bus, "--store", pathlib.Path(folder) / "store")
    gateway = harness.Gateway(folder, bus)
    environment = sim.environment()
    collectors = [harness.Collector(folder, kind, bus, "--regions", REGIONS, environment=environment) for kind in ("ec2", "cloudwatch")]
    cml = {**environment, "CMLWATCH_COLLECTOR_CML_PASSWORD": "cmlwatch-demo"}
    collectors.append(harness.Collector(folder, "cml", bus, "--port", sim.cml_port, "--verify", "fingerprint", "--fingerprints", pins,
                                        "--username", "cmlwatch", environment=cml))
    return sim, [aggregator, gateway, *collectors]


def is_read(harness, gateway):
    workers = harness.http_json(gateway.url + "/api/workers?limit=1000&status=running")["workers"]
    return (len(workers) >= min(CMLS, 1000) * 0.98 and
            sum(w["cml_last_synced_at"] is not None and w["cloudwatch_last_collected_at"] is not None for w in workers) >= len(workers) * 0.95)


def main():
    import harness
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        began = time.monotonic()
        sim, programs = start(harness, folder)
        harness.wait_until(lambda: is_read(harness, programs[1]), "every worker was read", deadline=600)
        settled = time.monotonic() - began
        calls, used, at = sim.control("calls"), [processor(p) for p in programs], time.monotonic()
        time.sleep(SECONDS)
        took = time.monotonic() - at
        after, spent = sim.control("calls"), [processor(p) for p in programs]
        workers = harness.http_json(programs[1].url + "/api/workers?limit=1000&status=running")["workers"]
        cloudwatch = harness.metric(programs[3].url, "cmlwatch_cloudwatch_cost_usd_month")
        result = {"instances": INSTANCES, "cmls": len(workers), "seconds": round(took), "all_read_after_s": round(settled, 1),
                  "stale": sum("stale" in (w["ec2_freshness"], w["cloudwatch_freshness"], w["cml_freshness"]) for w in workers),
                  "processes": {p.name: {"mb": round(resident_mb(p), 1), "cpu_percent": round(100 * (b - a) / took, 2)}
                                for p, a, b in zip(programs, used, spent)},
                  "calls": {k: v - calls["aws"].get(k, 0) for k, v in after["aws"].items()},
                  "cml_requests": sum(after["cml"].values()) - sum(calls["cml"].values()),
                  "metrics_billed": after["metrics_billed"] - calls["metrics_billed"], "usd_month": round(cloudwatch, 2)}
        for program in reversed(programs):
            program.stop()
        sim.stop()
    print(json.dumps(result, separators=(",", ":")))


main()

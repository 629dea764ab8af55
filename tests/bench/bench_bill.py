"""bench_bill.py - calls to AWS and the bill of an hour: the collectors beside one call for each worker and metric.

    bench_bill.py FOLDER [WORKERS] [SECONDS]

FOLDER holds the programs. The collectors of EC2 and CloudWatch read WORKERS (1,000) running ones in five regions for SECONDS
(3600) at their default intervals, after all have been read once; the simulator counts what it was asked and what AWS would
bill. Then each worker is asked about by itself, one call for each thing to know (boto3, DescribeInstances,
DescribeInstanceStatus, three times GetMetricStatistics), once: that is counted the same way and is as often an hour as the
collectors' defaults ask the same (EC2 each 30 s; CloudWatch each 300 s, with detailed monitoring each 60 s, when it has new
points). Not part of `make bench`: it takes an hour; a shorter one is scaled to an hour. Prints one line of JSON.
SPDX-License-Identifier: MIT"""
import datetime
import json
import os
import pathlib
import sys
import tempfile
import time

FOLDER = pathlib.Path(sys.argv[1]).resolve()
WORKERS, SECONDS = (int(sys.argv[n]) if len(sys.argv) > n else value for n, value in ((2, 1000), (3, 3600)))
REGIONS = "us-east-1,us-west-2,eu-west-1,eu-central-1,ap-southeast-2"
EC2_SECONDS, BASIC_SECONDS, DETAILED_SECONDS = 30, 300, 60
USD = 0.01 / 1000                          # of one metric asked of GetMetricData, or of one GetMetricStatistics beyond the free ones
METRICS = (("AWS/EC2", "CPUUtilization"), ("CWAgent", "mem_used_percent"), ("CWAgent", "disk_used_percent"))
BILLED = {"GetMetricStatistics", "ListMetrics"}  # by request; GetMetricData is billed by metric

os.environ.setdefault("CMLWATCH_BUILD", str(FOLDER))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))


def counted(sim):
    """(calls by action, metrics billed by GetMetricData) since the simulator began."""
    calls = sim.control("calls")
    return dict(calls["aws"]), calls["metrics_billed"]


def between(before, after, times):
    """The calls and the bill of an hour, when what lies between is so many times in it."""
    calls = {action: n - before[0].get(action, 0) for action, n in after[0].items() if n > before[0].get(action, 0)}
    metrics = after[1] - before[1]
    return {"calls": {action: round(n * times) for action, n in calls.items()}, "all_calls": round(sum(calls.values()) * times),
            "metrics_billed": round(metrics * times), "requests_billed": round(sum(calls.get(a, 0) for a in BILLED) * times),
            "usd": round((metrics + sum(calls.get(a, 0) for a in BILLED)) * times * USD, 4)}


def added(first, *others):
    for other in others:
        calls = {action: first["calls"].get(action, 0) + other["calls"].get(action, 0) for action in {**first["calls"], **other["calls"]}}
        first = {"calls": calls, **{key: round(first[key] + other[key], 4) for key in first if key != "calls"}}
    return first


def client(harness, sim, service, region):
    import boto3
    return boto3.client(service, region_name=region, endpoint_url=sim.aws_url, aws_access_key_id=harness.ACCESS_KEY_ID,
                        aws_secret_access_key=harness.SECRET_ACCESS_KEY)


def ask_ec2(one, asked):
    one.describe_instances(InstanceIds=[asked])
    one.describe_instance_status(InstanceIds=[asked])


def ask_cloudwatch(one, asked):
    now = datetime.datetime.now(datetime.timezone.utc)
    for namespace, name in METRICS:
        one.get_metric_statistics(Namespace=namespace, MetricName=name, Dimensions=[{"Name": "InstanceId", "Value": asked}],
                                  StartTime=now - datetime.timedelta(minutes=15), EndTime=now, Period=300, Statistics=["Average"])


def ask_each(harness, sim, instances, service, ask, seconds):
    """What an hour would be, when each of these instances is asked about every so many seconds."""
    clients = {region: client(harness, sim, service, region) for region in REGIONS.split(",")}
    before = counted(sim)
    for instance in instances:
        ask(clients[instance["region"]], instance["instance_id"])
    return between(before, counted(sim), 3600 / seconds)


def main():
    import harness
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        sim, bus = harness.Simulator(folder, "--regions", REGIONS, instances=WORKERS), harness.Bus()
        instances = [i for i in sim.instances() if i["state"] == "running"]
        programs = [harness.Aggregator(folder, bus)]
        programs += [harness.Collector(folder, kind, bus, "--regions", REGIONS, environment=sim.environment()) for kind in ("ec2", "cloudwatch")]
        zero = counted(sim)

        def is_read():
            return harness.metric(programs[2].url, "cmlwatch_bus_published_total", type="utilization.observed") >= len(instances)
        harness.wait_until(is_read, "every worker was read", deadline=600)
        first, began = counted(sim), time.monotonic()
        time.sleep(SECONDS)
        scale = 3600 / (time.monotonic() - began)
        last = counted(sim)
        estimate = harness.metric(programs[2].url, "cmlwatch_cloudwatch_cost_usd_month")
        for program in reversed(programs):
            program.stop()
        detailed = [i for i in instances if i["monitoring"] == "enabled"]
        basic = [i for i in instances if i["monitoring"] != "enabled"]
        one_by_one = added(ask_each(harness, sim, instances, "ec2", ask_ec2, EC2_SECONDS),
                           ask_each(harness, sim, basic, "cloudwatch", ask_cloudwatch, BASIC_SECONDS),
                           ask_each(harness, sim, detailed, "cloudwatch", ask_cloudwatch, DETAILED_SECONDS))
        sim.stop()
    print(json.dumps({"workers": len(instances), "detailed_monitoring": len(detailed), "seconds": SECONDS, "begin": between(zero, first, 1),
                      "collectors_hour": between(first, last, scale), "one_by_one_hour": one_by_one,
                      "estimated_usd_month": round(estimate, 2)}, separators=(",", ":")))


main()

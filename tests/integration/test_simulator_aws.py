"""The simulated AWS as an independent client sees it: boto3 with its own signer, parsers and retries.
SPDX-License-Identifier: MIT"""
import contextlib
import datetime
import threading
import time

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError

import harness
from harness import SHARED, http, wait_until

SERIES = SHARED / "data/cloudwatch"


def client(sim, service, region="us-east-1", key=harness.ACCESS_KEY_ID, secret=harness.SECRET_ACCESS_KEY,
           token=None, attempts=1):
    return boto3.client(service, endpoint_url=sim.aws_url, region_name=region, aws_access_key_id=key,
                        aws_secret_access_key=secret, aws_session_token=token,
                        config=botocore.config.Config(retries={"mode": "standard", "total_max_attempts": attempts}))


def refused(call, *arguments, **more):
    with pytest.raises(ClientError) as error:
        call(*arguments, **more)
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def described(ec2, **more):
    return [i for page in ec2.get_paginator("describe_instances").paginate(**more)
            for r in page["Reservations"] for i in r["Instances"]]


def window(minutes=15):
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"StartTime": now - datetime.timedelta(minutes=minutes), "EndTime": now}


def metric_query(number, instance_id, metric="CPUUtilization", namespace="AWS/EC2", period=60, dimensions=None):
    dimensions = dimensions or [{"Name": "InstanceId", "Value": instance_id}]
    return {"Id": f"q{number}", "MetricStat": {"Period": period, "Stat": "Average", "Metric": {
        "Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}}}


# --- EC2

def test_instances_are_described_with_all_that_a_real_one_has(sim):
    known = {i["instance_id"]: i for i in sim.instances()}

    instances = described(client(sim, "ec2"))

    assert {i["InstanceId"] for i in instances} == set(known)
    for instance in instances:
        own = known[instance["InstanceId"]]
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        assert instance["State"] == {"Code": 16, "Name": "running"}
        assert instance["PublicIpAddress"] == own["public_ip"] and instance["PrivateIpAddress"] == own["private_ip"]
        assert tags["Name"] == own["name"] and tags["Team"]
        assert instance["Monitoring"]["State"] in ("enabled", "disabled")
        assert instance["Placement"]["AvailabilityZone"].startswith("us-east-1")
        assert instance["LaunchTime"] < datetime.datetime.now(datetime.timezone.utc)


def test_two_thousand_instances_are_paged(start):
    sim = start(harness.Simulator, instances=2000)

    instances = described(client(sim, "ec2"), PaginationConfig={"PageSize": 500})

    assert len({i["InstanceId"] for i in instances}) == 2000
    assert sim.control("calls")["aws"]["DescribeInstances"] == 4


def test_regions_have_instances_of_their_own(start):
    sim = start(harness.Simulator, "--regions", "us-east-1,eu-central-1", instances=10)

    east = {i["InstanceId"] for i in described(client(sim, "ec2"))}
    central = {i["InstanceId"] for i in described(client(sim, "ec2", region="eu-central-1"))}

    assert len(east) == len(central) == 5 and not east & central
    assert refused(client(sim, "ec2", region="sa-east-1").describe_instances) == ("AuthFailure", 401)


@pytest.mark.parametrize("filters, matches", [
    ([{"Name": "tag:Name", "Values": ["cml-train-01"]}], lambda i: i["name"] == "cml-train-01"),
    ([{"Name": "tag:Name", "Values": ["cml-t*", "cml-?xam-02"]}], lambda i: i["name"].startswith("cml-train") or i["name"] == "cml-exam-02"),
    ([{"Name": "tag-key", "Values": ["aws:autoscaling:*"]}], lambda i: i["name"] == "cml-exam-02"),
    ([{"Name": "instance-state-name", "Values": ["stopped", "running"]}], lambda i: True),
    ([{"Name": "instance-state-name", "Values": ["stopped"]}], lambda i: False),
    ([{"Name": "image-id", "Values": ["ami-*"]}, {"Name": "tag:Name", "Values": ["*-03"]}], lambda i: i["name"].endswith("-03")),
])
def test_filters_select_as_ec2_does(sim, filters, matches):
    expected = {i["instance_id"] for i in sim.instances() if matches(i)}

    assert {i["InstanceId"] for i in described(client(sim, "ec2"), Filters=filters)} == expected


def test_wrong_questions_get_ec2s_own_codes(sim):
    ec2 = client(sim, "ec2")
    own = sim.instances()[0]["instance_id"]

    assert refused(ec2.describe_instances, InstanceIds=["i-0123456789abcdef0"]) == ("InvalidInstanceID.NotFound", 400)
    assert refused(ec2.describe_instances, InstanceIds=[own, "i-nonsense"]) == ("InvalidInstanceID.Malformed", 400)
    assert refused(ec2.describe_instances, MaxResults=4) == ("InvalidParameterValue", 400)
    assert refused(ec2.describe_instances, InstanceIds=[own], MaxResults=5) == ("InvalidParameterCombination", 400)
    assert refused(ec2.describe_instances, NextToken="what?") == ("InvalidPaginationToken", 400)
    assert refused(ec2.describe_instances, Filters=[{"Name": "colour", "Values": ["red"]}]) == ("InvalidParameterValue", 400)
    assert refused(ec2.stop_instances, InstanceIds=[own], DryRun=True) == ("DryRunOperation", 412)
    assert refused(ec2.describe_regions) == ("InvalidAction", 400)


def test_status_lists_running_ones_or_all(sim):
    ec2 = client(sim, "ec2")
    impaired, stopped = (i["instance_id"] for i in sim.instances()[:2])
    sim.control(f"instances/{impaired}", {"system_status": "impaired"})
    sim.control(f"instances/{stopped}", {"state": "stopped"})

    running = {s["InstanceId"]: s for s in ec2.describe_instance_status()["InstanceStatuses"]}
    every = {s["InstanceId"]: s for page in ec2.get_paginator("describe_instance_status").paginate(
        IncludeAllInstances=True, PaginationConfig={"PageSize": 5}) for s in page["InstanceStatuses"]}

    assert stopped not in running and len(every) == len(running) + 1 == 6
    assert running[impaired]["SystemStatus"]["Status"] == "impaired"
    assert running[impaired]["SystemStatus"]["Details"][0]["ImpairedSince"]
    assert every[stopped]["SystemStatus"]["Status"] == every[stopped]["InstanceStatus"]["Status"] == "not-applicable"
    others = [s for i, s in running.items() if i != impaired]
    assert all(s["SystemStatus"]["Status"] == s["InstanceStatus"]["Status"] == "ok" for s in others)


def test_stop_and_start_go_through_the_passing_states(sim):
    ec2 = client(sim, "ec2")
    own = sim.instances()[0]["instance_id"]

    def instance():
        return described(ec2, InstanceIds=[own])[0]
    address = instance()["PublicIpAddress"]

    stopping = ec2.stop_instances(InstanceIds=[own])["StoppingInstances"][0]
    too_early = refused(ec2.start_instances, InstanceIds=[own])
    wait_until(lambda: instance()["State"]["Name"] == "stopped", "it stops")
    stopped = instance()
    starting = ec2.start_instances(InstanceIds=[own])["StartingInstances"][0]
    wait_until(lambda: instance()["State"]["Name"] == "running", "it runs")

    assert stopping["PreviousState"]["Name"] == "running" and stopping["CurrentState"]["Name"] == "stopping"
    assert too_early == ("IncorrectInstanceState", 400)
    assert "PublicIpAddress" not in stopped and stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert starting["CurrentState"]["Name"] == "pending"
    assert instance()["PublicIpAddress"] != address, "a new address, as without an Elastic IP"


def test_detailed_monitoring_is_turned_on_and_off(sim):
    ec2 = client(sim, "ec2")
    own = next(i["instance_id"] for i in sim.instances() if i["monitoring"] == "disabled")

    on = ec2.monitor_instances(InstanceIds=[own])["InstanceMonitorings"][0]["Monitoring"]["State"]
    wait_until(lambda: described(ec2, InstanceIds=[own])[0]["Monitoring"]["State"] == "enabled", "it is enabled")
    off = ec2.unmonitor_instances(InstanceIds=[own])["InstanceMonitorings"][0]["Monitoring"]["State"]

    assert (on, off) == ("pending", "disabling")


def test_images_are_described_by_id(sim):
    ec2 = client(sim, "ec2")
    image_id = sim.instances()[0]["image_id"]

    image, = ec2.describe_images(ImageIds=[image_id])["Images"]

    assert image["ImageId"] == image_id and image["Name"].startswith("cisco-cml") and image["CreationDate"]
    assert refused(ec2.describe_images, ImageIds=["ami-00000000"]) == ("InvalidAMIID.NotFound", 400)


# --- CloudWatch

def test_metric_data_of_running_instances_is_there_at_once_and_late_by_a_minute(sim):
    cloudwatch = client(sim, "cloudwatch")
    queries = [metric_query(n, i["instance_id"]) for n, i in enumerate(sim.instances())]

    asked = datetime.datetime.now(datetime.timezone.utc)
    results = [r for page in cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, **window()) for r in page["MetricDataResults"]]

    now = datetime.datetime.now(datetime.timezone.utc)
    assert {r["Id"] for r in results} == {q["Id"] for q in queries}
    for result, instance in zip(results, sim.instances()):
        step = 60 if instance["monitoring"] == "enabled" else 300
        assert result["StatusCode"] == "Complete" and result["Values"]
        assert all(0 <= value <= 100 for value in result["Values"])
        assert result["Timestamps"] == sorted(result["Timestamps"], reverse=True)
        assert all(stamp.timestamp() % step == 0 for stamp in result["Timestamps"])
        assert 60 + step <= (now - result["Timestamps"][0]).total_seconds() and (asked - result["Timestamps"][0]).total_seconds() <= 120 + 2 * step
    assert sim.control("calls")["metrics_billed"] == len(queries)


def test_metric_data_is_paged_by_datapoints_without_loss(sim):
    cloudwatch = client(sim, "cloudwatch")
    queries = [metric_query(n, i["instance_id"]) for n, i in enumerate(sim.instances())]
    span = window(60)
    span["EndTime"] -= datetime.timedelta(minutes=10)  # five of the period and two of its lateness: so that no point becomes readable between two pages
    asked = {"MetricDataQueries": queries, **span}
    whole = {r["Id"]: r["Timestamps"] for r in cloudwatch.get_metric_data(**asked)["MetricDataResults"]}

    paged, statuses, token = {}, [], {}
    while token is not None:
        page = cloudwatch.get_metric_data(**asked, MaxDatapoints=7, **token)
        for result in page["MetricDataResults"]:
            paged.setdefault(result["Id"], []).extend(result["Timestamps"])
            statuses.append(result["StatusCode"])
        assert sum(len(r["Timestamps"]) for r in page["MetricDataResults"]) <= 7
        token = {"NextToken": page["NextToken"]} if page.get("NextToken") else None

    assert paged == whole and "PartialData" in statuses
    assert refused(cloudwatch.get_metric_data, **asked, NextToken="0.0.0")[0] == "InvalidNextToken"


def test_what_does_not_exist_is_complete_and_empty(sim):
    cloudwatch = client(sim, "cloudwatch")
    own = sim.instances()[0]["instance_id"]
    queries = [metric_query(0, "i-0123456789abcdef0"), metric_query(1, own, "NoSuchMetric"),
               metric_query(2, own, "mem_used_percent", "CWAgent")]

    results = cloudwatch.get_metric_data(MetricDataQueries=queries, **window())["MetricDataResults"]

    assert [(r["StatusCode"], r["Values"]) for r in results] == [("Complete", [])] * 3


def test_agent_metrics_have_the_dimensions_that_list_metrics_tells(sim):
    cloudwatch = client(sim, "cloudwatch")
    without = [i["instance_id"] for i in sim.instances() if not i["agent"]]
    sizes = set()

    for instance in sim.instances():
        own = instance["instance_id"]
        metrics = cloudwatch.list_metrics(Namespace="CWAgent", Dimensions=[{"Name": "InstanceId", "Value": own}])["Metrics"]
        assert bool(metrics) == instance["agent"]
        for metric in metrics:
            sizes.add(len(metric["Dimensions"]))
            result, = cloudwatch.get_metric_data(MetricDataQueries=[metric_query(
                0, own, metric["MetricName"], "CWAgent", dimensions=metric["Dimensions"])], **window())["MetricDataResults"]
            assert result["Values"] and all(0 < value <= 100 for value in result["Values"])
    assert without and {1, 3, 4, 6} <= sizes


def test_metrics_are_listed_in_pages(start):
    sim = start(harness.Simulator, instances=300)
    pages = list(client(sim, "cloudwatch").get_paginator("list_metrics").paginate())

    listed = [str(metric) for page in pages for metric in page["Metrics"]]
    assert len(listed) == len(set(listed)) > 1500 and all(len(page["Metrics"]) <= 500 for page in pages)


def test_statistics_are_given_for_each_period(sim):
    cloudwatch = client(sim, "cloudwatch")
    own = next(i["instance_id"] for i in sim.instances() if i["monitoring"] == "enabled")
    asked = dict(Namespace="AWS/EC2", MetricName="CPUUtilization", Dimensions=[{"Name": "InstanceId", "Value": own}],
                 Statistics=["Average", "Minimum", "Maximum", "Sum", "SampleCount"])

    points = cloudwatch.get_metric_statistics(**asked, Period=300, **window(60))["Datapoints"]

    assert len(points) >= 10 and len({p["Timestamp"] for p in points}) == len(points)
    whole = [p for p in points if p["SampleCount"] == 5]
    assert whole and all(p["Minimum"] <= p["Average"] <= p["Maximum"] and p["Unit"] == "Percent" for p in points)
    assert all(p["Sum"] == pytest.approx(5 * p["Average"]) for p in whole)
    assert cloudwatch.get_metric_statistics(**asked, Period=300, Unit="Bytes", **window())["Datapoints"] == []
    assert refused(cloudwatch.get_metric_statistics, **asked, Period=90, **window())[0] == "InvalidParameterValue"
    assert refused(cloudwatch.get_metric_statistics, **asked, Period=60, **window(2000))[0] == "InvalidParameterCombination"


def test_stopped_instance_says_no_more(sim):
    cloudwatch = client(sim, "cloudwatch")
    own = sim.instances()[0]["instance_id"]
    query = [metric_query(0, own, period=300)]
    before = cloudwatch.get_metric_data(MetricDataQueries=query, **window(120))["MetricDataResults"][0]["Timestamps"]

    sim.control(f"instances/{own}", {"state": "stopped"})
    sim.control(f"instances/{own}", {"state": "running"})

    assert before
    assert cloudwatch.get_metric_data(MetricDataQueries=query, **window(120))["MetricDataResults"][0]["Values"] == [], \
        "what ran before the last start is not kept, and the new run has no whole period yet"


@pytest.mark.skipif(not SERIES.is_dir(), reason="../shared/data/cloudwatch is not there")
def test_values_are_those_of_the_real_series_that_ends_now(start):
    sim = start(harness.Simulator, "--series", SERIES)
    files = sorted(SERIES.glob("ec2_cpu_utilization_*.csv"))
    number, own = next((n, i["instance_id"]) for n, i in enumerate(sim.instances()) if i["monitoring"] == "disabled")
    recent = [float(line.split(",")[1]) for line in files[number].read_text().splitlines()[-30:]]

    result, = client(sim, "cloudwatch").get_metric_data(
        MetricDataQueries=[metric_query(0, own, period=300)], ScanBy="TimestampAscending", **window(120))["MetricDataResults"]

    values = result["Values"]
    assert len(values) >= 20
    assert any(recent[i:i + len(values)] == pytest.approx(values) for i in range(30 - len(values) + 1)), \
        f"{values} are not, in this order, among the last of {recent}"


# --- who calls

def test_wrong_secret_is_refused_in_each_services_own_words(sim):
    assert refused(client(sim, "ec2", secret="wrong").describe_instances) == ("AuthFailure", 401)
    assert refused(client(sim, "cloudwatch", secret="wrong").list_metrics) == ("SignatureDoesNotMatch", 403)
    assert refused(client(sim, "sts", secret="wrong").get_caller_identity) == ("SignatureDoesNotMatch", 403)


def test_unknown_key_is_refused_in_each_services_own_words(sim):
    assert refused(client(sim, "ec2", key="AKIAUNKNOWN").describe_instances) == ("AuthFailure", 401)
    assert refused(client(sim, "cloudwatch", key="AKIAUNKNOWN").list_metrics) == ("InvalidClientTokenId", 403)
    assert refused(client(sim, "sts", key="AKIAUNKNOWN").get_caller_identity) == ("InvalidClientTokenId", 403)


def test_unsigned_request_is_refused(sim):
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    ec2 = http(sim.aws_url, method="POST", body=b"Action=DescribeInstances&Version=2016-11-15", headers=form)
    sts = http(sim.aws_url, method="POST", body=b"Action=GetCallerIdentity&Version=2011-06-15", headers=form)

    assert ec2[0] == sts[0] == 403
    assert b"<Response><Errors><Error><Code>MissingAuthenticationToken</Code>" in ec2[2]
    assert b"<ErrorResponse" in sts[2] and b"<Code>MissingAuthenticationToken</Code>" in sts[2]


def test_clock_that_is_off_by_over_five_minutes_is_refused(sim):
    sim.fault(api="*", kind="skew", count=2)

    assert refused(client(sim, "ec2").describe_instances) == ("RequestExpired", 400)
    assert refused(client(sim, "sts").get_caller_identity) == ("SignatureDoesNotMatch", 403)
    assert client(sim, "ec2").describe_instances()["Reservations"]


def test_caller_is_told_who_it_is(sim):
    identity = client(sim, "sts").get_caller_identity()

    assert identity["Account"] == "111122223333" and identity["Arn"].startswith("arn:aws:iam::")


def test_assumed_role_calls_with_its_session_token_only(sim):
    given = client(sim, "sts").assume_role(RoleArn="arn:aws:iam::111122223333:role/cmlwatch", RoleSessionName="test-1")
    own = given["Credentials"]
    pair = {"key": own["AccessKeyId"], "secret": own["SecretAccessKey"]}

    identity = client(sim, "sts", **pair, token=own["SessionToken"]).get_caller_identity()

    assert identity["Arn"] == given["AssumedRoleUser"]["Arn"] == "arn:aws:sts::111122223333:assumed-role/cmlwatch/test-1"
    assert described(client(sim, "ec2", **pair, token=own["SessionToken"]))
    assert refused(client(sim, "ec2", **pair).describe_instances) == ("AuthFailure", 401)
    assert refused(client(sim, "sts", **pair, token="other").get_caller_identity) == ("InvalidClientTokenId", 403)


def test_web_identity_gives_a_key_without_a_signature(sim):
    sts = client(sim, "sts")
    role = {"RoleArn": "arn:aws:iam::111122223333:role/cmlwatch", "RoleSessionName": "pod"}

    own = sts.assume_role_with_web_identity(**role, WebIdentityToken="eyJhbGciOi")["Credentials"]

    assert own["Expiration"] > datetime.datetime.now(datetime.timezone.utc)
    assert refused(sts.assume_role_with_web_identity, **role, WebIdentityToken="invalid")[0] == "InvalidIdentityToken"
    assert refused(sts.assume_role_with_web_identity, **role, WebIdentityToken="expired")[0] == "ExpiredTokenException"


# --- what goes wrong

def test_throttling_is_each_services_own_and_botocore_tries_again(sim):
    sim.fault(api="DescribeInstances", kind="throttle", count=3)
    sim.fault(api="GetMetricData", kind="throttle", count=1)
    queries = {"MetricDataQueries": [metric_query(0, sim.instances()[0]["instance_id"])], **window()}

    assert refused(client(sim, "ec2").describe_instances) == ("RequestLimitExceeded", 503)
    assert refused(client(sim, "cloudwatch").get_metric_data, **queries) == ("Throttling", 400)
    answer = client(sim, "ec2", attempts=4).describe_instances()

    assert answer["Reservations"] and answer["ResponseMetadata"]["RetryAttempts"] == 2
    assert sim.control("calls")["faults"] == {"throttle": 4}


def test_token_buckets_hold_when_told_so(start):
    sim = start(harness.Simulator, "--throttle", "yes")
    ec2 = client(sim, "ec2")
    own = sim.instances()[0]["instance_id"]
    codes = []

    while len(codes) < 200 and "RequestLimitExceeded" not in codes:  # StartInstances: 5 at once, 2 a second
        try:
            ec2.start_instances(InstanceIds=[own])
            codes.append("ok")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])

    assert codes[:5] == ["ok"] * 5 and codes[-1] == "RequestLimitExceeded"


@pytest.mark.parametrize("kind, status", [("error500", 500), ("html", 200)])
def test_wrong_answers_come_as_asked_and_go(sim, kind, status):
    sim.fault(api="DescribeInstances", kind=kind, count=1)
    ec2 = client(sim, "ec2")

    with pytest.raises(Exception):
        assert "Reservations" not in ec2.describe_instances()
        raise AssertionError(status)
    assert described(ec2)


@pytest.mark.parametrize("kind", ["cut", "unreachable"])
def test_broken_answers_break_the_connection_only_once(sim, kind):
    sim.fault(api="DescribeInstances", kind=kind, count=1)
    ec2 = client(sim, "ec2")

    with pytest.raises(Exception):
        ec2.describe_instances()
    assert described(ec2)


def test_slow_answer_holds_up_nobody_else(sim):
    ec2, others = client(sim, "ec2"), client(sim, "ec2")
    sim.fault(api="DescribeInstances", kind="slow", count=1, delay_ms=300)
    began = time.monotonic()
    assert described(ec2)
    assert time.monotonic() - began >= 0.3

    def asks():
        with contextlib.suppress(Exception):  # it is still not answered when the simulator is killed
            ec2.describe_instances()
    sim.fault(api="DescribeInstances", kind="slow", count=1, delay_ms=600000)
    thread = threading.Thread(target=asks, daemon=True)
    thread.start()
    wait_until(lambda: sim.control("calls")["aws"]["DescribeInstances"] == 2, "the slow call is under way")

    assert described(others) and thread.is_alive()
    sim.kill()
    thread.join(harness.PATIENCE)


def test_control_says_what_it_did_not_understand(sim):
    wrong = [("faults", {"api": "*", "kind": "earthquake"}), ("instances/i-nobody", {"state": "stopped"}),
             (f"instances/{sim.instances()[0]['instance_id']}", {"state": "asleep"}), ("labs", {"instance": "i-nobody"})]

    for path, body in wrong:
        status, _, answer = http(f"{sim.aws_url}/_sim/{path}", method="POST", body=body)
        assert status in (400, 404) and b"error" in answer


def test_wrong_scenario_line_is_named_with_what_is_right(tmp_path):
    import subprocess
    path = tmp_path / "wrong.scenario"
    path.write_text("instances 3\nat 5s explode #1\n")

    ended = subprocess.run([harness.BUILD / "cmlwatch-sim", "--scenario", path, "--aws", f"127.0.0.1:{harness.free_port()}",
                            "--cml-port", "0"], capture_output=True, text=True, timeout=harness.PATIENCE)

    assert ended.returncode == 2
    assert f"{path}:2: 'explode' is not an action" in ended.stderr and "terminate" in ended.stderr


def test_scenario_makes_things_happen_faster_than_time(start, tmp_path):
    path = tmp_path / "busy.scenario"
    path.write_text('transition 10s\nat 1m stop #1\nat 1m impair #2\nevery 1m lab-start #3 "exam-7"\nat 2m appear 2\n')
    sim = start(harness.Simulator, "--scenario", path, "--speed", 60, instances=4)

    def state(number):
        return sim.instances()[number]
    wait_until(lambda: state(0)["state"] == "stopped", "#1 stops")
    wait_until(lambda: state(1)["system_status"] == "impaired", "#2 is impaired")
    wait_until(lambda: len(sim.instances()) == 6, "two more appear")

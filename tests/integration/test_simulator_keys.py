"""Where the simulated AWS gives keys, as an independent client sees it: botocore's own providers must get
keys from STS, from the instance metadata and from the container endpoint, and its own signer must be let in
with them, until they end.
SPDX-License-Identifier: MIT"""
import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError

import harness
from harness import http

ROLE = "arn:aws:iam::{}:role/{}"


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """An environment in which nothing else gives keys."""
    import os
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", str(harness.PATIENCE))  # its own is a second
    return monkeypatch


def client(sim, service, session=None, **keys):
    return (session or boto3.Session()).client(
        service, endpoint_url=sim.aws_url, region_name="us-east-1", **keys,
        config=botocore.config.Config(retries={"mode": "standard", "total_max_attempts": 1}))


def own_client(sim, service):
    return client(sim, service, aws_access_key_id=harness.ACCESS_KEY_ID, aws_secret_access_key=harness.SECRET_ACCESS_KEY)


def refused(call, *arguments, **more):
    with pytest.raises(ClientError) as error:
        call(*arguments, **more)
    return error.value.response["Error"]["Code"]


def listed(ec2):
    return {i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]}


def who(sim):
    return client(sim, "sts").get_caller_identity()["Arn"]


def test_botocore_gets_keys_from_instance_metadata(alone, sim):
    alone.setenv("AWS_EC2_METADATA_DISABLED", "false")
    alone.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", sim.aws_url)

    assert who(sim) == "arn:aws:sts::111122223333:assumed-role/cmlwatch-instance/i-0123456789abcdef0"
    calls = sim.control("calls")["metadata"]
    assert calls["/latest/api/token"] == 1 and calls["/latest/meta-data/iam/security-credentials/cmlwatch-instance"] == 1


def test_instance_metadata_tells_nothing_without_a_token(sim):
    roles = f"{sim.aws_url}/latest/meta-data/iam/security-credentials/"
    token = f"{sim.aws_url}/latest/api/token"

    assert http(roles)[0] == 401
    assert http(roles, headers={"X-aws-ec2-metadata-token": "made-up"})[0] == 401
    assert http(token, method="PUT", body="")[0] == 400
    status, _, given = http(token, method="PUT", body="", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    assert status == 200
    assert http(roles, headers={"X-aws-ec2-metadata-token": given.decode()})[2] == b"cmlwatch-instance"


def test_botocore_gets_keys_from_the_container_endpoint_with_its_token(alone, start):
    sim = start(harness.Simulator, "--container-token", "Basic dG9rZW4=")
    alone.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{sim.aws_url}/container/credentials")
    assert http(f"{sim.aws_url}/container/credentials")[0] == 401

    alone.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic dG9rZW4=")

    assert who(sim) == "arn:aws:sts::111122223333:assumed-role/cmlwatch-instance/container"


def test_botocore_gets_keys_by_web_identity(alone, sim, tmp_path):
    (tmp_path / "token").write_text("eyJhbGciOi")
    alone.setenv("AWS_ROLE_ARN", ROLE.format("111122223333", "pod"))
    alone.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    alone.setenv("AWS_ROLE_SESSION_NAME", "test")
    alone.setenv("AWS_ENDPOINT_URL_STS", sim.aws_url)
    (tmp_path / "config").write_text("[default]\nregion = us-east-1\nsts_regional_endpoints = regional\n")
    #  Older botocore knows no variable for the endpoint of its own STS client.
    session = boto3.Session()
    create = session._session.create_client
    session._session.create_client = lambda name, *a, **k: create(name, *a, **{**k, **({"endpoint_url": sim.aws_url} if name == "sts" else {})})
    provider = session._session.get_component("credential_provider").get_provider("assume-role-with-web-identity")
    provider._client_creator = session._session.create_client

    found = session.get_credentials().get_frozen_credentials()
    identity = client(sim, "sts", aws_access_key_id=found.access_key, aws_secret_access_key=found.secret_key,
                      aws_session_token=found.token).get_caller_identity()

    assert identity["Arn"] == "arn:aws:sts::111122223333:assumed-role/pod/test"


def assumed(sim, role, **more):
    given = own_client(sim, "sts").assume_role(RoleArn=role, RoleSessionName="test", **more)["Credentials"]
    return {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"]}


def test_role_of_another_account_sees_that_accounts_instances(start):
    sim = start(harness.Simulator, "--accounts", "111122223333,444455556666", instances=6)
    known = sim.instances()

    keys = assumed(sim, ROLE.format("444455556666", "reader"))
    other = client(sim, "ec2", **keys)

    assert listed(own_client(sim, "ec2")) == {i["instance_id"] for i in known if i["account"] == "111122223333"}
    assert listed(other) == {i["instance_id"] for i in known if i["account"] == "444455556666"}
    assert {r["OwnerId"] for r in other.describe_instances()["Reservations"]} == {"444455556666"}
    assert client(sim, "sts", **keys).get_caller_identity()["Account"] == "444455556666"
    foreign = next(i["instance_id"] for i in known if i["account"] == "111122223333")
    assert refused(other.describe_instances, InstanceIds=[foreign]) == "InvalidInstanceID.NotFound"


def test_role_lets_in_whom_it_trusts(sim):
    sts = own_client(sim, "sts")
    role = {"RoleSessionName": "test"}

    assert refused(sts.assume_role, RoleArn=ROLE.format("999999999999", "reader"), **role) == "AccessDenied"
    assert refused(sts.assume_role, RoleArn=ROLE.format("111122223333", "denied"), **role) == "AccessDenied"
    assert refused(sts.assume_role, RoleArn=ROLE.format("111122223333", "external-4711"), **role) == "AccessDenied"
    assert sts.assume_role(RoleArn=ROLE.format("111122223333", "external-4711"), ExternalId="4711", **role)["Credentials"]


def test_temporary_keys_end(sim):
    keys = assumed(sim, ROLE.format("111122223333", "reader"))
    assert listed(client(sim, "ec2", **keys))

    sim.control("keys", {"expire": True})

    assert refused(client(sim, "ec2", **keys).describe_instances) == "RequestExpired"
    assert refused(client(sim, "sts", **keys).get_caller_identity) == "ExpiredToken"
    sim.control("keys", {"seconds": 1})
    given = own_client(sim, "sts").assume_role(RoleArn=ROLE.format("111122223333", "reader"), RoleSessionName="test")
    harness.wait_until(lambda: not works(client(sim, "sts", aws_access_key_id=given["Credentials"]["AccessKeyId"],
                                                aws_secret_access_key=given["Credentials"]["SecretAccessKey"],
                                                aws_session_token=given["Credentials"]["SessionToken"])), "they end")


def works(sts):
    try:
        return sts.get_caller_identity()
    except ClientError:
        return None

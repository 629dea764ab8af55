"""The files of deploy/ without anything running: compose and Kubernetes by their schemas, and by what the programs take.

`make test-files`. kubectl or kustomize, npm and docker-compose are looked for; what is not here is skipped, with a word.
SPDX-License-Identifier: MIT"""
import base64
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from harness import BUILD, ROOT  # noqa: E402

DEPLOY = ROOT / "deploy"
OVERLAYS = ["demo", "production"]
COMPONENT = "app.kubernetes.io/component"


def run(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, **more)


def needs(*names):
    found = next((name for name in names if shutil.which(name)), None)
    if not found:
        pytest.skip(f"none of {', '.join(names)} is here")
    return found


# --- compose

def compose(env_file, **environment):
    needs("docker-compose")
    done = run("docker-compose", "--env-file", DEPLOY / env_file, "--file", DEPLOY / "docker-compose.yml", "config", cwd=DEPLOY,
               env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def variables():
    """What docker-compose.yml asks for, with its default; None where it has none."""
    text = re.sub(r"(?m)^\s*#.*$", "", (DEPLOY / "docker-compose.yml").read_text())
    return {name: default for name, _, default in re.findall(r"\$\{(\w+)(:?-)([^}]*)\}", text)}


def settings(path):
    return dict(line.split("=", 1) for line in (DEPLOY / path).read_text().splitlines() if line and not line.startswith("#"))


@pytest.mark.parametrize("env_file", [".env.example", "demo.env"])
def test_compose_fits_its_schema(env_file):
    assert len(compose(env_file)["services"]) == 9


def test_compose_fits_the_specification_as_it_is_written():
    """Before any program reads it: what docker-compose 1 forgives or changes, docker compose 2 need not."""
    jsonschema = pytest.importorskip("jsonschema")
    path = pathlib.Path("/usr/lib/python3/dist-packages/compose/config/compose_spec.json")  # of Debian's docker-compose
    if not path.exists():
        pytest.skip(f"{path} is not here")
    schema = json.loads(path.read_text())
    written = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())

    validator = jsonschema.Draft7Validator(schema)

    validator.validate(written)

    written["services"]["gateway"]["mem_limits"] = "1g"
    with pytest.raises(jsonschema.ValidationError, match="mem_limits"):
        validator.validate(written)


def test_each_variable_is_explained_with_its_default():
    example = settings(".env.example")
    #  AWS's own are taken from the environment, and stand in a file of secrets rather than here.
    unexplained = {name for name in variables() if name not in example and not name.startswith("AWS_")}
    assert not unexplained
    for name, default in variables().items():
        assert example.get(name, default) == default, name
    assert set(example) <= set(variables())
    assert set(settings("demo.env")) <= {*variables(), "COMPOSE_PROFILES"}


def test_what_scales_has_neither_name_nor_port():
    for name, service in compose(".env.example")["services"].items():
        assert "container_name" not in service
        assert "ports" not in service or name in ("proxy", "grafana")
        if "ports" in service:
            assert all("127.0.0.1" in str(port) for port in service["ports"]), name


def check(command, environment, folder):
    """The program itself says whether it takes this; files of /run/secrets are put in place of the real ones."""
    keys = folder / "secrets/bus"
    if not keys.exists():
        subprocess.run([DEPLOY / "new-secrets", folder / "secrets"], check=True, capture_output=True)
    bus = {"bus_aggregator": keys / "aggregator.key_secret", "bus_gateway": keys / "gateway.key_secret",
           "bus_collector": keys / "collector.key_secret", "bus_server": keys / "aggregator.key", "bus_allow": keys / "allow"}
    secrets = {"session_key": "0" * 64, "tokens": f"me viewer sha256:{'0' * 64}\n", "cml_password": "p", "password": "p",
               "cml_fingerprints": "* sha256//" + "A" * 43 + "=\n", "fingerprints": "* sha256//" + "A" * 43 + "=\n", "aws_credentials": ""}
    here = {}
    for key, value in environment.items():
        if str(value).startswith("/run/secrets/"):
            name = pathlib.Path(value).name
            if name in secrets:
                (folder / name).write_text(secrets[name])
            value = bus.get(name, folder / name)
        here[key] = str(value)
    return run(BUILD / command[0], *command[1:], "--check-config", env={"PATH": os.environ["PATH"], **here})


def image_environment():
    """ENV of the Dockerfile."""
    return dict(re.findall(r"(CMLWATCH_\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))


@pytest.mark.parametrize("env_file", [".env.example", "demo.env"])
def test_each_program_takes_what_compose_tells_it(env_file, tmp_path):
    for name, service in compose(env_file)["services"].items():
        if not service.get("command", [""])[0].startswith("cmlwatch-"):
            continue
        done = check(service["command"], {**image_environment(), **service.get("environment", {})}, tmp_path)
        assert done.returncode == 0, f"{name}: {done.stderr}"


# --- Kubernetes

@functools.cache
def built(overlay):
    """As kustomize makes it, of a copy that has the keys its users make first."""
    tool = needs("kustomize", "kubectl")
    folder = ROOT / "build/deploy/kustomize"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DEPLOY / "kubernetes", folder, ignore=shutil.ignore_patterns("secrets"))
    subprocess.run([DEPLOY / "new-secrets", folder / "overlays/demo/secrets"], check=True, capture_output=True)
    done = run(tool, "build" if tool == "kustomize" else "kustomize", folder / "overlays" / overlay)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=OVERLAYS)
def objects(request):
    return list(yaml.safe_load_all(built(request.param)))


def of(objects, *kinds):
    return [thing for thing in objects if thing["kind"] in kinds]


def pods(objects):
    """(name, labels, pod spec) of all that makes pods."""
    for thing in of(objects, "Deployment", "StatefulSet"):
        template = thing["spec"]["template"]
        yield thing["metadata"]["name"], template["metadata"]["labels"], template["spec"]


@pytest.fixture(scope="module")
def validator():
    needs("npm")
    folder = ROOT / "build/deploy/kubernetes"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "validate.mjs"):
        shutil.copy(HERE / "kubernetes" / name, folder)
    done = run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", cwd=folder)
    if done.returncode != 0 and re.search("ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|network", done.stderr):
        pytest.skip("the npm registry cannot be reached")
    assert done.returncode == 0, done.stderr
    return folder / "validate.mjs"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_objects_fit_kubernetes_schemas(validator, overlay):
    done = run("node", validator, input=built(overlay))

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_validator_finds_what_is_wrong(validator):
    wrong = built("demo").replace("replicas: 1\n", "replicas: one\n")

    assert "replicas must be integer" in run("node", validator, input=wrong).stdout


def unknown_members(value, model, path):
    """Members that the API's own models do not have: a server would drop them without a word."""
    from kubernetes.client import models
    inner = re.match(r"(?:list\[|dict\(str, )(\w+)[\])]", model)
    if inner:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from unknown_members(item, inner[1], f"{path}[{key}]")
        return
    known = getattr(models, model, None)
    if known is None or not isinstance(value, dict):
        return
    names = {wire: known.openapi_types[name] for name, wire in known.attribute_map.items()}
    for key, item in value.items():
        if key not in names:
            yield f"{path}.{key}"
        else:
            yield from unknown_members(item, names[key], f"{path}.{key}")


def test_no_member_is_misspelt(objects):
    pytest.importorskip("kubernetes")
    for thing in objects:
        version = thing["apiVersion"].rsplit("/")[-1]
        #  Debian's models are of the time when this one was about to be v2.
        model = "V2beta2HorizontalPodAutoscaler" if thing["kind"] == "HorizontalPodAutoscaler" else version.capitalize() + thing["kind"]
        assert not list(unknown_members(thing, model, f"{thing['kind']} {thing['metadata']['name']}"))


def test_pods_are_as_restricted_as_can_be(objects):
    for name, _, spec in pods(objects):
        assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False, name
        for container in spec["containers"]:
            own = container["securityContext"]
            assert own == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, name
            assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"], name
            assert container["readinessProbe"], name
    namespace, = of(objects, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def secrets_of(objects, folder):
    """name → {file: content}: those of the overlay, and those that its head says how to make."""
    made = folder / "made"
    subprocess.run([DEPLOY / "new-secrets", made], check=True, capture_output=True)
    found = {thing["metadata"]["name"]: {key: base64.b64decode(value) for key, value in thing["data"].items()} for thing in of(objects, "Secret")}
    head = (DEPLOY / "kubernetes/overlays/production/kustomization.yaml").read_text()
    for name, files in re.findall(r"create secret generic (\S+)((?: --from-file=\S+)+)", head):
        told = [file.rpartition("=") for file in re.findall(r"--from-file=(\S+)", files)]
        paths = {path: made / path for _, _, path in told}
        found[name] = {key or each.name: each.read_bytes() for key, _, path in told
                       for each in (sorted(paths[path].iterdir()) if paths[path].is_dir() else [paths[path]])}
    return found


def mounted(spec, secrets, root):
    """What a pod sees of secrets, below root; the names of the files."""
    volumes = {volume["name"]: volume["secret"]["secretName"] for volume in spec.get("volumes", []) if "secret" in volume}
    names = []
    for mount in spec["containers"][0].get("volumeMounts", []):
        if mount["name"] in volumes:
            assert mount["readOnly"], mount
            place = root / mount["mountPath"].lstrip("/")
            place.mkdir(parents=True)
            for name, content in secrets[volumes[mount["name"]]].items():
                (place / name).write_bytes(content)
                names.append(name)
    return names


def told(objects, container):
    """Its environment, as the cluster makes it."""
    maps = {thing["metadata"]["name"]: thing for thing in of(objects, "ConfigMap", "Secret")}
    environment = image_environment()
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            environment.update(maps[source["configMapRef"]["name"]]["data"])
        else:
            assert maps[source["secretRef"]["name"]]["kind"] == "Secret"
    return {**environment, **{variable["name"]: variable["value"] for variable in container.get("env", [])}}


def test_each_program_takes_what_the_cluster_tells_it(objects, tmp_path):
    secrets = secrets_of(objects, tmp_path)
    for name, _, spec in pods(objects):
        container, = spec["containers"]
        root = tmp_path / name
        mounted(spec, secrets, root)
        mine = f"CMLWATCH_{name}_".upper().replace("-", "_")
        environment = {key: value.replace("/run/secrets", f"{root}/run/secrets") for key, value in told(objects, container).items()}
        for key, value in environment.items():
            assert not (key.startswith(mine) and value.startswith(str(root))) or pathlib.Path(value).exists(), f"{name}: {key} names {value}, which is not there"
        if "simulator" in name:
            container["command"] = [word for word in container["command"] if not word.startswith("--scenario")]
        done = run(BUILD / container["command"][0], *container["command"][1:], "--check-config", env={"PATH": os.environ["PATH"], **environment})
        assert done.returncode == 0, f"{name}: {done.stderr}"
        assert "simulator" in name or "curve_key = " in done.stdout and "curve_key = \n" not in done.stdout, f"{name} has no keys for the bus"


def test_each_pod_has_the_secret_key_of_its_own_role_alone(objects, tmp_path):
    secrets = secrets_of(objects, tmp_path)
    for name, _, spec in pods(objects):
        own = [file for file in mounted(spec, secrets, tmp_path / name) if file.endswith(".key_secret")]
        assert own == ([] if "simulator" in name else [f"{name.split('-')[0]}.key_secret"]), name
    allowed = {name: content for name, content in secrets.items() if name.startswith("cmlwatch-bus-allow")}
    for content in allowed.values():
        assert set(content) == {"gateway.key", "collector.key"}
        for file, text in content.items():
            assert f'role = "{file.removesuffix(".key")}"'.encode() in text and b"secret-key" not in text


def test_what_selects_finds(objects):
    labels = {name: found for name, found, _ in pods(objects)}
    for thing in of(objects, "Service", "PodDisruptionBudget"):
        selector = thing["spec"]["selector"]
        selector = selector.get("matchLabels", selector)
        assert any(selector.items() <= found.items() for found in labels.values()), thing["metadata"]["name"]
    names = {(thing["kind"], thing["metadata"]["name"]) for thing in objects}
    for thing in of(objects, "HorizontalPodAutoscaler"):
        target = thing["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in names
    for _, _, spec in pods(objects):
        assert ("ServiceAccount", spec.get("serviceAccountName", "")) in names or "serviceAccountName" not in spec


def allowed(objects, source, target, port):
    """Whether both ends' policies let source speak to target: labels of pods in our namespace, or the name of another."""
    def fits(peer, labels):
        if isinstance(labels, str):
            return peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name") == labels
        return "podSelector" in peer and peer["podSelector"].get("matchLabels", {}).items() <= labels.items()

    def passes(labels, way, ends, other):
        if isinstance(labels, str):
            return True
        rules = [rule for policy in of(objects, "NetworkPolicy") if policy["spec"]["podSelector"].get("matchLabels", {}).items() <= labels.items()
                 and way.capitalize() in policy["spec"]["policyTypes"] for rule in policy["spec"].get(way, [])]
        return any(any(fits(peer, other) for peer in rule[ends]) and
                   ("ports" not in rule or any(known["port"] == port for known in rule["ports"])) for rule in rules)
    return passes(source, "egress", "to", target) and passes(target, "ingress", "from", source)


def test_policies_let_through_what_is_needed_and_nothing_else(objects):
    pod = {name: labels for name, labels, _ in pods(objects)}
    collectors = [name for name in pod if name.startswith("collector-")]
    ways = {("gateway", "aggregator", port) for port in (5572, 5573)} | {(name, "aggregator", port) for name in collectors for port in (5571, 5572)}
    ways |= {(name, "simulator", 5580) for name in collectors if "simulator" in pod}
    for source in pod:
        for target in pod:
            for port in (5571, 5572, 5573, 8080) + ((5580,) if target == "simulator" else ()):
                expected = (source, target, port) in ways or (target == "simulator" and source in collectors)
                assert allowed(objects, pod[source], pod[target], port) == expected, (source, target, port)
    assert allowed(objects, "ingress-nginx", pod["gateway"], 8080) and not allowed(objects, "ingress-nginx", pod["aggregator"], 8080)
    assert all(allowed(objects, "monitoring", labels, 8080) for name, labels in pod.items() if name != "simulator")
    assert not allowed(objects, "default", pod["gateway"], 8080)


def test_autoscalers_ask_for_what_the_adapter_tells(objects):
    adapter = yaml.safe_load((DEPLOY / "kubernetes/overlays/production/prometheus-adapter.yaml").read_text())["rules"]["custom"]
    told = {rule["name"]["as"] for rule in adapter}
    asked = {metric["pods"]["metric"]["name"] for thing in of(objects, "HorizontalPodAutoscaler") for metric in thing["spec"]["metrics"]
             if metric["type"] == "Pods"}
    assert asked in (told, set())  # the demo has none
    source = "".join(path.read_text() for folder in ("gateway", "collector/core") for path in (ROOT / folder).glob("*.c"))
    for rule in adapter:
        series = re.match(r"\w+", rule["seriesQuery"])[0].removesuffix("_bucket")
        assert f'"{series}"' in source


# --- IAM

@pytest.mark.parametrize("name", ["read", "accounts", "act"])
def test_a_policy_is_one(name):
    policy = json.loads((DEPLOY / "iam" / f"{name}.json").read_text())
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow" and statement["Sid"].isalnum()
        assert all(re.fullmatch(r"[a-z0-9]+:[A-Za-z]+", action) for action in statement["Action"]), "no wildcard"


def test_policies_have_each_call_that_is_made_and_no_other():
    source = "".join(path.read_text() for path in (ROOT / "collector").rglob("*.c"))
    #  A web identity's token is its own permission.
    called = set(re.findall(r'"((?:Describe|Get|List|Assume)[A-Z]\w+|(?:Start|Stop|Monitor)Instances)"', source)) - {"AssumeRoleWithWebIdentity"}
    granted = {action.split(":")[1] for name in ("read", "accounts", "act")
               for statement in json.loads((DEPLOY / f"iam/{name}.json").read_text())["Statement"] for action in statement["Action"]}

    assert called == granted - {"UnmonitorInstances"}  # what is turned on by us, somebody may want to turn off


def test_what_acts_acts_on_workers_alone():
    for statement in json.loads((DEPLOY / "iam/act.json").read_text())["Statement"]:
        assert statement["Resource"].startswith("arn:aws:ec2:") and "aws:ResourceTag/ManagedBy" in statement["Condition"]["StringEquals"]

"""deploy/kubernetes/: every object is one of its kind, and what one names of another is there."""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePath
from typing import Any

import pytest

from registry.cli import main
from registry.config import Settings
from registry.server.worker import GRACE
from tests.support.server import PROJECT

yaml = pytest.importorskip("yaml", reason="the library that reads YAML is not installed")

Object = dict[str, Any]

FOLDER = PROJECT / "deploy" / "kubernetes"
KUSTOMIZATION: Object = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
HEAD = (FOLDER / "kustomization.yaml").read_text().partition("\napiVersion:")[0]
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name not in {"kustomization.yaml", "secret.yaml"})
OBJECTS: list[Object] = [document for path in FILES for document in yaml.safe_load_all(path.read_text())]
# The versions to be valid in: one that many still run, and the newest that the schemas know.
VERSIONS = ("1.29", None)
UNPRIVILEGED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def of(kind: str) -> dict[str, Object]:
    return {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] == kind}


def workloads() -> dict[str, Object]:
    """What makes pods, by name."""
    return of("Deployment") | of("Job")


def pods() -> dict[str, Object]:
    """The pod of each workload."""
    return {name: workload["spec"]["template"] for name, workload in workloads().items()}


def containers(pod: Object) -> Iterator[Object]:
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"]["containers"]


def selected(labels: dict[str, str]) -> dict[str, Object]:
    return {name: pod for name, pod in pods().items() if labels.items() <= pod["metadata"]["labels"].items()}


def ports(selection: dict[str, Object]) -> set[str]:
    """The names of ports that every selected pod has."""
    named = [{port["name"] for one in containers(pod) for port in one.get("ports", [])} for pod in selection.values()]
    return set.intersection(*named) if named else set()


def environment() -> dict[str, str]:
    given: dict[str, str] = of("ConfigMap")["entrepot"]["data"] | of("Secret")["entrepot"]["stringData"]
    return given


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_an_object_is_one_of_its_kind(path: Path, version: str | None) -> None:
    schemas = pytest.importorskip("kubernetes_validate", reason="the schemas of Kubernetes are not installed")
    for one in yaml.safe_load_all(path.read_text()):
        schemas.validate(one, version or schemas.latest_version(), strict=True)


def test_the_list_has_every_file_or_its_head_tells_why_not() -> None:
    listed = {name.replace("secret.yaml", "secret.example.yaml") for name in KUSTOMIZATION["resources"]}
    names = {path.name for path in FILES}
    assert listed <= names
    assert not {name for name in names - listed if name not in HEAD}
    assert "cp secret.example.yaml secret.yaml" in HEAD
    assert "secret.yaml" in (FOLDER / ".gitignore").read_text().split()


def test_everything_lies_in_one_namespace() -> None:
    (namespace,) = of("Namespace")
    assert KUSTOMIZATION["namespace"] == namespace
    assert {one["metadata"].get("namespace") for one in OBJECTS if one["kind"] != "Namespace"} == {namespace}


def test_no_two_objects_of_a_kind_have_the_same_name() -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in OBJECTS]
    assert len(names) == len(set(names))


def test_the_image_is_the_one_that_the_list_replaces_by_this_version() -> None:
    (image,) = KUSTOMIZATION["images"]
    assert {one["image"] for pod in pods().values() for one in containers(pod)} == {image["name"]}
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert image["newTag"] == project["version"]


def test_what_the_pods_are_told_can_be_used() -> None:
    told = Settings.load(environ=environment())
    assert (told.store, told.background) == ("s3", False)
    assert told.database is not None
    # A container sees every core of its node: 0 would mean all of them.
    assert "REGISTRY_WORKERS" in environment()


def test_the_example_starts_nothing_and_has_no_password_that_somebody_might_keep() -> None:
    assert len(base64.b64decode(of("Secret")["entrepot-key"]["data"]["key"])) != 32
    assert Settings.load(environ=environment()).admin_password is None


def test_every_program_of_ours_is_a_verb_of_the_command() -> None:
    verbs = {tuple(one["args"]) for pod in pods().values() for one in pod["spec"]["containers"]}
    assert verbs == {("serve",), ("worker",), ("migrate",)}
    assert {verb for (verb,) in verbs} <= main.commands.keys()


@pytest.mark.parametrize("name", workloads())
def test_what_a_pod_takes_its_settings_from_is_there(name: str) -> None:
    spec = pods()[name]["spec"]
    assert spec["serviceAccountName"] in of("ServiceAccount")
    for one in spec["containers"]:
        assert {source["configMapRef"]["name"] for source in one["envFrom"] if "configMapRef" in source} <= set(
            of("ConfigMap")
        )
        assert {source["secretRef"]["name"] for source in one["envFrom"] if "secretRef" in source} <= set(of("Secret"))
    secrets = {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
    assert secrets <= set(of("Secret"))


@pytest.mark.parametrize("name", workloads())
def test_a_pod_mounts_the_volumes_that_it_has(name: str) -> None:
    spec = pods()[name]["spec"]
    mounted = {mount["name"] for one in containers(pods()[name]) for mount in one["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["volumes"]}


@pytest.mark.parametrize("name", ["entrepot", "entrepot-worker"])
def test_the_key_is_where_the_settings_say_with_rights_that_the_registry_takes(name: str) -> None:
    spec = pods()[name]["spec"]
    wanted = PurePath(environment()["REGISTRY_KEY_FILE"])
    (volume,) = (one for one in spec["volumes"] if "secret" in one)
    assert volume["secret"] == {"secretName": "entrepot-key", "defaultMode": 0o440}
    assert of("Secret")["entrepot-key"]["data"].keys() == {wanted.name}
    # The group that Kubernetes gives the files to is the one that the registry runs in.
    assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"]
    for one in spec["containers"]:
        mounts = {mount["mountPath"]: mount for mount in one["volumeMounts"]}
        assert mounts[str(wanted.parent)] == {"name": volume["name"], "mountPath": str(wanted.parent), "readOnly": True}


@pytest.mark.parametrize("name", workloads())
def test_a_pod_may_do_no_more_than_it_needs(name: str) -> None:
    spec = pods()[name]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    # The image's own user, to whom its folders belong.
    assert f"USER {spec['securityContext']['runAsUser']}:" in (PROJECT / "Dockerfile").read_text()
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    # The variables of a Service called registry would be taken for settings, and refused.
    assert spec["enableServiceLinks"] is False
    assert [one["securityContext"] for one in containers(pods()[name])] == [UNPRIVILEGED] * len(
        list(containers(pods()[name]))
    )


@pytest.mark.parametrize("name", workloads())
def test_a_container_asks_for_what_it_needs_and_cannot_take_all_memory(name: str) -> None:
    for one in containers(pods()[name]):
        assert one["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in one["resources"]["limits"]


@pytest.mark.parametrize("name", of("Deployment"))
def test_a_deployment_selects_its_own_pods_and_no_others(name: str) -> None:
    assert set(selected(of("Deployment")[name]["spec"]["selector"]["matchLabels"])) == {name}


def test_replicas_come_and_go_one_after_the_other() -> None:
    spec = of("Deployment")["entrepot"]["spec"]
    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    labels = of("PodDisruptionBudget")["entrepot"]["spec"]["selector"]["matchLabels"]
    assert set(selected(labels)) == {"entrepot"}
    spread = spec["template"]["spec"]["topologySpreadConstraints"]
    assert [set(selected(one["labelSelector"]["matchLabels"])) for one in spread] == [{"entrepot"}] * 2


def test_a_replica_is_killed_later_than_it_stops_by_itself() -> None:
    spec = pods()["entrepot"]["spec"]
    (container,) = spec["containers"]
    program, pause = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    most = timedelta(seconds=spec["terminationGracePeriodSeconds"])
    assert most > timedelta(seconds=int(pause)) + Settings().drain_timeout + GRACE


def test_a_replica_is_asked_for_its_health_where_it_listens() -> None:
    (container,) = pods()["entrepot"]["spec"]["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == Settings().port
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": port["name"]}
    # A database that is away is no reason to start anew.
    assert container["livenessProbe"]["tcpSocket"] == {"port": port["name"]}


def test_requests_find_their_way_to_the_replicas() -> None:
    service = of("Service")["entrepot"]["spec"]
    assert set(selected(service["selector"])) == {"entrepot"}
    (port,) = service["ports"]
    assert port["targetPort"] in ports(selected(service["selector"]))
    ingress = of("Ingress")["entrepot"]["spec"]
    (rule,) = ingress["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "entrepot", "port": {"name": port["name"]}}
    (tls,) = ingress["tls"]
    assert tls["hosts"] == [rule["host"]]
    # The one secret that is no file here.
    assert f"create secret tls {tls['secretName']} " in HEAD
    assert environment()["REGISTRY_PUBLIC_URL"] == f"https://{rule['host']}"


def test_the_ingress_passes_bytes_as_they_come_and_is_more_patient_than_the_registry() -> None:
    told = of("Ingress")["entrepot"]["metadata"]["annotations"]
    told = {key.removeprefix("nginx.ingress.kubernetes.io/proxy-"): value for key, value in told.items()}
    assert (told["body-size"], told["request-buffering"], told["buffering"]) == ("0", "off", "off")
    for key in ("read-timeout", "send-timeout"):
        assert timedelta(seconds=int(told[key])) > Settings().stall_timeout


def test_the_network_policies_hold_every_pod_and_let_requests_through() -> None:
    policies = of("NetworkPolicy")
    assert set(selected(policies["entrepot"]["spec"]["podSelector"]["matchLabels"])) == set(pods())
    assert policies["entrepot"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    let = policies["entrepot-replicas"]["spec"]
    replicas = selected(let["podSelector"]["matchLabels"])
    assert set(replicas) == {"entrepot"}
    assert {port["port"] for rule in let["ingress"] for port in rule["ports"]} <= ports(replicas)
    out = {port["port"] for rule in policies["entrepot"]["spec"]["egress"] for port in rule["ports"]}
    (database,) = re.findall(r"@[a-z.]+:(\d+)/", environment()["REGISTRY_DATABASE"])
    assert {53, 443, int(database)} == out


def test_the_autoscaler_scales_the_replicas() -> None:
    spec = of("HorizontalPodAutoscaler")["entrepot"]["spec"]
    target = spec["scaleTargetRef"]
    assert (target["kind"], target["apiVersion"]) == ("Deployment", of("Deployment")[target["name"]]["apiVersion"])
    assert spec["minReplicas"] == of("Deployment")["entrepot"]["spec"]["replicas"]

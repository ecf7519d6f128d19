"""The manifests as kustomize builds them: against the API's schemas, and against what the service does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.process import DEPLOY
from bench.programs import found
from service.settings import Settings
from tests.programs import check, need

yaml = pytest.importorskip("yaml")
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = ("cpu", "gpu", "production")
VERSIONS = ("1.30", "1.34", "1.37")  # of Kubernetes: the oldest that is meant, one between, the newest known
MODELS = "@kubernetes-models/prometheus-operator@6.0.0"
WITH_KEYS = "with keys"
OPERATORS = "monitoring.coreos.com/"


@cache
def built(overlay: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(check([need("kubectl"), "kustomize", str(KUBERNETES / "overlays" / overlay)])))


@pytest.fixture(scope="module", params=[*OVERLAYS, WITH_KEYS])
def resources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The last is an overlay of somebody's own, with the component that asks for keys."""
    if request.param != WITH_KEYS:
        return built(request.param)
    copy = tmp_path_factory.mktemp("own") / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    own = copy / "overlays" / "cpu" / "kustomization.yaml"
    own.write_text(own.read_text("utf-8") + "components: [../../components/keys]\n", "utf-8")
    return list(yaml.safe_load_all(check([need("kubectl"), "kustomize", str(own.parent)])))


def of_kind(resources: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (one,) = [each for each in resources if each["kind"] == kind]
    return one


def pod_of(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return of_kind(resources, "Deployment")["spec"]["template"]["spec"]


def settings_of(resources: list[dict[str, Any]]) -> Settings:
    """What the container will be told; raises SettingsError for a name or a value that the service does not know."""
    return Settings.from_environment(of_kind(resources, "ConfigMap")["data"])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_api_takes_every_resource(resources: list[dict[str, Any]], version: str) -> None:
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="PyPI package kubernetes-validate is missing"
    )
    native = [each for each in resources if not each["apiVersion"].startswith(OPERATORS)]
    assert len(native) >= 6
    for each in native:
        kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.tools
def test_the_operator_takes_its_resources() -> None:
    npm, node = need("npm"), found("node")
    folder = Path(sys.prefix) / "prometheus-operator-models"
    if not (folder / "node_modules").exists():
        fetch = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), MODELS]
        if subprocess.run(fetch, capture_output=True, check=False).returncode != 0:
            pytest.skip(f"npm could not fetch {MODELS}")
    own = [each for each in built("production") if each["apiVersion"].startswith(OPERATORS)]
    assert {each["kind"] for each in own} == {"ServiceMonitor", "PrometheusRule"}

    def complaints(about: list[dict[str, Any]]) -> str:
        script = Path(__file__).parent / "crds.mjs"
        return check([str(node), str(script), str(folder)], input=json.dumps(about))

    assert complaints(own) == ""
    wrong = complaints([{**each, "spec": {"endpoints": "all", "groups": "all"}} for each in own])
    assert all(each["kind"] in wrong for each in own)  # it does look


def test_the_operators_rules_are_those_of_prometheus() -> None:
    rules = of_kind(built("production"), "PrometheusRule")["spec"]["groups"]
    files = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
    assert rules == [group for path in files for group in yaml.safe_load(path.read_text("utf-8"))["groups"]]


def test_every_selector_finds_the_pods(resources: list[dict[str, Any]]) -> None:
    labels = of_kind(resources, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        of_kind(resources, "Deployment")["spec"]["selector"]["matchLabels"],
        of_kind(resources, "Service")["spec"]["selector"],
        of_kind(resources, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind(resources, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *[each["labelSelector"]["matchLabels"] for each in pod_of(resources)["topologySpreadConstraints"]],
    ]
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()


def test_ports_are_those_that_the_container_has(resources: list[dict[str, Any]]) -> None:
    ports = {port["name"]: port["containerPort"] for port in pod_of(resources)["containers"][0]["ports"]}
    assert ports == {"http": 8000, "admin": settings_of(resources).admin_port}  # the first is the image's RIBBON_PORT
    named = [port["targetPort"] for port in of_kind(resources, "Service")["spec"]["ports"]]
    named += [port["port"] for rule in of_kind(resources, "NetworkPolicy")["spec"]["ingress"] for port in rule["ports"]]
    assert set(named) <= set(ports)


def test_probes_match_the_life_of_the_service(resources: list[dict[str, Any]]) -> None:
    container = pod_of(resources)["containers"][0]
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"  # 200 while it loads and while it drains
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    startup = container["startupProbe"]
    assert startup["httpGet"]["path"] == "/health/ready"
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 60


def test_nothing_is_killed_before_it_has_drained(resources: list[dict[str, Any]]) -> None:
    settings, pod = settings_of(resources), pod_of(resources)
    readiness = pod["containers"][0]["readinessProbe"]
    asleep = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert asleep + settings.drain_seconds >= readiness["periodSeconds"] * readiness["failureThreshold"]
    assert pod["terminationGracePeriodSeconds"] >= asleep + settings.drain_seconds + settings.drain_timeout_seconds + 5


def test_the_pod_is_locked_down(resources: list[dict[str, Any]]) -> None:
    pod = pod_of(resources)
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


def test_processor_time_is_asked_for_as_it_is_limited(resources: list[dict[str, Any]]) -> None:
    """The service makes as many threads as its quota has cores, and it should get them."""
    asked = pod_of(resources)["containers"][0]["resources"]
    assert asked["requests"]["cpu"] == asked["limits"]["cpu"]
    assert {"memory"} <= set(asked["requests"]) & set(asked["limits"])


def test_keys_are_read_from_the_mounted_secret() -> None:
    keys = yaml.safe_load((KUBERNETES / "components" / "keys" / "deployment.yaml").read_text("utf-8"))
    (container,) = keys["spec"]["template"]["spec"]["containers"]
    (mount,) = container["volumeMounts"]
    literals = yaml.safe_load((KUBERNETES / "components" / "keys" / "kustomization.yaml").read_text("utf-8"))
    (setting,) = literals["configMapGenerator"][0]["literals"]
    assert setting == f"RIBBON_API_KEYS_FILE={mount['mountPath']}/api-keys"


def test_only_prometheus_reaches_the_admin_port() -> None:
    rules = of_kind(built("production"), "NetworkPolicy")["spec"]["ingress"]
    (admin,) = [rule for rule in rules if {"port": "admin"} in rule["ports"]]
    assert admin["ports"] == [{"port": "admin"}]
    labels = [source["namespaceSelector"]["matchLabels"] for source in admin["from"]]
    assert labels == [{"kubernetes.io/metadata.name": "monitoring"}]
    (endpoint,) = of_kind(built("production"), "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["port"] == "admin"


def test_whoever_scales_does_not_also_fix_the_number() -> None:
    for overlay in OVERLAYS:
        kinds = {each["kind"] for each in built(overlay)}
        fixed = "replicas" in of_kind(built(overlay), "Deployment")["spec"]
        assert fixed != ("HorizontalPodAutoscaler" in kinds), overlay


def test_the_autoscaler_asks_for_the_metric_that_the_adapter_makes() -> None:
    metrics = of_kind(built("production"), "HorizontalPodAutoscaler")["spec"]["metrics"]
    wanted = {each["pods"]["metric"]["name"] for each in metrics if each["type"] == "Pods"}
    values = yaml.safe_load((KUBERNETES / "prometheus-adapter-values.yaml").read_text("utf-8"))
    assert {rule["name"]["as"] for rule in values["rules"]["custom"]} == wanted
    assert {each["type"] for each in metrics} == {"Pods", "Resource"}


def test_on_a_gpu_the_service_does_not_fall_back_in_silence() -> None:
    resources = built("gpu")
    assert settings_of(resources).device == "cuda"
    assert pod_of(resources)["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"

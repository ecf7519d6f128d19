"""The manifests for Ray say what the application and the settings know; Ray itself is not needed for that."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from bench.process import DEPLOY
from service.settings import variables

yaml = pytest.importorskip("yaml")
RAY = DEPLOY / "ray"


def serve_configurations() -> list[dict[str, Any]]:
    """Of ``serve deploy`` and of KubeRay."""
    plain = yaml.safe_load((RAY / "serve.yaml").read_text("utf-8"))
    manifest = yaml.safe_load((RAY / "rayservice.yaml").read_text("utf-8"))
    return [plain, yaml.safe_load(manifest["spec"]["serveConfigV2"])]


def names_of_application() -> set[str]:
    """What the module defines, read and not imported."""
    module = ast.parse((RAY / "application.py").read_text("utf-8"))
    classes = {node.name for node in module.body if isinstance(node, ast.ClassDef)}
    values = {target.id for node in module.body if isinstance(node, ast.Assign) for target in node.targets}
    return classes | values


@pytest.mark.parametrize("place", [0, 1])
def test_a_configuration_names_what_is_there(place):
    (application,) = serve_configurations()[place]["applications"]
    assert application["import_path"] == "deploy.ray.application:application"
    names = names_of_application()
    assert {"application", *(each["name"] for each in application["deployments"])} <= names
    chosen = application["runtime_env"]["env_vars"]
    assert set(chosen) <= set(variables())


def test_both_configurations_scale_alike():
    first, second = (each["applications"][0]["deployments"] for each in serve_configurations())
    assert first == second


def test_the_cluster_has_room_for_the_replicas():
    cluster = yaml.safe_load((RAY / "rayservice.yaml").read_text("utf-8"))["spec"]["rayClusterConfig"]
    (group,) = cluster["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    (deployment,) = serve_configurations()[1]["applications"][0]["deployments"]
    cores = group["maxReplicas"] * int(container["resources"]["limits"]["cpu"])
    assert cores >= deployment["autoscaling_config"]["max_replicas"] * deployment["ray_actor_options"]["num_cpus"]

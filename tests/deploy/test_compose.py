"""docker-compose.yml: valid to docker-compose, and of one piece with the files that it mounts."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench.process import DEPLOY, ROOT
from service.settings import Settings
from tests.programs import check, need

yaml = pytest.importorskip("yaml")
FILES = {
    "cpu": ["docker-compose.yml"],
    "gpu": ["docker-compose.yml", "deploy/compose/gpu.yml"],
    "keys": ["docker-compose.yml", "deploy/compose/keys.yml"],
}
INSTANCES = ("ribbon-a", "ribbon-b")


def stack(name: str) -> dict[str, Any]:
    """As docker-compose understands it, every profile on."""
    files = [argument for path in FILES[name] for argument in ("--file", path)]
    # It refuses to merge files without saying so: no engine is asked.
    said = check([need("docker-compose"), *files, "--profile", "load", "config"], cwd=ROOT)
    return yaml.safe_load(said)


@pytest.fixture(scope="module", params=FILES)
def services(request: pytest.FixtureRequest) -> dict[str, Any]:
    return stack(request.param)["services"]


def seconds(duration: str) -> float:
    return sum(float(number) * {"s": 1, "m": 60}[unit] for number, unit in re.findall(r"([\d.]+)([ms])", duration))


def test_all_parts_are_there(services: dict[str, Any]) -> None:
    assert set(services) == {*INSTANCES, "haproxy", "prometheus", "alertmanager", "grafana", "load"}


def test_images_are_built_here_or_pinned_by_digest(services: dict[str, Any]) -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    for name, service in services.items():
        if "build" in service:
            assert service["build"].get("target", "cpu") in stages, name
        else:
            assert re.search(r":v?[\d.]+@sha256:[0-9a-f]{64}$", service["image"]), name


def test_everything_is_locked_down_limited_and_brought_back(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "unless-stopped", name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert service["logging"]["options"]["max-size"], name


def test_everything_has_a_health_check(services: dict[str, Any]) -> None:
    without = {name for name, service in services.items() if "healthcheck" not in service}
    assert without == {*INSTANCES, "load"}  # the first two have their image's
    assert DEPLOY.joinpath("Dockerfile").read_text("utf-8").count("HEALTHCHECK --interval") == 1


def test_nothing_is_published_beyond_this_machine(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 5
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
    assert [name for name in INSTANCES if services[name].get("ports")] == []


def test_the_instances_settings_are_known_and_they_are_not_killed_while_they_drain(services: dict[str, Any]) -> None:
    for name in INSTANCES:
        settings = Settings.from_environment(services[name]["environment"])
        assert (
            seconds(services[name]["stop_grace_period"]) >= settings.drain_seconds + settings.drain_timeout_seconds + 5
        )
        (believed,) = settings.trusted_proxies
        assert str(believed.network_address) == services["haproxy"]["networks"]["service"]["ipv4_address"]


def test_what_is_mounted_is_there(services: dict[str, Any]) -> None:
    mounts = [volume.split(":") for service in services.values() for volume in service.get("volumes", [])]
    bound = [mount for mount in mounts if mount[0].startswith("/")]
    assert len(bound) >= 4
    assert [mount for mount in bound if not Path(mount[0]).exists() or mount[2] != "ro"] == []


def test_haproxy_takes_its_configuration_and_sends_to_the_instances(services: dict[str, Any]) -> None:
    environment = services["haproxy"]["environment"]
    addresses = {services[name]["networks"]["service"]["ipv4_address"] + ":8000" for name in INSTANCES}
    assert {environment["INSTANCE_A"], environment["INSTANCE_B"]} == addresses
    command = [need("haproxy"), "-c", "-f", str(DEPLOY / "haproxy" / "haproxy.cfg")]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_prometheus_scrapes_the_instances_and_tells_alertmanager(services: dict[str, Any]) -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    ports = {name: services[name]["environment"]["RIBBON_ADMIN_PORT"] for name in INSTANCES}
    assert jobs["ribbon"] == [f"{name}:{ports[name]}" for name in INSTANCES]
    (told,) = config["alerting"]["alertmanagers"]
    assert told["static_configs"][0]["targets"] == ["alertmanager:9093"]
    shared = {name: set(services[name]["networks"]) for name in ("prometheus", "alertmanager", "grafana", *INSTANCES)}
    assert shared["prometheus"] & shared["alertmanager"]
    assert shared["prometheus"] & shared["grafana"]
    assert all(shared["prometheus"] & shared[name] for name in INSTANCES)


def test_grafana_reads_the_dashboards_and_asks_prometheus(services: dict[str, Any]) -> None:
    targets = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]
    grafana = DEPLOY / "grafana" / "provisioning"
    provider = yaml.safe_load((grafana / "dashboards" / "ribbon.yml").read_text("utf-8"))["providers"][0]
    folder = provider["options"]["path"]
    assert folder in targets
    assert services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].startswith(folder)
    sources = yaml.safe_load((grafana / "datasources" / "prometheus.yml").read_text("utf-8"))["datasources"]
    assert {source["url"] for source in sources} == {"http://prometheus:9090", "http://alertmanager:9093"}

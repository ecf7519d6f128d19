"""Which device and which precision, from the setting to the pages that say so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from service.app import create_app
from service.bundle import write_manifest
from service.errors import DeviceError
from service.runtime.resources import Device, Obstacle
from service.runtime.session import Session
from tests.application import Client, is_ready, wait_until
from tests.fakes import (
    CLASSIFIER,
    GRAPH,
    NAME,
    FakeSession,
    OpenFake,
    manifest,
    settings_for,
    write_bundle,
    write_classifier,
)

BROKEN = Obstacle(reason="no driver", log_level=logging.WARNING)


class OpenAnywhere(OpenFake):
    """Remembers where graphs were to be opened."""

    def __init__(self) -> None:
        super().__init__(FakeSession())
        self.devices: set[Device] = set()

    def __call__(self, path: Path, *, device: Device) -> Session:
        self.devices.add(device)
        return super().__call__(path, device=device)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A classifier, and a tagger whose own precision is int8."""
    write_classifier(tmp_path)
    folder = write_bundle(tmp_path)
    precisions = {name: {"file": GRAPH, "metrics": {}, "max_drift": 1e-5} for name in ("fp32", "int8")}
    write_manifest(folder, manifest(NAME) | {"precisions": precisions, "default_precision": "int8"})
    return tmp_path


@contextmanager
def serving(models: Path, opener: OpenAnywhere, obstacle: Obstacle | None, **choices: Any) -> Iterator[Client]:
    app = create_app(settings_for(models, **choices), open_session=opener, find_obstacle=lambda: obstacle)
    with TestClient(app) as client:
        wait_until(lambda: is_ready(client))
        yield client


def shown(client: Client) -> dict[str, tuple[str, str]]:
    return {card["name"]: (card["device"], card["precision"]) for card in client.get("/models").json()["models"]}


def test_on_a_gpu_models_run_in_fp32_and_every_page_says_where(models: Path) -> None:
    opener = OpenAnywhere()
    with serving(models, opener, None, device="auto") as client:
        assert opener.devices == {"cuda"}
        assert shown(client) == {NAME: ("cuda", "fp32"), CLASSIFIER: ("cuda", "fp32")}
        assert 'ribbon_device_info{device="cuda"} 1.0' in client.get("/metrics").text


def test_where_the_gpu_does_not_start_they_run_on_the_cpu_in_their_own_precision(models: Path) -> None:
    opener = OpenAnywhere()
    with serving(models, opener, BROKEN, device="auto") as client:
        assert opener.devices == {"cpu"}
        assert shown(client) == {NAME: ("cpu", "int8"), CLASSIFIER: ("cpu", "fp32")}
        assert 'ribbon_device_info{device="cpu"} 1.0' in client.get("/metrics").text


def test_a_precision_that_is_asked_for_is_served_on_a_gpu_too(models: Path) -> None:
    with serving(models, OpenAnywhere(), None, device="cuda", precision="int8") as client:
        assert shown(client) == {NAME: ("cuda", "int8"), CLASSIFIER: ("cuda", "fp32")}


def test_an_application_that_must_have_a_gpu_is_not_made_without_one(models: Path) -> None:
    with pytest.raises(DeviceError, match="RIBBON_DEVICE=cuda: no driver"):
        create_app(settings_for(models, device="cuda"), open_session=OpenAnywhere(), find_obstacle=lambda: BROKEN)

"""The whole application over HTTP, with a fake session behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from litestar.testing import TestClient

from service.app import App, create_app
from service.serving.limits import ConnectionLimits
from service.settings import Settings
from tests.api.listening import Run, Running, start
from tests.contract import Contract
from tests.fakes import (
    FakeSession,
    OpenFake,
    settings_for,
    write_bundle,
    write_classifier,
    write_language_model,
    write_translator,
)

Client = TestClient[Any]
Serve = Callable[..., "Served"]
# What a route needs besides a text.
NEEDED: Mapping[str, Mapping[str, str]] = {"/tag": {}, "/classify": {}, "/translate": {"target": "es"}, "/score": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A ready application."""

    client: Client
    session: FakeSession
    app: App | None = None

    def post(self, path: str, *, headers: Mapping[str, Any] | None = None, **request: Any) -> Response:
        """Whatever comes back."""
        return self.client.post(path, json={**NEEDED.get(path, {}), **request}, headers=headers)

    def ask(self, path: str, **request: Any) -> Any:
        """The answer's body, which must be a good one."""
        response = self.post(path, **request)
        assert response.status_code == 200, response.text
        return response.json()

    def tag(self, **request: Any) -> Any:
        return self.ask("/tag", **request)

    def classify(self, **request: Any) -> Any:
        return self.ask("/classify", **request)

    def translate(self, **request: Any) -> Any:
        return self.ask("/translate", **request)

    def generate(self, **request: Any) -> Any:
        return self.ask("/generate", **request)

    def score(self, **request: Any) -> Any:
        return self.ask("/score", **request)

    def metric(self, name: str, **labels: str) -> float:
        """A sample from /metrics, 0 if it is not there yet."""
        wanted = name + ("{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}" if labels else "")
        for line in self.client.get("/metrics").text.splitlines():
            if line.startswith(f"{wanted} "):
                return float(line.rpartition(" ")[2])
        return 0.0


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def is_ready(client: Client) -> bool:
    return client.get("/health/ready").status_code == 200


def client_of(app: App, settings: Settings) -> Client:
    """Every answer it gets is held against the description that the service gives of itself."""
    client = TestClient(app)
    client.event_hooks["response"].append(contract_of(settings.model_copy(update={"models_dir": Path("models")})).check)
    return client


@cache
def contract_of(settings: Settings) -> Contract:
    """Asked of another application with the same settings, so that nobody's counts or logs know of it."""
    app = create_app(settings, open_session=OpenFake(FakeSession()))
    return Contract(TestClient(app).get("/schema/openapi.json").json())


def write_one_each(models: Path) -> None:
    """A bundle for every task."""
    for write in (write_bundle, write_classifier, write_translator, write_language_model):
        write(models)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with a bundle for every task."""
    write_one_each(tmp_path)
    return tmp_path


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve(max_items=3)``: an application with these settings, ready; gone after the test."""
    with ExitStack() as stack:

        def start(**choices: Any) -> Served:
            if not (tmp_path / "models").exists():
                write_one_each(tmp_path / "models")
            session = FakeSession()
            settings = settings_for(tmp_path / "models", **choices)
            app = create_app(settings, open_session=OpenFake(session))
            client = stack.enter_context(client_of(app, settings))
            stack.callback(session.gate.set)
            wait_until(lambda: is_ready(client))
            session.shapes.clear()
            return Served(client=client, session=session, app=app)

        yield start


@pytest.fixture
def served(serve: Serve) -> Served:
    return serve()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """``run(max_connections=2)``: the same on a port; every task has a model. Gone after the test."""
    with ExitStack() as stack:

        def start_ready(limits: ConnectionLimits | None = None, **choices: Any) -> Running:
            write_one_each(tmp_path / "models")
            running = start(stack, tmp_path / "models", limits, **choices)
            wait_until(lambda: running.get("/health/ready").status_code == 200)
            return running

        yield start_ready

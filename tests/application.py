"""The whole application over HTTP in this process, with a fake session behind it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from litestar.testing import TestClient

from service.app import App, create_app
from service.lifecycle import Phase
from service.settings import Settings
from tests.contract import EVENT_STREAM, Contract, events
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
JSON = {"content-type": "application/json"}
KEY = "rbn_shop-key"
START_SECONDS = 90  # on a machine that is busy with much else
every_route = pytest.mark.parametrize("route", list(NEEDED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A ready application. One that several tests share is asked, and neither held up nor counted."""

    client: Client
    session: FakeSession
    app: App
    is_shared: bool = False

    def post(self, path: str, *, headers: Mapping[str, Any] | None = None, **request: Any) -> Response:
        """Whatever comes back."""
        return self.client.post(path, json={**NEEDED.get(path, {}), **request}, headers=headers)

    def send(self, body: bytes | str, path: str = "/tag") -> Response:
        """What comes back for a body as it is."""
        return self.client.post(path, content=body, headers=JSON)

    def ask(self, path: str, **request: Any) -> Any:
        """The answer's body, which must be a good one."""
        response = self.post(path, **request)
        assert response.status_code == 200, response.text
        return response.json()

    def stream(self, path: str, **request: Any) -> list[tuple[str, Any]]:
        """The events of a stream, each with its data."""
        response = self.post(path, stream=True, **request)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith(EVENT_STREAM)
        return [(name, json.loads(data)) for name, data in events(response.text)]

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
        assert not self.is_shared, "other tests are counted too: take the fixture `fresh`"
        wanted = name + ("{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}" if labels else "")
        for line in self.client.get("/metrics").text.splitlines():
            if line.startswith(f"{wanted} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    @contextmanager
    def busy(self) -> Iterator[ThreadPoolExecutor]:
        """One run does not end before the block does."""
        self.session.gate.clear()
        with ThreadPoolExecutor(8) as pool:
            first = pool.submit(self.tag, text="with")
            wait_until(lambda: bool(self.session.shapes))
            try:
                yield pool
            finally:
                self.session.gate.set()
            first.result()

    def wait_for_queue(self, rows: int) -> None:
        """Until so many rows wait."""
        wait_until(lambda: self.metric("ribbon_queue_rows") == rows)


class ComingFrom:
    """An application whose callers have this address."""

    def __init__(self, address: str, app: Any) -> None:
        self._address, self._app = address, app

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["client"] = (self._address, 4711)
        await self._app(scope, receive, send)


@contextmanager
def serving(folder: Path, *, is_shared: bool = False) -> Iterator[Serve]:
    """``start(max_items=3)`` gives an application with these settings, ready; gone after the block. It serves what is
    in the folder's ``models``, or a model for every task where there is none."""
    models = folder / "models"
    with ExitStack() as stack:

        def start(**choices: Any) -> Served:
            if not models.exists():
                write_one_each(models)
            session = FakeSession()
            settings = settings_for(models, **choices)
            app = create_app(settings, open_session=OpenFake(session))
            client = stack.enter_context(client_of(app, settings))
            stack.callback(session.gate.set)
            wait_until(lambda: app.lifecycle.phase is Phase.READY, seconds=START_SECONDS)
            session.shapes.clear()
            return Served(client=client, session=session, app=app, is_shared=is_shared)

        yield start


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


def problem_of(response: Any, status: int, kind: str) -> Any:
    """The document, checked for form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["type"] == f"urn:ribbon:problem:{kind}"
    assert (document["status"], document["kind"]) == (status, kind)
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == response.headers["x-request-id"]
    assert document.get("errors", [1]) != []
    return document


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def write_one_each(models: Path) -> None:
    """A bundle for every task."""
    for write in (write_bundle, write_classifier, write_translator, write_language_model):
        write(models)

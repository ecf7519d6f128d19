"""An application whose models come, change and go while requests are answered, driven in one event loop."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from service.app import Engine, create_app
from service.bundle import EXAMPLES, write_manifest
from service.models.loading import OpenSession
from tests.application import NEEDED
from tests.fakes import CLASSIFIER, VERSION, classified, classifier_manifest, settings_for, write_classifier

# What a version's answers look like: each has labels of its own.
LABELS = {VERSION: {"negative", "positive"}, "2.0.0": {"bad", "good"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A ready application and everything in one event loop."""

    client: httpx.AsyncClient
    engine: Engine
    models: Path

    async def ask(self, route: str, text: str = "good", **request: Any) -> Any:
        response = await self.client.post(route, json={"text": text, **NEEDED[route], **request})
        assert response.status_code == 200, response.text
        return response.json()

    async def listed(self) -> list[str]:
        cards = (await self.client.get("/models")).json()["models"]
        return [f"{card['name']}@{card['version']}" for card in cards]

    async def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """By the values of the labels."""
        families = text_string_to_metric_families((await self.client.get("/metrics")).text)
        found = (sample for family in families for sample in family.samples if sample.name == name)
        return {tuple(sample.labels.values()): sample.value for sample in found}


@asynccontextmanager
async def reloadable(models: Path, open_session: OpenSession, **choices: Any) -> AsyncIterator[Service]:
    """Ready, and gone after the block."""
    app = create_app(settings_for(models, **choices), open_session=open_session)
    engine = app.engine
    async with engine.running(app), caller_of(app) as client:
        await engine.lifecycle.decided()
        yield Service(client=client, engine=engine, models=models)


def caller_of(app: Any) -> httpx.AsyncClient:
    """In the event loop that the application runs in."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


def write_second(models: Path, *, version: str = "2.0.0", folder: str = "second") -> Path:
    """A classifier with other labels, and examples that say so."""
    path = write_classifier(models, version=version, folder=folder)
    names = {"negative": "bad", "positive": "good"}
    examples = [classified("An exciting plot"), classified("bad")]
    for each in examples:
        each["label"] = names[each["label"]]
        each["scores"] = {names[label]: score for label, score in each["scores"].items()}
    (path / EXAMPLES).write_text(json.dumps(examples))
    write_manifest(path, classifier_manifest(CLASSIFIER) | {"version": version, "labels": {"label": ["bad", "good"]}})
    return path


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came true")


async def is_gone(reference: weakref.ref[Any]) -> None:
    """Without the garbage collector, which does not look at what was there when the service started."""
    for _ in range(200):
        if reference() is None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{reference()} is still held by {gc.get_referrers(reference())}")

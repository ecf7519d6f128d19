"""What a reload changes, what it keeps, and when it is done."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.app import create_app
from service.errors import ReloadFailedError
from tests.fakes import (
    CLASSIFIER,
    LANGUAGE_MODEL,
    NAME,
    TRANSLATOR,
    VERSION,
    FakeSession,
    OpenFake,
    settings_for,
    write_bundle,
)
from tests.models.reloading import LABELS, reloadable, run, until, write_second


def exchange(folder: Path, write: Callable[[Path], Path]) -> None:
    """As an operator should: write beside, then rename."""
    shutil.rmtree(folder)
    write(folder.parent).rename(folder)


def test_what_is_new_is_served_what_is_gone_is_not_and_the_rest_is_kept(models: Path) -> None:
    async def test() -> None:
        async with reloadable(models, OpenFake(FakeSession())) as served:
            tagger, writer = (served.engine.registry.find(task, None) for task in ("tag", "generate"))
            write_second(models)
            shutil.rmtree(models / TRANSLATOR)
            response = await served.engine.reload()
            assert (response.result, response.added, response.changed) == ("ok", [f"{CLASSIFIER}@2.0.0"], [])
            assert response.removed == [f"{TRANSLATOR}@{VERSION}"]
            assert response.kept == [f"{name}@{VERSION}" for name in (CLASSIFIER, NAME, LANGUAGE_MODEL)]
            assert await served.listed() == [f"{CLASSIFIER}@2.0.0", *response.kept]
            assert (await served.ask("/classify"))["model"]["version"] == "2.0.0"
            assert (await served.ask("/classify", model=f"{CLASSIFIER}@{VERSION}"))["model"]["version"] == VERSION
            gone = await served.client.post("/translate", json={"text": "x", "target": "es"})
            assert gone.status_code == 404
            kept = served.engine.registry.find("tag", None)
            assert (kept.predictor, kept.scheduler) == (tagger.predictor, tagger.scheduler)
            kept = served.engine.registry.find("generate", None)
            assert (kept.scheduler, kept.scorer.scheduler) == (writer.scheduler, writer.scorer.scheduler)

    run(test)


def test_a_bundle_that_changed_under_its_version_is_loaded_anew(models: Path) -> None:
    async def test() -> None:
        async with reloadable(models, OpenFake(FakeSession())) as served:
            before = served.engine.registry.find("classify", None)
            exchange(models / CLASSIFIER, lambda beside: write_second(beside, version=VERSION, folder=".beside"))
            response = await served.engine.reload()
            assert (response.changed, response.added, response.removed) == ([f"{CLASSIFIER}@{VERSION}"], [], [])
            after = served.engine.registry.find("classify", None)
            assert after.card.checksum != before.card.checksum
            assert set((await served.ask("/classify"))["results"][0]["scores"]) == LABELS["2.0.0"]

    run(test)


def test_the_default_moves_to_what_is_new_without_loading_the_old_again(models: Path) -> None:
    async def test() -> None:
        async with reloadable(models, OpenFake(FakeSession())) as served:
            write_bundle(models, name="better-tagger", default=True)
            await served.engine.reload()
            assert (await served.ask("/tag"))["model"]["name"] == "better-tagger"
            cards = {card.name: card.default for card in served.engine.registry.cards() if card.task == "tag"}
            assert cards == {NAME: False, "better-tagger": True}

    run(test)


def test_where_nothing_changed_nothing_is_loaded(models: Path) -> None:
    async def test() -> None:
        session = FakeSession()
        async with reloadable(models, OpenFake(session)) as served:
            loaded_at = await served.samples("ribbon_models_loaded_timestamp_seconds")
            session.shapes.clear()
            response = await served.engine.reload()
            assert response.result == "unchanged"
            assert session.shapes == []
            assert (await served.samples("ribbon_reloads_total"))[("unchanged",)] == 1
            [before], [after] = (
                loaded_at.values(),
                (await served.samples("ribbon_models_loaded_timestamp_seconds")).values(),
            )
            assert after > before

    run(test)


def test_reloads_come_one_after_the_other(models: Path) -> None:
    async def test() -> None:
        async with reloadable(models, OpenFake(FakeSession())) as served:
            write_second(models)
            first, second = await asyncio.gather(served.engine.reload(), served.engine.reload())
            assert (first.result, second.result) == ("ok", "unchanged")

    run(test)


def test_a_reload_during_the_start_waits_for_it_and_at_the_end_is_refused(models: Path) -> None:
    async def test() -> None:
        session = FakeSession()
        session.gate.clear()
        app = create_app(settings_for(models), open_session=OpenFake(session))
        engine = app.engine
        async with engine.running(app):
            early = asyncio.create_task(engine.reload())
            await asyncio.sleep(0.05)
            assert not early.done()
            session.gate.set()
            assert (await early).result == "unchanged"
            engine.lifecycle.close()
            with pytest.raises(ReloadFailedError, match="draining"):
                await engine.reload()

    run(test)


def test_to_end_during_a_reload_is_to_end_with_the_old_models(models: Path) -> None:
    async def test() -> None:
        session = FakeSession()
        async with reloadable(models, OpenFake(session)) as served:
            write_second(models)
            session.gate.clear()
            session.shapes.clear()
            reload = asyncio.create_task(served.engine.reload())
            await until(lambda: bool(session.shapes))
            served.engine.lifecycle.close()
            session.gate.set()
        with pytest.raises(ReloadFailedError, match="draining"):
            await reload

    run(test)

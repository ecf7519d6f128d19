"""Requests end with the model they began with; after that nothing is left of it."""

from __future__ import annotations

import asyncio
import gc
import shutil
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.chaos.bundles import seal
from service.app import create_app
from service.bundle import CARD
from service.models.loading import load_models
from service.runtime.resources import Device
from service.runtime.session import Session, open_session
from service.text.tokenizer import split_sentences
from tests.application import NEEDED
from tests.fakes import (
    CLASSIFIER,
    NAME,
    VERSION,
    FakeSession,
    OpenFake,
    lexicon_graph,
    sentiment_graph,
    settings_for,
    write_bundle,
    write_classifier,
)
from tests.models.reloading import LABELS, Service, is_gone, reloadable, run, until, write_second


def labels_are_of_the_version(answer: Any) -> bool:
    return set(answer["results"][0]["scores"]) == LABELS[answer["model"]["version"]]


async def traffic(served: Service, is_over: asyncio.Event, answers: list[Any]) -> None:
    while not is_over.is_set():
        for route in NEEDED:
            answers.append(await served.ask(route, "good plot " * (1 + len(answers) % 4)))
        await asyncio.sleep(0)


def test_under_traffic_no_request_fails_and_each_has_one_version(models: Path) -> None:
    async def test() -> None:
        async with reloadable(models, OpenFake(FakeSession(seconds=0.001)), threads=2) as served:
            answers: list[Any] = []
            is_over = asyncio.Event()
            callers = [asyncio.create_task(traffic(served, is_over, answers)) for _ in range(4)]
            for step in range(6):
                if step % 2:
                    shutil.rmtree(models / "second")
                else:
                    write_second(models)
                await served.engine.reload()
                assert (await served.client.get("/health/ready")).status_code == 200
                before = len(answers)
                await until(lambda count=before + 12: len(answers) >= count)
            is_over.set()
            await asyncio.gather(*callers)
            classified = [answer for answer in answers if answer["model"]["name"] == CLASSIFIER]
            assert all(map(labels_are_of_the_version, classified))
            assert set(Counter(answer["model"]["version"] for answer in classified)) == set(LABELS)

    run(test)


@pytest.mark.parametrize("route", NEEDED)
def test_requests_under_way_end_with_the_model_they_began_with(models: Path, route: str) -> None:
    """One runs, one waits, and the model is gone before either is answered."""

    async def test() -> None:
        session = FakeSession()
        async with reloadable(models, OpenFake(session)) as served:
            before = (await served.ask(route))["model"]
            session.gate.clear()
            session.shapes.clear()
            asked = [asyncio.create_task(served.ask(route)) for _ in range(3)]
            await until(lambda: bool(session.shapes))
            [found] = [each for each in served.engine.registry.models if each.card.name == before["name"]]
            predictor, scheduler = weakref.ref(found.predictor), weakref.ref(found.scheduler)
            del found
            shutil.rmtree(models / before["name"])
            await served.engine.reload()
            assert (await served.client.post(route, json={"text": "x", **NEEDED[route]})).status_code == 404
            assert not any(task.done() for task in asked)
            session.gate.set()
            assert [answer["model"] for answer in await asyncio.gather(*asked)] == [before] * 3
            asked.clear()
            await is_gone(predictor)
            await is_gone(scheduler)

    run(test)


def test_a_request_that_found_the_model_before_it_went_may_queue_rows_afterwards(models: Path) -> None:
    async def test() -> None:
        async with reloadable(models, OpenFake(FakeSession())) as served:
            found = served.engine.registry.find("tag", None)
            [sentence] = split_sentences("Alice plays")
            rows = [found.predictor.encode(sentence).ids]
            shutil.rmtree(models / NAME)
            await served.engine.reload()
            for _ in range(2):
                done = await found.scheduler.enqueue(rows, deadline=float("inf")).done
                assert len(done.answers) == 1
            assert (await served.samples("ribbon_queue_rows"))[()] == 0

    run(test)


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Opened:
    """Real sessions, and which of them are still there."""

    def __init__(self) -> None:
        self.sessions: list[weakref.ref[Session]] = []

    def __call__(self, path: Path, *, device: Device) -> Session:
        session = open_session(path, device=device)
        self.sessions.append(weakref.ref(session))
        return session

    @property
    def num_alive(self) -> int:
        return sum(each() is not None for each in self.sessions)


def num_threads(pool: str) -> int:
    return sum(thread.name.rpartition("_")[0] == pool for thread in threading.enumerate())


@pytest.mark.usefixtures("no_collector")
def test_twenty_reloads_leave_nothing_behind(tmp_path: Path) -> None:
    async def test() -> None:
        write_bundle(tmp_path, graph=lexicon_graph())
        write_classifier(tmp_path, graph=sentiment_graph())
        opened = Opened()
        async with reloadable(tmp_path, opened) as served:
            schedulers = []
            for number in range(20):
                schedulers += [weakref.ref(each.scheduler) for each in served.engine.registry.models]
                for name in (NAME, CLASSIFIER):
                    (tmp_path / name / CARD).write_text(f"# Tiny {number}\n")
                    seal(tmp_path / name)
                assert len((await served.engine.reload()).changed) == 2
                await served.ask("/tag")
                await served.ask("/classify")
            for _ in range(500):  # the last reload's thread may still be about to end
                if opened.num_alive == 2 and not num_threads("reload"):
                    break
                await asyncio.sleep(0.01)
            assert opened.num_alive == 2
            assert [each for each in schedulers if each() is not None] == []
            assert (num_threads("run"), num_threads("reload")) == (1, 0)
            info = await served.samples("ribbon_model_info")
            assert sum(info.values()) == 2

    run(test)


def test_an_application_may_start_with_models_that_are_loaded_already(models: Path) -> None:
    async def test() -> None:
        loaded = load_models(settings_for(models), OpenFake(FakeSession()))
        predictor = weakref.ref(loaded[0].predictor)

        def no_session(path: Path, *, device: Device) -> Session:
            raise AssertionError(f"{path} was loaded again")

        app = create_app(settings_for(models), open_session=no_session, preloaded=loaded)
        loaded.clear()
        engine = app.engine
        async with engine.running(app):
            await engine.lifecycle.decided()
            engine.lifecycle.check()
            shutil.rmtree(models / CLASSIFIER)
            assert (await engine.reload()).removed == [f"{CLASSIFIER}@{VERSION}"]
            await is_gone(predictor)

    run(test)

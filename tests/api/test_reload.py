"""Models that come, change and go while requests are answered."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import shutil
import threading
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.api.loading import OpenSession, load_models
from service.app import Engine, create_app
from service.bundle import CARD, EXAMPLES, MANIFEST, write_manifest
from service.errors import ReloadFailedError
from service.runtime.devices import Device
from service.runtime.session import Arrays, Session, open_session
from tests.fakes import (
    CLASSIFIER,
    GRAPH,
    NAME,
    TRANSLATOR,
    VERSION,
    FakeSession,
    OpenFake,
    classified,
    classifier_manifest,
    lexicon_graph,
    sentiment_graph,
    settings_for,
    write_bundle,
    write_classifier,
    write_translator,
)

# What a version's answers look like: each has labels of its own.
LABELS = {VERSION: {"negative", "positive"}, "2.0.0": {"bad", "good"}}
REQUESTS = {"/tag": {}, "/classify": {}, "/translate": {"target": "es"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A ready application and everything in one event loop."""

    client: httpx.AsyncClient
    engine: Engine
    models: Path

    async def ask(self, route: str, text: str = "good", **request: Any) -> Any:
        response = await self.client.post(route, json={"text": text, **REQUESTS[route], **request})
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
async def service(models: Path, open_session: OpenSession, **choices: Any) -> AsyncIterator[Service]:
    app = create_app(settings_for(models, **choices), open_session=open_session)
    engine = app.state.engine
    async with (
        engine.running(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client,
    ):
        await engine.door.decided()
        yield Service(client=client, engine=engine, models=models)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for write in (write_bundle, write_classifier, write_translator):
        write(tmp_path)
    return tmp_path


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


def exchange(folder: Path, write: Callable[[Path], Path]) -> None:
    """As an operator should: write beside, then rename."""
    shutil.rmtree(folder)
    write(folder.parent).rename(folder)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def labels_are_of_the_version(answer: Any) -> bool:
    return set(answer["results"][0]["scores"]) == LABELS[answer["model"]["version"]]


def test_what_is_new_is_served_what_is_gone_is_not_and_the_rest_is_kept(models: Path) -> None:
    async def test() -> None:
        async with service(models, OpenFake(FakeSession())) as served:
            tagger = served.engine.catalogue.find("tag", None)
            write_second(models)
            shutil.rmtree(models / TRANSLATOR)
            response = await served.engine.reload()
            assert (response.result, response.added, response.changed) == ("ok", [f"{CLASSIFIER}@2.0.0"], [])
            assert response.removed == [f"{TRANSLATOR}@{VERSION}"]
            assert response.kept == [f"{CLASSIFIER}@{VERSION}", f"{NAME}@{VERSION}"]
            assert await served.listed() == [f"{CLASSIFIER}@2.0.0", f"{CLASSIFIER}@{VERSION}", f"{NAME}@{VERSION}"]
            assert (await served.ask("/classify"))["model"]["version"] == "2.0.0"
            assert (await served.ask("/classify", model=f"{CLASSIFIER}@{VERSION}"))["model"]["version"] == VERSION
            gone = await served.client.post("/translate", json={"text": "x", "target": "es"})
            assert gone.status_code == 404
            kept = served.engine.catalogue.find("tag", None)
            assert (kept.predictor, kept.scheduler) == (tagger.predictor, tagger.scheduler)

    run(test)


def test_a_bundle_that_changed_under_its_version_is_loaded_anew(models: Path) -> None:
    async def test() -> None:
        async with service(models, OpenFake(FakeSession())) as served:
            before = served.engine.catalogue.find("classify", None)
            exchange(models / CLASSIFIER, lambda beside: write_second(beside, version=VERSION, folder=".beside"))
            response = await served.engine.reload()
            assert (response.changed, response.added, response.removed) == ([f"{CLASSIFIER}@{VERSION}"], [], [])
            after = served.engine.catalogue.find("classify", None)
            assert after.card.checksum != before.card.checksum
            assert set((await served.ask("/classify"))["results"][0]["scores"]) == LABELS["2.0.0"]

    run(test)


def test_the_default_moves_to_what_is_new_without_loading_the_old_again(models: Path) -> None:
    async def test() -> None:
        async with service(models, OpenFake(FakeSession())) as served:
            write_bundle(models, name="better-tagger", default=True)
            await served.engine.reload()
            assert (await served.ask("/tag"))["model"]["name"] == "better-tagger"
            cards = {card.name: card.default for card in served.engine.catalogue.cards() if card.task == "tag"}
            assert cards == {NAME: False, "better-tagger": True}

    run(test)


def test_where_nothing_changed_nothing_is_loaded(models: Path) -> None:
    async def test() -> None:
        session = FakeSession()
        async with service(models, OpenFake(session)) as served:
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


def corrupt(models: Path) -> Path:
    path = write_second(models) / GRAPH
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    return path


def damaged_where_it_is_served(models: Path) -> Path:
    path = models / NAME / GRAPH
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    return path


def wrong_example(models: Path) -> Path:
    folder = write_second(models)
    wrong = json.loads((folder / EXAMPLES).read_text())
    wrong[0]["scores"] = {"bad": 0.5, "good": 0.5}
    (folder / EXAMPLES).write_text(json.dumps(wrong))
    manifest = json.loads((folder / MANIFEST).read_text())
    write_manifest(folder, {name: value for name, value in manifest.items() if name not in {"files", "format_version"}})
    return folder / EXAMPLES


def no_manifest_at_all(models: Path) -> Path:
    path = models / NAME / MANIFEST
    path.write_text("{")
    return path


def second_of_a_version(models: Path) -> Path:
    return write_classifier(models, folder="zzz") / MANIFEST


def nothing_left(models: Path) -> Path:
    for folder in list(models.iterdir()):
        shutil.rmtree(folder)
    return models


@pytest.mark.parametrize(
    "damage",
    [corrupt, damaged_where_it_is_served, wrong_example, no_manifest_at_all, second_of_a_version, nothing_left],
)
def test_a_reload_that_fails_changes_nothing_and_says_why(
    models: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], Path]
) -> None:
    async def test() -> None:
        async with service(models, OpenFake(FakeSession())) as served:
            listed, stock = await served.listed(), served.engine.catalogue.models
            at_fault = damage(models)
            with pytest.raises(ReloadFailedError, match=str(at_fault)):
                await served.engine.reload()
            assert served.engine.catalogue.models is stock
            assert await served.listed() == listed
            for route in REQUESTS:
                await served.ask(route)
            assert (await served.client.get("/health/ready")).status_code == 200
            assert (await served.samples("ribbon_reloads_total"))[("failed",)] == 1

    run(test)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "those before are still served" in record.getMessage()


class Picky(FakeSession):
    """Takes large batches only until it is told not to: a warm-up that fails."""

    picky = False

    def run(self, inputs: Arrays) -> Arrays:
        if self.picky and inputs["ids"].size > 1000:
            raise MemoryError
        return super().run(inputs)


def test_a_warm_up_that_fails_changes_nothing_and_the_next_reload_may_succeed(models: Path) -> None:
    async def test() -> None:
        session = Picky()
        async with service(models, OpenFake(session)) as served:
            write_second(models)
            session.picky = True
            with pytest.raises(ReloadFailedError, match="unexpected"):
                await served.engine.reload()
            assert (await served.ask("/classify"))["model"]["version"] == VERSION
            session.picky = False
            assert (await served.engine.reload()).added == [f"{CLASSIFIER}@2.0.0"]

    run(test)


async def traffic(served: Service, is_over: asyncio.Event, answers: list[Any]) -> None:
    while not is_over.is_set():
        for route in REQUESTS:
            answers.append(await served.ask(route, "good plot " * (1 + len(answers) % 4)))
        await asyncio.sleep(0)


def test_under_traffic_no_request_fails_and_each_has_one_version(models: Path) -> None:
    async def test() -> None:
        async with service(models, OpenFake(FakeSession(seconds=0.001)), threads=2) as served:
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


@pytest.mark.parametrize("route", REQUESTS)
def test_requests_under_way_end_with_the_model_they_began_with(models: Path, route: str) -> None:
    """One runs, one waits, and the model is gone before either is answered."""

    async def test() -> None:
        session = FakeSession()
        async with service(models, OpenFake(session)) as served:
            before = (await served.ask(route))["model"]
            session.gate.clear()
            session.shapes.clear()
            asked = [asyncio.create_task(served.ask(route)) for _ in range(3)]
            await until(lambda: bool(session.shapes))
            [found] = [each for each in served.engine.catalogue.models if each.card.name == before["name"]]
            predictor, scheduler = weakref.ref(found.predictor), weakref.ref(found.scheduler)
            del found
            shutil.rmtree(models / before["name"])
            await served.engine.reload()
            assert (await served.client.post(route, json={"text": "x", **REQUESTS[route]})).status_code == 404
            assert not any(task.done() for task in asked)
            session.gate.set()
            assert [answer["model"] for answer in await asyncio.gather(*asked)] == [before] * 3
            asked.clear()
            await is_gone(predictor)
            await is_gone(scheduler)

    run(test)


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


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_request_that_found_the_model_before_it_went_may_queue_rows_afterwards(models: Path) -> None:
    async def test() -> None:
        async with service(models, OpenFake(FakeSession())) as served:
            found = served.engine.catalogue.find("tag", None)
            rows = [found.predictor.encode(found_sentence()).ids]
            shutil.rmtree(models / NAME)
            await served.engine.reload()
            for _ in range(2):
                done = await found.scheduler.enqueue(rows, deadline=float("inf")).done
                assert len(done.answers) == 1
            assert (await served.samples("ribbon_queue_rows"))[()] == 0

    run(test)


def found_sentence() -> Any:
    from service.text.tokenizer import split_sentences

    return split_sentences("Alice plays")[0]


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
        async with service(tmp_path, opened) as served:
            schedulers = []
            for number in range(20):
                schedulers += [weakref.ref(each.scheduler) for each in served.engine.catalogue.models]
                for name in (NAME, CLASSIFIER):
                    (tmp_path / name / CARD).write_text(f"# Tiny {number}\n")
                    manifest = json.loads((tmp_path / name / MANIFEST).read_text())
                    for given in ("files", "format_version"):
                        del manifest[given]
                    write_manifest(tmp_path / name, manifest)
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


def test_reloads_come_one_after_the_other(models: Path) -> None:
    async def test() -> None:
        async with service(models, OpenFake(FakeSession())) as served:
            write_second(models)
            first, second = await asyncio.gather(served.engine.reload(), served.engine.reload())
            assert (first.result, second.result) == ("ok", "unchanged")

    run(test)


def test_a_reload_during_the_start_waits_for_it_and_at_the_end_is_refused(models: Path) -> None:
    async def test() -> None:
        session = FakeSession()
        session.gate.clear()
        app = create_app(settings_for(models), open_session=OpenFake(session))
        engine = app.state.engine
        async with engine.running(app):
            early = asyncio.create_task(engine.reload())
            await asyncio.sleep(0.05)
            assert not early.done()
            session.gate.set()
            assert (await early).result == "unchanged"
            engine.door.close()
            with pytest.raises(ReloadFailedError, match="draining"):
                await engine.reload()

    run(test)


def test_to_end_during_a_reload_is_to_end_with_the_old_models(models: Path) -> None:
    async def test() -> None:
        session = FakeSession()
        async with service(models, OpenFake(session)) as served:
            write_second(models)
            session.gate.clear()
            session.shapes.clear()
            reload = asyncio.create_task(served.engine.reload())
            await until(lambda: bool(session.shapes))
            served.engine.door.close()
            session.gate.set()
        with pytest.raises(ReloadFailedError, match="draining"):
            await reload

    run(test)


def test_an_application_may_start_with_models_that_are_loaded_already(models: Path) -> None:
    async def test() -> None:
        loaded = load_models(settings_for(models), OpenFake(FakeSession()))
        predictor = weakref.ref(loaded[0].predictor)

        def no_session(path: Path, *, device: Device) -> Session:
            raise AssertionError(f"{path} was loaded again")

        app = create_app(settings_for(models), open_session=no_session, preloaded=loaded)
        loaded.clear()
        engine = app.state.engine
        async with engine.running(app):
            await engine.door.decided()
            engine.door.check()
            shutil.rmtree(models / CLASSIFIER)
            assert (await engine.reload()).removed == [f"{CLASSIFIER}@{VERSION}"]
            await is_gone(predictor)

    run(test)


class Swapping:
    """Between the check and the end of loading somebody puts another file in the place of one."""

    def __init__(self, session: FakeSession, *, file: str, back: bool) -> None:
        self.open = OpenFake(session)
        self.file = file
        self.back = back

    def __call__(self, path: Path, *, device: Device) -> Session:
        target = path.parent / self.file
        content = target.read_bytes()
        for written in (content + b" ", content)[: 1 + self.back]:
            beside = target.with_suffix(".new")
            beside.write_bytes(written)
            beside.rename(target)
        return self.open(path, device=device)


@pytest.mark.parametrize("file", [GRAPH, EXAMPLES, MANIFEST])
@pytest.mark.parametrize("back", [False, True])
def test_what_was_exchanged_while_it_was_loaded_is_not_served(tmp_path: Path, file: str, back: bool) -> None:
    folder = write_bundle(tmp_path)
    with pytest.raises(Exception, match=rf"{folder / file}: (changed while|\d+ bytes|checksum)"):
        load_models(settings_for(tmp_path), Swapping(FakeSession(), file=file, back=back))

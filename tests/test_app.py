"""The application's life: starting, ready, draining, and starts that fail."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from litestar.testing import TestClient

from service.app import create_app
from service.runtime.session import Arrays
from tests.application import Client, is_ready, problem_of, wait_until
from tests.fakes import GRAPH, NAME, UPOS, FakeSession, OpenFake, settings_for, write_bundle, write_classifier


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """One tagger."""
    write_bundle(tmp_path)
    return tmp_path


def has_failed(client: Client) -> bool:
    return "failed" in client.get("/health/ready").text


def test_not_ready_until_the_examples_were_replayed(models: Path) -> None:
    session = FakeSession()
    session.gate.clear()
    with TestClient(create_app(settings_for(models), open_session=OpenFake(session))) as client:
        wait_until(lambda: bool(session.shapes))
        for response in (
            client.get("/health/ready"),
            client.post("/tag", json={"text": "a"}),
            client.get("/models"),
        ):
            problem_of(response, 503, "not_ready")
            assert int(response.headers["retry-after"]) >= 1
        assert client.get("/health/live").status_code == 200
        session.gate.set()
        wait_until(lambda: is_ready(client))
        assert client.post("/tag", json={"text": "a"}).status_code == 200


def remove_graph(folder: Path) -> None:
    (folder / GRAPH).unlink()


def break_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{", encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "name"),
    [(remove_graph, GRAPH), (break_manifest, "manifest.json")],
)
def test_a_damaged_bundle_is_named_and_never_ready(
    models: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None], name: str
) -> None:
    [folder] = models.iterdir()
    spoil(folder)
    with TestClient(create_app(settings_for(models), open_session=OpenFake(FakeSession()))) as client:
        wait_until(lambda: has_failed(client))
    [record] = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert str(folder / name) in record.getMessage()
    assert record.exc_info is None


class SmallSession(FakeSession):
    """Answers the examples; the largest batches are too much for it."""

    def run(self, inputs: Arrays) -> Arrays:
        if inputs["ids"].size > 1000:
            raise MemoryError
        return super().run(inputs)


def test_a_warm_up_that_fails_ends_the_start(models: Path) -> None:
    with TestClient(create_app(settings_for(models), open_session=OpenFake(SmallSession()))) as client:
        wait_until(lambda: has_failed(client))


class WrongSession(FakeSession):
    """Takes every word for another part of speech than the bundle's examples have."""

    def __init__(self) -> None:
        super().__init__()
        self._tables["upos"] = self._tables["upos"][:, ::-1]


@pytest.mark.parametrize(
    ("choices", "session", "message"),
    [
        ({}, WrongSession(), UPOS[0]),
        (
            {"default_tagger": "nope"},
            FakeSession(),
            f"RIBBON_DEFAULT_TAGGER=nope: no such model for /tag; known: {NAME}",
        ),
        ({"default_classifier": NAME}, FakeSession(), f"RIBBON_DEFAULT_CLASSIFIER={NAME}: no such model for /classify"),
        ({"precision": "int2"}, FakeSession(), "RIBBON_PRECISION=int2: no model has it; known: fp32"),
        ({"models_dir": Path("/nowhere")}, FakeSession(), "/nowhere"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(
    models: Path,
    caplog: pytest.LogCaptureFixture,
    choices: dict[str, object],
    session: FakeSession,
    message: str,
) -> None:
    with TestClient(create_app(settings_for(models, **choices), open_session=OpenFake(session))) as client:
        wait_until(lambda: has_failed(client))
    assert message in caplog.text


def test_two_defaults_of_one_task_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_bundle(tmp_path, default=True)
    for name in ("a-classifier", "b-classifier"):
        write_classifier(tmp_path, name=name, default=True)
    with TestClient(create_app(settings_for(tmp_path), open_session=OpenFake(FakeSession()))) as client:
        wait_until(lambda: has_failed(client))
    assert f"{tmp_path / 'b-classifier'}/manifest.json: {tmp_path / 'a-classifier'} is the default" in caplog.text

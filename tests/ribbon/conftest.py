"""A service of fakes on a port, clients of it, and bundles that onnxruntime can run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ribbon.__main__ import main
from ribbon.client import Client
from ribbon.local import open_local
from tests.api.conftest import wait_until, write_one_each
from tests.api.listening import Running, start
from tests.fakes import (
    FakeSession,
    OpenFake,
    language_graphs,
    lexicon_graph,
    sentiment_graph,
    write_bundle,
    write_classifier,
    write_language_model,
)

Serve = Callable[..., Running]
Invoke = Callable[..., Result]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve(max_items=3)``: a ready service on a port, with a model for every task; gone after the test."""
    with ExitStack() as stack:

        def start_ready(**choices: Any) -> Running:
            write_one_each(tmp_path / "served")
            running = start(stack, tmp_path / "served", **choices)
            wait_until(lambda: running.get("/health/ready").status_code == 200)
            return running

        yield start_ready


def url_of(running: Running) -> str:
    return f"http://127.0.0.1:{running.port}"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that the tests of a module share, because they change nothing of it."""
    models = tmp_path_factory.mktemp("served")
    write_one_each(models)
    with ExitStack() as stack:
        running = start(stack, models)
        wait_until(lambda: running.get("/health/ready").status_code == 200)
        yield url_of(running)


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of bundles that onnxruntime can run: a tagger, a classifier and a language model."""
    models = tmp_path / "models"
    write_bundle(models, graph=lexicon_graph())
    write_classifier(models, graph=sentiment_graph())
    write_language_model(models, graphs=language_graphs())
    return models


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """``local(task="tag")``: a client of the service in this process, with fakes for the sessions."""
    write_one_each(tmp_path / "fakes")
    with ExitStack() as stack:

        def open_fake(model: str | None = None, *, task: str | None = None) -> Client:
            session = OpenFake(FakeSession())
            opened = open_local(model, task=task, models_dir=tmp_path / "fakes", open_session=session)
            return stack.enter_context(opened)

        yield open_fake


@pytest.fixture
def invoke(folder: Path) -> Invoke:
    """``invoke("tag", "Alice")``: the command line with the folder of bundles, in this process."""

    def run(*arguments: str, stdin: str | bytes = "", models: Path = folder) -> Result:
        return CliRunner().invoke(main, arguments, input=stdin, env={"RIBBON_MODELS_DIR": str(models)})

    return run

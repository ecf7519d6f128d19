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
from tests.application import write_one_each
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
from tests.server import RunningServer, start

Serve = Callable[..., RunningServer]
Invoke = Callable[..., Result]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve(max_items=3)``: a ready service on a port, with a model for every task; gone after the test."""
    with ExitStack() as stack:

        def start_ready(**choices: Any) -> RunningServer:
            write_one_each(tmp_path / "served")
            return start(stack, tmp_path / "served", **choices).ready()

        yield start_ready


@pytest.fixture
def url(listening: RunningServer) -> str:
    """The address of a service that the tests of a module share, because they change nothing of it."""
    return listening.url


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

"""What every test shares: deterministic examples, the service in its three forms, and training's tests only where torch
is installed. ``served`` is the application in this process, ``run`` starts it on a port of this machine, and
``tests.process`` in a process of its own. Their modules import numpy, so only the fixtures import them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.application import Serve, Served
    from tests.server import Run, RunningServer

# The workers of pytest-xdist share the cores: threads of their own would only wait for each other. Read when numpy and
# torch are first imported, which no plugin does.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples on every run; a busy machine is slow, not wrong.
settings.register_profile("ribbon", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ribbon")

HAS_TORCH = find_spec("torch") is not None
collect_ignore = [] if HAS_TORCH else ["training"]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with a tagger that onnxruntime can run."""
    from tests.fakes import lexicon_graph, write_bundle

    write_bundle(tmp_path / "models", graph=lexicon_graph())
    return tmp_path / "models"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve(max_items=3)``: an application with these settings, ready; gone after the test."""
    from tests.application import serving

    with serving(tmp_path) as start:
        yield start


@pytest.fixture
def fresh(serve: Serve) -> Served:
    """An application of the test's own, for tests that hold it up, break it or read its metrics."""
    return serve()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    from tests.application import serving

    with serving(tmp_path_factory.mktemp("shared"), is_shared=True) as start:
        yield start()


@pytest.fixture
def served(shared: Served) -> Iterator[Served]:
    """An application that the tests of a module share, because they leave it as it was."""
    shared.session.shapes.clear()
    yield shared
    assert shared.session.is_untouched, "the next test finds it changed: take the fixture `fresh`"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """``run(max_connections=2)``: the same on a port; every task has a model. Gone after the test."""
    from tests.application import write_one_each
    from tests.server import start

    with ExitStack() as stack:

        def start_ready(*limits: Any, **choices: Any) -> RunningServer:
            if not (tmp_path / "models").exists():
                write_one_each(tmp_path / "models")
            return start(stack, tmp_path / "models", *limits, **choices).ready()

        yield start_ready


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The same for the tests of a module, which leave it as it was."""
    from tests.application import write_one_each
    from tests.server import start

    models = tmp_path_factory.mktemp("listening")
    write_one_each(models)
    with ExitStack() as stack:
        yield start(stack, models).ready()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A file that holds one key: ``KEY`` of a caller named shop."""
    from service.keys import line_for
    from tests.application import KEY

    file = tmp_path / "keys"
    file.write_text(line_for("shop", KEY))
    file.chmod(0o600)
    return file


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not HAS_TORCH:
        terminalreporter.write_line("tests/training left out: torch is not installed (make test-all installs it)")

"""What every test shares: deterministic examples, and training's tests only where torch is installed."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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
    from tests.fakes import lexicon_graph, write_bundle  # numpy is first imported once the cores are shared

    write_bundle(tmp_path / "models", graph=lexicon_graph())
    return tmp_path / "models"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not HAS_TORCH:
        terminalreporter.write_line("tests/training left out: torch is not installed (make test-all installs it)")

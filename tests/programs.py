"""Programs that are not Python's, in tests: a skip where one is not installed, a failure where one fails."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from bench.programs import NotInstalledError, path_of


def need(name: str) -> str:
    """The program's path, or a skipped test that says what to install."""
    try:
        return path_of(name)
    except NotInstalledError as error:
        pytest.skip(str(error))


def check(command: Sequence[str], **options: Any) -> str:
    """Run a program to its end; returns what it said, or fails the test and shows it."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout

"""A sound bundle, and a way to make its manifest say something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.bundle import MANIFEST
from tests.fakes import write_bundle


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_bundle(tmp_path)


def edit(folder, **fields) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))

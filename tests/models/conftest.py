from __future__ import annotations

from pathlib import Path

import pytest

from tests.application import write_one_each


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with a bundle for every task."""
    write_one_each(tmp_path)
    return tmp_path

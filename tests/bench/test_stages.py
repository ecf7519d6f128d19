"""The stages of bench.stages are those of files that exist."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from bench.process import ROOT
from bench.stages import STAGES


@pytest.mark.parametrize("part", STAGES)
def test_a_stage_s_file_or_package_exists(part: str) -> None:
    is_package = part.startswith("/")
    assert find_spec(part.strip("/")) if is_package else list(ROOT.glob(f"{part}*"))

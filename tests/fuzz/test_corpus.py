"""Inputs that a coverage-guided fuzzer found to reach different code are read without a failure."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

from tests.fuzz.targets import check


def test_inputs_of_the_fuzzer_are_read() -> None:
    lines = Path(__file__).with_name("corpus.txt").read_text("ascii").split()
    assert len(lines) > 50
    for line in lines:
        check(b64decode(line))

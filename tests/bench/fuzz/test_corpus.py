"""Inputs that a coverage-guided fuzzer found to reach different code are read without a failure."""

from __future__ import annotations

from bench.fuzz.targets import check, corpus


def test_inputs_of_the_fuzzer_are_read() -> None:
    inputs = corpus()
    assert len(inputs) > 50
    for data in inputs:
        check(data)

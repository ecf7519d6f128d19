"""The benchmark of answers measures what it says."""

from __future__ import annotations

import json
import random

from bench.answers import SENTENCES, build, compose, cost_of, with_pydantic
from bench.answers import _encoder as encoder

TEXTS = SENTENCES.read_text(encoding="utf-8").splitlines()


def test_both_ways_write_the_same_answer() -> None:
    work = compose(TEXTS, 10, random.Random(1))
    [result] = json.loads(encoder.encode(build(work)))["results"]
    assert result == json.loads(with_pydantic(work))
    assert result["entities"]


def test_answers_are_as_large_as_asked_for() -> None:
    for kilobytes in (1, 60):
        size = len(encoder.encode(build(compose(TEXTS, kilobytes, random.Random(2)))))
        assert 1000 * kilobytes <= size < 1300 * kilobytes + 1000


def test_no_object_of_a_model_is_made_for_a_token() -> None:
    """Nine times cheaper on a quiet machine; what it costs in milliseconds is for the benchmark to say."""
    work = compose(TEXTS, 60, random.Random(3))
    ours = cost_of(lambda: encoder.encode(build(work)), 20)
    assert cost_of(lambda: with_pydantic(work), 5).best > 3 * ours.best

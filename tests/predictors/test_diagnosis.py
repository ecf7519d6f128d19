"""Loops and omissions are found in invented attention and invented subwords."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.predictors.confidence import Diagnosis, coverage_penalty, diagnose, num_copies, repetition_share

TAG, END = 90, 3
IGNORED = {TAG, END}
Floats = npt.NDArray[np.float32]


def attention_at(places: Sequence[int], num_sources: int, *, share: float = 1.0) -> Floats:
    """Each target token looks at one place with this share, and at all others alike."""
    weights = np.full((len(places), num_sources), (1 - share) / max(1, num_sources - 1), np.float32)
    weights[np.arange(len(places)), list(places)] = share
    return weights


def diagnosis_of(num_words: int, places: Sequence[int], *, target: Sequence[int] | None = None) -> Diagnosis:
    """Of a source of so many different words between tag and end, each target token at a place among the words."""
    source = [TAG, *range(10, 10 + num_words), END]
    attention = attention_at([1 + place for place in places], len(source))
    ids = range(100, 100 + len(places)) if target is None else target
    return diagnose(source, list(ids), attention, ignored=IGNORED)


def test_a_translation_word_by_word_is_sound() -> None:
    found = diagnosis_of(12, range(12))
    assert found == Diagnosis(
        coverage=1.0, uncovered_share=0.0, longest_gap=0, repeated=False, stalled=False, length_ratio=1.0
    )
    assert not found.is_faulty


def test_a_clause_that_is_left_out_is_a_gap() -> None:
    found = diagnosis_of(12, [0, 1, 2, 3, 10, 11])
    assert found.longest_gap == 6
    assert found.is_faulty
    assert found.uncovered_share == found.coverage == found.length_ratio == 0.5


def test_words_that_are_left_out_here_and_there_are_no_gap() -> None:
    found = diagnosis_of(12, [0, 2, 4, 6, 8, 10])
    assert (found.longest_gap, found.uncovered_share, found.is_faulty) == (1, 0.5, False)


def test_attention_that_stands_still_is_a_stall() -> None:
    assert diagnosis_of(8, [*range(8), *[7] * 5]).stalled
    assert not diagnosis_of(8, [*range(8), *[7] * 4]).stalled
    # a long stay at the end, which many networks look at for want of anything better, says nothing
    assert not diagnosis_of(8, [*range(8), *[8] * 20]).stalled


@pytest.mark.parametrize(
    ("target", "repeated"),
    [
        ([5, 6, 7, 8, 5, 6, 7, 8, 5, 6, 7, 8], True),
        ([1, 2, 5, 6, 5, 6, 5, 6, 9], True),
        ([1, 2, 5, 6, 5, 6, 9, 10, 11, 12], False),
        ([5, 5, 5, 9], False),  # very, very, very
        ([1, 2, 3, 4, 9, 1, 2, 3, 4, 8, 1, 2, 3, 4], True),
        ([1, 2, 3, 9, 8, 7, 1, 2, 3, 6], False),
        ([], False),
    ],
)
def test_phrases_that_come_again_and_again(target: list[int], repeated: bool) -> None:
    found = diagnosis_of(max(1, len(target)), range(len(target)), target=target)
    assert found.repeated is repeated


def test_a_source_that_repeats_itself_may_be_translated_so() -> None:
    source, target = [1, 2] * 4, [5, 6] * 4
    assert not diagnose(source, target, attention_at(range(8), 8)).repeated
    assert diagnose(list(range(8)), target, attention_at(range(8), 8)).repeated


def test_copies_and_shares_are_counted() -> None:
    assert [num_copies(ids) for ids in ([], [1], [1, 2, 1, 2], [1, 2, 3] * 5, [0, 1, 2, 1, 2, 1])] == [1, 1, 2, 5, 2]
    assert repetition_share([1, 2, 3, 4]) == repetition_share([1, 2]) == 0
    assert repetition_share([1, 1, 1, 1, 1]) == pytest.approx(2 / 3)


def test_the_coverage_penalty_is_that_of_wu_and_others() -> None:
    assert coverage_penalty(attention_at([0, 1, 2, 2], 3)) == 0
    weights = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]], np.float32)
    assert coverage_penalty(weights) == pytest.approx(2 * np.log(0.5))
    assert np.isfinite(coverage_penalty(attention_at([0], 3)))
    assert coverage_penalty(attention_at([0], 3)) < coverage_penalty(attention_at([0, 1], 3)) < 0


def test_nothing_to_judge_is_nothing_to_object_to() -> None:
    found = diagnose([TAG, END], [], np.zeros((0, 2), np.float32), ignored=IGNORED)
    assert (found.is_faulty, found.coverage, found.length_ratio) == (False, 1.0, 0.0)


@given(st.lists(st.integers(10, 14), min_size=1, max_size=12), st.lists(st.integers(20, 23), max_size=30), st.data())
def test_every_figure_is_in_its_range(source: list[int], target: list[int], data: st.DataObject) -> None:
    whole = [TAG, *source, END]
    places = data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=len(target), max_size=len(target)))
    found = diagnose(whole, target, attention_at(places, len(whole), share=0.8), ignored=IGNORED)
    assert 0 <= found.coverage <= 1
    assert 0 <= found.uncovered_share <= 1
    assert 0 <= found.longest_gap <= len(source)
    assert found.length_ratio == len(target) / len(source)

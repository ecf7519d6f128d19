"""Which words of a translation come from which pieces of the source."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.placeholders.alignment import SourceColumns, assign, best_window, normalised, target_tokens, without
from service.text.placeholders.masking import NUMBER_SYMBOLS


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([[0.9, 0.1], [0.2, 0.8]], [0, 1]),
        ([[0.1, 0.9], [0.2, 0.8]], [1, 0]),
        ([[0.6, 0.4], [0.7, 0.3]], [1, 0]),
        ([[0.5, 0.5], [0.5, 0.5]], [0, 1]),
        ([[0.3], [0.4], [0.2]], [None, 0, None]),
        ([[0.3, 0.1, 0.6]], [2]),
    ],
)
def test_a_row_gets_the_column_that_it_looked_at_most_and_none_is_used_twice(weights, expected):
    assert assign(np.array(weights, np.float32)) == expected


def test_where_there_is_nothing_nothing_is_assigned():
    assert assign(np.zeros((0, 3), np.float32)) == []
    assert assign(np.zeros((2, 0), np.float32)) == [None, None]


@given(st.lists(st.integers(-5, 5) | st.just(float("-inf")), max_size=8))
def test_the_best_window_has_the_largest_sum(gains):
    start, end = best_window(gains)
    sums = [sum(gains[first:last]) for first, last in combinations(range(len(gains) + 1), 2)]
    if max(sums, default=float("-inf")) == float("-inf"):
        assert (start, end) == (0, 0)
    else:
        assert start < end
        assert sum(gains[start:end]) == max(sums)


def test_tokens_are_words_marks_and_symbols_with_the_mean_of_their_pieces():
    weights = np.eye(6, dtype=np.float32)
    tokens = target_tokens([" un", "o", " ", NUMBER_SYMBOLS[0], ",", " él"], weights)
    assert [token.text for token in tokens] == ["uno", NUMBER_SYMBOLS[0], ",", "él"]
    assert [token.is_spaced for token in tokens] == [False, True, False, True]
    assert tokens[0].weights.tolist() == [0.5, 0.5, 0, 0, 0, 0]
    assert tokens[1].is_symbol


def test_a_word_does_not_move_up_to_the_one_before():
    tokens = target_tokens([" a", " (", "b", " (", "."], np.eye(5, dtype=np.float32))
    kept = without(tokens, {1, 3})
    assert [(token.text, token.is_spaced) for token in kept] == [("a", False), ("b", True), (".", False)]


def test_places_are_found_in_pieces_that_fold_characters():
    text = "The ﬁne  cat…(x)"
    columns = SourceColumns(text, ["", " The", " fi", "ne", " cat", "...", "(", "x", ")", ""])
    places = [0, text.index("cat"), text.index("("), text.index("x"), len(text)]
    assert columns.of(places) == [1, 4, 6, 7, 9]


def test_control_symbols_are_looked_at_by_no_word():
    weights = normalised(np.array([[0.8, 0.1, 0.1]], np.float32), ["", "b", "c"])
    assert np.allclose(weights, [[0, 0.5, 0.5]])

"""Kneser-Ney models are distributions, and give what is worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from training.language_model.ngrams import KneserNey

END, SIZE = 0, 6
TEXTS = [np.array(text, np.int32) for text in ([1, 2, 3], [1, 2, 4], [2, 3, 1, 2], [5], [], [1, 2, 3, 4], [3, 3, 1])]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("context", [[], [1], [1, 2], [4, 4], [5, 1, 2, 3]])
def test_the_probabilities_of_all_next_units_sum_to_one(order, context):
    model = KneserNey(TEXTS * 3, order=order, size=SIZE, end_id=END)
    found = [model.log_likelihoods([np.array([*context, unit], np.int32)])[0][len(context)] for unit in range(1, SIZE)]
    end = model.log_likelihoods([np.array(context, np.int32)])[0][-1]
    assert np.exp([*found, end]).sum() == pytest.approx(1)


def test_bigrams_are_those_worked_out_by_hand():
    texts = [np.array(text, np.int32) for text in ([1, 2], [1, 3], [2, 1])]
    model = KneserNey(texts, order=2, size=4, end_id=END)
    # Discounts are 0.5, for there are too few grams. Kinds of units before: 1 has two, 2 two, 3 one, the end three.
    below = {unit: (kinds - 0.5 + 4 * 0.5 / 4) / 8 for unit, kinds in ((1, 2), (2, 2), (3, 1), (END, 3))}
    # Behind 1, once each: 2, 3, the end.
    expected = (1 - 0.5 + 3 * 0.5 * below[2]) / 3
    assert np.exp(model.log_likelihoods([np.array([1, 2], np.int32)])[0][1]) == pytest.approx(expected)
    # Behind 3 only the end, once.
    assert np.exp(model.log_likelihoods([np.array([3, 3], np.int32)])[0][1]) == pytest.approx(0.5 * below[3])


def test_a_longer_order_knows_what_follows_a_longer_context():
    texts = [np.array([1, 2, 3], np.int32), np.array([4, 2, 5], np.int32)] * 20
    two, three = (KneserNey(texts, order=order, size=SIZE, end_id=END) for order in (2, 3))
    text = [np.array([1, 2, 3], np.int32)]
    assert three.log_likelihoods(text)[0][2] > two.log_likelihoods(text)[0][2] + 0.3


def test_texts_do_not_change_one_another_s_probabilities():
    model = KneserNey(TEXTS, order=3, size=SIZE, end_id=END)
    together = model.log_likelihoods(TEXTS)
    assert [len(each) for each in together] == [len(text) + 1 for text in TEXTS]
    for text, found in zip(TEXTS, together, strict=True):
        np.testing.assert_array_equal(model.log_likelihoods([text])[0], found)

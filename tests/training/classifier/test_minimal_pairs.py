from __future__ import annotations

import pytest

from training.classifier.minimal_pairs import FILES, NEGATIVE, POSITIVE, MinimalPair, read_pairs, score_pairs

PAIRS = [
    MinimalPair(positive="Not bad, good.", negative="Not good, bad.", phenomenon="negation"),
    MinimalPair(positive="It is good.", negative="It is bad.", phenomenon="plain"),
]


@pytest.mark.parametrize("split", FILES)
def test_the_pairs_are_many_distinct_and_half_of_them_of_the_same_words(split):
    pairs = read_pairs(split)
    texts = {text for pair in pairs for text in (pair.positive, pair.negative)}
    assert len(pairs) >= 40
    assert len(texts) == 2 * len(pairs)
    assert sum(pair.differs_in_order_only for pair in pairs) * 2 >= len(pairs)
    assert {"negation", "scope", "intensifier", "contrast", "counterfactual", "comparative"} == {
        pair.phenomenon for pair in pairs
    }
    assert {"The movie was terribly exciting!", "It was not bad at all.", "It was not good."} <= texts


def test_order_is_all_that_tells_some_apart():
    assert [pair.differs_in_order_only for pair in PAIRS] == [True, False]


def test_a_counter_of_words_gets_no_pair_of_the_same_words():
    report = score_pairs(lambda texts: [NEGATIVE if "bad" in text else POSITIVE for text in texts], PAIRS)
    assert (report.texts.correct, report.texts.total) == (3, 4)
    assert (report.pairs.correct, report.order_only.correct, report.order_only.total) == (1, 0, 1)
    assert {name: part.correct for name, part in report.by_phenomenon.items()} == {"negation": 0, "plain": 1}


def test_one_who_knows_gets_all():
    pairs = read_pairs("test")
    positive = {pair.positive for pair in pairs}
    report = score_pairs(lambda texts: [POSITIVE if text in positive else NEGATIVE for text in texts], pairs)
    assert report.pairs.value == report.texts.value == report.order_only.value == 1.0

from __future__ import annotations

from itertools import islice

import numpy as np

from training.telling_texts import DARK_INTENSIFIERS, NUM_REPLACED, TellingText, clauses_of, telling_texts

REVIEWS = (
    "I did not like it. The film is very exciting and very long. He walks home.",
    (
        "The pictures are lovely, the music is fine, the actors do whatever it is that actors do in such a thing, "
        "but nobody in it ever says a word that matters to anybody."
    ),
)


def found(reviews=REVIEWS, seed=0):
    return list(telling_texts(reviews, np.random.default_rng(seed)))


def test_short_sentences_with_a_telling_word_are_kept_as_they_are():
    assert TellingText(text="I did not like it.", asked="I did not like it.") in found()
    assert not any(each.text.startswith("He walks") for each in found())


def test_an_intensifier_is_replaced_and_the_opinion_asked_of_the_original():
    changed = [each for each in found() if each.text != each.asked]
    assert len(changed) == NUM_REPLACED
    for each in changed:
        assert each.asked == "The film is very exciting and very long."
        (dark,) = [word for word in DARK_INTENSIFIERS if word in each.text]
        assert each.text == f"The film is {dark} exciting and very long."


def test_of_a_long_sentence_the_telling_clauses_are_kept():
    clauses = [each.text for each in found() if "nobody" in each.text]
    assert clauses == ["but nobody in it ever says a word that matters to anybody."]
    assert list(clauses_of("a plain word, and another that is not short but good")) == ["and another that is not short"]


def test_the_same_seed_gives_the_same_texts():
    assert found(REVIEWS * 5, seed=3) == found(REVIEWS * 5, seed=3)
    assert list(islice(telling_texts(REVIEWS, np.random.default_rng(1)), 2))

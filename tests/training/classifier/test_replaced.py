"""Texts with words replaced by others of the same part of speech."""

from __future__ import annotations

import numpy as np

from service.text.tokenizer import words_of
from training.classifier.replaced import replaced_texts

TAGS = {"film": "NN", "plot": "NN", "dull": "JJ", "bright": "JJ", "The": "DT", "is": "VBZ", "was": "VBD", "1980": "CD"}


def replaced(text, *others, count=200):
    def tag(sentences):
        return [[TAGS.get(word.lower(), TAGS.get(word, ".")) for word in sentence.words] for sentence in sentences]

    return list(replaced_texts([text], others, tag, count, np.random.default_rng(0)))


def test_words_change_places_with_their_like_alone():
    found = replaced("The film of 1980 is dull.", "a bright plot", "it was nothing")
    assert len(found) == 200
    assert {tuple(words_of(text)) for text in found} == {
        ("The", noun, "of", "1980", "is", adjective, ".")
        for noun in ("film", "plot")
        for adjective in ("dull", "bright")
    }
    assert "The film of 1980 is dull." in found


def test_a_capital_letter_stays():
    assert set(replaced("Film", "plot")) == {"Film", "Plot"}


def test_a_text_without_such_words_stays_as_it_is():
    assert replaced("1980!", count=2) == ["1980!", "1980!"]

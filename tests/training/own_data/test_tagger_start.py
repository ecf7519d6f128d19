from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from training.own_data.tagger_start import alike_tags


def test_a_label_begins_as_the_one_that_most_of_its_words_have():
    own = [
        ["B-person", "E-person", "O", "S-product"],
        ["S-person", "O", "O", "S-product"],
        ["O", "O", "O", "S-product"],
    ]
    other = [["B-PER", "E-PER", "O", "O"], ["S-ORG", "O", "S-LOC", "O"], ["O", "O", "O", "S-ORG"]]
    assert alike_tags(own, other) == {
        "B-person": "B-PER",
        "I-person": "I-PER",
        "E-person": "E-PER",
        "S-person": "S-PER",
    }


def test_without_entities_nothing_is_alike():
    assert alike_tags([["O", "O"]], [["S-PER", "O"]]) == {}

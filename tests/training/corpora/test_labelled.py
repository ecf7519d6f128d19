from __future__ import annotations

from training.corpora.labelled import LabelledText, key_of, without


def test_texts_that_differ_in_case_or_punctuation_are_one():
    assert key_of("It's  GREAT!") == key_of("its great") == "itsgreat"
    assert key_of("It's good") != key_of("It's great")


def test_what_is_held_out_is_not_learned_from():
    texts = [LabelledText(text="So bad.", label=0), LabelledText(text="So good.", label=1, weight=0.5)]
    assert without(texts, ["so bad!"]) == texts[1:]
    assert without(texts, []) == texts

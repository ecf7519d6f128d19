"""Minimal pairs are read in their own forms, and judged by the probability of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.training.language_model.made_up_text import write_running_text
from training.language_model.corpora import Split, read_splits
from training.language_model.measure import held_out, measure_texts
from training.language_model.minimal_pairs import Pair, every, judge, read_pairs


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_running_text(folder)
    return folder


def encode(text: str):
    return np.array([ord(character) for character in text], np.int32)


def shorter_is_likelier(texts):
    return [np.full(len(text) + 1, -1.0) for text in texts]


def test_each_set_has_a_form_of_its_own(data_dir):
    assert read_pairs("blimp", data_dir)[0] == Pair(
        names=("agreement", "plural"), good="The cat sleeps.", bad=("The cat sleep.",)
    )
    assert read_pairs("lm-syneval", data_dir) == [
        Pair(names=("simple", "plural"), good="The cat sleeps.", bad=("The cat sleep.", "The cat sleeping."))
    ]
    (pair,) = read_pairs("linzen-natural", data_dir)
    assert (pair.good, pair.bad) == ("The cat that didn't eat, sleeps", ("The cat that didn't eat, sleep",))
    assert not pair.is_whole


def test_the_right_text_must_be_likelier_than_every_wrong_one():
    pairs = [
        Pair(names=("a", "x"), good="ab", bad=("abc",)),
        Pair(names=("a", "y"), good="ab", bad=("abc", "a")),
        Pair(names=("a", "y"), good="ab", bad=("abc",)),
    ]
    found = judge(pairs, shorter_is_likelier, encode)
    assert found["a"].right == pytest.approx(2 / 3)
    assert found["all"].right == pytest.approx(0.75)  # of the groups x and y
    assert found["all"].number == 3


def test_the_end_of_a_text_that_breaks_off_says_nothing():
    def end_is_all(texts):
        return [np.array([*[0.0] * len(text), -float(len(text))]) for text in texts]

    whole, broken = (Pair(names=("a",), good="a", bad=("ab",), is_whole=is_whole) for is_whole in (True, False))
    assert judge([whole], end_is_all, encode)["all"].right == 1
    assert judge([broken], end_is_all, encode)["all"].right == 0


def test_every_so_many_th_of_each_group_is_taken():
    pairs = [Pair(names=(name,), good=str(i), bad=()) for name in "ab" for i in range(5)]
    assert [pair.good for pair in every(pairs, 2)] == ["0", "2", "4"] * 2


def test_perplexities_count_the_end_as_unit_word_and_character():
    found = measure_texts({"all": [], "one": ["a cat"], "two": ["", "ab"]}, shorter_is_likelier, encode)
    assert found["one"].num_words == 3
    assert found["one"].word_perplexity == pytest.approx(np.exp(6 / 3))
    assert found["one"].bits_per_character == pytest.approx(1 / np.log(2))
    assert found["all"].num_words == 6
    assert found["all"].unit_perplexity == pytest.approx(np.e)


def test_texts_in_other_scripts_are_not_measured():
    texts = [
        "Zürich is a city.",
        "अशोदया जो एक है",
        "The word кот means cat, and there is more to say of it than that alone.",
    ]
    assert held_out({"a": Split(train=[], dev=[], test=texts)}, "test")["a"] == [texts[0], texts[2]]


def test_texts_that_are_held_out_are_gathered_by_source(data_dir):
    splits = read_splits(["shakespeare/input", "tatoeba/en-es/train"], data_dir)
    assert list(held_out(splits, "test")) == ["all", "shakespeare/input"]

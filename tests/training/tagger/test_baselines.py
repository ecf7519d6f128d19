from __future__ import annotations

import pytest

from training.tagger.baselines import LinearTagger, MostFrequentTag, shape_of, window_features

SENTENCES = [["the", "dog", "runs"], ["the", "run", "ended"], ["dogs", "run"], ["they", "run"]]
TAGS = [["DET", "NOUN", "VERB"], ["DET", "NOUN", "VERB"], ["NOUN", "VERB"], ["PRON", "VERB"]]


def test_the_most_frequent_tag_wins_and_the_unknown_are_nouns():
    tagger = MostFrequentTag(unknown="NOUN").fit(SENTENCES, TAGS)
    assert tagger.tag(["they", "run", "zyx", "The"]) == ["PRON", "VERB", "NOUN", "NOUN"]


def test_a_tie_does_not_hang_on_the_order_of_the_corpus():
    pairs = [(["run"], ["VERB"]), (["run"], ["NOUN"])]
    for order in (pairs, pairs[::-1]):
        sentences, tags = zip(*order, strict=True)
        assert MostFrequentTag(unknown="X").fit(sentences, tags).tag(["run"]) == ["NOUN"]


def test_sentences_and_tags_must_agree_in_length():
    with pytest.raises(ValueError, match="zip"):
        MostFrequentTag(unknown="X").fit([["a", "b"]], [["DET"]])


def test_shape_folds_runs_of_one_kind():
    assert [shape_of(w) for w in ("Peter", "U.S.", "30-odd", "1984", "!!", "")] == [
        "Xx", "X.X.", "d-x", "d", "!", "",
    ]  # fmt: skip


def test_a_window_sees_two_words_each_way_and_the_ends():
    first, *_, last = window_features(["A", "b", "c"])
    assert {"w=A", "l=a", "l-1=<s>", "l-2=<s>", "l1=b", "l2=c"} <= set(first)
    assert {"l-2=a", "l1=</s>", "l2=</s>"} <= set(last)


def small_tagger() -> LinearTagger:
    pytest.importorskip("sklearn")
    return LinearTagger(num_features=2**12)


def test_the_linear_tagger_learns_from_context():
    tagger = small_tagger().fit(SENTENCES * 5, TAGS * 5)
    assert tagger.tag(["the", "run", "ended"]) == ["DET", "NOUN", "VERB"]
    assert tagger.tag(["they", "run"]) == ["PRON", "VERB"]


def test_the_linear_tagger_takes_any_tags_and_any_shape_of_input():
    tagger = small_tagger().fit([["Ann", "Lee", "sat"], []], [["B-PER", "E-PER", "O"], []])
    assert tagger.tag_all([[], ["Ann", "Lee", "sat"], []]) == [[], ["B-PER", "E-PER", "O"], []]
    assert tagger.tag([]) == []


def test_the_same_seed_gives_the_same_tags():
    words = ["a", "dog", "they", "saw", "run", "runs"]
    answers = [small_tagger().fit(SENTENCES, TAGS).tag(words) for _ in range(2)]
    assert answers[0] == answers[1]

from __future__ import annotations

import pytest

from service.text.pipeline import WORD_BEGIN, WORD_END, Vocabulary
from training.vocabularies import VocabularyConfig, build_vocabularies, count_words, dropout_rates, vocabularies_of_run

SENTENCES = [["The", "cat", "1998"], ["the", "CAT", "2024"], ["the", "dog"]]
CONFIG = VocabularyConfig(min_count=2, min_suffix_count=2, min_character_count=2)


def test_words_are_counted_as_written_and_kept_as_they_are_looked_up():
    counts = count_words(SENTENCES)
    assert counts["The"] == 1
    vocabularies = build_vocabularies(counts, CONFIG)
    assert vocabularies["words"].tokens[3:] == ("the", "cat", "0000")
    assert vocabularies["suffixes"].tokens[3:] == ("the", "cat", "000")


def test_characters_keep_their_case_and_stand_behind_the_edges_of_words():
    characters = build_vocabularies(count_words([["aA", "aA", "aB"]]), CONFIG)["characters"].tokens
    assert characters[3:5] == (WORD_BEGIN, WORD_END)
    assert set(characters[5:]) == {"a", "A"}


def test_the_most_frequent_words_are_kept():
    config = VocabularyConfig(min_count=1, max_words=1)
    assert build_vocabularies(count_words(SENTENCES), config)["words"].tokens[3:] == ("the",)


def test_a_corpus_that_spells_a_special_token_is_no_harm():
    counts = count_words([["<unk>", "<pad>", "<mask>", "a"]] * 9)
    assert build_vocabularies(counts, CONFIG)["words"].tokens[3:] == ("a",)


def test_rare_words_are_dropped_often_and_special_tokens_never():
    vocabulary = Vocabulary.of(["the", "dog"])
    rates = dropout_rates(vocabulary, count_words(SENTENCES), 0.25)
    assert rates.tolist() == [0, 0, 0, pytest.approx(0.25 / 3.25), pytest.approx(0.25 / 1.25)]


def test_a_run_keeps_the_vocabularies_it_began_with(tmp_path):
    first = vocabularies_of_run(tmp_path / "run", lambda: {"words": Vocabulary.of(["a"])})
    again = vocabularies_of_run(tmp_path / "run", lambda: {"words": Vocabulary.of(["b"])})
    assert first["words"].tokens == again["words"].tokens

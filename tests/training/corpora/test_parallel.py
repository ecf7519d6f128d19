from __future__ import annotations

import pytest

from tests.training.corpora.made_up_pairs import SENTENCES, german, write_pairs
from training.corpora.parallel import (
    MULTI30K_TESTS,
    WRITTEN,
    has_direction,
    read_multi30k,
    read_sets,
    read_tatoeba,
    read_written,
)


@pytest.fixture
def data_dir(tmp_path):
    write_pairs(tmp_path)
    return tmp_path


def test_tatoeba_gives_every_reference_the_first_one_first(data_dir):
    pairs = read_tatoeba("en-de", "dev", data_dir)
    assert [pair.source for pair in pairs] == SENTENCES[:4]
    assert pairs[0].references == (german(SENTENCES[0]), "Etwas anderes.")
    assert pairs[0].target == german(SENTENCES[0])
    assert {pair.target_language for pair in pairs} == {"de"}
    assert {len(pair.references) for pair in read_tatoeba("en-de", "train", data_dir)} == {1}


def test_into_english_every_reference_is_a_source_in_train_and_the_first_one_in_dev(data_dir):
    dev = read_tatoeba("de-en", "dev", data_dir)
    assert [(pair.source, pair.target) for pair in dev] == [(german(each), each) for each in SENTENCES[:4]]
    assert {pair.target_language for pair in dev} == {"en"}
    (data_dir / "tatoeba" / "en-de" / "train.tsv").write_text("One.\tEins.\tEine.\n", encoding="utf-8")
    assert [(pair.source, pair.target) for pair in read_tatoeba("de-en", "train", data_dir)] == [
        ("Eins.", "One."),
        ("Eine.", "One."),
    ]


def test_a_sentence_without_a_translation_is_told(data_dir):
    (data_dir / "tatoeba" / "en-de" / "train.tsv").write_text("One.\tEins.\nTwo.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2: a sentence without a translation"):
        read_tatoeba("en-de", "train", data_dir)


def test_multi30k_goes_line_by_line_and_in_either_direction(data_dir):
    (there, *_), (back, *_) = (read_multi30k(direction, "dev", data_dir) for direction in ("en-de", "de-en"))
    assert (there.source, there.target, there.target_language) == (back.target, back.source, "de")
    assert back.target_language == "en"


def test_sides_of_different_length_are_no_pairs(data_dir):
    with (data_dir / "multi30k" / "val.de").open("a", encoding="utf-8") as file:
        file.write("Noch einer.\n")
    with pytest.raises(ValueError, match="longer"):
        read_multi30k("en-de", "dev", data_dir)


def test_there_is_a_set_for_each_corpus_that_has_a_direction_and_for_each_test_of_multi30k(data_dir):
    names = [each.name for each in read_sets(("tatoeba", "multi30k"), ("en-de",), "test", data_dir)]
    assert names == ["tatoeba en-de", *(f"multi30k en-de {part}" for part in MULTI30K_TESTS)]
    dev = read_sets(("tatoeba", "multi30k"), ("en-de",), "dev", data_dir)
    assert [each.name for each in dev] == ["tatoeba en-de", "multi30k en-de"]


@pytest.mark.parametrize(
    ("corpus", "direction", "expected"),
    [
        ("tatoeba", "en-es", True),
        ("tatoeba", "es-en", True),
        ("tatoeba", "es-de", False),
        ("headwords", "en-es", False),
        ("multi30k", "en-es", False),
        ("multi30k", "de-fr", True),
    ],
)
def test_which_corpus_has_which_direction(corpus, direction, expected):
    assert has_direction(corpus, direction) is expected


def test_written_sentences_are_pairs_from_and_into_english(tmp_path):
    (tmp_path / "shop.tsv").write_text("Hello.\tHola.\tHallo.\tBonjour.\n", encoding="utf-8")
    (there,), (back,) = (read_written(direction, folder=tmp_path) for direction in ("en-de", "fr-en"))
    assert (there.source, there.target, there.target_language) == ("Hello.", "Hallo.", "de")
    assert (back.source, back.target, back.target_language) == ("Bonjour.", "Hello.", "en")


def test_written_sentences_are_for_training_alone(data_dir):
    assert [each.name for each in read_sets((WRITTEN,), ("en-es",), "train", data_dir)] == ["written en-es"]
    assert read_sets((WRITTEN,), ("en-es",), "dev", data_dir) == []


def test_a_written_line_that_lacks_a_language_is_told(tmp_path):
    (tmp_path / "shop.tsv").write_text("Hello.\tHola.\tHallo.\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"shop.tsv:1: not 4 columns"):
        read_written("en-es", folder=tmp_path)

from __future__ import annotations

import random

import pytest

pytest.importorskip("torch")

from service.text.placeholders.masking import SYMBOLS
from service.text.subwords import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Subwords
from tests.training.corpora.made_up_pairs import SENTENCES, german
from training.translator.subwords import SubwordPairEncoder, learn_subwords, tag_of, with_tags

SIZE = 330  # 256 of them bytes
TEXTS = [*SENTENCES, *map(german, SENTENCES)]


@pytest.fixture(scope="module")
def subwords() -> Subwords:
    return Subwords.load(learn_subwords(TEXTS, size=SIZE, languages=("de", "fr")))


def test_special_symbols_are_where_the_service_looks_for_them(subwords):
    assert len(subwords) == SIZE
    assert subwords.pieces((PAD_ID, UNK_ID, BOS_ID, EOS_ID)) == ["<pad>", "<unk>", "<s>", "</s>"]
    assert subwords.tag(tag_of("de")) != subwords.tag(tag_of("fr"))
    assert [subwords.pieces(subwords.encode(f"a{symbol}b"))[-2] for symbol in SYMBOLS] == list(SYMBOLS)


def test_what_no_piece_spells_is_spelled_in_bytes(subwords):
    ids = subwords.encode("A 犬 runs.")
    assert UNK_ID not in ids
    assert subwords.decode(ids) == "A 犬 runs."


def test_a_text_cannot_spell_a_tag(subwords):
    assert subwords.tag("<2de>") not in subwords.encode("<2de> A man runs <2de>")


def test_the_same_texts_give_the_same_model():
    first, second = (learn_subwords(TEXTS, size=SIZE, languages=("de",)) for _ in range(2))
    assert first == second


def test_a_source_asks_for_its_language_and_ends(subwords):
    encoder = SubwordPairEncoder(subwords)
    ids = encoder.encode_source("A man runs here.", "fr")
    assert (ids[0], ids[-1]) == (subwords.tag("<2fr>"), EOS_ID)
    assert ids[1:-1] == encoder.encode_target("A man runs here.") == subwords.encode("A man runs here.")


def test_a_share_of_rows_is_cut_otherwise_and_says_the_same(subwords):
    random.seed(1)
    text = "Ein Mann schläft heute dort."
    best = subwords.encode(text)
    never, always, half = (SubwordPairEncoder(subwords, sampling=share) for share in (0.0, 1.0, 0.5))
    assert all(never.encode_target(text) == best for _ in range(20))
    cuts = [always.encode_target(text) for _ in range(40)]
    assert len(set(map(tuple, cuts))) > 5
    assert {subwords.decode(ids) for ids in cuts} == {text}
    share = sum(half.encode_target(text) != best for _ in range(200)) / 200
    assert 0.2 < share < 0.6


def test_tags_of_other_languages_take_the_place_of_those_that_are_not_needed(subwords):
    model = learn_subwords(TEXTS, size=SIZE, languages=("de", "fr"))
    english = Subwords.load(with_tags(model, ["en"]))
    assert english.tag("<2en>") == subwords.tag("<2de>")
    assert english.encode("A man runs here.") == subwords.encode("A man runs here.")
    assert with_tags(model, ["fr", "de"]) == model
    with pytest.raises(ValueError, match="2 tags of other languages, 3 are needed"):
        with_tags(model, ["en", "es", "it"])

"""Subwords: ids and back, symbols that no text can spell, and what the alphabet holds."""

from __future__ import annotations

import io
from functools import cache

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from service.text.placeholders.masking import NAME_SYMBOLS, NUMBER_SYMBOLS, SYMBOLS
from service.text.subwords import EOS_ID, SPACE, UNK_ID, Subwords
from tests.fakes.letters import CHARACTERS, letters, subwords

ANY_TEXT = st.text(st.characters(exclude_categories=()))
SPELLED = st.lists(st.text(CHARACTERS, min_size=1, max_size=8), max_size=8).map(" ".join)


def test_a_text_is_its_pieces_and_no_others():
    ids = subwords().encode("See it.")
    assert subwords().pieces(ids) == [SPACE, "S", "e", "e", SPACE, "i", "t", "."]
    assert subwords().decode(ids) == "See it."


@given(SPELLED)
def test_what_can_be_spelled_comes_back(text):
    assert subwords().decode(subwords().encode(text)) == text


@given(ANY_TEXT)
def test_any_text_has_ids_and_none_of_them_is_a_symbol(text):
    ids = subwords().encode(text)
    symbols = {0, 2, EOS_ID, subwords().tag("<2es>"), subwords().tag("<2de>")}
    assert not symbols.intersection(ids)
    subwords().decode(ids)


def test_what_is_said_of_a_symbol_is_no_symbol():
    ids = subwords().encode("<2es></s>")
    assert subwords().tag("<2es>") not in ids
    assert UNK_ID in ids


def test_symbols_are_silent():
    ids = [subwords().tag("<2es>"), *subwords().encode("ab"), 0, 1, 2, 3]
    assert subwords().decode(ids) == "ab"


def test_a_symbol_is_one_piece_wherever_it_stands():
    number, name = NUMBER_SYMBOLS[3], NAME_SYMBOLS[15]
    ids = subwords().encode(f"a {number}b{name}{number}")
    assert len(subwords().symbol_ids) == len(SYMBOLS) == 32
    assert sum(each in subwords().symbol_ids for each in ids) == 3
    assert subwords().decode(ids) == f"a {number}b{name}{number}"


@pytest.mark.parametrize("name", ["<2xx>", "a", NUMBER_SYMBOLS[0], "</s>x", ""])
def test_a_tag_that_is_none_is_refused(name):
    with pytest.raises(KeyError):
        subwords().tag(name)


def test_the_alphabet_holds_what_is_spelled_folded_or_left_out():
    alphabet = subwords().alphabet
    assert alphabet >= set(CHARACTERS) | {" ", "\n", "\u00a0", "ﬁ", "Ａ", "\u200b"}
    assert not alphabet & {"я", "你", "😀", SPACE, *SYMBOLS, "\ud800", "%"}


@cache
def with_bytes_once():
    return with_bytes()


def train(**choices):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b"] * 3), model_writer=model, hard_vocab_limit=False,
        minloglevel=2, **{"model_type": "char", "vocab_size": 20, **choices},
    )  # fmt: skip
    return model.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: b"no model", "not a sentencepiece model"),
        (lambda: letters()[:50], "not a sentencepiece model"),
        (train, "pad, unk, bos and eos are"),
        (lambda: train(pad_id=0, unk_id=1, bos_id=2, eos_id=3), r"no piece for the symbol U\+E000"),
    ],
)
def test_another_model_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        Subwords.load(content())


def with_bytes():
    choices = dict(pad_id=0, unk_id=1, bos_id=2, eos_id=3, user_defined_symbols=list(SYMBOLS), byte_fallback=True)
    return Subwords.load(train(model_type="unigram", vocab_size=330, **choices))


@given(ANY_TEXT.filter(lambda text: "\0" not in text))
def test_with_byte_pieces_any_text_can_be_spelled(text):
    found = with_bytes_once()
    ids = found.encode(text)
    assert UNK_ID not in ids
    whole = found.processor.normalize(text.encode("utf-8", "replace").decode()).replace(SPACE, " ").strip(" ")
    assert found.decode(ids) == whole
    assert "".join(found.spell(ids)).strip(" ") == whole


def test_bytes_that_are_no_text_are_left_out():
    found = with_bytes_once()
    byte = {number: found.processor.piece_to_id(f"<0x{number:02X}>") for number in (0x41, 0xC3, 0xA9)}
    a = found.processor.piece_to_id("a")
    ids = [byte[0xC3], a, byte[0xC3], byte[0xA9], byte[0x41], byte[0xC3], a]
    assert found.decode(ids) == "aéAa"
    assert found.spell(ids) == ["", "a", "éA", "", "", "", "a"]


def test_byte_pieces_make_no_alphabet_but_for_capitals():
    assert {"я", "😀", "<", "x", "X"}.isdisjoint(with_bytes_once().alphabet)
    assert {"a", "b", " ", "A"} <= with_bytes_once().alphabet


def test_a_file_is_read_like_its_content(tmp_path):
    (tmp_path / "subwords.model").write_bytes(letters())
    assert len(Subwords.load(tmp_path / "subwords.model")) == len(subwords())

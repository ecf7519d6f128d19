"""Texts become ids that spell them."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from service.text.subwords import EOS_ID, UNK_ID, Subwords
from tests.training.language_model.made_up_text import BOOK, PARAGRAPHS
from training.language_model.units import learn_pieces, subword_units, token_units, vocabulary_of_tokens

ANYTHING = ["The cat sleeps.", "Zürich \U0001f600 кот", "“It’s a cat”", "one\ntwo", ""]


@pytest.mark.parametrize(("kind", "size"), [("subwords", 400), ("characters", 400)])
def test_pieces_spell_any_text(kind, size):
    subwords = Subwords.load(learn_pieces(PARAGRAPHS, kind=kind, size=size), symbols=())
    for text in ANYTHING:
        ids = subwords.encode(text)
        assert UNK_ID not in ids
        keyboard = text.replace("“", '"').replace("”", '"').replace("’", "'")
        assert subwords.decode(ids) == keyboard
    assert subword_units(subwords).end_id == EOS_ID
    assert subword_units(subwords).encode("").dtype == "int32"


def test_characters_leave_white_space_as_it_is():
    subwords = Subwords.load(learn_pieces([BOOK], kind="characters", size=400), symbols=())
    assert len(subwords.encode("  a  b ")) == 7
    assert subwords.spell(subwords.encode("  a  b ")) == [*"  a  b "]


def test_tokens_stand_between_spaces_and_a_line_ends_a_text():
    text = "it was <unk>\nit was N"
    vocabulary = vocabulary_of_tokens([text], 10)
    units = token_units(vocabulary)
    ids = units.encode(text)
    assert ids[3] == units.end_id
    assert ids[2] == vocabulary.encode("not a token")
    assert list(ids[:2]) == list(ids[4:6])

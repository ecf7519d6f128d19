from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.spans import OffsetUnit, offset_table
from service.text.tokenizer import split_sentences

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("a é’😀👍🏽 \n.中\u0301"))
CODECS: dict[OffsetUnit, tuple[str, int]] = {"utf16": ("utf-16-le", 2), "byte": ("utf-8", 1)}


@pytest.mark.parametrize("unit", CODECS)
@given(text=TEXTS, data=st.data())
def test_slices_hold_in_every_unit(unit: OffsetUnit, text: str, data: st.DataObject) -> None:
    codec, width = CODECS[unit]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    table = offset_table(text, unit)
    if table is not None:
        assert len(table) == len(text) + 1
    first, last = (start, end) if table is None else (int(table[start]), int(table[end]))
    assert text.encode(codec)[first * width : last * width].decode(codec) == text[start:end]


@pytest.mark.parametrize("unit", CODECS)
@given(text=TEXTS)
def test_words_slice_the_text_in_every_unit(unit: OffsetUnit, text: str) -> None:
    codec, width = CODECS[unit]
    table = offset_table(text, unit)
    raw = text.encode(codec)
    for sentence in split_sentences(text):
        for word, start, end in sentence:
            first, last = (start, end) if table is None else (int(table[start]), int(table[end]))
            assert raw[first * width : last * width].decode(codec) == word


@pytest.mark.parametrize(
    ("text", "unit"),
    [("naïve 😀", "codepoint"), ("plain", "byte"), ("plain", "utf16"), ("naïve", "utf16"), ("", "byte")],
)
def test_no_table_where_it_would_say_nothing(text: str, unit: OffsetUnit) -> None:
    assert offset_table(text, unit) is None


def test_a_worked_example() -> None:
    assert [offset_table("é😀!", unit).tolist() for unit in ("utf16", "byte")] == [[0, 1, 3, 4], [0, 2, 6, 7]]  # type: ignore[arg-type, union-attr]


def test_lone_surrogates_do_not_raise() -> None:
    table = offset_table("a\ud83d!", "byte")
    assert table is not None
    assert table.tolist() == [0, 1, 4, 5]

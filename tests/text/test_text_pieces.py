"""Text pieces: what a language model reads of a text, and where each piece stands in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.subwords import EOS_ID, UNK_ID
from tests.fakes import language_pieces

TEXTS = st.text(st.sampled_from("abc The report is\n\t😀é你 .") | st.characters(exclude_categories=["Cs"]), max_size=30)


@given(TEXTS)
def test_pieces_stand_in_order_and_leave_out_nothing_but_spaces(text: str) -> None:
    placed = language_pieces().encode(text)
    end = 0
    for start, stop in zip(placed.starts, placed.ends, strict=True):
        assert end <= start <= stop
        assert not text[end:start].strip(" ")
        end = stop
    assert not text[end:].strip(" ")
    assert UNK_ID not in placed.ids.tolist()


@given(TEXTS)
def test_a_prompt_at_the_beginning_is_read_as_a_text_is(text: str) -> None:
    assert language_pieces().encode_prompt(text).ids.tolist() == language_pieces().encode(text).ids.tolist()


@pytest.mark.parametrize(
    ("before", "text"),
    [("The report", " is ready."), ("The rep", "ort"), ("a", "\nb"), ("The", "."), ("a\n", "The"), ("I smile", " ")],
)
def test_a_text_that_follows_another_is_read_without_a_space_of_its_own(before: str, text: str) -> None:
    pieces = language_pieces()
    first = pieces.encode_prompt(before).ids.tolist()
    second = pieces.encode_prompt(text, last=first[-1]).ids.tolist()
    spelled = "".join(pieces.subwords.spell([*first, *second]))
    assert spelled == f" {before}{text.rstrip(' ')}"


@pytest.mark.parametrize(
    ("text", "strips"), [("", True), (" ", True), ("The", False), ("The ", True), ("The\n", False), ("\n", False)]
)
def test_a_continuation_begins_without_a_space_where_there_is_one_already(text: str, *, strips: bool) -> None:
    assert language_pieces().encode_prompt(text).strips_space is strips


def test_in_the_middle_of_a_text_nothing_is_a_beginning() -> None:
    last = int(language_pieces().encode("The").ids[-1])
    assert language_pieces().encode_prompt("", last=last).strips_space is False
    assert language_pieces().encode_prompt(" ", last=last).strips_space is True


def test_only_the_end_and_what_has_a_text_is_written() -> None:
    pieces = language_pieces()
    assert pieces.is_text[:6].tolist() == [False, False, False, True, True, True]
    assert pieces.names[EOS_ID] == "</s>"
    assert "<0xE2>" in pieces.names
    assert " report" in pieces.names

"""A language model's text to pieces with their places, and back from pieces that come one by one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.subwords import EOS_ID, FIRST_BYTE, UNK_ID, TextStream, byte_of
from tests.fakes import language_pieces

TEXTS = st.text(st.sampled_from("abc The report is\n\t😀é你 .") | st.characters(exclude_categories=["Cs"]), max_size=30)


@given(TEXTS)
def test_pieces_stand_in_order_and_leave_out_nothing_but_spaces(text: str) -> None:
    ids, places = language_pieces().subwords.encode_with_offsets(text)
    end = 0
    for start, stop in places:
        assert end <= start <= stop
        assert not text[end:start].strip(" ")
        end = stop
    assert not text[end:].strip(" ")
    assert UNK_ID not in ids


@given(TEXTS)
def test_a_prompt_at_the_beginning_is_read_as_a_text_is(text: str) -> None:
    assert language_pieces().encode_prompt(text).ids.tolist() == language_pieces().subwords.encode(text)


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
    last = language_pieces().subwords.encode("The")[-1]
    assert language_pieces().encode_prompt("", last=last).strips_space is False
    assert language_pieces().encode_prompt(" ", last=last).strips_space is True


def test_only_the_end_and_what_has_a_text_is_written() -> None:
    pieces = language_pieces()
    assert pieces.is_text[:6].tolist() == [False, False, False, True, True, True]
    assert pieces.names[EOS_ID] == "</s>"
    assert "<0xE2>" in pieces.names
    assert " report" in pieces.names


# Control symbol, words, letters, then a token for every byte.
WORDS = ("", " the", "the", " a", "ab", "b", "a", "aba", "é", "\n")
SPELLING = (*WORDS, *(chr(FIRST_BYTE + byte) for byte in range(256)))
BYTES = len(WORDS)
TOKENS = st.lists(st.integers(0, len(WORDS) - 1) | st.sampled_from([BYTES + b for b in "aé😀".encode()]), max_size=12)
STOPS = st.lists(st.sampled_from(("a", "ab", "aba", "b a", "the", "é", "😀", "xyz")), max_size=3)


def tokens_of(text: str) -> list[int]:
    return [BYTES + byte for byte in text.encode()]


def streamed(tokens: Sequence[int], **options: object) -> tuple[TextStream, list[str]]:
    """The stream after its tokens or its stop, and what was ready after each."""
    stream = TextStream(SPELLING, **options)
    ready = []
    for token in tokens:
        stream.add(token)
        ready.append("".join(stream.pieces[: stream.num_ready]))
        if stream.is_stopped:
            break
    return stream, ready


def test_the_bytes_of_a_character_have_its_text_with_the_last() -> None:
    stream, ready = streamed([1, *tokens_of("😀é"), 4])
    assert stream.pieces == [" the", "", "", "", "😀", "", "é", "ab"]
    assert ready == [" the", " the", " the", " the", " the😀", " the😀", " the😀é", " the😀éab"]


def test_bytes_that_are_no_character_have_no_text() -> None:
    broken = tokens_of("😀")[:2]
    assert streamed([*broken, 4, BYTES + 0xFF, *tokens_of("é")[1:], 5])[0].text == "abb"
    assert streamed([*broken, *tokens_of("é")])[0].text == "é"


def test_a_character_may_begin_before_the_stream() -> None:
    first, second = tokens_of("😀")[:2], tokens_of("😀")[2:]
    assert streamed(second, before=[1, *first])[0].text == "😀"
    assert streamed(second, before=[*first, 1])[0].text == ""


@pytest.mark.parametrize(("tokens", "text"), [([1, 1], "the the"), ([0, 3], "a"), ([2, 3], "the a")])
def test_one_space_at_the_beginning_is_left_out_where_it_is_said(tokens: list[int], text: str) -> None:
    assert streamed(tokens, strips_space=True)[0].text == text


@given(TOKENS, STOPS)
def test_a_text_is_cut_before_its_first_stop_string(tokens: list[int], stop: list[str]) -> None:
    whole = streamed(tokens)[0].text
    stream, _ = streamed(tokens, stop=stop)
    # A stop string ends with the token that completes it: of several in one token the first to begin counts.
    cuts = [whole.find(each) for each in stop if each in whole]
    assert stream.is_stopped == bool(cuts)
    assert whole.startswith(stream.text)
    assert not any(each in stream.text for each in stop)
    if not cuts:
        assert stream.text == whole
    assert "".join(stream.pieces) == stream.text


@given(TOKENS, STOPS)
def test_what_is_ready_stays_and_is_all_in_the_end(tokens: list[int], stop: list[str]) -> None:
    stream, ready = streamed(tokens, stop=stop)
    for early, late in zip(ready, [*ready[1:], stream.text], strict=False):
        assert late.startswith(early)
        assert not any(each in early for each in stop)
    if not stop:
        assert [*ready, stream.text][-1] == stream.text


@pytest.mark.parametrize(
    ("spelled", "byte"), [("", None), ("a", None), ("ab", None), ("\udc00", 0), ("\udcff", 255), ("\udd00", None)]
)
def test_bytes_are_told_from_text(spelled: str, byte: int | None) -> None:
    assert byte_of(spelled) == byte

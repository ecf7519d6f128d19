"""Texts cut into sentences and joined again: what stands between sentences is kept to the character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.paragraphs import cut

LINES = st.sampled_from(
    [
        "", " ", "\t", "---", "A short line", "It rained. We stayed at home. ", "- milk", "  * two eggs", "# A heading",
        "1. First, open the door.", "12) then", "> quoted", "Fine 😀", "😀", "e\u0301 \ud800", "他们来了。好",
        "A line that is long enough to have been wrapped by somebody's editor, and",
        "then goes on in lower case until it ends with a stop. And so on and so forth",
    ]
)  # fmt: skip
BREAKS = st.sampled_from(["\n", "\n\n", "\r\n", "\r", "\u2028", "\n \n"])
TEXTS = st.lists(LINES | BREAKS | st.text(st.characters(exclude_categories=()), max_size=8), max_size=12).map("".join)


@given(TEXTS)
def test_sentences_that_are_not_translated_give_the_text_back(text):
    passage = cut(text)
    surfaces = [text[span.start : span.end] for span in passage.spans]
    assert passage.join(surfaces) == text
    assert all(surface.strip() == surface != "" for surface in surfaces)
    assert all(a.end <= b.start for a, b in zip(passage.spans, passage.spans[1:], strict=False))
    assert not any(set("\n\r\u2028\u2029") & set(sentence) for sentence in passage.sentences)


def translated(text):
    passage = cut(text)
    return passage.join([f"<{sentence}>" for sentence in passage.sentences])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n\t", " \n\t"),
        ("It rained.", "<It rained.>"),
        ("  It rained.  We stayed. \n", "  <It rained.>  <We stayed.> \n"),
        ("Dear Kim\n\nThanks for all.\nBest\n", "<Dear Kim>\n\n<Thanks for all.>\n<Best>\n"),
        ("Buy:\r\n- milk\r\n- two eggs", "<Buy:>\r\n- <milk>\r\n- <two eggs>"),
        ("1. Open it.\n2) Look.\n(3) Go.", "1. <Open it.>\n2) <Look.>\n(3) <Go.>"),
        ("# Title\n> said he\n* a\n* b", "# <Title>\n> <said he>\n* <a>\n* <b>"),
        ("Me too! 😀\nYou 🇩🇪", "<Me too!> <😀>\n<You> 🇩🇪"),
        ("I like it 😀\nyes 🇩🇪", "<I like it> 😀\n<yes> 🇩🇪"),
        ("😀 😀\nyes", "<😀 😀>\n<yes>"),
    ],
)
def test_lines_lists_and_emoji_stay_where_they_are(text, expected):
    assert translated(text) == expected


def test_a_sentence_over_wrapped_lines_is_one_and_loses_its_break():
    text = (
        "This paragraph was wrapped by an editor at a width of seventy or so\n"
        "characters, which is why its first sentence has a break inside. The\n"
        "next one is short."
    )
    assert translated(text) == (
        "<This paragraph was wrapped by an editor at a width of seventy or so "
        "characters, which is why its first sentence has a break inside.> <The next one is short.>"
    )


def test_lines_that_had_room_for_more_were_ended_on_purpose():
    text = (
        "The first item of a list without any sign at its beginning\n"
        "the second item, again without a stop but rather longer than fifty\n"
        "a third one which is quite a lot longer than the others of this list have been\n"
    )
    assert translated(text).count(">\n") == 3


def test_lines_wider_than_anybody_wraps_are_paragraphs():
    line = "a line which goes on and on " * 6 + "and ends"
    assert translated(f"{line}\n{line}\n") == f"<{line}>\n<{line}>\n"


def test_a_long_text_keeps_its_paragraphs():
    paragraph = "We went to the market. It was cold, and nobody had slept.\nStill, we were happy."
    text = "\n\n".join([paragraph] * 200)
    passage = cut(text)
    assert len(passage.spans) == 600
    assert passage.join(["x."] * 600) == "\n\n".join(["x. x.\nx."] * 200)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<li>Bread</li><li>Milk</li>", ["Bread", "Milk"]),
        ("<p>It <b>is</b>.\nIt was.</p><p class='a'>No</p>", ["It <b>is</b>.", "It was.", "No"]),
        ("One<br/>two<BR>three", ["One", "two", "three"]),
        ("<code>a<br>b</code> and a < b <c>", ["<code>a<br>b</code> and a < b <c>"]),
        ("<p></p>", []),
    ],
)
def test_no_sentence_goes_on_over_a_tag_that_parts_blocks(text, expected):
    assert cut(text).sentences == expected


@pytest.mark.parametrize(
    "text",
    ["Before you wait for version v5.4.2, show me the letter.", "Before you ask @j.smith3, order 11,748.63 boxes."],
)
def test_no_sentence_ends_within_a_protected_item(text):
    assert cut(text).sentences == [text]

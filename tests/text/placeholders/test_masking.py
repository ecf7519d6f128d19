"""Protected items are hidden: numbers and names behind numbered symbols, markup taken out."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given

from service.text.placeholders.masking import NAME_SYMBOLS, NUMBER_SYMBOLS, SYMBOLS, Content, compose, has_words, mask
from tests.text.placeholders.test_items import ALPHABET, TEXTS

N, M = NUMBER_SYMBOLS, NAME_SYMBOLS


@pytest.mark.parametrize(
    ("text", "masked", "contents"),
    [
        ("In 1984, {0} had 12 of {1}.", f"In {N[0]}, {M[0]} had {N[1]} of {M[1]}.", ["1984", "{0}", "12", "{1}"]),
        ("He lives in Владивосток, Россия.", f"He lives in {M[0]}, {M[1]}.", ["Владивосток", "Россия"]),
        ("So good 😀😀 it is", f"So good {M[0]}{M[1]} it is", ["😀", "😀"]),
        ("The 1980s and the A380", f"The {N[0]}s and the {M[0]}", ["1980", "A380"]),
        ("a \ue001 b", f"a {M[0]} b", ["\ue001"]),
        ("a cafe\u0301", "a café", []),
        ("", "", []),
    ],
)
def test_numbers_and_names_are_symbols_in_order(text: str, masked: str, contents: list[str]) -> None:
    found = mask(text, ALPHABET)
    assert (found.text, [content.item.text for content in found.contents]) == (masked, contents)
    assert all(found.text[content.place] == content.symbol for content in found.contents)
    assert found.markups == ()


@pytest.mark.parametrize(
    ("text", "masked", "markups"),
    [
        ("The <b>cat</b> sleeps.", "The cat sleeps.", ["<b>", "</b>"]),
        ("un<b>bold</b>ly", "unboldly", ["<b>", "</b>"]),
        ("one<br>two", "one two", ["<br>"]),
        ("<p>One.</p><p>Two.</p>", "One.  Two.", ["<p>", "</p>", "<p>", "</p>"]),
        ("don&#39;t say &quot;no&quot;", 'don\'t say "no"', ["&quot;", "&quot;"]),
        ("Tom &amp; Jerry", "Tom  Jerry", ["&amp;"]),
        ("# A [link](http://a.b)", " A link", ["#", "[", "](http://a.b)"]),
        ("5*3", f"{N[0]} {N[1]}", ["*"]),
    ],
)
def test_markup_is_taken_out(text: str, masked: str, markups: list[str]) -> None:
    found = mask(text, ALPHABET)
    assert (found.text, [markup.item.text for markup in found.markups]) == (masked, markups)


def test_markup_knows_its_white_space() -> None:
    one, other = mask("A <br/>  b</i>c", ALPHABET).markups
    assert (one.space_before, one.space_after, other.space_before, other.space_after) == (" ", "  ", "", "")
    assert (one.place, other.place) == (2, 5)


def test_the_seventeenth_of_a_class_has_the_first_symbol_again() -> None:
    found = mask(" a ".join(map(str, range(18))), ALPHABET)
    assert [content.symbol for content in found.contents] == [*N, N[0], N[1]]


@given(TEXTS)
def test_any_text_is_masked_and_its_items_in_order_give_it_back(text: str) -> None:
    found = mask(text, ALPHABET)
    composed = compose(text)
    assert found.source == composed
    assert unicodedata.is_normalized("NFC", composed)
    items = sorted([*found.contents, *found.markups], key=lambda each: each.item.start)
    start = end = 0
    for each in items:
        assert composed[end : each.item.start] == found.text[start : each.place]
        shown = each.symbol if isinstance(each, Content) else each.shown
        start, end = each.place + len(shown), each.item.end
    assert found.text[start:] == composed[end:]
    assert ALPHABET.issuperset("".join(found.text.translate(dict.fromkeys(map(ord, SYMBOLS))).split()))


@pytest.mark.parametrize(("text", "expected"), [("a", True), (f"{N[0]} 12 !?", False), ("", False), ("ñ", True)])
def test_words_are_letters_that_are_not_hidden(text: str, expected: bool) -> None:
    assert has_words(text) is expected

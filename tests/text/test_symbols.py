"""Emoji and other symbols as their parts, and the words of their names."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.symbols import name_words, parts_of_symbol
from service.text.tokenizer import words_of

ANY = st.text(st.characters(exclude_categories=()), max_size=20)


def names_of(word: str) -> str:
    return " + ".join(" ".join(name_words(part)) for part in parts_of_symbol(word))


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("😡", "pouting face"),
        ("❤️", "heavy black heart"),
        ("👍🏽", "thumbs up sign"),
        ("🤷🏿‍♀️", "shrug + female sign"),
        ("👨‍👩‍👧", "man + woman + girl"),
        ("🇩🇪", "regional indicator symbol letter d + regional indicator symbol letter e"),
        ("🏴\U000e0067\U000e0062\U000e007f", "waving black flag"),
        ("0️⃣", "digit zero + combining enclosing keycap"),
        ("#⃣", "number sign + combining enclosing keycap"),
        ("‼️", "double exclamation mark"),
        ("™️", "trade mark sign"),
        ("🏽", "emoji modifier fitzpatrick type-4"),
        ("€", "euro sign"),
    ],
)
def test_an_emoji_has_the_names_of_its_parts(word: str, names: str) -> None:
    assert names_of(word) == names
    assert words_of(f"well {word}.") == ["well", word, "."]


@pytest.mark.parametrize(
    "word",
    [
        "",
        "good",
        "1998",
        "1+1",
        "$",
        ">>",
        "<3",
        ":(",
        "^_^",
        "‼",
        "ℹ",
        "a️",
        "️",
        "\u200d",
        "x😡",
        "\ud800",
        "\ufdd0",
        "don´t",
    ],
)
def test_any_other_word_has_no_parts(word: str) -> None:
    assert parts_of_symbol(word) == []


@given(ANY)
def test_a_word_without_a_symbol_has_no_parts(word: str) -> None:
    has_symbol = any(not c.isascii() and unicodedata.category(c)[0] == "S" for c in word)
    is_selected = "\ufe0f" in word or "\u20e3" in word
    assert has_symbol or is_selected or parts_of_symbol(word) == []


@given(st.characters(exclude_categories=()))
def test_names_are_words_in_ascii(character: str) -> None:
    assert all(word.isascii() and word == word.lower() for word in name_words(character))


@pytest.mark.parametrize("word", [":(", ":-)", "<3", "</3", ":'(", ":'-(", ">_<", "^_^", "👍🏽", "❤️", "👩🏽‍💻", "❤️‍🔥"])
def test_an_emoji_or_emoticon_is_one_word(word: str) -> None:
    assert words_of(f"I {word} it") == ["I", word, "it"]
    assert words_of(word * 2) == [word, word]


def test_of_an_emoticon_with_several_mouths_the_first_belongs_to_it() -> None:
    assert words_of("oh :((( :))") == ["oh", ":(", "((", ":)", ")"]
    assert words_of("see:((a) or f=((1,2))") == "see : (( a ) or f = (( 1,2 ))".split(" ")

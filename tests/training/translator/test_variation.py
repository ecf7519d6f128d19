from __future__ import annotations

import string
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("torch")

from service.text.placeholders.masking import NAME_SYMBOLS, NUMBER_SYMBOLS, SYMBOLS
from training.corpora.parallel import Pair
from training.translator.config import VariationConfig
from training.translator.variation import (
    RandomVariation,
    add_placeholder,
    hide_name,
    mask_pair,
    number_symbols,
    title_case,
)

ALPHABET = frozenset(string.ascii_letters + string.digits + " .,!?'ßäöüÄÖÜ<>/*%@{}&;")
N, M = NUMBER_SYMBOLS, NAME_SYMBOLS


def pair(source: str, target: str) -> Pair:
    return Pair(source=source, references=(target,), target_language="de")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def symbols_of(text: str) -> list[str]:
    return [each for each in text if each in SYMBOLS]


@pytest.mark.parametrize(
    ("source", "target", "masked"),
    [
        (
            "Write to me@here.com in 1999 or 2000.",
            "Schreib 2000 oder 1999 an me@here.com.",
            (f"Write to {M[0]} in {N[0]} or {N[1]}.", f"Schreib {N[1]} oder {N[0]} an {M[0]}."),
        ),
        (
            "It is 1,234.56 or 50% of 5.",
            "Es ist 1.234,56 oder 50 % von 5.",
            (f"It is {N[0]} or {N[1]} of {N[2]}.", f"Es ist {N[0]} oder {N[1]} von {N[2]}."),
        ),
        ("5 and 5 are it", "5 und 5 sind es", (f"{N[0]} and {N[1]} are it", f"{N[0]} und {N[1]} sind es")),
        ("Here in Владивосток", "Hier in Владивосток", (f"Here in {M[0]}", f"Hier in {M[0]}")),
        ("The <b>cat</b> &amp; it", "<b>Katze</b> &amp; es", ("The cat it", "Katze es")),
        ("Nothing here.", "Hier ist nichts.", ("Nothing here.", "Hier ist nichts.")),
    ],
)
def test_what_both_sides_have_is_hidden_on_both(source, target, masked):
    found = mask_pair(pair(source, target), ALPHABET)
    assert (found.source, found.target) == masked


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("It costs 1500 of it.", "Es kostet tausendfünfhundert."),
        ("It has 5 and 5.", "Es hat 5."),
        ("A <b>cat</b>", "Katze"),
        ("a_b", "a_c"),
        ("<b></b>", "<b></b>"),
    ],
)
def test_a_pair_whose_sides_have_other_items_or_no_words_is_none(source, target):
    assert mask_pair(pair(source, target), ALPHABET) is None


def test_symbols_are_drawn_and_increase_from_left_to_right():
    original = pair("1 of {a} and 2 of {b} or 3", "{b} 3 {a} 2 1")
    seen = Counter()
    for seed in range(300):
        found = mask_pair(original, ALPHABET, rng(seed))
        symbols = symbols_of(found.source)
        numbers, names = ([each for each in symbols if each in table] for table in (N, M))
        assert numbers == sorted(numbers)
        assert names == sorted(names)
        assert symbols_of(found.target) == [names[1], numbers[2], names[0], numbers[1], numbers[0]]
        seen.update(symbols)
    assert set(seen) == set(SYMBOLS)


def test_more_items_than_symbols_are_in_turn():
    text = " a ".join(map(str, range(20)))
    found = mask_pair(pair(text, text), ALPHABET, rng())
    assert symbols_of(found.source) == symbols_of(found.target) == [*N, *N[:4]]
    assert number_symbols(found, rng()) == found


def test_a_name_is_hidden_where_it_stands_once_on_each_side():
    found = {hide_name(pair("Then Maria saw Tom.", "Dann sah Maria Tom."), rng(seed)) for seed in range(20)}
    assert {(each.source, each.target) for each in found} == {
        (f"Then {M[0]} saw Tom.", f"Dann sah {M[0]} Tom."),
        (f"Then Maria saw {M[0]}.", f"Dann sah Maria {M[0]}."),
    }


def test_the_second_name_has_another_symbol():
    found = hide_name(hide_name(pair("Maria saw Tom.", "Maria sah Tom."), rng()), rng())
    assert set(symbols_of(found.source)) == set(symbols_of(found.target)) == set(M[:2])


@pytest.mark.parametrize(("source", "target"), [("Tom saw Tom.", "Tom sah Tom."), ("a house", "ein Haus")])
def test_where_no_name_stands_once_nothing_is_hidden(source, target):
    assert hide_name(pair(source, target), rng()) == pair(source, target)


def test_an_item_is_put_at_the_same_end_of_both():
    found = {add_placeholder(pair("Hello.", "Hallo."), rng(seed)) for seed in range(40)}
    assert found == {
        pair(source, target)
        for symbol in (M[0], N[0])
        for source, target in (
            (f"{symbol} Hello.", f"{symbol} Hallo."),
            (f"Hello. {symbol}", f"Hallo. {symbol}"),
        )
    }
    full = pair("".join(SYMBOLS), "".join(SYMBOLS))
    assert add_placeholder(full, rng()) == full


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("How to learn a language", "How to Learn a Language"),
        ("the cat's \ue000 isn't it, über", "The Cat's \ue000 Isn't It, Über"),
    ],
)
def test_titles(text, title):
    assert title_case(text) == title


def test_each_variation_is_seen_at_its_rate_and_none_without():
    original = pair("We met Anna today.", "Wir trafen heute Anna.")
    plain = RandomVariation(VariationConfig())
    assert {plain(original, rng(seed)) for seed in range(20)} == {original}
    always = RandomVariation(
        VariationConfig(hidden_name=1.0, added_placeholder=1.0, drop_final_punctuation=1.0, lowercase=1.0)
    )
    for seed in range(20):
        found = always(original, rng(seed))
        assert found.source == found.source.lower()
        assert sorted(symbols_of(found.source)) == sorted(symbols_of(found.target))
        assert 2 <= len(symbols_of(found.source)) <= 5
        assert "." not in found.source + found.target
    sometimes = RandomVariation(VariationConfig(lowercase=0.3))
    generator = rng()
    share = np.mean([sometimes(original, generator) != original for _ in range(2000)])
    assert 0.25 < share < 0.35


def test_capitals_are_on_both_sides_and_titles_on_the_source_alone():
    original = pair(f"We met {M[4]} today.", f"Wir trafen {M[4]} heute.")
    capitals = RandomVariation(VariationConfig(uppercase=1.0))(original, rng())
    title = RandomVariation(VariationConfig(title_case=1.0))(original, rng())
    [symbol] = symbols_of(capitals.source)
    assert (capitals.source, capitals.target) == (f"WE MET {symbol} TODAY.", f"WIR TRAFEN {symbol} HEUTE.")
    [symbol] = symbols_of(title.source)
    assert (title.source, title.target) == (f"We Met {symbol} Today.", f"Wir trafen {symbol} heute.")


def test_symbols_are_others_in_each_epoch():
    vary = RandomVariation(VariationConfig())
    original = mask_pair(pair("In 1999 or 2000", "2000 oder 1999"), ALPHABET)
    generator = rng()
    found = [vary(original, generator) for _ in range(50)]
    assert len({each.source for each in found}) > 30
    for each in found:
        one, other = symbols_of(each.source)
        assert one < other
        assert symbols_of(each.target) == [other, one]


def test_a_side_is_never_left_empty():
    drop = RandomVariation(VariationConfig(drop_final_punctuation=1.0))
    assert drop(pair("!", "!"), rng()) == pair("!", "!")


def test_the_same_seed_varies_alike():
    vary = RandomVariation(VariationConfig(hidden_name=0.5, added_placeholder=0.5, lowercase=0.5))
    original = pair("We met Anna today.", "Wir trafen heute Anna.")
    first, second = ([vary(original, generator) for _ in range(30)] for generator in (rng(3), rng(3)))
    assert first == second

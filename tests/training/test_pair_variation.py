from __future__ import annotations

import string

import numpy as np
import pytest

pytest.importorskip("torch")

from service.text.copying import PLACEHOLDER
from training.corpora.parallel import Pair
from training.pair_variation import RandomVariation, add_placeholder, hide_name, mask_pair
from training.translator_run import VariationConfig

ALPHABET = frozenset(string.ascii_letters + string.digits + " .,!?'ßäöüÄÖÜ")


def pair(source: str, target: str) -> Pair:
    return Pair(source=source, references=(target,), target_language="de")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_what_both_sides_share_is_hidden_on_both():
    found = mask_pair(pair("Write to me@here.com in 1999.", "Schreib 1999 an me@here.com."), ALPHABET)
    assert found.source == f"Write to {PLACEHOLDER} in {PLACEHOLDER}."
    assert found.target == f"Schreib {PLACEHOLDER} an {PLACEHOLDER}."


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("It costs 1500 euros.", "Es kostet tausendfünfhundert Euro."),
        ("It costs 1,500 euros.", "Es kostet 1.500 Euro."),
        ("Nothing here.", "Hier ist nichts."),
    ],
)
def test_a_pair_that_does_not_share_it_stays_as_it_was(source, target):
    assert mask_pair(pair(source, target), ALPHABET) == pair(source, target)


def test_a_name_is_hidden_where_it_stands_once_on_each_side():
    found = hide_name(pair("Then Maria saw Tom.", "Dann sah Maria Tom."), rng())
    assert (found.source, found.target) in {
        (f"Then {PLACEHOLDER} saw Tom.", f"Dann sah {PLACEHOLDER} Tom."),
        (f"Then Maria saw {PLACEHOLDER}.", f"Dann sah Maria {PLACEHOLDER}."),
    }


@pytest.mark.parametrize(("source", "target"), [("Tom saw Tom.", "Tom sah Tom."), ("a house", "ein Haus")])
def test_where_no_name_stands_once_nothing_is_hidden(source, target):
    assert hide_name(pair(source, target), rng()) == pair(source, target)


def test_something_to_copy_is_put_at_the_same_end_of_both():
    found = {add_placeholder(pair("Hello.", "Hallo."), rng(seed)) for seed in range(20)}
    assert found == {
        pair(f"{PLACEHOLDER} Hello.", f"{PLACEHOLDER} Hallo."),
        pair(f"Hello. {PLACEHOLDER}", f"Hallo. {PLACEHOLDER}"),
    }


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
        assert 2 <= found.source.count(PLACEHOLDER) == found.target.count(PLACEHOLDER) <= 6
        assert "." not in found.source + found.target
    sometimes = RandomVariation(VariationConfig(lowercase=0.3))
    generator = rng()
    share = np.mean([sometimes(original, generator) != original for _ in range(2000)])
    assert 0.25 < share < 0.35


def test_a_side_is_never_left_empty():
    drop = RandomVariation(VariationConfig(drop_final_punctuation=1.0))
    assert drop(pair("!", "!"), rng()) == pair("!", "!")


def test_the_same_seed_varies_alike():
    vary = RandomVariation(VariationConfig(hidden_name=0.5, added_placeholder=0.5, lowercase=0.5))
    original = pair("We met Anna today.", "Wir trafen heute Anna.")
    first, second = ([vary(original, generator) for _ in range(30)] for generator in (rng(3), rng(3)))
    assert first == second

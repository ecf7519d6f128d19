"""Mixtures draw each source as often as its weight and size say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.translator.mixture import Mixture, MixtureConfig, MixturePart
from training.translator.rarity import draw_rates


def part(source: str, first: int, count: int, tokens_each: int = 10) -> MixturePart:
    return MixturePart(source=source, places=np.arange(first, first + count), num_tokens=count * tokens_each)


LARGE, SMALL = part("large", 0, 1000), part("small", 1000, 10)


def test_at_temperature_one_every_pair_is_as_likely():
    mixture = Mixture([LARGE, SMALL], MixtureConfig(temperature=1.0), epoch_tokens=5050)
    assert mixture.passes() == pytest.approx({"large": 0.5, "small": 0.5})


def test_a_lower_temperature_raises_small_sources():
    passes = Mixture([LARGE, SMALL], MixtureConfig(temperature=0.5), epoch_tokens=5050).passes()
    assert passes["small"] == pytest.approx(10 * passes["large"])


def test_a_weight_multiplies_a_sources_share():
    config = MixtureConfig(temperature=1.0, weights={"small": 3.0})
    passes = Mixture([LARGE, SMALL], config, epoch_tokens=5000).passes()
    assert passes["small"] == pytest.approx(3 * passes["large"])


def test_a_weight_of_no_source_is_a_mistake():
    with pytest.raises(ValueError, match="not there: smal"):
        Mixture([LARGE, SMALL], MixtureConfig(weights={"smal": 2.0}), epoch_tokens=100, known=["large", "other"])


def test_a_known_source_without_pairs_may_have_a_weight():
    config = MixtureConfig(weights={"small": 3.0})
    with_other = MixtureConfig(weights={"small": 3.0, "other": 2.0})
    mixture = Mixture([LARGE, SMALL], with_other, epoch_tokens=100, known=["other"])
    assert mixture.passes() == Mixture([LARGE, SMALL], config, epoch_tokens=100).passes()


@given(st.integers(1, 60_000), st.integers(0, 2**32 - 1))
def test_an_epoch_holds_about_its_tokens_and_repeats_only_what_has_run_out(epoch_tokens, seed):
    mixture = Mixture([LARGE, SMALL], MixtureConfig(), epoch_tokens=epoch_tokens)
    drawn = mixture.draw(np.random.default_rng(seed))
    assert abs(10 * len(drawn) - epoch_tokens) <= 20
    for one in (LARGE, SMALL):
        counts = np.bincount(drawn, minlength=1010)[one.places]
        assert counts.max() - counts.min() <= 1


def test_the_same_seed_draws_the_same_epoch():
    mixture = Mixture([LARGE, SMALL], MixtureConfig(), epoch_tokens=3000)
    first, second = (mixture.draw(np.random.default_rng(4)) for _ in range(2))
    assert (first == second).all()


def test_pairs_with_rare_words_are_drawn_more_often():
    texts = [("a", "the cat sat"), ("b", "the cat ate")] * 400 + [("a", "one harbour"), ("b", "the harbour")] * 2
    rates = draw_rates(texts, highest=4.0)
    assert rates[0] == 1.0
    assert rates[-1] == 4.0
    mixture = Mixture(
        [MixturePart(source="all", places=np.arange(len(texts)), num_tokens=10 * len(texts), rates=rates)],
        MixtureConfig(),
        epoch_tokens=200,
    )
    drawn = [place for seed in range(200) for place in mixture.draw(np.random.default_rng(seed))]
    assert 2.5 < np.mean([place >= 800 for place in drawn]) / (4 / len(texts)) < 4.5


@pytest.mark.parametrize("odd", ["one slip", "Harbour names", "of it"])
def test_slips_names_and_common_words_count_as_common(odd):
    assert draw_rates([("a", odd), ("b", "the cat"), ("a", "the cat")], highest=4.0).max() <= 4.0
    assert draw_rates([("a", odd)], highest=4.0).tolist() == [1.0]


def test_without_a_highest_rate_all_pairs_are_alike():
    assert draw_rates([("a", "one harbour"), ("b", "the harbour")], highest=1.0).tolist() == [1.0, 1.0]

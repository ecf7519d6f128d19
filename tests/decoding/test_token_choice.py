"""The choice of tokens: greedy, top-k, top-p, temperature and penalty, as their definitions say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.decoding.live_samples import NO_TOKEN, ChoiceParameters, choose, num_candidates
from service.decoding.search import MAX_CANDIDATES, NUM_RECENT, SamplingOptions

SIZE = 40
OPTIONS = st.builds(
    SamplingOptions,
    max_tokens=st.just(1),
    temperature=st.sampled_from((0.0, 1e-9, 0.3, 1.0, 5.0)),
    top_k=st.sampled_from((1, 2, 5, MAX_CANDIDATES)),
    top_p=st.sampled_from((1e-6, 0.3, 0.9, 1.0)),
    repetition_penalty=st.sampled_from((1.0, 1.5, 10.0)),
)


def scores_of(seed: int, *, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Falling log-probabilities (1, token) and their tokens."""
    logits = np.random.default_rng(seed).normal(0, 2, size)
    logprobs = (logits - np.logaddexp.reduce(logits)).astype(np.float32)
    order = np.argsort(-logprobs, kind="stable")
    return logprobs[order][None], order[None].astype(np.int32)


def chosen(scores, candidates, options, *, draw=0.5, recent=(), is_text=None):
    """The token that one row chooses."""
    filled = np.full((1, NUM_RECENT), NO_TOKEN, np.int32)
    filled[0, NUM_RECENT - len(recent) :] = recent
    (column,) = choose(
        scores,
        candidates,
        ChoiceParameters.of([options]),
        is_text=np.ones(SIZE, np.bool_) if is_text is None else is_text,
        recent=filled,
        draws=np.array([draw]),
    )
    return int(candidates[0, column])


def distribution(scores, candidates, options, **others) -> dict[int, float]:
    """How often each token is chosen, over draws at equal distances."""
    draws = (np.arange(4000) + 0.5) / 4000
    tokens = [chosen(scores, candidates, options, draw=draw, **others) for draw in draws]
    return {token: tokens.count(token) / len(draws) for token in set(tokens)}


def test_temperature_0_takes_the_likeliest_whatever_is_drawn() -> None:
    scores, candidates = scores_of(1)
    options = SamplingOptions(max_tokens=1, temperature=0.0)
    assert {chosen(scores, candidates, options, draw=draw) for draw in (0.0, 0.5, 0.999)} == {candidates[0, 0]}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_from_the_distribution_at_the_temperature(temperature: float) -> None:
    scores, candidates = scores_of(2)
    found = distribution(scores, candidates, SamplingOptions(max_tokens=1, temperature=temperature))
    shares = np.exp(scores[0] / temperature)
    expected = dict(zip(candidates[0].tolist(), (shares / shares.sum()).tolist(), strict=True))
    assert found == pytest.approx({token: expected[token] for token in found}, abs=1e-3)


def test_top_k_and_top_p_cut_the_tail_off() -> None:
    scores, candidates = scores_of(3)
    probabilities = np.exp(scores[0].astype(np.float64))
    k5 = distribution(scores, candidates, SamplingOptions(max_tokens=1, top_k=5))
    shares = (probabilities[:5] / probabilities[:5].sum()).tolist()
    assert k5 == pytest.approx(dict(zip(candidates[0, :5].tolist(), shares, strict=True)), abs=1e-3)
    size = int(np.searchsorted(probabilities.cumsum(), 0.7)) + 1
    assert set(distribution(scores, candidates, SamplingOptions(max_tokens=1, top_p=0.7))) == set(candidates[0, :size])
    assert set(distribution(scores, candidates, SamplingOptions(max_tokens=1, top_p=1e-9))) == {candidates[0, 0]}


def test_a_penalty_makes_recent_tokens_less_likely() -> None:
    scores, candidates = np.log(np.array([[0.5, 0.3, 0.2]], np.float32)), np.array([[7, 8, 9]], np.int32)
    options = SamplingOptions(max_tokens=1, temperature=0.0, repetition_penalty=2.0)
    assert chosen(scores, candidates, options) == 7
    assert chosen(scores, candidates, options, recent=[7]) == 8  # 0.5 ** 2 is less than 0.3
    assert chosen(scores, candidates, options, recent=[7, 8]) == 7
    sampled = SamplingOptions(max_tokens=1, repetition_penalty=2.0)
    assert distribution(scores, candidates, sampled, recent=[7]) == pytest.approx(
        {7: 0.25 / 0.75, 8: 0.3 / 0.75, 9: 0.2 / 0.75}, abs=1e-3
    )


def test_what_is_no_text_is_never_chosen() -> None:
    scores, candidates = scores_of(4)
    is_text = np.ones(SIZE, np.bool_)
    is_text[candidates[0, :3]] = False
    for options in (SamplingOptions(max_tokens=1, temperature=0.0), SamplingOptions(max_tokens=1, top_k=1)):
        assert chosen(scores, candidates, options, is_text=is_text) == candidates[0, 3]
    with pytest.raises(ValueError, match="no token"):
        chosen(scores, candidates, options, is_text=np.zeros(SIZE, np.bool_))


@given(st.lists(OPTIONS, min_size=1, max_size=8), st.integers(0, 1000))
def test_a_choice_is_the_same_alone_and_beside_others_that_need_more_candidates(
    options: list[SamplingOptions], seed: int
) -> None:
    rows = [scores_of(seed + row) for row in range(len(options))]
    draws = np.random.default_rng(seed).random(len(options))
    recent = np.random.default_rng(seed).integers(NO_TOKEN, SIZE, (len(options), NUM_RECENT)).astype(np.int32)
    is_text = np.random.default_rng(seed).random(SIZE) < 0.95
    is_text[[candidates[0, 3] for _, candidates in rows]] = True
    width = min(SIZE, max(map(num_candidates, options)))
    together = choose(
        np.concatenate([scores[:, :width] for scores, _ in rows]),
        np.concatenate([candidates[:, :width] for _, candidates in rows]),
        ChoiceParameters.of(options),
        is_text=is_text,
        recent=recent,
        draws=draws,
    )
    for row, ((scores, candidates), each) in enumerate(zip(rows, options, strict=True)):
        own = min(SIZE, num_candidates(each))
        alone = choose(
            scores[:, :own],
            candidates[:, :own],
            ChoiceParameters.of([each]),
            is_text=is_text,
            recent=recent[row : row + 1],
            draws=draws[row : row + 1],
        )
        assert alone.tolist() == [together[row]]

"""What is let in is answered in time: against a service whose runs take as long as they are told to."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from service.scheduling.job import Priority
from tests.scheduling.simulated_service import DEADLINE, Asked, goodput, kept, mixture, poisson, sentence, simulate

FIRST = Asked(0.0, (20,) * 4)  # from which the pace is known


@pytest.mark.parametrize("draw", [sentence, mixture])
@pytest.mark.parametrize("rate", [0.5, 3])
def test_what_is_let_in_is_answered_in_time_and_the_slots_are_busy(
    rate: float, draw: Callable[[random.Random], tuple[int, ...]]
) -> None:
    fates = simulate(poisson(rate, 4, draw, seed=3))
    assert kept([fate for fate in fates if fate.asked.at >= 0.5]) >= 0.999
    refused = sum(fate.cells for fate in fates if fate.refused) / sum(fate.cells for fate in fates)
    if rate < 1:
        assert refused <= 0.05  # a burst may be too much
    else:
        assert refused >= 0.4
        assert goodput(fates, 4) >= 0.8  # the rest is padding


def test_a_sentence_is_let_in_beside_one_huge_batch_that_waits() -> None:
    huge, alone = Asked(0.0, (20,) * 2000, seconds=10), Asked(0.1, (20,))
    first, second = simulate([huge, alone])
    assert first.refused is second.refused is None
    assert second.answered_after is not None
    assert second.answered_after < 0.2


def test_a_huge_batch_that_cannot_meet_its_deadline_is_refused_where_a_sentence_is_not() -> None:
    busy = [FIRST, *(Asked(1.0, (20,) * 100) for _ in range(3))]
    fates = simulate([*busy, Asked(1.001, (20,) * 400), Asked(1.002, (20,))])
    assert fates[4].refused is not None
    assert fates[5].refused is None
    assert fates[5].answered_after is not None
    alone = simulate([Asked(0.0, (20,) * 400)])  # an idle service refuses nothing
    assert alone[0].refused is None


def test_who_comes_back_when_told_to_is_let_in() -> None:
    filling = [FIRST, *(Asked(1.0, (20,) * 200, seconds=30) for _ in range(20))]  # 4 s
    wanted = (20,) * 300
    refused = simulate([*filling, Asked(1.001, wanted)])[-1].refused
    assert refused is not None
    assert refused.retry_after_seconds is not None
    again = simulate([*filling, Asked(1.001 + refused.retry_after_seconds, wanted)])[-1]
    assert again.refused is None
    assert again.answered_after is not None
    assert again.answered_after <= DEADLINE


def test_bulk_is_served_while_sentences_fill_the_service() -> None:
    sentences = poisson(1.0, 3, sentence, seed=5)
    bulk = Asked(0.5, (20,) * 100, seconds=60, priority=Priority.BULK)
    fates = simulate(sorted([*sentences, bulk], key=lambda asked: asked.at))
    found = next(fate for fate in fates if fate.asked is bulk)
    assert found.answered_after is not None
    assert kept([fate for fate in fates if fate.asked is not bulk]) >= 0.97

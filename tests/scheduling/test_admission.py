"""Who is let in."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from service.errors import DeadlineExceededError, NotReadyError, OverloadedError
from service.scheduling.admission import Admission, Door, Phase, Throughput

NOW = 100.0


def admission(*, learned_tokens_per_second: int = 0) -> Admission:
    throughput = Throughput()
    if learned_tokens_per_second:
        throughput.learn(tokens=learned_tokens_per_second, seconds=1.0)
    return Admission(num_slots=2, max_queued_cells=100, throughput=throughput)


def is_admitted(gate: Admission, *, tokens: int, queued_cells: int, seconds: float) -> bool:
    with suppress(OverloadedError):
        gate.check(tokens=tokens, queued_cells=queued_cells, deadline=NOW + seconds, now=NOW)
        return True
    return False


@pytest.mark.parametrize("tokens", [1, 10_000])
def test_an_empty_queue_admits_anything(tokens: int) -> None:
    assert is_admitted(admission(learned_tokens_per_second=10), tokens=tokens, queued_cells=0, seconds=0.001)


@pytest.mark.parametrize("tokens", [1, 10_000])
def test_one_text_and_many_are_refused_alike(tokens: int) -> None:
    gate = admission()
    assert is_admitted(gate, tokens=tokens, queued_cells=99, seconds=60)
    assert not is_admitted(gate, tokens=tokens, queued_cells=100, seconds=60)


def test_a_deadline_that_cannot_be_met_is_refused() -> None:
    gate = admission(learned_tokens_per_second=100)  # 200 a second on both slots
    assert is_admitted(gate, tokens=20, queued_cells=80, seconds=0.51)
    assert not is_admitted(gate, tokens=20, queued_cells=80, seconds=0.49)


def test_the_time_to_come_back_is_that_of_the_queue() -> None:
    gate = admission(learned_tokens_per_second=10)
    with pytest.raises(OverloadedError) as raised:
        gate.check(tokens=1, queued_cells=100, deadline=NOW + 60, now=NOW)
    assert raised.value.retry_after_seconds == 5


def test_a_deadline_in_the_past_is_not_an_overload() -> None:
    with pytest.raises(DeadlineExceededError):
        admission().check(tokens=1, queued_cells=0, deadline=NOW, now=NOW)


def test_throughput_follows_what_runs_take() -> None:
    throughput = Throughput()
    assert throughput.seconds_for(1000) == 0
    for _ in range(200):
        throughput.learn(tokens=100, seconds=1)
    assert throughput.seconds_for(1000) == pytest.approx(10)
    for _ in range(200):
        throughput.learn(tokens=100, seconds=0.1)
    assert throughput.seconds_for(1000) == pytest.approx(1, rel=0.01)


def test_a_door_opens_once_and_closes_for_good() -> None:
    door = Door()
    with pytest.raises(NotReadyError, match="starting") as raised:
        door.check()
    assert raised.value.retry_after_seconds
    door.open()
    door.check()
    door.close()
    door.open()
    with pytest.raises(NotReadyError, match="draining"):
        door.check()


def test_a_start_that_failed_stays_failed() -> None:
    async def scenario() -> Phase:
        door = Door()
        door.fail()
        door.close()
        return await door.decided()

    assert asyncio.run(scenario()) is Phase.FAILED

"""Who is let in."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from service.errors import DeadlineExceededError, NotReadyError, OverloadedError
from service.scheduling.admission import Admission, Door, Phase, Throughput

NOW = 100.0


def refuses(*, queued_cells: int = 0, wait: float = 0.0, own: float = 0.0, left: float = 60.0) -> bool:
    gate = Admission(max_queued_cells=100)
    with suppress(OverloadedError):
        gate.check(queued_cells=queued_cells, wait_seconds=wait, own_seconds=own, deadline=NOW + left, now=NOW)
        return False
    return True


@pytest.mark.parametrize("own", [0.0, 10.0])
def test_where_nothing_waits_anything_is_let_in(own: float) -> None:
    assert not refuses(own=own, left=0.001)


@pytest.mark.parametrize("own", [0.0, 10.0])
def test_one_text_and_many_are_refused_alike(own: float) -> None:
    assert not refuses(queued_cells=99, wait=1, own=own)
    assert refuses(queued_cells=100, wait=1, own=own)
    assert refuses(queued_cells=100, own=own)


def test_a_deadline_that_cannot_be_met_is_refused() -> None:
    assert not refuses(queued_cells=80, wait=0.4, own=0.1, left=0.51)
    assert refuses(queued_cells=80, wait=0.4, own=0.1, left=0.49)


def test_a_wait_behind_other_queues_counts_too() -> None:
    assert refuses(queued_cells=0, wait=0.4, own=0.1, left=0.49)


def test_the_time_to_come_back_is_that_of_the_queue() -> None:
    gate = Admission(max_queued_cells=100)
    with pytest.raises(OverloadedError) as raised:
        gate.check(queued_cells=100, wait_seconds=4.2, own_seconds=0, deadline=NOW + 60, now=NOW)
    assert raised.value.retry_after_seconds == 5


def test_a_deadline_in_the_past_is_not_an_overload() -> None:
    gate = Admission(max_queued_cells=100)
    with pytest.raises(DeadlineExceededError):
        gate.check(queued_cells=0, wait_seconds=0, own_seconds=0, deadline=NOW, now=NOW)


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
    door.check_ready()
    door.close()
    door.open()
    with pytest.raises(NotReadyError, match="draining"):
        door.check()


def test_a_door_that_is_left_lets_in_who_has_not_noticed() -> None:
    door = Door()
    door.open()
    assert not door.is_ending
    door.leave()
    door.check()
    assert door.is_ending
    with pytest.raises(NotReadyError, match="leaving"):
        door.check_ready()
    door.close()
    with pytest.raises(NotReadyError, match="draining"):
        door.check()


def test_a_door_that_is_left_while_it_is_shut_stays_shut() -> None:
    door = Door()
    door.leave()
    door.open()
    assert door.phase is Phase.DRAINING


def test_a_start_that_failed_stays_failed() -> None:
    async def scenario() -> Phase:
        door = Door()
        door.fail()
        door.close()
        return await door.decided()

    assert asyncio.run(scenario()) is Phase.FAILED

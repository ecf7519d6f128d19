"""Who is let in."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from service.errors import DeadlineExceededError, NotReadyError, OverloadedError
from service.lifecycle import Lifecycle, Phase
from service.scheduling.admission import LONGEST_RETRY_SECONDS, AdmissionControl


def check(
    *,
    queued: int = 0,
    own: int = 1,
    seconds: float = 0.0,
    best: float = 0.0,
    left: float = 60.0,
    idle: bool = False,
    accepted: bool = False,
) -> None:
    AdmissionControl(max_queued_cells=100).check(
        queued_cells=queued,
        own_cells=own,
        seconds=seconds,
        best_seconds=best,
        is_idle=idle,
        seconds_left=left,
        accepted=accepted,
    )


def refuses(**sizes: float) -> bool:
    with suppress(OverloadedError):
        check(**sizes)  # type: ignore[arg-type]
        return False
    return True


def test_where_nothing_waits_a_request_may_be_larger_than_the_bound() -> None:
    assert not refuses(own=1000)


def test_an_idle_service_lets_in_what_it_could_do_at_its_best() -> None:
    assert not refuses(idle=True, seconds=9, best=0.4, left=0.5)
    assert refuses(idle=True, seconds=9, best=0.6, left=0.5)


@pytest.mark.parametrize("own", [1, 50])
def test_one_text_and_many_are_refused_alike_by_a_full_queue(own: int) -> None:
    assert refuses(queued=100, own=own)


def test_while_others_wait_a_request_may_have_half_of_the_room_that_is_left() -> None:
    assert not refuses(queued=40, own=30)
    assert refuses(queued=40, own=31)
    assert not refuses(queued=99, own=1)


def test_however_many_huge_requests_come_a_small_one_has_room() -> None:
    queued = 10
    for _ in range(1000):
        for huge in (50, 20, 10):
            if not refuses(queued=queued, own=huge):
                queued += huge
    assert not refuses(queued=queued, own=5)


def test_a_deadline_that_cannot_be_met_is_refused() -> None:
    assert not refuses(queued=80, seconds=0.5, left=0.51)
    assert refuses(queued=80, seconds=0.5, left=0.49)


def test_a_wait_behind_other_queues_counts_too() -> None:
    assert refuses(queued=0, seconds=0.5, left=0.49)


@pytest.mark.parametrize(("seconds", "left", "retry"), [(4.2, 1, 4), (0.6, 0.5, 1), (9999, 1, LONGEST_RETRY_SECONDS)])
def test_the_time_to_come_back_is_when_it_would_have_been_accepted(seconds: float, left: float, retry: int) -> None:
    with pytest.raises(OverloadedError) as raised:
        check(queued=50, seconds=seconds, left=left)
    assert raised.value.retry_after_seconds == retry


def test_a_deadline_in_the_past_is_not_an_overload() -> None:
    with pytest.raises(DeadlineExceededError):
        check(left=0)


def test_a_door_opens_once_and_closes_for_good() -> None:
    lifecycle = Lifecycle()
    with pytest.raises(NotReadyError, match="starting") as raised:
        lifecycle.check()
    assert raised.value.retry_after_seconds
    lifecycle.open()
    lifecycle.check()
    lifecycle.check_ready()
    lifecycle.close()
    lifecycle.open()
    with pytest.raises(NotReadyError, match="draining"):
        lifecycle.check()


def test_a_door_that_is_left_lets_in_who_has_not_noticed() -> None:
    lifecycle = Lifecycle()
    lifecycle.open()
    assert not lifecycle.is_ending
    lifecycle.leave()
    lifecycle.check()
    assert lifecycle.is_ending
    with pytest.raises(NotReadyError, match="leaving"):
        lifecycle.check_ready()
    lifecycle.close()
    with pytest.raises(NotReadyError, match="draining"):
        lifecycle.check()


def test_a_door_that_is_left_while_it_is_shut_stays_shut() -> None:
    lifecycle = Lifecycle()
    lifecycle.leave()
    lifecycle.open()
    assert lifecycle.phase is Phase.DRAINING


def test_a_start_that_failed_stays_failed() -> None:
    async def scenario() -> Phase:
        lifecycle = Lifecycle()
        lifecycle.fail()
        lifecycle.close()
        return await lifecycle.decided()

    assert asyncio.run(scenario()) is Phase.FAILED

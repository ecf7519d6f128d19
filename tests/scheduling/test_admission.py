"""Who is let in."""

from __future__ import annotations

from contextlib import suppress

import pytest

from service.errors import DeadlineExceededError, OverloadedError
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


def test_further_rows_of_an_accepted_request_find_room_but_keep_its_deadline() -> None:
    assert refuses(queued=100, own=50)
    assert not refuses(queued=100, own=50, accepted=True)
    assert refuses(queued=100, own=50, seconds=0.5, left=0.49, accepted=True)
    with pytest.raises(DeadlineExceededError):
        check(queued=100, left=0, accepted=True)


def test_a_deadline_in_the_past_is_not_an_overload() -> None:
    with pytest.raises(DeadlineExceededError):
        check(left=0)

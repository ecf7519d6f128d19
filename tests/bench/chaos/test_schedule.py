from __future__ import annotations

import pytest

from bench.chaos.schedule import (
    CALLER_TROUBLES,
    LAST_RESTART,
    PROCESS_TROUBLES,
    RESTART_SECONDS,
    Trouble,
    make_schedule,
)


def test_the_same_seed_makes_the_same_trouble_and_another_one_other() -> None:
    assert make_schedule(seconds=600, seed=1) == make_schedule(seconds=600, seed=1)
    assert make_schedule(seconds=600, seed=1) != make_schedule(seconds=600, seed=2)


@pytest.mark.parametrize("seed", range(20))
def test_three_minutes_have_every_trouble(seed: int) -> None:
    schedule = make_schedule(seconds=180, seed=seed)
    assert {event.trouble for event in schedule.processes} == set(PROCESS_TROUBLES)
    assert {event.trouble for event in schedule.callers} == set(CALLER_TROUBLES)


@pytest.mark.parametrize("seed", range(20))
def test_events_are_in_order_and_restarts_leave_time_to_grow_old(seed: int) -> None:
    schedule = make_schedule(seconds=300, seed=seed)
    for lane in (schedule.processes, schedule.callers):
        times = [event.at for event in lane]
        assert times == sorted(times)
        assert 0 < times[0] <= times[-1] < 300
    restarts = [event.at for event in schedule.processes if event.trouble is Trouble.ROLLING_RESTART]
    assert 0 < max(restarts) <= min(LAST_RESTART * 300, 300 - RESTART_SECONDS)


def test_some_troubles_can_be_left_out_and_the_others_stay_as_they_are() -> None:
    whole = make_schedule(seconds=120, seed=1)
    some = whole.only([Trouble.KILL, Trouble.BURST])
    assert {event.trouble for event in [*some.processes, *some.callers]} == {Trouble.KILL, Trouble.BURST}
    assert set(some.processes) < set(whole.processes)


def test_each_event_has_chances_of_its_own_that_begin_anew() -> None:
    event, other = make_schedule(seconds=60, seed=3).callers[:2]
    assert event.draw.random() == event.draw.random() != other.draw.random()

"""The service is open once, and closed for good."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import NotReadyError
from service.lifecycle import Lifecycle, Phase


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

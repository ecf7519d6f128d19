"""The schedule of troubles, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """Everything that can be done to the service."""

    # To its processes and its models.
    KILL = "kill"
    STOP = "stop"
    UNREAD_LOG = "unread log"
    RELOAD = "reload"
    CORRUPT_RELOAD = "corrupt reload"
    ROLLING_RESTART = "rolling restart"
    # By its callers.
    VANISH = "vanish"
    SLOW_READERS = "slow readers"
    HALF_SENT = "half-sent"
    GARBAGE = "garbage"
    HALF_CLOSED = "half-closed"
    HOARDED_BODIES = "hoarded bodies"
    BURST = "burst"


PROCESS_TROUBLES = (
    *(Trouble.KILL, Trouble.STOP, Trouble.UNREAD_LOG),
    *(Trouble.RELOAD, Trouble.CORRUPT_RELOAD, Trouble.ROLLING_RESTART),
)
CALLER_TROUBLES = (
    *(Trouble.VANISH, Trouble.SLOW_READERS, Trouble.HALF_SENT, Trouble.GARBAGE),
    *(Trouble.HALF_CLOSED, Trouble.HOARDED_BODIES, Trouble.BURST),
)

PROCESS_EVERY_SECONDS = (4.0, 9.0)  # between two troubles of one lane, at least and at most
CALLER_EVERY_SECONDS = (2.0, 5.0)
RESTART_SECONDS = 30.0  # what a rolling restart takes of its lane's time
STOP_SECONDS = 14.0  # likewise a stopped worker, which is noticed after ten seconds
TAKEN_SECONDS = {Trouble.ROLLING_RESTART: RESTART_SECONDS, Trouble.STOP: STOP_SECONDS}
LAST_RESTART = 0.6  # of the run; what is measured at the end shall have lived for a while


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A trouble at a time. ``draw`` is its own source of chance: which worker, which bundle, how many callers."""

    at: float  # seconds after the start; later if the one before it in its lane takes longer
    trouble: Trouble
    seed: int

    @property
    def draw(self) -> random.Random:
        return random.Random(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Two lanes: within each, one event at a time; both at once."""

    processes: Sequence[Event]
    callers: Sequence[Event]

    def only(self, troubles: Collection[Trouble]) -> Schedule:
        """The schedule without all other troubles; the remaining ones keep their times."""
        return Schedule(
            processes=[event for event in self.processes if event.trouble in troubles],
            callers=[event for event in self.callers if event.trouble in troubles],
        )


def make_schedule(*, seconds: float, seed: int) -> Schedule:
    """Every kind comes before any comes again, in an order of chance."""
    draw = random.Random(seed)
    return Schedule(processes=list(_process_lane(seconds, draw)), callers=list(_caller_lane(seconds, draw)))


def _process_lane(seconds: float, draw: random.Random) -> Iterator[Event]:
    at = draw.uniform(*PROCESS_EVERY_SECONDS) / 2
    for trouble in _turns(PROCESS_TROUBLES, draw):
        restarts = trouble is Trouble.ROLLING_RESTART
        if at >= seconds:
            return
        if restarts and at > min(LAST_RESTART * seconds, seconds - RESTART_SECONDS):
            continue
        yield Event(at=at, trouble=trouble, seed=draw.getrandbits(32))
        at += draw.uniform(*PROCESS_EVERY_SECONDS) + TAKEN_SECONDS.get(trouble, 0.0)


def _caller_lane(seconds: float, draw: random.Random) -> Iterator[Event]:
    at = draw.uniform(*CALLER_EVERY_SECONDS) / 2
    for trouble in _turns(CALLER_TROUBLES, draw):
        if at >= seconds:
            return
        yield Event(at=at, trouble=trouble, seed=draw.getrandbits(32))
        at += draw.uniform(*CALLER_EVERY_SECONDS)


def _turns(troubles: Sequence[Trouble], draw: random.Random) -> Iterator[Trouble]:
    """For ever."""
    while True:
        yield from draw.sample(troubles, len(troubles))

"""Requests that come when they come, whether or not earlier ones are answered: an open loop, as users are one.

Schedules are made here; :func:`bench.storm.storm` plays them to a service.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.client import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request that is due ``at`` seconds after the start; ``kind`` says with which its time is counted."""

    at: float
    kind: str
    request: Request


def poisson(requests: Sequence[Request], *, kind: str, rate: float, seconds: float, seed: int) -> Iterator[Arrival]:
    """Arrivals at ``rate`` requests a second on average, each request drawn from the given ones and independent of all
    others."""
    if not rate:
        return
    draw = random.Random(seed)
    at = draw.expovariate(rate)
    while at < seconds:
        yield Arrival(at=at, kind=kind, request=draw.choice(requests))
        at += draw.expovariate(rate)


def merge(*schedules: Iterable[Arrival]) -> list[Arrival]:
    """One schedule of several; of Poisson ones, again a Poisson one."""
    return sorted((arrival for schedule in schedules for arrival in schedule), key=lambda arrival: arrival.at)

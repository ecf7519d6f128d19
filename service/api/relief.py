"""Refusing before a body is read: what a service that is ten times too busy does most of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.api.catalogue import Catalogue
from service.api.exchange import PRIORITY_HEADER, TIMEOUT_HEADER, patience_of, priority_named
from service.bundle import Task
from service.errors import OverloadedError, ServiceError
from service.scheduling.virtual_time import Priority

# Characters that each byte of a body stands for at least, as a rule: there is JSON around them, and some take several.
CERTAIN = 0.5
LOOK_SECONDS = 1.0
ECHO_SECONDS = 0.005  # in which what was said of one request is said of those that ask for as much in no more time
TASKS: Mapping[str, Task] = {"/tag": "tag", "/classify": "classify", "/translate": "translate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request's head says of it."""

    task: Task
    length: int  # characters, at least; 0 if nobody says
    patience: float  # seconds
    priority: Priority

    def is_covered_by(self, other: Ask) -> bool:
        """Whether what could not be done for the other one cannot be done for this one."""
        same = self.task == other.task and self.priority is other.priority
        return same and self.length >= other.length and self.patience <= other.patience


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """A refusal that is fresh."""

    ask: Ask
    refusal: OverloadedError
    until: float


class Relief:
    """What no model of the route could answer in time, even if its body held half as much as it seems to, is refused.
    Everything else, good or bad, goes on to be read.

    In calm weather it costs nothing: it looks for a second after a request was refused further in, which knows better.
    """

    def __init__(
        self, *, catalogue: Catalogue, default_timeout_ms: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._catalogue = catalogue
        self._default_timeout_ms = default_timeout_ms
        self._clock = clock
        self._looks_until = 0.0
        self._echo: Echo | None = None

    @property
    def is_looking(self) -> bool:
        return self._clock() <= self._looks_until

    def notice(self) -> None:
        """A request was refused that had been read."""
        self._looks_until = self._clock() + LOOK_SECONDS

    def refusal(self, path: str, headers: Sequence[tuple[bytes, bytes]]) -> OverloadedError | None:
        """What to say to a POST that comes now, if it is to be refused."""
        ask = self._ask(path, dict(reversed(headers)))  # of repeated ones the first holds, as everywhere
        if ask is None:
            return None
        now = self._clock()
        if self._echo is not None and now < self._echo.until and ask.is_covered_by(self._echo.ask):
            return self._echo.refusal
        refusal = self._worst(ask, now)
        if refusal is not None:
            self._echo = Echo(ask=ask, refusal=refusal, until=now + ECHO_SECONDS)
        return refusal

    def _ask(self, path: str, headers: Mapping[bytes, bytes]) -> Ask | None:
        """None if it is not to be judged by its head."""
        task = TASKS.get(path)
        if task is None or b"origin" in headers:
            return None  # a browser may not see an answer without headers that are added further in
        try:
            return Ask(
                task=task,
                length=int(CERTAIN * _length(headers)),
                patience=patience_of(_text(headers, TIMEOUT_HEADER), default_timeout_ms=self._default_timeout_ms),
                priority=priority_named(_text(headers, PRIORITY_HEADER)),
            )
        except ServiceError:
            return None  # whoever reads the request says so

    def _worst(self, ask: Ask, now: float) -> OverloadedError | None:
        """What the last of the models says, if all of them refuse."""
        refusal: OverloadedError | None = None
        for served in self._catalogue.of_task(ask.task):
            tokens = served.density.cost_of(ask.length)
            try:
                served.scheduler.check(deadline=now + ask.patience, tokens=tokens, priority=ask.priority)
            except OverloadedError as error:
                refusal = error.with_traceback(None)  # which holds this frame, and so the error itself
            except ServiceError:
                return None
            else:
                return None
        return refusal


def _text(headers: Mapping[bytes, bytes], name: str) -> str | None:
    value = headers.get(name.lower().encode())
    return None if value is None else value.decode("latin-1")


def _length(headers: Mapping[bytes, bytes]) -> int:
    """Bytes of the body, 0 if nobody says."""
    value = headers.get(b"content-length", b"")
    return int(value) if value.isdigit() and len(value) < 16 else 0

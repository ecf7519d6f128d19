"""Load shedding: requests that cannot be answered in time are refused before their bodies are read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.api.context import PRIORITY_HEADER, TIMEOUT_HEADER, priority_named, timeout_of
from service.bundle import Task
from service.errors import OverloadedError, ServiceError
from service.models.registry import ModelRegistry
from service.scheduling.job import Priority

# Characters that each byte of a body stands for at least, as a rule: there is JSON around them, and some take several.
CERTAIN = 0.5
ACTIVE_SECONDS = 1.0
CACHE_SECONDS = 0.005  # a refusal applies so long to requests that ask for as much in no more time
SCORE = "/score"
TASK_OF_PATH: Mapping[str, Task] = {
    "/tag": "tag",
    "/classify": "classify",
    "/translate": "translate",
    "/generate": "generate",
    SCORE: "generate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """Facts about a request that its head alone tells."""

    path: str
    length: int  # characters, at least; 0 if the head does not say
    timeout_seconds: float
    priority: Priority

    def is_covered_by(self, other: RequestHead) -> bool:
        """Whether a refusal of the other request applies to this one as well."""
        same = self.path == other.path and self.priority is other.priority
        return same and self.length >= other.length and self.timeout_seconds <= other.timeout_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedRefusal:
    """A recent refusal, reused for requests that ask for at least as much."""

    head: RequestHead
    refusal: OverloadedError
    until: float


class LoadShedder:
    """Refuses a request if no model of its route could answer it in time, even if its body held half of what it seems
    to.

    All other requests, good or bad, go on to be read. It is active for a second after a request was refused further in,
    where more is known of it, and costs nothing otherwise.
    """

    def __init__(
        self, *, registry: ModelRegistry, default_timeout_ms: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._default_timeout_ms = default_timeout_ms
        self._clock = clock
        self._active_until = 0.0
        self._cached: CachedRefusal | None = None

    @property
    def is_active(self) -> bool:
        return self._clock() <= self._active_until

    def record_refusal(self) -> None:
        """Record that a request was refused after it had been read; the shedder becomes active."""
        self._active_until = self._clock() + ACTIVE_SECONDS

    def refusal(self, path: str, headers: Sequence[tuple[bytes, bytes]]) -> OverloadedError | None:
        """Return the error to refuse a POST with that comes now, or None."""
        head = self._head_of(path, dict(reversed(headers)))  # of repeated ones the first holds, as everywhere
        if head is None:
            return None
        now = self._clock()
        if self._cached is not None and now < self._cached.until and head.is_covered_by(self._cached.head):
            return self._cached.refusal
        refusal = self._worst(head, now)
        if refusal is not None:
            self._cached = CachedRefusal(head=head, refusal=refusal, until=now + CACHE_SECONDS)
        return refusal

    def _head_of(self, path: str, headers: Mapping[bytes, bytes]) -> RequestHead | None:
        """Read a request's head; None if it is not to be judged by its head."""
        if path not in TASK_OF_PATH or b"origin" in headers:
            return None  # a browser may not see an answer without headers that are added further in
        try:
            return RequestHead(
                path=path,
                length=int(CERTAIN * _length(headers)),
                timeout_seconds=timeout_of(_text(headers, TIMEOUT_HEADER), default_timeout_ms=self._default_timeout_ms),
                priority=priority_named(_text(headers, PRIORITY_HEADER)),
            )
        except ServiceError:
            return None  # the request is refused when it is read

    def _worst(self, head: RequestHead, now: float) -> OverloadedError | None:
        """Return the last model's refusal if all models of the task refuse, else None."""
        refusal: OverloadedError | None = None
        for each in self._registry.of_task(TASK_OF_PATH[head.path]):
            served = (each.scorer if head.path == SCORE else None) or each
            tokens = served.tokens_per_character.cost_of(head.length)
            try:
                served.scheduler.check(deadline=now + head.timeout_seconds, tokens=tokens, priority=head.priority)
            except OverloadedError as error:
                refusal = error.with_traceback(None)  # the traceback holds this frame, and so the error itself
            except ServiceError:
                return None
            else:
                return None
        return refusal


def _text(headers: Mapping[bytes, bytes], name: str) -> str | None:
    value = headers.get(name.lower().encode())
    return None if value is None else value.decode("latin-1")


def _length(headers: Mapping[bytes, bytes]) -> int:
    """Return the bytes of the body, 0 if the headers do not say."""
    value = headers.get(b"content-length", b"")
    return int(value) if value.isdigit() and len(value) < 16 else 0

"""Refuses requests by their heads alone: under overload most requests are refused, and that had better be cheap.

A connection asks before it hands the request to the application. A refusal made here is counted, logged and answered
like any other, at a quarter of the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from service.api.load_shedding import TASK_OF_PATH, LoadShedder
from service.api.request_log import RequestLog
from service.api.wire import Headers, problem_bytes
from service.lifecycle import Lifecycle
from service.scheduling.latency import EventLoopLag

_PATHS = {path.encode(): path for path in TASK_OF_PATH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A request's head, as a connection knows it when the headers are complete."""

    method: bytes
    url: bytes
    headers: list[tuple[bytes, bytes]]
    client: tuple[str, int] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstLook:
    """Asks the load shedder about each head. With ``needs_key``, requests without a valid key go on to be told that,
    and not how busy the service is."""

    load_shedder: LoadShedder
    request_log: RequestLog
    lag: EventLoopLag
    lifecycle: Lifecycle
    needs_key: bool

    def __call__(self, head: Head, server_headers: Headers) -> bytes | None:
        """Return the whole answer, or None if the request is to be read."""
        path = _PATHS.get(head.url)
        if path is None or head.method != b"POST" or self.lifecycle.is_ending:
            return None
        refusal = self.load_shedder.refusal(path, head.headers)
        if refusal is None:
            return None
        scope: dict[str, Any] = {"method": "POST", "path": path, "headers": head.headers, "client": head.client}
        context = self.request_log.begin(scope)
        if self.needs_key and context.caller.key is None:
            return None
        self.lag.watch()
        context.status, context.kind = refusal.status, refusal.kind
        answer = problem_bytes(refusal, context.request_id, [*server_headers, *context.headers()])
        context.answer_bytes = len(answer) - answer.index(b"\r\n\r\n") - 4
        self.request_log.record(context, path)
        return answer

    @property
    def is_needed(self) -> bool:
        """Whether heads need to be looked at just now."""
        return self.load_shedder.is_active

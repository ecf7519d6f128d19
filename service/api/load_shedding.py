"""Load shedding: under overload most requests are refused, so that a refusal must cost little beside an answer.

A request that would wait too long is answered by the connection as soon as its head is complete: no task is made for
it, and its body is dropped unread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from service.api.browsers import AllowedHosts
from service.api.context import RequestContext, RequestLog, receive_nothing, timeout_of
from service.api.problems import document_bytes, problem_message
from service.errors import InvalidRequestError, OverloadedError
from service.lifecycle import Lifecycle
from service.scheduling.scheduler import SHARE_OF_DEADLINE, retry_seconds

Headers = Sequence[tuple[bytes, bytes]]
REUSE_SECONDS = 0.01  # of an answer, by requests that allow as much time
NO_ID = b"0" * 32  # in an answer that is reused; as long as those that are made


class RecentAnswer(NamedTuple):
    """Answer that may be reused with another request's id."""

    answer: bytes
    body_bytes: int
    allowed: float  # seconds that the request allowed
    until: float


NOTHING_RECENT = RecentAnswer(b"", 0, 0.0, 0.0)


@dataclass(slots=True, kw_only=True, eq=False)
class LoadShedder:
    """Refuses requests to ``paths``, by the targets that name them, which wait for ``wait_seconds(arriving)`` at least.

    It says nothing of requests that would be refused for another reason, or that need other headers: they go on.
    """

    paths: Mapping[bytes, str]
    wait_seconds: Callable[[int], float]
    default_timeout_ms: int
    request_log: RequestLog
    lifecycle: Lifecycle
    hosts: AllowedHosts
    num_arriving: int = 0  # let in, in this turn of the event loop, and not queued yet
    _recent: RecentAnswer = NOTHING_RECENT

    def refuse(self, target: bytes, scope: Any, server_headers: Headers) -> bytes | None:
        """Return the whole answer that refuses a POST by its target and its ASGI scope, or None if it is to go on."""
        path = self.paths.get(target)
        if path is None or self.lifecycle.is_ending or not (wait := self.wait_seconds(self.num_arriving)):
            return None
        headers, keys = dict(reversed(scope["headers"])), self.request_log.keys
        try:
            allowed = SHARE_OF_DEADLINE * timeout_of(headers, default_timeout_ms=self.default_timeout_ms)
        except InvalidRequestError:  # which is told later
            return None
        if self.hosts.refusal(path, headers.get(b"host")) is not None:
            return None
        if keys is not None and keys.presented(scope["headers"]) is None:
            return None  # to be told that, and not how busy the service is
        if wait <= allowed:
            if not self.num_arriving:
                asyncio.get_running_loop().call_soon(self._forget_arriving)
            self.num_arriving += 1
            return None
        if b"origin" in headers:
            return None
        scope["method"], scope["path"] = "POST", path
        context = self.request_log.begin(scope, receive_nothing)
        answer = self._write(wait, allowed, context, server_headers)
        self.request_log.end(context, path)
        return answer

    def _forget_arriving(self) -> None:
        self.num_arriving = 0

    def _write(self, wait: float, allowed: float, context: RequestContext, server_headers: Headers) -> bytes:
        """Write an answer, or a recent one with another id, and record it in the context."""
        request_id, recent = context.request_id.encode(), self._recent
        context.status, context.kind = OverloadedError.status, OverloadedError.kind
        if len(request_id) == len(NO_ID) and allowed == recent.allowed and context.started_at < recent.until:
            context.answer_bytes = recent.body_bytes
            return recent.answer.replace(NO_ID, request_id)
        error = OverloadedError(
            f"requests wait for {1000 * wait:.0f} ms here on average; with its deadline this one may find "
            f"{1000 * allowed:.0f} ms at most",
            retry_after_seconds=retry_seconds(wait - allowed),
        )
        body = document_bytes(error, context.request_id)
        context.answer_bytes = len(body)
        answer = problem_message(error, body, [*server_headers, *context.answer_headers()])
        if len(request_id) == len(NO_ID):
            until = context.started_at + REUSE_SECONDS
            self._recent = RecentAnswer(answer.replace(request_id, NO_ID), len(body), allowed, until)
        return answer

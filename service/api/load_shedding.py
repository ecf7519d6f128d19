"""Load shedding: under overload most requests are refused, so that a refusal must cost little beside an answer.

A request that would wait too long is answered by the connection as soon as its head is complete: no task is made for
it, and its body is dropped unread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from service.api.browsers import AllowedHosts
from service.api.context import RequestLog, receive_nothing, timeout_of
from service.api.problems import document_bytes, problem_message
from service.errors import InvalidRequestError, OverloadedError
from service.lifecycle import Lifecycle
from service.scheduling.scheduler import SHARE_OF_DEADLINE, retry_seconds

Headers = Sequence[tuple[bytes, bytes]]


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

    def refuse(self, target: bytes, scope: Any, server_headers: Headers) -> bytes | None:
        """Return the whole answer that refuses a POST by its target and its ASGI scope, or None if it is to go on."""
        path = self.paths.get(target)
        if path is None or self.lifecycle.is_ending or not (wait := self.wait_seconds(self.num_arriving)):
            return None
        headers, log = dict(reversed(scope["headers"])), self.request_log
        error = self._error(headers, wait)
        if error is None:
            if not self.num_arriving:
                asyncio.get_running_loop().call_soon(self._forget_arriving)
            self.num_arriving += 1
            return None
        if b"origin" in headers or self.hosts.refusal(path, headers.get(b"host")) is not None:
            return None
        if log.keys is not None and log.keys.presented(scope["headers"]) is None:
            return None  # to be told that, and not how busy the service is
        scope["method"], scope["path"] = "POST", path
        context = log.begin(scope, receive_nothing)
        body = document_bytes(error, context.request_id)
        context.status, context.kind, context.answer_bytes = error.status, error.kind, len(body)
        answer = problem_message(error, body, [*server_headers, *context.answer_headers()])
        log.end(context, path)
        return answer

    def _forget_arriving(self) -> None:
        self.num_arriving = 0

    def _error(self, headers: Mapping[bytes, bytes], wait: float) -> OverloadedError | None:
        with suppress(InvalidRequestError):  # which is told later
            allowed = SHARE_OF_DEADLINE * timeout_of(headers, default_timeout_ms=self.default_timeout_ms)
            if wait > allowed:
                return OverloadedError(
                    f"requests wait for {1000 * wait:.0f} ms here on average; with its deadline this one may find "
                    f"{1000 * allowed:.0f} ms at most",
                    retry_after_seconds=retry_seconds(wait - allowed),
                )
        return None

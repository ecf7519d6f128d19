"""The answer to a request's head alone: under overload most requests are refused, and that had better be cheap.

A connection asks before it hands the request to the application. What is refused here is counted, logged and answered
like what is refused further in; it costs a quarter of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from service.api.ledger import Ledger
from service.api.relief import TASKS, Relief
from service.api.wire import Headers, problem_bytes
from service.scheduling.admission import Door
from service.scheduling.lag import LoopLag

_PATHS = {path.encode(): path for path in TASKS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a connection knows of a request when its headers are complete."""

    method: bytes
    url: bytes
    headers: list[tuple[bytes, bytes]]
    client: tuple[str, int] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstLook:
    """``needs_key``: who shows none that is let in is not told how busy we are, but goes on to be told that."""

    relief: Relief
    ledger: Ledger
    lag: LoopLag
    door: Door
    needs_key: bool

    def __call__(self, head: Head, server_headers: Headers) -> bytes | None:
        """The whole answer; None if the request is to be read."""
        path = _PATHS.get(head.url)
        if path is None or head.method != b"POST" or self.door.is_ending:
            return None
        refusal = self.relief.refusal(path, head.headers)
        if refusal is None:
            return None
        scope: dict[str, Any] = {"method": "POST", "path": path, "headers": head.headers, "client": head.client}
        caller = self.ledger.caller_of(scope)
        if self.needs_key and caller.key is None:
            return None
        exchange = self.ledger.begin(scope, caller)
        self.lag.watch()
        exchange.status, exchange.kind = refusal.status, refusal.kind
        answer = problem_bytes(refusal, exchange.request_id, [*server_headers, *exchange.headers()])
        exchange.answer_bytes = len(answer) - answer.index(b"\r\n\r\n") - 4
        self.ledger.write_down(exchange, path)
        return answer

    @property
    def is_needed(self) -> bool:
        """Whether to ask at all just now."""
        return self.relief.is_looking

"""HTTP/1.1 protocol of uvicorn that can refuse a request as soon as its head is complete, without a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.errors import ServiceError

Count = Callable[[ServiceError], None]
# Called with a POST's target, its ASGI scope and the server's headers; returns the answer that refuses it, or None.
Refuse = Callable[[bytes, Any, list[tuple[bytes, bytes]]], bytes | None]


class SheddingProtocol(HttpToolsProtocol):
    """Protocol of connections that asks ``refuse`` about each POST and drops the bodies of those that it refuses."""

    def __init__(self, *uvicorn: Any, refuse: Refuse) -> None:
        super().__init__(*uvicorn)
        self._refuse_by_head = refuse
        self._is_refused = False  # the request that came last

    def on_headers_complete(self) -> None:
        answer = self._refusal_by_head() if self.parser.get_method() == b"POST" else None
        self._is_refused = answer is not None
        if answer is None:
            super().on_headers_complete()
        else:
            self.transport.write(answer)
            self.on_response_complete()

    def _refusal_by_head(self) -> bytes | None:
        """Return the answer that refuses a request. One goes on if another is being answered, or if the connection is
        to end or to change after it."""
        parser, cycle = self.parser, self.cycle
        is_last = parser.get_http_version() != "1.1" or not parser.should_keep_alive() or parser.should_upgrade()
        if is_last or self.expect_100_continue or (cycle is not None and not cycle.response_complete):
            return None
        return self._refuse_by_head(self.url, self.scope, self.server_state.default_headers)

    def on_body(self, body: bytes) -> None:
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_refused:
            super().on_message_complete()

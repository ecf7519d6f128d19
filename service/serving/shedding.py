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
        # Set with each read: a caller who sends many heads at once would keep the event loop from all others, and one
        # who reads no answer would have them pile up. The next head takes the usual way, on which reading pauses.
        self._may_refuse = False

    def on_headers_complete(self) -> None:
        answer = self._refusal_by_head() if self.parser.get_method() == b"POST" else None
        self._is_refused = answer is not None
        if answer is None:
            super().on_headers_complete()
            return
        self._may_refuse = False
        if self._is_last:
            answer = answer.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
        self.transport.write(answer)
        self.on_response_complete()
        if self._is_last:
            self.close()

    def close(self) -> None:
        """Close the connection after an answer."""
        self.transport.close()

    @property
    def _is_last(self) -> bool:
        """Whether the connection is to end after the request that came last."""
        return self.parser.get_http_version() == "1.0" or not self.parser.should_keep_alive()

    def _refusal_by_head(self) -> bytes | None:
        """Return the answer that refuses a request. One goes on if another is being answered or was refused in this
        read, or if its caller may wait for 100 Continue."""
        is_first = self.cycle is None or self.cycle.response_complete
        if not (is_first and self._may_refuse) or self.expect_100_continue or self.parser.should_upgrade():
            return None
        return self._refuse_by_head(self.url, self.scope, self.server_state.default_headers)

    def on_body(self, body: bytes) -> None:
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_refused:
            super().on_message_complete()
        elif self._is_last:
            self.transport.close()

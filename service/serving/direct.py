"""HTTP/1.1 protocol of uvicorn with shorter ways than ASGI's messages: a request may be refused by its head, and a body
and an answer that are in one piece may be handed over in one call.

By messages a short request costs the event loop a fifth more: four awaits, a timer, and a search of each header for
illegal characters. An application finds the connection in the extensions of its scope; under another server it has the
messages alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.api.browsers import CLOSE_CONNECTION
from service.api.context import CONNECTION
from service.errors import ServiceError

Count = Callable[[ServiceError], None]
# Called with a POST's target, its ASGI scope and the server's headers; returns the answer that refuses it, or None.
Refuse = Callable[[bytes, Any, list[tuple[bytes, bytes]]], bytes | None]


class DirectProtocol(HttpToolsProtocol):
    """Protocol of connections that asks ``refuse`` about each POST, and is a ``Connection`` of ``service.api.context``
    for the request that is being answered. Bodies of those that it refuses are to be dropped (``_is_refused``)."""

    def __init__(self, *uvicorn: Any, refuse: Refuse) -> None:
        super().__init__(*uvicorn)
        self.on_left: Callable[[], None] | None = None  # called if the caller leaves before there is an answer
        self._running: RequestResponseCycle | None = None  # being answered; ``cycle`` came last
        self._awaits_head, self._unsent = False, b""  # of its answer; a head is unsent until the body begins
        self._refuse_by_head = refuse
        self._is_refused = False  # the request that came last
        # Set with each read: a caller who sends many heads at once would keep the event loop from all others, and one
        # who reads no answer would have them pile up. The next head takes the usual way, on which reading pauses.
        self._may_refuse = False

    def on_headers_complete(self) -> None:
        parser, answer = self.parser, None
        is_first = self.cycle is None or self.cycle.response_complete  # no other is being answered
        may_wait = self.expect_100_continue or parser.should_upgrade()  # and then send the body or not
        if is_first and self._may_refuse and not may_wait and parser.get_method() == b"POST":
            answer = self._refuse_by_head(self.url, self.scope, self.server_state.default_headers)
        self._is_refused = answer is not None
        if answer is None:
            super().on_headers_complete()
            if self.on_left is not None:  # which is to be called even if this request has to wait
                self.flow.resume_reading()
            return
        self._may_refuse = False
        is_last = self.parser.get_http_version() == "1.0" or not self.parser.should_keep_alive()
        if is_last:
            answer = answer.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
        self.transport.write(answer)
        self.on_response_complete()
        if is_last:
            self.close()

    def close(self) -> None:
        """Close the connection after an answer."""
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running, self._awaits_head = cycle, True
        cycle.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]  # a name of our own
        super()._start_asgi_task(cycle, app)

    def take_body(self) -> bytes | None:
        """Return the body of the request that is being answered, or None if it has not come."""
        cycle = self._running
        if cycle is None or cycle.more_body or cycle.disconnected:
            return None
        body, cycle.body = bytes(cycle.body), bytearray()
        cycle.message_event.clear()
        return body

    def watch(self, on_left: Callable[[], None]) -> None:
        """Call ``on_left`` if the caller leaves, or has left, before there is an answer."""
        if self._running is None or self._running.disconnected:
            on_left()
        else:
            self.on_left = on_left
            self.flow.resume_reading()  # only who reads hears that a caller has left

    def answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write a whole answer, of valid headers in lower case; the last one of the connection if they say so. Return
        False if that is not possible: an answer has begun, the caller has left, or does not read what was written
        before."""
        cycle = self._running
        if cycle is None or cycle.response_started or cycle.disconnected or self.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        says_close = CLOSE_CONNECTION in headers
        cycle.keep_alive &= not says_close
        lines = [STATUS_LINE[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            lines += (name, b": ", value, b"\r\n")
        lines += (b"\r\n" if cycle.keep_alive or says_close else b"connection: close\r\n\r\n", body)
        self.transport.write(b"".join(lines))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.close()
        self.on_response_complete()
        return True

    def write(self, data: bytes) -> None:
        """Write a part of an answer that is sent by messages. A head is sent with the body that it announces, by one
        system call."""
        running = self._running
        if self._awaits_head and running and running.expected_content_length and running.scope["method"] != "HEAD":
            self._awaits_head, self._unsent = False, data
        else:
            self.transport.writelines((self._unsent, data))
            self._unsent = b""

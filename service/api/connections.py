"""Protocol of connections that no caller can hold up: their number is limited, and none may stall for long.

uvicorn bounds neither the time that a request's headers take, nor that in which an answer is read, nor the size of
headers. Here the parser's callbacks leave marks, and at intervals one sweep looks at all connections, so that a request
costs no timer.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api.connection_limits import ConnectionLimits
from service.api.connection_table import ConnectionTable, IdleTimer
from service.api.context import new_request_id
from service.api.first_look import FirstLook, Head
from service.api.one_write import OneWrite
from service.api.wire import problem_bytes
from service.errors import (
    BodyTimeoutError,
    HeadTooLargeError,
    MalformedHttpError,
    ServiceError,
    TooManyConnectionsError,
    UnreadAnswerError,
)

MAX_HEAD_BYTES = 32 * 1024
_log = logging.getLogger(__name__)
_OFFER = re.compile(rb"(\r\n)upgrade(?=:)", re.IGNORECASE)


class Connection(HttpToolsProtocol):
    """Connection of HTTP/1.1: uvicorn's protocol with a deadline for everything that a caller could draw out."""

    table: ClassVar[ConnectionTable]
    first_look: ClassVar[FirstLook | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._num_heads = 0  # complete ones
        self._num_drains = 0
        self._in_head = True  # a new connection is expected to send one
        self._in_body = False
        self._running: RequestResponseCycle | None = None  # being answered; ``cycle`` came last
        self._is_answered = False  # whether the first look answered the request whose body is coming
        self._idle_bytes = 0  # received since the parser last had something to say
        self._refused = False
        self._head_stall, self._rest_stall, self._answer_stall = IdleTimer(), IdleTimer(), IdleTimer()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        is_full, is_flooded = self.table.is_full, self.table.is_flooded
        self.table.add(self)
        if is_flooded:
            self.transport = transport
            transport.abort()
        elif is_full:
            self.transport = transport
            most = self.table.limits.max_connections
            self._refuse(TooManyConnectionsError(f"{most} connections are open", retry_after_seconds=1))
        else:
            super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.table.connections.discard(self)
        self._abandon()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.cycle = self._running = None  # type: ignore[assignment]  # they know the connection
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._idle_bytes += len(data)
        try:
            self.parser.feed_data(data if self._in_body else _without_upgrade(data))
        except httptools.HttpParserUpgrade:  # CONNECT: nothing but HTTP/1.1 is spoken here, and that is answered
            pass
        except httptools.HttpParserError as error:
            self._refuse(_cause(error))
        else:
            if self._idle_bytes > MAX_HEAD_BYTES:  # a head, or a chunked body's trailer
                self._refuse(_head_too_large())

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._idle_bytes > MAX_HEAD_BYTES and self._head_size() > MAX_HEAD_BYTES:
            raise _head_too_large()
        self._in_head, self._in_body = False, True
        self._idle_bytes = 0
        self._num_heads += 1
        answer = self._first_answer()
        if answer is not None:
            self._is_answered = True
            self.transport.write(answer)
        else:
            self._hand_on()
        self.headers = []  # a trailer is not to come among them

    def _first_answer(self) -> bytes | None:
        """Ask the first look for an answer. It is not asked while another answer is still to be sent."""
        look = self.first_look
        if look is None or not look.is_needed or self.expect_100_continue or not self._is_quiet():
            return None
        head = Head(method=self.parser.get_method(), url=self.url, headers=self.headers, client=self.client)
        try:
            return look(head, self.server_state.default_headers)
        except Exception:  # a bug; the parser would make a malformed request of it
            _log.exception("the first look failed")
            return None

    def _is_quiet(self) -> bool:
        """Whether all earlier answers are written and read, and another request may follow this one."""
        is_idle = self.cycle is None or self.cycle.response_complete
        stays = self.parser.should_keep_alive() and not self.parser.should_upgrade()
        return is_idle and stays and self.parser.get_http_version() == "1.1" and not self.flow.write_paused

    def _hand_on(self) -> None:
        """Hand the request to the application."""
        self._unset_keepalive_if_required()
        super().on_headers_complete()
        answer = OneWrite(self.transport, self.cycle.on_response)
        self.cycle.transport, self.cycle.on_response = answer, answer.complete  # type: ignore[assignment]
        if self.expect_100_continue or self.parser.should_upgrade():
            # A caller who was not told to go on may send the body or not: bytes that follow could not be told apart.
            self.cycle.keep_alive = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def owes(self) -> bool:
        """Whether a whole request has come that is not answered yet."""
        cycle = self.cycle
        is_whole = cycle is not None and not cycle.more_body and not cycle.response_complete
        return not self._refused and (bool(self.pipeline) or is_whole)

    @property
    def is_answering(self) -> bool:
        """Whether an answer has begun and has not ended."""
        running = self._running
        return running is not None and running.response_started and not running.response_complete

    def on_body(self, body: bytes) -> None:
        self._idle_bytes = 0
        if not self._is_answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._idle_bytes = 0
        was_answered = self._is_answered_early()
        self._in_body = False
        if not self._is_answered:
            super().on_message_complete()
        self._is_answered = False
        if was_answered and not self.transport.is_closing():  # the timer that the answer set has ended with the body
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _is_answered_early(self) -> bool:
        """Whether the answer was written before the whole body had come."""
        is_complete = self.cycle is not None and self.cycle.response_complete
        return self._in_body and (self._is_answered or is_complete)

    def resume_writing(self) -> None:
        self._num_drains += 1
        super().resume_writing()

    def shutdown(self) -> None:
        if self._refused:
            self.transport.close()
        else:
            super().shutdown()

    def end_if_stalled(self, now: float) -> None:
        """End the connection if one of its limits has passed; called at intervals."""
        limits = self.table.limits
        if self._rest_stall.seconds(self._rest_mark(), now) >= limits.linger_seconds:
            self.transport.abort()
        elif self._head_stall.seconds(self._head_mark(), now) >= limits.head_seconds:
            self._end_head(limits.head_seconds)
        elif self._answer_stall.seconds(self._answer_mark(), now) >= limits.answer_seconds:
            self.table.count(UnreadAnswerError("the answer was not read"))
            self.transport.abort()

    def _head_mark(self) -> int | None:
        """Mark of a head that is arriving: a begun request, or bytes between two requests, which end uvicorn's timer
        for idle connections."""
        is_waiting = self._in_head or (self._idle_bytes > 0 and not self._in_body)
        return self._num_heads if is_waiting and not self._refused else None

    def _rest_mark(self) -> int | None:
        """Mark of bytes that still arrive although the answer is written."""
        return self._num_heads if self._refused or self._is_answered_early() else None

    def _answer_mark(self) -> tuple[int, int] | None:
        """Mark of an unread answer: a finished one that is not all sent, or a stream that had to pause for its
        reader."""
        if self._refused or not self.transport.get_write_buffer_size():
            return None
        is_finished = self.cycle is None or self.cycle.response_complete
        return (self._num_heads, self._num_drains) if is_finished or self.flow.write_paused else None

    def _end_head(self, seconds: float) -> None:
        """End a connection whose head is late: with an answer if any byte came, without one otherwise."""
        if self._num_heads or self._idle_bytes:
            self._refuse(BodyTimeoutError(f"the headers were not complete after {seconds:g} s"))
        else:
            self.transport.close()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)

    def _refuse(self, error: ServiceError) -> None:
        """Answer with this error and nothing more. For a while, what the caller still sends is read and dropped."""
        self._refused = True
        self.table.count(error)
        is_answered = self._is_answered_early()  # another answer would be taken for that to the next request
        self._abandon()
        if self.is_answering or is_answered:
            self.transport.abort()
            return
        if not self.transport.is_closing():
            request_id = new_request_id()
            ours = [(b"connection", b"close"), (b"x-request-id", request_id.encode())]
            self.transport.write(problem_bytes(error, request_id, [*self.server_state.default_headers, *ours]))
            self.transport.write_eof()

    def _abandon(self) -> None:
        """Tell the application that the connection is gone, so that it writes nothing more."""
        for cycle in (self._running, self.cycle):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.waiting_for_100_continue = False
                cycle.message_event.set()


def connections_within(
    limits: ConnectionLimits,
    count: Callable[[ServiceError], None] = lambda _: None,
    first_look: FirstLook | None = None,
) -> type[Connection]:
    """Make the protocol class of one server. ``count`` is called with every refusal that has no request context;
    ``first_look`` is asked for an answer to each head."""
    return type(
        "Connection", (Connection,), {"table": ConnectionTable(limits=limits, count=count), "first_look": first_look}
    )


def _without_upgrade(data: bytes) -> bytes:
    """Rename the offer of another protocol (RFC 9110, section 7.8), as Java's client sends it: the parser would stop
    after such a head, and the body would be lost."""
    if b"\r\nupgrade:" not in data.lower():
        return data
    head, end, rest = data.partition(b"\r\n\r\n")
    return _OFFER.sub(rb"\1x-offer", head) + end + rest


def _cause(error: httptools.HttpParserError) -> ServiceError:
    """Return the error that a callback of ours raised, else one for the parser's own complaint."""
    cause = error.__context__
    return cause if isinstance(cause, ServiceError) else MalformedHttpError("this is not a request in HTTP/1.1")


def _head_too_large() -> HeadTooLargeError:
    return HeadTooLargeError(f"the path and headers have more than {MAX_HEAD_BYTES} bytes")

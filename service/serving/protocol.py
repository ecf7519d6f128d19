"""Protocol of connections: uvicorn's HTTP/1.1 with limits on everything that a caller could draw out.

uvicorn limits neither the number of connections, nor the size of a request's head, nor the time in which it comes or
in which an answer is read. Here callbacks note moments, and the server looks at all connections at intervals, so that a
request costs no timer.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.errors import (
    BodyTimeoutError,
    MalformedHttpError,
    ServiceError,
    TooManyConnectionsError,
    UnreadAnswerError,
)
from service.serving.direct import Count, DirectProtocol, Refuse
from service.serving.limits import (
    FILES_KEPT_FREE,
    MAX_HEAD_BYTES,
    PIECE_BYTES,
    ConnectionLimits,
    PipelineFlow,
    check_first_line,
    check_head,
    head_size,
    head_too_large,
    last_answer,
    path_of,
)
from service.serving.sockets import is_reset

MAX_DROPPED_BYTES = 64 * 1024 * 1024  # of a body whose request is refused
PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"  # harmless to a caller who waits for an answer (RFC 9110, section 15.2)
PROBE_SECONDS = 0.1  # until a caller who has left is heard of, on a usual network; then once a second


class Connection(DirectProtocol):
    """Connection of HTTP/1.1. ``count`` is called with every refusal that has no request context."""

    def __init__(self, *uvicorn: Any, limits: ConnectionLimits, count: Count, refuse: Refuse) -> None:
        super().__init__(*uvicorn, refuse=refuse)
        self._limits, self._count = limits, count
        self._in_body, self._num_dropped = False, 0
        self._is_over = False  # answered for the last time: what still comes is not parsed
        self._has_ended = False  # the caller sends no more, but may still read
        self._refusal: ServiceError | None = None  # to be sent once the requests before it are answered
        self._num_unparsed = 0  # bytes since the parser last called back
        self._received_at = self.loop.time()
        self._head_since: float | None = self._received_at  # none while no head is expected
        self._dropping_since: float | None = None  # answered, but the body is still coming

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        num_open, most = len(self.connections), self._limits.max_connections
        super().connection_made(transport)
        self.flow = PipelineFlow(transport, self.pipeline)
        if num_open >= most + FILES_KEPT_FREE // 2:  # even refusing them would use up the files that are kept free
            transport.abort()
        elif num_open >= most:
            self._refuse(TooManyConnectionsError(f"{most} connections are open", retry_after_seconds=1))

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, TimeoutError):  # what the system says after ``answer_seconds``
            self._count(UnreadAnswerError("the answer was not read"))
        self._abandon()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.cycle = self._running = self.scope = None  # type: ignore[assignment]  # they know the connection
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        self._received_at = self.loop.time()
        if self._dropping_since is not None:
            self._num_dropped += len(data)
            if self._num_dropped > MAX_DROPPED_BYTES:
                self.transport.abort()
                return
        if self._is_over or self._refusal is not None:
            return
        self._may_refuse = not self.flow.write_paused
        if self._head_since is None and not self._in_body:
            self._head_since = self._received_at
        try:
            for begin in range(0, len(data), PIECE_BYTES):
                piece = memoryview(data)[begin : begin + PIECE_BYTES]
                self._num_unparsed += len(piece)
                self._parse(piece)
                if self._num_unparsed == len(piece):  # of a head that begins here
                    check_first_line(piece)
                if self._num_unparsed > MAX_HEAD_BYTES:  # a head, a chunk's extensions, or a chunked body's trailer
                    raise head_too_large()
        except httptools.HttpParserError as error:
            cause = error.__context__  # what a callback of ours raised
            unknown = MalformedHttpError("this is not a request in HTTP/1.1")
            self._refuse(cause if isinstance(cause, ServiceError) else unknown)
        except ServiceError as error:
            self._refuse(error)

    def _parse(self, data: memoryview) -> None:
        """Parse bytes. The parser stops after a head that offers another protocol (RFC 9110, section 7.8), and would
        lose the body, so such a head is parsed again without the offer."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                if self.parser.get_method() == b"CONNECT":  # it is answered, and what follows is nothing
                    return
                data = data[offer.args[0] :]
                version = self.parser.get_http_version().encode()
                lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
                lines += [b"%b: %b" % (name, value) for name, value in self.headers if name != b"upgrade"]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
                self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        if self._head_since is None:
            self._head_since = self._received_at
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._num_unparsed > MAX_HEAD_BYTES and head_size(self.url, self.headers) > MAX_HEAD_BYTES:
            raise head_too_large()
        self._num_unparsed, self._head_since = 0, None
        version, method = self.parser.get_http_version(), self.parser.get_method()
        if self.parser.should_upgrade() and method != b"CONNECT":  # which is parsed again without that
            return
        check_head(version=version, method=method, target=self.url, headers=self.headers)
        self._in_body = True
        self._unset_keepalive_if_required()
        super().on_headers_complete()
        if self._is_refused:
            return
        if b"%" in self.scope["raw_path"]:
            self.scope["path"] = path_of(self.scope["raw_path"])
        self.cycle.transport = cast("asyncio.Transport", self)  # so that it is closed by ``close``
        if self.expect_100_continue or self.parser.should_upgrade():
            # A caller who was not told to go on may send the body or not: bytes that follow could not be told apart.
            self.cycle.keep_alive = False
        self.headers = []  # a trailer is not to come among them

    def on_body(self, body: bytes) -> None:
        self._num_unparsed = 0
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_body:
            self._num_unparsed, self._in_body, self._dropping_since = 0, False, None
            if not self._is_refused:
                super().on_message_complete()
            elif self._is_over:  # its answer was the last
                self.transport.close()

    def on_response_complete(self) -> None:
        if not self._is_over:
            super().on_response_complete()
            if self._in_body and (self._is_refused or self.cycle.response_complete):
                self._drop()
            is_last = self._refusal is not None or self._has_ended
            if is_last and not (self.owes or self.transport.is_closing()):
                if self._refusal is not None:
                    self._send_refusal(self._refusal)
                else:
                    self.transport.close()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Return whether the connection stays open, because a caller who sends no more still waits for an answer."""
        self._has_ended = True
        if self._is_over or self._dropping_since is not None:
            return False
        if not self.owes and self._head_since is not None and self._num_unparsed:
            self._refuse(MalformedHttpError("the connection ended before the request did"))
            return False  # what was written is sent before it is closed
        if self.owes:
            self._probe()
        return self.owes

    def _probe(self) -> None:
        """Find out whether a caller who sends no more has left. Both look alike until something is sent: the system of
        one who has left answers that with a reset."""
        if self.cycle.scope["http_version"] == "1.1" and not self.is_answering:
            self.transport.write(PROBE)
        self.loop.call_later(PROBE_SECONDS, self._end_if_reset)

    def _end_if_reset(self) -> None:
        """End the connection if the caller has left: nothing is read any more, so that the event loop does not tell."""
        if not self.transport.is_closing() and is_reset(self.transport.get_extra_info("socket")):
            self.transport.abort()

    def is_closing(self) -> bool:
        return self._is_over or self.transport.is_closing()

    def close(self) -> None:
        """Close the connection after an answer, once the caller has sent the body: a connection that is closed on
        unread bytes is reset, and the caller cannot read the answer."""
        if self._in_body and not self._has_ended:
            self._linger()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Close the connection, once its answer has been sent if it has asked for one."""
        if self.owes:
            self.cycle.keep_alive = False
        elif self._dropping_since is None:
            self.transport.close()
        elif not self._is_over:
            self._linger()

    def _linger(self) -> None:
        """End the connection on this side. What the caller still sends is dropped, until it closes or a limit is
        reached."""
        self._is_over = True
        self._drop()
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        if self._has_ended:
            self.transport.close()
        else:
            self.flow.resume_reading()
            self.transport.write_eof()

    def _drop(self) -> None:
        self._num_dropped, self._dropping_since = 0, self.loop.time()
        self._received_at = self._dropping_since

    @property
    def owes(self) -> bool:
        """Whether a whole request has come that is not answered yet."""
        cycle = self.cycle
        is_whole = cycle is not None and not cycle.more_body and not cycle.response_complete
        return not self._is_over and (bool(self.pipeline) or is_whole)

    @property
    def is_answering(self) -> bool:
        """Whether an answer has begun and has not ended."""
        running = self._running
        return running is not None and running.response_started and not running.response_complete

    def end_if_stalled(self, now: float) -> None:
        """End the connection if one of its limits has passed; called at intervals."""
        limits, head_since, dropping_since = self._limits, self._head_since, self._dropping_since
        if self._has_ended:
            self._end_if_reset()
        if dropping_since is not None:
            if now - dropping_since > limits.request_seconds or now - self._received_at > limits.linger_seconds:
                self.transport.abort()
        elif head_since is not None and now - head_since > limits.request_seconds and not self.flow.read_paused:
            if self._running is None and not (self._is_refused or self._num_unparsed):
                self.transport.close()  # nothing was ever asked
            else:
                self._refuse(BodyTimeoutError(f"the headers were not complete after {limits.request_seconds:g} s"))

    def _refuse(self, error: ServiceError) -> None:
        """Answer with this error and nothing more, after the answers to the whole requests before it."""
        self._count(error)
        if self._in_body and self.pipeline:  # the body of the last one is wrong
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else cast("RequestResponseCycle", self._running)
            self._in_body = False
        if self.owes:
            self._refusal, self._head_since = error, None
        else:
            self._send_refusal(error)

    def _send_refusal(self, error: ServiceError) -> None:
        self._abandon()
        if self.is_answering or self._dropping_since is not None:  # it would be taken for a part of that answer, or
            self.transport.abort()  # for the answer to the next request
        elif not self.transport.is_closing():
            self.transport.write(last_answer(error, self.server_state.default_headers))
            self._linger()

    def _abandon(self) -> None:
        """Tell the application that the connection is gone, so that it writes nothing more."""
        for cycle in (self._running, self.cycle):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.waiting_for_100_continue = False
                cycle.message_event.set()
        if self.on_left is not None:
            self.on_left()

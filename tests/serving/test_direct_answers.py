"""Bodies and answers that pass in one call are those that pass by ASGI's messages."""

from __future__ import annotations

import re
import socket
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from service.api.context import CONNECTION
from service.serving.limits import ConnectionLimits
from tests.application import wait_until
from tests.server import GOOD, GOOD_BODY, POST, Run, RunningServer, everything, read_answer, request

OWN = re.compile(
    rb"(?m)^(date|x-request-id|server-timing): .*\r\n|\"request_id\":\"[^\"]*\""
    rb"|HTTP/1.1 100 Continue\r\n\r\n"  # sent to a caller who has said all before there is an answer
)
LONG = request("/tag", text=["Alice met Bob. " * 20] * 32)  # its answer is some 200 KB


class ByMessages:
    """An application under a server that knows only messages."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            assert CONNECTION in scope.pop("extensions")
        await self._app(scope, receive, send)


def by_messages(running: RunningServer) -> None:
    """Let the server's connections from now on have messages alone."""
    for app_server in running.server._app_servers:
        app_server.config.loaded_app = ByMessages(app_server.config.loaded_app)


def answer_to(running: RunningServer, sent: bytes) -> bytes:
    """All that comes back on a connection that is closed after the answer, without what differs from answer to
    answer."""
    with running.call(sent) as caller:
        caller.shutdown(socket.SHUT_WR)
        return OWN.sub(b"", everything(caller))


REQUESTS = {
    "short": GOOD,
    "long": LONG,
    "bad": POST + b"Content-Length: 1\r\n\r\n{",
    "empty": POST + b"Content-Length: 0\r\n\r\n",
    "too large": POST + b"Content-Length: 99999999\r\n\r\n",
    "1.0": POST.replace(b"1.1", b"1.0") + b"Content-Length: %d\r\n\r\n%b" % (len(GOOD_BODY), GOOD_BODY),
    "last": POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(GOOD_BODY), GOOD_BODY),
    "gzip": POST + b"Accept-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(GOOD_BODY), GOOD_BODY),
    "chunked": POST + b"Transfer-Encoding: chunked\r\n\r\nd\r\n" + GOOD_BODY + b"\r\n0\r\n\r\n",
    "several": GOOD + GOOD + LONG + GOOD,
}


def test_answers_are_the_same_to_the_byte(run: Run) -> None:
    running = run(default_timeout_ms=60_000).ready()
    direct = {name: answer_to(running, sent) for name, sent in REQUESTS.items()}
    assert all(answer.startswith(b"HTTP/1.1 ") for answer in direct.values())
    by_messages(running)
    assert {name: answer_to(running, sent) for name, sent in REQUESTS.items()} == direct


def test_after_an_answer_that_is_the_last_no_request_is_taken(run: Run) -> None:
    limits = ConnectionLimits(request_seconds=30, linger_seconds=30)
    running = run(limits, body_timeout_seconds=0.2).ready()
    with running.call(POST + b"Content-Length: %d\r\n\r\n{" % len(GOOD_BODY)) as caller:
        status, headers, _ = read_answer(caller)
        assert (status, headers["connection"]) == (408, "close")
        caller.sendall(GOOD_BODY[1:] + GOOD)
        assert everything(caller) == b""


def test_requests_that_wait_are_read_as_long_as_they_are_short(run: Run) -> None:
    running = run(threads=1).ready()
    running.hold()
    with running.call(GOOD) as caller:
        wait_until(lambda: bool(running.session.shapes))
        [connection] = running.connections
        long = POST + b"Content-Length: 60000\r\n\r\n" + b" " * 60000
        caller.sendall(long * 4)
        wait_until(lambda: connection.flow.read_paused)
        assert sum(len(cycle.body) for cycle, _ in connection.pipeline) <= 3 * HIGH_WATER_LIMIT
        running.session.gate.set()
        assert [read_answer(caller)[0] for _ in range(5)] == [200, 400, 400, 400, 400]


def test_a_chunked_body_in_one_piece_is_not_too_large_either(run: Run) -> None:
    running = run(max_request_length=200, max_body_bytes=1024).ready()
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    with running.call(head + b"2328\r\n" + b" " * 9000 + b"\r\n0\r\n\r\n") as caller:
        assert read_answer(caller)[0] == 413


def test_a_body_in_pieces_is_read_whole(run: Run) -> None:
    running = run().ready()
    with running.call(GOOD[:-5]) as caller:
        caller.sendall(GOOD[-5:])
        assert read_answer(caller)[0] == 200


def test_a_caller_who_reads_no_answer_holds_nobody_up(run: Run) -> None:
    running = run(default_timeout_ms=60_000).ready()
    with running.call() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.sendall(LONG)
        with running.call(GOOD) as other:
            assert read_answer(other)[0] == 200
        caller.sendall(GOOD)
        assert [read_answer(caller)[0], read_answer(caller)[0]] == [200, 200]

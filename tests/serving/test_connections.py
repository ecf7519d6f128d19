"""Connections: how many there may be, where they come from, and when they are kept for another request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from service.serving.limits import MAX_CONNECTIONS, ConnectionLimits
from service.serving.protocol import Connection
from service.settings import Settings
from tests.application import wait_until
from tests.server import GOOD, Run, everything, problem_in


def test_one_too_many_is_told_so_at_once_and_room_is_made_again(run: Run) -> None:
    running = run(max_connections=2)
    with running.call(GOOD) as first, running.call(GOOD) as second:
        for caller in (first, second):
            assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")
        with running.call(GOOD) as third:
            received = everything(third)
        problem_in(received, 503, "too_many_connections")
        assert b"\r\nretry-after: 1\r\n" in received
    wait_until(lambda: running.get("/health/ready").status_code == 200)
    assert running.errors("too_many_connections") >= 1


@pytest.mark.parametrize(
    ("proxies", "address"),
    [({}, "127.0.0.1"), ({"trusted_proxies": "127.0.0.1"}, "9.9.9.9")],
)
def test_where_a_request_comes_from_is_believed_of_nobody_but_trusted_proxies(
    run: Run, keys: Path, caplog: pytest.LogCaptureFixture, proxies: dict[str, str], address: str
) -> None:
    running = run(api_keys_file=keys, **proxies)
    caplog.set_level(logging.INFO, "service")
    with running.call(GOOD.replace(b"Host", b"X-Forwarded-For: 9.9.9.9\r\nHost")) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 401 ")
    wait_until(lambda: any("address" in vars(record) for record in caplog.records))
    assert [vars(record)["address"] for record in caplog.records if "address" in vars(record)] == [address]


@pytest.mark.parametrize("sent", [b"GET /health/live", b"POST /nope"])
def test_a_body_that_comes_after_its_answer_does_not_hold_the_connection(run: Run, sent: bytes) -> None:
    running = run()
    with running.call(sent + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n") as caller:
        assert caller.recv(12).startswith(b"HTTP/1.1 ")
        caller.sendall(b"x")
        [connection] = running.connections
        wait_until(lambda: connection.parser is not None and not connection._in_body)
        assert connection.timeout_keep_alive_task is not None


def test_the_most_connections_leave_files_for_others() -> None:
    assert 1 <= ConnectionLimits.of(Settings()).max_connections <= MAX_CONNECTIONS
    assert ConnectionLimits.of(Settings(max_connections=7)).max_connections == 7


class Recorder(asyncio.Transport):
    """Transport that keeps what is written to it, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def writelines(self, parts: Iterable[Any]) -> None:
        self.write(b"".join(parts))

    def is_closing(self) -> bool:
        return False


async def answer_in_parts(scope: Any, receive: Any, send: Any) -> None:
    """Send the body ``abcdef``; its length is announced under /known."""
    headers = [(b"content-length", b"6")] if scope["path"] == "/known" else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ab", "more_body": True})
    await send({"type": "http.response.body", "body": b"cd", "more_body": True})
    await send({"type": "http.response.body", "body": b"ef"})


@pytest.mark.parametrize(
    ("asked", "ends"),
    [
        (b"GET /known", [b"\r\n\r\nab", b"cd", b"ef"]),
        (b"HEAD /known", [b"\r\n\r\n"]),
        (b"GET /unknown", [b"\r\n\r\n", b"2\r\nab\r\n", b"2\r\ncd\r\n", b"2\r\nef\r\n0\r\n\r\n"]),  # it may take long
    ],
)
def test_a_head_that_announces_its_body_is_written_with_it(asked: bytes, ends: list[bytes]) -> None:
    async def written() -> list[bytes]:
        state, transport = ServerState(), Recorder()
        config = uvicorn.Config(answer_in_parts, log_config=None, lifespan="off")
        connection = Connection(
            config, state, {}, limits=ConnectionLimits(), count=lambda _: None, refuse=lambda *_: None
        )
        connection.connection_made(transport)
        for _ in range(2):  # the second answer on a connection too
            connection.data_received(asked + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.wait(state.tasks)
        return transport.written

    received = asyncio.run(written())
    assert len(received) == 2 * len(ends)
    assert all(data.endswith(end) for data, end in zip(received, 2 * ends, strict=True))


def test_a_caller_who_has_left_before_it_is_watched_is_noticed_too() -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async def noticed() -> list[str]:
        state, transport, left = ServerState(), Recorder(), list[str]()
        config = uvicorn.Config(never, log_config=None, lifespan="off")
        connection = Connection(
            config, state, {}, limits=ConnectionLimits(), count=lambda _: None, refuse=lambda *_: None
        )
        connection.connection_made(transport)
        connection.data_received(GOOD)
        connection.watch(lambda: left.append("meanwhile"))
        connection.connection_lost(ConnectionResetError())
        connection.watch(lambda: left.append("before"))  # whose texts were encoded meanwhile
        for task in state.tasks:
            task.cancel()
        return left

    assert asyncio.run(noticed()) == ["meanwhile", "before"]

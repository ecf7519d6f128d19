"""Against a server that says exactly what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bench.chaos.wire import Answer, BrokenError, Connection, encode
from bench.client import Address

HEAD = b"HTTP/1.1 200 OK\r\nX-Request-ID: one\r\n"


def talk(said: list[bytes], act: Callable[[Connection], Awaitable[object]]) -> object:
    """What comes of ``act`` when each request is answered with the next of these, and the last ends the connection."""

    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in said:
            await reader.readuntil(b"\r\n\r\n")
            for piece in (answer[:30], answer[30:]):
                writer.write(piece)
                await asyncio.sleep(0.001)
        writer.close()
        await writer.wait_closed()
        served.set()

    async def run() -> object:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            connection = await Connection.open(Address(host=host, port=port))
            try:
                return await act(connection)
            finally:
                connection.close()
                await connection.writer.wait_closed()
                await served.wait()

    return asyncio.run(run())


async def ask(connection: Connection) -> Answer:
    return await connection.ask(encode("GET", "/"))


async def ask_twice(connection: Connection) -> list[Answer]:
    return [await ask(connection), await ask(connection)]


@pytest.mark.parametrize(
    ("said", "body", "keep_alive"),
    [
        (HEAD + b"Content-Length: 5\r\n\r\nhello", b"hello", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello", True),
        (HEAD + b"Connection: close\r\nContent-Length: 0\r\n\r\n", b"", False),
    ],
)
def test_an_answer_is_read_whole(said: bytes, body: bytes, keep_alive: bool) -> None:
    answer = talk([said], ask)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.keep_alive) == (200, body, keep_alive)
    assert answer.headers["x-request-id"] == "one"


def test_a_connection_carries_one_request_after_another() -> None:
    said = [HEAD + b"Content-Length: 1\r\n\r\na", HEAD + b"Content-Length: 1\r\n\r\nb"]
    answers = talk(said, ask_twice)
    assert isinstance(answers, list)
    assert [answer.body for answer in answers] == [b"a", b"b"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"", "without an answer"),
        (HEAD + b"Content-Length: 5\r\n\r\nhel", "mid-answer"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", "mid-answer"),
        (b"this is something else entirely, and it is not HTTP", "not HTTP"),
    ],
)
def test_half_an_answer_is_none(said: bytes, message: str) -> None:
    with pytest.raises(BrokenError, match=message):
        talk([said], ask)

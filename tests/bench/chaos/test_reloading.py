"""Probes of the version that an instance serves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bench.chaos.asks import Ask
from bench.chaos.reloading import version_of
from bench.client import Address

ASK = Ask(name="tag", path="/tag", body=b"{}")
ANSWER = (200, "application/json", b'{"model":{"name":"en-xx","version":"2.1.1"}}')
BUSY = (429, "application/problem+json", b'{"kind":"overloaded"}')
LATE = (504, "application/problem+json", b'{"kind":"deadline_exceeded"}')
GONE = (404, "application/problem+json", b'{"kind":"unknown_model"}')


def version_told_by(*answers: tuple[int, str, bytes]) -> str:
    """What a probe makes of a server that gives one answer after another."""

    async def scenario(left: Sequence[tuple[int, str, bytes]]) -> str:
        waiting = iter(left)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"{}")
            status, kind, body = next(waiting)
            head = (
                f"HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\nretry-after: 1\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            return await version_of(Address(host=host, port=port), ASK)

    return asyncio.run(scenario(answers))


def test_a_busy_instance_is_asked_again() -> None:
    assert version_told_by(BUSY, LATE, ANSWER) == "2.1.1"


def test_a_model_that_is_gone_is_not_asked_for_again() -> None:
    assert version_told_by(GONE, ANSWER) == "status 404"

"""HTTP/1.1 as a well-behaved client speaks it: a kept-alive connection, a request at a time, answers read whole."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import httptools

from bench.client import Address

CONNECT_SECONDS = 10.0
_CHUNK_SIZE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    keep_alive: bool  # the connection may carry another request


class BrokenError(Exception):
    """The connection ended before the answer did; the message says how far it had come."""


def encode(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@dataclass(slots=True, eq=False)
class _Reading:
    """What httptools calls while it parses one answer."""

    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    has_head: bool = False
    is_complete: bool = False
    keep_alive: bool = False
    parser: httptools.HttpResponseParser = field(init=False)

    def __post_init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.has_head = True
        self.keep_alive = self.parser.should_keep_alive()  # it knows that only now

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.is_complete = True


class Connection:
    """Kept alive as long as both sides like."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, address: Address) -> Connection:
        """Raises OSError, a TimeoutError among them."""
        async with asyncio.timeout(CONNECT_SECONDS):
            return cls(*await asyncio.open_connection(address.host, address.port))

    @property
    def is_usable(self) -> bool:
        return not (self.reader.at_eof() or self.writer.is_closing())

    async def ask(self, content: bytes) -> Answer:
        """Send a request and read its answer. Raises BrokenError."""
        try:
            self.writer.write(content)
            await self.writer.drain()
            return await self._read()
        except OSError as error:
            raise BrokenError(type(error).__name__) from error

    async def _read(self) -> Answer:
        reading = _Reading()
        while not reading.is_complete:
            chunk = await self.reader.read(_CHUNK_SIZE)
            if not chunk:
                raise BrokenError("closed in mid-answer" if reading.has_head else "closed without an answer")
            try:
                reading.parser.feed_data(chunk)
            except httptools.HttpParserError as error:
                raise BrokenError(f"not HTTP: {error}") from error
        return Answer(
            status=reading.parser.get_status_code(),
            headers=reading.headers,
            body=b"".join(reading.pieces),
            keep_alive=reading.keep_alive,
        )

    def close(self) -> None:
        self.writer.close()


async def ask_once(address: Address, content: bytes, *, seconds: float = 10.0) -> Answer:
    """On a connection of its own. Raises BrokenError or OSError."""
    async with asyncio.timeout(seconds):
        connection = await Connection.open(address)
        try:
            return await connection.ask(content)
        finally:
            connection.close()

"""Bytes to a port and whatever comes back, within a time: over bare sockets, because clients mend what they send."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import httptools

CHUNK_SIZE = 1 << 16
CONTINUE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The first answer on a connection."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HungError(AssertionError):
    """Neither an answer nor an end in time."""


class _Reading:
    """What httptools calls; ``reply`` is the first answer that is a whole and final one."""

    def __init__(self, *, has_body: bool) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.reply: Reply | None = None
        self._has_body = has_body
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    @property
    def is_in_the_middle(self) -> bool:
        return self.reply is None and bool(self._headers)

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, bytearray()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if not self._has_body:  # an answer to HEAD, which tells a length all the same
            self.on_message_complete()

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        status = self.parser.get_status_code()
        if self.reply is None and status != CONTINUE:
            self.reply = Reply(status=status, headers=self._headers, body=bytes(self._body))


def exchange(port: int, content: bytes, *, seconds: float) -> Reply | None:
    """None if the other side closes without a word. Raises HungError, or httptools' error if what comes is no HTTP."""
    latest = time.monotonic() + seconds
    reading = _Reading(has_body=not content.startswith(b"HEAD"))
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused in mid-sentence; why may be there to be read
            connection.sendall(content)
        while reading.reply is None and (part := _received(connection, latest)):
            reading.parser.feed_data(part)
    assert not reading.is_in_the_middle, f"an answer to {content[:100]!r} that was broken off"
    return reading.reply


def _received(connection: socket.socket, latest: float) -> bytes:
    """Nothing once the other side has closed."""
    connection.settimeout(max(0.001, latest - time.monotonic()))
    try:
        return connection.recv(CHUNK_SIZE)
    except TimeoutError:
        raise HungError("neither an answer nor an end in time") from None
    except ConnectionResetError:
        return b""

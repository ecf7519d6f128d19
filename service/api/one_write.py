"""Writes an answer with one system call, and so in one packet if it is small: the head is sent together with the
body."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LARGE = 65536  # bytes that are not copied to stand behind a head
_LENGTH = b"\r\ncontent-length:"


class OneWrite:
    """Transport of one answer. A head with a content length waits for its body; that of a stream is sent at once, for
    its first part may take a while."""

    __slots__ = ("_head", "_is_begun", "_then", "_transport")

    def __init__(self, transport: asyncio.Transport, then: Callable[[], None]) -> None:
        """Write to ``transport``; ``then`` is called when the answer is complete."""
        self._transport = transport
        self._then = then
        self._head = b""
        self._is_begun = False

    def write(self, data: bytes) -> None:
        if not self._is_begun and _LENGTH in data:
            self._head = data
        elif len(data) > LARGE:
            self._transport.writelines([self._head, data])
            self._head = b""
        else:
            self._transport.write(self._head + data)
            self._head = b""
        self._is_begun = True

    def complete(self) -> None:
        """Send what is left: an answer to HEAD has no body to wait for."""
        self._flush()
        self._then()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._head:
            self.write(b"")

"""One system call an answer, and one packet if it is small: a head is sent together with what follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LARGE = 65536  # bytes that are not copied to stand behind a head
_LENGTH = b"\r\ncontent-length:"


class OneWrite:
    """What one answer is written to. A head that says how long its body is waits for it; that of a stream does not,
    for its first part may take a while."""

    __slots__ = ("_head", "_is_begun", "_then", "_transport")

    def __init__(self, transport: asyncio.Transport, then: Callable[[], None]) -> None:
        """``then`` is called when the answer is complete."""
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
        """Nothing follows: that to HEAD has no body."""
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

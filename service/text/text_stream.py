"""Text of a language model's tokens that come one by one: whole characters only, and nothing of a stop string."""

from __future__ import annotations

from bisect import bisect_right
from codecs import getincrementaldecoder
from collections.abc import Iterable, Sequence
from itertools import takewhile

FIRST_BYTE = 0xDC00  # a token that stands for a byte is spelled as this lone surrogate plus the byte
_new_decoder = getincrementaldecoder("utf-8")


def byte_of(spelled: str) -> int | None:
    """Return the byte that a token stands for; None if its text is no single byte."""
    found = ord(spelled) - FIRST_BYTE if len(spelled) == 1 else -1
    return found if 0 <= found < 256 else None


class TextStream:
    """Text of a growing row of tokens, cut before the first stop string.

    ``spelling`` has the text of each token by id: empty for control symbols, a lone surrogate for a byte. Of the bytes
    of a character the last one has its text; bytes that are no valid UTF-8 have none. ``before`` are the tokens that
    precede: bytes among them may begin a character that ends here. With ``strips_space`` one space at the beginning is
    left out.
    """

    def __init__(
        self,
        spelling: Sequence[str],
        *,
        stop: Sequence[str] = (),
        before: Iterable[int] = (),
        strips_space: bool = False,
    ) -> None:
        self.text = ""
        self.pieces: list[str] = []  # the text of each token, in order
        self.is_stopped = False
        self._spelling = spelling
        self._stop = tuple(stop)
        self._longest = max(map(len, stop), default=0)
        self._ends: list[int] = []  # of each piece in the text
        self._strips_space = strips_space
        self._bytes = _new_decoder("ignore")
        for token in _last_bytes(spelling, list(before)):
            self._spelled(token)

    def add(self, token: int) -> None:
        """Append a token. Once the text holds a stop string nothing more may be added."""
        piece = self._spelled(token)
        if self._strips_space and piece:
            piece, self._strips_space = piece.removeprefix(" "), False
        searched_from = max(0, len(self.text) - self._longest + 1)
        self.text += piece
        self.pieces.append(piece)
        self._ends.append(len(self.text))
        found = [at for stop in self._stop if (at := self.text.find(stop, searched_from)) >= 0]
        if found:
            self._cut(min(found))

    @property
    def num_ready(self) -> int:
        """Number of tokens whose text is no part of a stop string, whatever follows."""
        if self.is_stopped or not self._stop:
            return len(self.pieces)
        return bisect_right(self._ends, len(self.text) - self._held())

    def _spelled(self, token: int) -> str:
        spelled = self._spelling[token]
        byte = byte_of(spelled)
        if byte is not None:
            return self._bytes.decode(bytes((byte,)))
        self._bytes.reset()
        return spelled

    def _held(self) -> int:
        """Return the length of the longest end of the text that a stop string begins with."""
        most = min(len(self.text), self._longest - 1)
        return next((n for n in range(most, 0, -1) if self._may_stop(self.text[-n:])), 0)

    def _may_stop(self, end: str) -> bool:
        return any(stop.startswith(end) for stop in self._stop)

    def _cut(self, at: int) -> None:
        """Leave out the text from here on, and the tokens that have nothing before it."""
        self.is_stopped = True
        self.text = self.text[:at]
        whole = bisect_right(self._ends, at)
        start = self._ends[whole - 1] if whole else 0
        self.pieces = self.pieces[:whole] + ([self.text[start:]] if start < at else [])
        self._ends = self._ends[: len(self.pieces)]


def _last_bytes(spelling: Sequence[str], tokens: Sequence[int]) -> list[int]:
    """Return the tokens at the end that stand for bytes."""
    return list(takewhile(lambda token: byte_of(spelling[token]) is not None, reversed(tokens)))[::-1]

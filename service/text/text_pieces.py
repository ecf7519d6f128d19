"""A language model's text: its pieces with their places, and the text of pieces that come one by one."""

from __future__ import annotations

from bisect import bisect_right
from codecs import getincrementaldecoder
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import numpy as np
import numpy.typing as npt

from service.text.batch import Ids
from service.text.subwords import EOS_ID, Subwords, byte_of

_BREAK = "\n"  # ends a word wherever it stands
_new_decoder = getincrementaldecoder("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedPieces:
    """Ids of a text's pieces, and where each stands in the text, in code points."""

    ids: Ids  # (time,)
    starts: Sequence[int]
    ends: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContinuedText:
    """Ids of a text that is to be continued."""

    ids: Ids  # (time,)
    strips_space: bool  # whether a space that the continuation begins with is there already, or belongs to no text


@dataclass(frozen=True, eq=False)
class TextPieces:
    """Subwords of running text. ``</s>`` stands before, between and behind texts."""

    subwords: Subwords

    def encode(self, text: str) -> PlacedPieces:
        """Encode a text from its beginning."""
        ids, places = self.subwords.encode_with_offsets(text)
        starts, ends = [start for start, _ in places], [end for _, end in places]
        return PlacedPieces(ids=np.array(ids, np.int32), starts=starts, ends=ends)

    def encode_prompt(self, text: str, *, last: int = EOS_ID) -> ContinuedText:
        """Encode a text that follows the token ``last``, and that is to be continued."""
        is_first = not self.subwords.spelling[last]
        ids = self.subwords.encode(text) if is_first else self._encode_after(text)
        spelled = self._spelled(ids)
        loses_space = text.endswith(" ") and not spelled.endswith(" ")
        return ContinuedText(
            ids=np.array(ids, np.int32), strips_space=loses_space or (self._adds_space and is_first and not ids)
        )

    @cached_property
    def is_text(self) -> npt.NDArray[np.bool_]:
        """Whether each piece (id,) has a text or is the end: neither padding nor another control symbol."""
        found = np.array([bool(spelled) for spelled in self.subwords.spelling])
        found[EOS_ID] = True
        return found

    @cached_property
    def names(self) -> Sequence[str]:
        """Text of each piece by id, or its name if it has none by itself: ``<0xE2>``, ``</s>``."""
        pieces = self.subwords.pieces(range(len(self.subwords)))
        spelling = zip(pieces, self.subwords.spelling, strict=True)
        return [spelled if spelled and byte_of(spelled) is None else piece for piece, spelled in spelling]

    @cached_property
    def _adds_space(self) -> bool:
        """Whether a text's first piece is spelled with a space that the text has not."""
        return self._spelled(self.subwords.encode("a")).startswith(" ")

    @cached_property
    def _break(self) -> list[int]:
        return self.subwords.encode(_BREAK)

    def _encode_after(self, text: str) -> list[int]:
        """Encode a text as it stands in the middle of another: without the space that a first piece begins with."""
        ids = self.subwords.encode(f"{_BREAK}{text}")
        length = len(self._break)
        return ids[length:] if ids[:length] == self._break else self.subwords.encode(text)

    def _spelled(self, ids: Sequence[int]) -> str:
        return "".join(self.subwords.spelling[each] for each in ids)


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

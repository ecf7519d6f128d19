"""A language model's text: pieces of a text with their places, and of what continues another text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from service.text.batch import Ids
from service.text.subwords import EOS_ID, Subwords
from service.text.text_stream import byte_of

_BREAK = "\n"  # ends a word wherever it stands


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

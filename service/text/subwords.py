"""Text to subword ids and back: sentencepiece's model, the places of its pieces in a text, and the text of pieces that
come one by one."""

from __future__ import annotations

from bisect import bisect_right
from codecs import getincrementaldecoder
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, takewhile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sentencepiece import SentencePieceProcessor

from service.text.pipeline import Ids
from service.text.placeholders.masking import SYMBOLS

PAD_ID, UNK_ID, BOS_ID, EOS_ID = 0, 1, 2, 3
SPACE = "\u2581"  # how a piece spells a space
_NUM_SPECIAL = 4
# Beyond it lie rare ideographs, tags and private use: nothing that folds to a letter.
_LAST_FOLDED = 0x20000
# Bytes that pieces stand for are lone surrogates until they are decoded: no other piece has any.
FIRST_BYTE = 0xDC00


@dataclass(frozen=True, eq=False)
class Subwords:
    """A trained model. Ids 0 to 3 are padding, unknown, begin and end; a language's tag is a control symbol, which no
    text can spell, and each symbol of a protected item a piece of its own. May be used by several threads at once."""

    processor: SentencePieceProcessor

    @classmethod
    def load(cls, model: Path | bytes, *, symbols: Sequence[str] = SYMBOLS) -> Subwords:
        """Load a model from a file or its content. Raises ValueError on what is no model, or one with other special
        ids or without a piece for one of ``symbols``, those of protected items, which a translator needs."""
        content = model if isinstance(model, bytes) else model.read_bytes()
        try:
            processor = SentencePieceProcessor(model_proto=content)
        except RuntimeError as error:
            raise ValueError("not a sentencepiece model") from error
        special = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
        if special != (PAD_ID, UNK_ID, BOS_ID, EOS_ID):
            raise ValueError(f"pad, unk, bos and eos are {special}, not {(PAD_ID, UNK_ID, BOS_ID, EOS_ID)}")
        missing = [symbol for symbol in symbols if processor.piece_to_id(symbol) == UNK_ID]
        if missing:
            raise ValueError(f"it has no piece for the symbol U+{ord(missing[0]):04X}")
        return cls(processor)

    def __len__(self) -> int:
        return int(self.processor.get_piece_size())

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text's pieces and no others: neither tag nor end. What no piece spells is unknown."""
        return list(self.processor.encode(_sendable(text)))

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """Return the pieces as they are spelled, a leading space as U+2581."""
        return [self.processor.id_to_piece(each) for each in ids]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text that the pieces spell together, special and control symbols left out."""
        return "".join(self.spell(ids)).strip(" ")

    def spell(self, ids: Iterable[int]) -> list[str]:
        """The text of each piece, empty for special and control symbols. Byte pieces in a row are UTF-8: the first of a
        row has its text, without what is no valid UTF-8."""
        spelled = [self.spelling[each] for each in ids]
        if not self._has_bytes or not any(map(_is_byte, spelled)):
            return spelled
        rows = groupby(spelled, _is_byte)
        return [each for is_byte, row in rows for each in (_decoded(list(row)) if is_byte else row)]

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of a text's pieces and their places, in code points; a character's last byte has its place."""
        found = self.processor.encode(_sendable(text), return_type="offset_mapping")
        return list(found["ids"]), list(found["offsets"])

    def tag(self, name: str) -> int:
        """The id of a control symbol such as ``<2es>``. Raises KeyError if there is none."""
        found = int(self.processor.piece_to_id(name))
        if not self.processor.is_control(found):
            raise KeyError(name)
        return found

    @cached_property
    def symbol_ids(self) -> frozenset[int]:
        """The ids of the symbols that stand for protected items."""
        return frozenset(map(self.processor.piece_to_id, SYMBOLS))

    @cached_property
    def alphabet(self) -> frozenset[str]:
        """The characters that it can spell: those of its pieces, and those that it folds into them or leaves out,
        white space for one. Of byte pieces only the capitals of other pieces' letters are spelled."""
        ordinary = (each for each in range(_NUM_SPECIAL, len(self)) if not self.processor.is_byte(each))
        spelled = {character for each in ordinary for character in self.spelling[each]} - {" ", *SYMBOLS}
        if self._has_bytes:
            spelled |= {capital for each in spelled if len(capital := each.upper()) == 1}
        apart = SYMBOLS[0]  # folds to itself, whatever stands beside it: one call is twice as fast as one a character
        others = [each for each in map(chr, range(_LAST_FOLDED)) if each != apart and not "\ud800" <= each < "\ue000"]
        folds = zip(others, self.processor.normalize(apart.join(others)).split(apart), strict=True)
        folded = {each for each, fold in folds if spelled.issuperset(fold.strip(SPACE))}
        return frozenset(spelled | folded) - {SPACE, *SYMBOLS}

    @cached_property
    def spelling(self) -> Sequence[str]:
        """Text of each piece by id: empty for control symbols, the lone surrogate U+DC00 + n for the byte n."""
        table = [piece.replace(SPACE, " ") for piece in self.pieces(range(len(self)))]
        for each in range(len(self)):
            if self.processor.is_control(each) or each == UNK_ID:
                table[each] = ""
            elif self.processor.is_byte(each):
                table[each] = chr(FIRST_BYTE + int(table[each][3:5], 16))  # <0x41>
        return tuple(table)

    @cached_property
    def _has_bytes(self) -> bool:
        return any(map(_is_byte, self.spelling))


def byte_of(spelled: str) -> int | None:
    """Return the byte that a piece stands for by its spelling; None if that is no single byte."""
    found = ord(spelled) - FIRST_BYTE if len(spelled) == 1 else -1
    return found if 0 <= found < 256 else None


def _is_byte(spelled: str) -> bool:
    return byte_of(spelled) is not None


def _decoded(row: Sequence[str]) -> list[str]:
    """The text of a row of bytes for the first of them, nothing for the others."""
    text = bytes(ord(each) - FIRST_BYTE for each in row).decode("utf-8", "ignore")
    return [text, *[""] * (len(row) - 1)]


def _sendable(text: str) -> str:
    """Return a text without lone surrogates, which UTF-8 cannot carry."""
    return text.encode("utf-8", "replace").decode()


_BREAK = "\n"  # ends a word wherever it stands
_new_decoder = getincrementaldecoder("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContinuedText:
    """Ids of a text that is to be continued."""

    ids: Ids  # (time,)
    strips_space: bool  # whether a space that the continuation begins with is there already, or belongs to no text


@dataclass(frozen=True, eq=False)
class TextPieces:
    """Subwords of running text. ``</s>`` stands before, between and behind texts."""

    subwords: Subwords

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
        last_bytes = takewhile(lambda token: byte_of(spelling[token]) is not None, reversed(list(before)))
        for token in reversed(list(last_bytes)):
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
        lengths = range(most, 0, -1)
        return next((n for n in lengths if any(stop.startswith(self.text[-n:]) for stop in self._stop)), 0)

    def _cut(self, at: int) -> None:
        """Leave out the text from here on, and the tokens that have nothing before it."""
        self.is_stopped = True
        self.text = self.text[:at]
        whole = bisect_right(self._ends, at)
        start = self._ends[whole - 1] if whole else 0
        self.pieces = self.pieces[:whole] + ([self.text[start:]] if start < at else [])
        self._ends = self._ends[: len(self.pieces)]

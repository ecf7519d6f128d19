"""Text to subword ids and back, for translation: sentencepiece's model, and which characters it can spell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sentencepiece import SentencePieceProcessor

PAD_ID, UNK_ID, BOS_ID, EOS_ID = 0, 1, 2, 3
SPACE = "\u2581"  # how a piece spells a space
PLACEHOLDER = "\ue000"  # private use: stands for what is copied
_NUM_SPECIAL = 4
# Beyond it lie rare ideographs, tags and private use: nothing that folds to a letter.
_LAST_FOLDED = 0x20000


@dataclass(frozen=True, eq=False)
class Subwords:
    """A trained model. Ids 0 to 3 are padding, unknown, begin and end; a language's tag is a control symbol, which no
    text can spell, and the copy placeholder a piece of its own. May be used by several threads at once."""

    processor: SentencePieceProcessor

    @classmethod
    def load(cls, model: Path | bytes) -> Subwords:
        """From a file or its content. Raises ValueError on what is no model, or one with other special ids."""
        content = model if isinstance(model, bytes) else model.read_bytes()
        try:
            processor = SentencePieceProcessor(model_proto=content)
        except RuntimeError as error:
            raise ValueError("not a sentencepiece model") from error
        special = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
        if special != (PAD_ID, UNK_ID, BOS_ID, EOS_ID):
            raise ValueError(f"pad, unk, bos and eos are {special}, not {(PAD_ID, UNK_ID, BOS_ID, EOS_ID)}")
        if processor.piece_to_id(PLACEHOLDER) == UNK_ID:
            raise ValueError("it has no piece for the copy placeholder U+E000")
        return cls(processor)

    def __len__(self) -> int:
        return int(self.processor.get_piece_size())

    def encode(self, text: str) -> list[int]:
        """Its pieces and no others: neither tag nor end. What no piece spells is unknown."""
        return list(self.processor.encode(_sendable(text)))

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """As they are spelled, a leading space as U+2581."""
        return [self._table[each] for each in ids]

    def decode(self, ids: Sequence[int]) -> str:
        """What the pieces spell together, special and control symbols left out."""
        spelled = (self._spelling[each] for each in ids)
        return "".join(spelled).replace(SPACE, " ").strip(" ")

    def tag(self, name: str) -> int:
        """The id of a control symbol such as ``<2es>``. Raises KeyError if there is none."""
        found = int(self.processor.piece_to_id(name))
        if not self.processor.is_control(found):
            raise KeyError(name)
        return found

    @property
    def placeholder_id(self) -> int:
        return int(self.processor.piece_to_id(PLACEHOLDER))

    @cached_property
    def alphabet(self) -> frozenset[str]:
        """The characters that it can spell: those of its pieces, and those that it folds into them or leaves out,
        white space for one."""
        spelled = {character for each in range(_NUM_SPECIAL, len(self)) for character in self._spelling[each]}
        spelled -= {SPACE, PLACEHOLDER}
        others = [chr(code) for code in range(_LAST_FOLDED) if not 0xD800 <= code < 0xE000]
        folds = zip(others, self.processor.normalize(others), strict=True)
        return frozenset(
            spelled | {each for each, fold in folds if each != PLACEHOLDER and spelled.issuperset(fold.strip(SPACE))}
        ) - {SPACE}

    @cached_property
    def _table(self) -> tuple[str, ...]:
        return tuple(map(self.processor.id_to_piece, range(len(self))))

    @cached_property
    def _spelling(self) -> tuple[str, ...]:
        """By id: the piece, empty where it is a symbol."""
        silent = (each for each in range(len(self)) if self.processor.is_control(each) or each == UNK_ID)
        table = list(self._table)
        for each in silent:
            table[each] = ""
        return tuple(table)


def _sendable(text: str) -> str:
    """A lone surrogate is no character that UTF-8 could carry."""
    return text.encode("utf-8", "replace").decode()

"""A vocabulary: which token is which integer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PAD, UNK, MASK = "<pad>", "<unk>", "<mask>"
PAD_ID, UNK_ID, MASK_ID = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Tokens by id. The first three are always padding, unknown and mask; ``pad_id`` is 0.

    Those three are no words: a text that spells one of them has an unknown word there.
    """

    tokens: tuple[str, ...]
    ids: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.tokens[:3] != (PAD, UNK, MASK):
            raise ValueError(f"a vocabulary begins with {PAD} {UNK} {MASK}")
        if len(set(self.tokens)) != len(self.tokens):
            raise ValueError("a vocabulary holds each token once")
        object.__setattr__(self, "ids", {token: i for i, token in enumerate(self.tokens) if i > MASK_ID})

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, token: str) -> int:
        """The id of a token; that of ``<unk>`` if it is not in the vocabulary."""
        return self.ids.get(token, UNK_ID)

    @classmethod
    def of(cls, tokens: Iterable[str]) -> Vocabulary:
        """A vocabulary of these tokens, behind the three special ones."""
        special = (PAD, UNK, MASK)
        return cls((*special, *(token for token in tokens if token not in special)))


def dump_vocabularies(vocabularies: Mapping[str, Vocabulary], path: Path) -> None:
    """Write named vocabularies as one JSON file of lists."""
    content = {name: vocabulary.tokens for name, vocabulary in vocabularies.items()}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


def load_vocabularies(path: Path) -> dict[str, Vocabulary]:
    """Read what :func:`dump_vocabularies` wrote. Raises ValueError on anything else."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("expected an object of lists")
    return {name: Vocabulary(tuple(tokens)) for name, tokens in content.items()}

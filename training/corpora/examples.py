"""Sentences as readers of corpora yield them: words and the annotators' tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Annotation = Sequence[str]  # one tag a word


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedSentence:
    """One sentence of a corpus. ``tags`` by layer, such as ``upos``, ``xpos``, ``ner``, have one tag a word."""

    words: Sequence[str]
    tags: Mapping[str, Annotation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for layer, tags in self.tags.items():
            if len(tags) != len(self.words):
                raise ValueError(f"{len(self.words)} words but {len(tags)} {layer} tags: {self.words}")

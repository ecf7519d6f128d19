"""Sentence: a sentence and its tokens, with exact offsets, as it passes from the tokenizer onwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Token(NamedTuple):
    """A word and its half-open code point range in the text it came from."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """The tokens of one sentence, kept as parallel columns because that is how they are used.

    Never empty. Offsets are code points into the whole text that was split, not into the sentence:
    ``text[starts[i]:ends[i]] == words[i]``; they never overlap and never go back.
    """

    words: list[str]
    starts: list[int]
    ends: list[int]

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[Token]:
        return map(Token, self.words, self.starts, self.ends)

    @property
    def start(self) -> int:
        return self.starts[0]

    @property
    def end(self) -> int:
        return self.ends[-1]

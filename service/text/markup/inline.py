"""The inline content of a block of HTML or Markdown: words, marks around words, and elements that stay as they are."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from service.text.pairs import Role

NAMES = range(0xF000, 0xF8FF)  # private-use characters that stand for elements in a word's place
NAME = f"[{chr(NAMES.start)}-{chr(NAMES.stop - 1)}]"
TAG = r"</?a/[0-9]+>|<img/[0-9]+>"  # what stands for marks: the start and the end of an element, or one without content
STAND_IN = re.compile(rf"{TAG}|{NAME}")
# What the sentence splitter sees in place of an element that stands where a word stands.
_WORD = "Item"
_INVISIBLE = frozenset("\u00ad\u200b")  # hyphenation hints, which are lost with the word


class Kind(Enum):
    """Role that a piece of inline content has in a translation."""

    TEXT = auto()  # words, white space and character references
    OPEN = auto()  # the start of an element around words
    CLOSE = auto()  # the end of one
    MARK = auto()  # an element that stands between words: a picture, a comment
    NAME = auto()  # an element that stands where a word stands: code
    BORDER = auto()  # a place that no sentence crosses


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a source, half-open in code points."""

    kind: Kind
    start: int
    end: int
    shown: str = ""  # what a reader sees of it; nothing of marks
    literal: str = ""  # how a translation has it
    name: str = ""  # the same of the start and the end of an element

    @property
    def role(self) -> Role:
        """Names of the pair that the piece opens, and of that which it closes."""
        return (self.name if self.kind is Kind.OPEN else None, self.name if self.kind is Kind.CLOSE else None)

    @property
    def is_sliceable(self) -> bool:
        """Whether each character that is shown is one of the source."""
        return self.kind is Kind.TEXT and self.shown == self.literal and len(self.shown) == self.end - self.start


def runs_of(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces between borders."""
    run: list[Piece] = []
    for piece in pieces:
        if piece.kind is not Kind.BORDER:
            run.append(piece)
        elif run:
            yield run
            run = []
    if run:
        yield run


def opaque_piece(kind: Kind, start: int, source: str, name: str = "") -> Piece:
    """Anything that stays as it is written."""
    return Piece(kind, start, start + len(source), _WORD if kind is Kind.NAME else "", source, name)


def text_piece(start: int, source: str) -> Piece:
    """Words and white space; line breaks and tabs become spaces."""
    shown = source.translate(_SPACES)
    return Piece(Kind.TEXT, start, start + len(source), shown, shown)


_SPACES = str.maketrans("\t\n\f\r", "    ")


def reference_piece(start: int, source: str) -> Piece:
    """A character reference such as ``&eacute;`` or ``&nbsp;``: a letter is decoded, so that the network can read the
    word around it; every other one stays as it is written."""
    end, value = start + len(source), html.unescape(source)
    if value == source:
        return text_piece(start, source)
    if _INVISIBLE.issuperset(value):
        return Piece(Kind.TEXT, start, end)
    if all(each.isalnum() or unicodedata.combining(each) for each in value):
        return Piece(Kind.TEXT, start, end, value, value)
    if not source.endswith(";"):  # an old form, which only a browser recognises
        return Piece(Kind.MARK, start, end, value, source)
    return Piece(Kind.TEXT, start, end, value, source)

"""Inline content of a block of HTML or Markdown: words, marks around words, and elements that stay as they are; and the
order of a translation's tags, which nest as the source's do.

The network's side sees stand-ins for tags: ``<a/3>`` and ``</a/3>`` for the start and end of one element, ``<img/4>``
for an element without content. An element may lack one of the two where it goes on in another sentence.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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


_ATOM = re.compile(rf"(?P<tag>{TAG})|(?P<word>(?P<name>{NAME})|\w++(?:['’-]\w++)*+)|\s++|&\#?\w++;|[^\w\s]")
_DEEPEST = 50  # where elements are deeper than that, tags come in the order of the source


@dataclass(frozen=True, slots=True)
class _Atoms:
    """A sentence without its tags, as words, signs and stretches of white space."""

    texts: Sequence[str]
    words: Sequence[int]  # the indices of those that are words
    names: Mapping[str, int]  # the index of each stand-in for a word
    tags: Sequence[tuple[str, int]]  # each tag, and the index of the atom that it stands before

    def has_words(self, first: int, last: int) -> bool:
        """Whether there is a word among the atoms of a half-open range."""
        return bisect_left(self.words, first) < bisect_left(self.words, last)

    def word_from(self, place: int) -> int:
        """The first word at an atom or behind it, else the last one; there must be words."""
        return self.words[min(bisect_left(self.words, place), len(self.words) - 1)]

    def without_spaces(self, first: int, last: int) -> tuple[int, int]:
        """A half-open range without the white space at its edges; the range itself if it holds nothing else."""
        begin, end = first, last
        while begin < end and self.texts[begin].isspace():
            begin += 1
        while begin < end and self.texts[end - 1].isspace():
            end -= 1
        return (begin, end) if begin < end else (first, last)


@dataclass(slots=True, eq=False)
class _Element:
    """An element of the source, and which atoms of the translation it is around."""

    start: str = ""  # its tag; empty where it is in another sentence
    end: str = ""
    is_mark: bool = False  # without content and end
    parent: _Element | None = None
    inner: list[_Element] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # stand-ins for words that are in no inner element
    has_words: bool = False
    first: int = 0
    last: int = 0


def nest(source: str, translation: str) -> str:
    """The translation with each tag of the source once, nested as in the source, and the words in their order.

    Elements keep the words between their tags as far as that can be. One that had words and would have none gets the
    code that it had, or else the word that follows. Where the source's tags do not nest, they come in the order of the
    source. Takes O(n log n) time in the number of tags and words.
    """
    origin, atoms = _read(source), _read(translation)
    elements = _elements(origin)
    if elements is None:
        return _joined(atoms.texts, _in_source_order(origin, atoms))
    places = dict(reversed(atoms.tags))
    for element in elements:
        _place(element, places, atoms)
    for element in reversed(elements):
        if (parent := element.parent) is not None:
            parent.first, parent.last = min(parent.first, element.first), max(parent.last, element.last)
    outermost = [element for element in elements if element.parent is None]
    return _joined(atoms.texts, _ordered(outermost, atoms, 0, len(atoms.texts)))


def _read(sentence: str) -> _Atoms:
    texts, words = list[str](), list[int]()
    names, tags = dict[str, int](), list[tuple[str, int]]()
    for match in _ATOM.finditer(sentence):
        if match["tag"]:
            tags.append((match["tag"], len(texts)))
            continue
        if match["name"]:
            names[match["name"]] = len(texts)
        if match["word"]:
            words.append(len(texts))
        texts.append(match[0])
    return _Atoms(texts, words, names, tags)


def _elements(source: _Atoms) -> list[_Element] | None:
    """The elements of a source, outer ones before inner ones; None if they do not nest or are too deep."""
    begun, around, outermost = list[_Element](), list[_Element](), list[_Element]()  # around: begun in another sentence
    opened: list[tuple[_Element, int]] = []  # with the atom that each begins before
    names = sorted(source.names.items(), key=lambda item: item[1], reverse=True)
    for tag, place in source.tags:
        while names and names[-1][1] < place:
            name, _ = names.pop()
            if opened:
                opened[-1][0].names.append(name)
        if not tag.startswith("</"):
            parent = opened[-1][0] if opened else None
            element = _Element(start=tag, is_mark=tag.startswith("<img"), parent=parent)
            begun.append(element)
            (parent.inner if parent else outermost).append(element)
            if not element.is_mark:
                opened.append((element, place))
        elif opened:
            element, first = opened.pop()
            element.end, element.has_words = tag, source.has_words(first, place)
            if element.start != tag.replace("/", "", 1):
                return None
        else:
            element = _Element(end=tag, inner=outermost)  # its start is in another sentence: it is around all before
            for each in outermost:
                each.parent = element
            outermost = [element]
            around.append(element)
        if max(len(opened), len(around)) > _DEEPEST:
            return None
    return [*reversed(around), *begun]


def _in_source_order(source: _Atoms, translation: _Atoms) -> list[tuple[str, int]]:
    """The source's tags at the places where the translation has tags; those too many at its end."""
    places = sorted(place for _, place in translation.tags)
    places += [len(translation.texts)] * (len(source.tags) - len(places))
    return [(tag, place) for (tag, _), place in zip(source.tags, places, strict=False)]


def _place(element: _Element, places: Mapping[str, int], atoms: _Atoms) -> None:
    """Find which words an element is around, its inner elements aside."""
    length = len(atoms.texts)
    if element.is_mark:
        element.first = element.last = places.get(element.start, length)
        return
    either = places.get(element.start, places.get(element.end, length))
    first = places.get(element.start, either) if element.start else 0
    last = places.get(element.end, either) if element.end else length
    element.first, element.last = min(first, last), max(first, last)
    if element.has_words and atoms.words and not atoms.has_words(element.first, element.last):
        names = [atoms.names[name] for name in element.names if name in atoms.names]
        element.first = min(names, default=atoms.word_from(element.last))
        element.last = max(names, default=element.first) + 1


def _ordered(elements: Sequence[_Element], atoms: _Atoms, floor: int, ceiling: int) -> list[tuple[str, int]]:
    """The tags of sibling elements with their places from left to right, all within the atoms given."""
    siblings = sorted(
        elements, key=lambda each: (bool(each.start) - bool(each.end or each.is_mark), each.first, each.last)
    )
    found: list[tuple[str, int]] = []
    for element, limit in zip(siblings, _limits(siblings, ceiling), strict=True):
        first = min(max(element.first, floor), ceiling)
        last = max(first, min(element.last, limit)) if element.end else first if element.is_mark else ceiling
        if element.start and element.end:
            first, last = atoms.without_spaces(first, last)
        inner = _ordered(element.inner, atoms, first, last)
        tags = [(element.start, first), *inner, (element.end, last)]
        found += [(tag, place) for tag, place in tags if tag]
        floor = last
    return found


def _limits(siblings: Sequence[_Element], ceiling: int) -> list[int]:
    """Where each element must have ended, so that the next one that has content keeps its words."""
    limits: list[int] = []
    for element in reversed(siblings):
        limits.append(ceiling)
        if element.end and not element.is_mark:
            ceiling = min(ceiling, element.first)
    return limits[::-1]


def _joined(texts: Sequence[str], tags: Iterable[tuple[str, int]]) -> str:
    """The atoms with the tags, whose places rise, between them."""
    parts: list[str] = []
    end = 0
    for tag, place in tags:
        parts += texts[end:place]
        parts.append(tag)
        end = place
    return "".join([*parts, *texts[end:]])

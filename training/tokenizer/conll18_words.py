"""The two sides of the CoNLL 2018 evaluation: a treebank's words, and those that a tokenizer found in its text."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from service.text.tokenizer import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A stretch of the characters left when white space is removed, end exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Word:
    """A syntactic word. Inside a multiword token ``place`` is the place of the whole token."""

    form: str
    place: Range
    is_multiword: bool = False
    upos: str = "_"
    xpos: str = "_"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmentation:
    """One side of the comparison. ``characters`` is the text without its white space."""

    characters: str
    tokens: list[Range]
    sentences: list[Range]
    words: list[Word]


@dataclass(slots=True)
class _Builder:
    """A builder of a segmentation, form after form."""

    characters: list[str] = field(default_factory=list)
    tokens: list[Range] = field(default_factory=list)
    sentences: list[Range] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    position: int = 0

    def add_token(self, form: str) -> Range:
        visible = "".join(character for character in form if not _is_space(character))
        place = Range(start=self.position, end=self.position + len(visible))
        self.characters.append(visible)
        self.tokens.append(place)
        self.position = place.end
        return place

    def end_sentence(self, start: int) -> None:
        if self.position > start:
            self.sentences.append(Range(start=start, end=self.position))

    def build(self) -> Segmentation:
        return Segmentation(
            characters="".join(self.characters),
            tokens=self.tokens,
            sentences=self.sentences,
            words=self.words,
        )


def _is_space(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Zs"


def read_gold(lines: Iterable[str]) -> Segmentation:
    """The segmentation of a CoNLL-U file, given as its lines."""
    builder = _Builder()
    for block in _blocks(lines):
        start = builder.position
        rows = iter(block.rows)
        for row in rows:
            place = builder.add_token(row[1])
            first, _, last = row[0].partition("-")
            inside = list(itertools.islice(rows, int(last) - int(first) + 1)) if last else [row]
            for word in inside:
                builder.words.append(
                    Word(form=word[1], place=place, is_multiword=bool(last), upos=word[3], xpos=word[4])
                )
        builder.end_sentence(start)
    return builder.build()


def segmentation_of(
    sentences: Iterable[Sentence],
    *,
    upos: Iterable[Sequence[str]] = (),
    xpos: Iterable[Sequence[str]] = (),
) -> Segmentation:
    """The segmentation of a tokenizer: every word is its own token; tags are parallel to the sentences."""
    builder = _Builder()
    columns = itertools.zip_longest(upos, xpos, fillvalue=None)
    for sentence, tags in itertools.zip_longest(sentences, columns, fillvalue=(None, None)):
        assert isinstance(sentence, Sentence), "more rows of tags than sentences"
        start = builder.position
        blank = ["_"] * len(sentence)
        for form, one, other in zip(sentence.words, tags[0] or blank, tags[1] or blank, strict=True):
            builder.words.append(Word(form=form, place=builder.add_token(form), upos=one, xpos=other))
        builder.end_sentence(start)
    return builder.build()


def raw_text(lines: Iterable[str], *, width: int | None = None) -> str:
    """The plain text of a CoNLL-U file, as the treebanks' own ``.txt`` files have it.

    ``SpaceAfter=No`` is honoured, sentences are joined by a space, a blank line separates paragraphs and texts. With
    ``width`` (the treebanks take 80) lines are broken at the last space before it.
    """
    paragraphs: list[list[str]] = []
    for block in _blocks(lines):
        if block.starts_paragraph or not paragraphs:
            paragraphs.append([])
        last_inside = 0
        for row in block.rows:
            first, _, last = row[0].partition("-")
            if int(first) > last_inside:
                paragraphs[-1].append(row[1] if "SpaceAfter=No" in row[9].split("|") else row[1] + " ")
                last_inside = int(last or first)
    texts = ("".join(pieces).rstrip(" ") for pieces in paragraphs)
    return "\n\n".join(_wrap(text, width) if width else text for text in texts) + "\n"


def _wrap(text: str, width: int) -> str:
    lines = []
    while len(text) > width:
        space = text.rfind(" ", 1, width + 1)
        space = space if space > 0 else text.find(" ", width)
        if space < 0:
            break
        lines.append(text[:space])
        text = text[space + 1 :]
    return "\n".join([*lines, text])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    rows: list[list[str]]
    starts_paragraph: bool


def _blocks(lines: Iterable[str]) -> Iterator[_Block]:
    """The sentences of a CoNLL-U file: rows of ten columns without empty nodes (``8.1``)."""
    rows: list[list[str]] = []
    starts_paragraph = False
    for line in itertools.chain(lines, [""]):
        line = line.rstrip("\r\n")
        if line.startswith("#"):
            starts_paragraph |= line.startswith(("# newpar", "# newdoc"))
        elif line:
            row = line.split("\t")
            if "." not in row[0]:
                rows.append(row)
        elif rows:
            yield _Block(rows=rows, starts_paragraph=starts_paragraph)
            rows, starts_paragraph = [], False

"""HTML and Markdown cut into sentences that are translated one by one, and joined again with all markup in its place.

Between sentences the source is kept byte for byte. Inside of a sentence the network's side sees stand-ins: a tag
``<a/0>`` for a mark around words, ``<img/1>`` for an element between words, a private-use character for one that
stands in the place of a word, such as code. ``MarkedPassage.restored`` puts the originals back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from service.text.markup.html import html_runs, write_html
from service.text.markup.inline import NAMES, STAND_IN, Kind, Piece, nest
from service.text.markup.markdown import markdown_runs, write_markdown
from service.text.pairs import partners
from service.text.paragraphs import Passage, cut
from service.text.spans import Stretch
from service.text.tokenizer import split_sentences

Format = Literal["text", "html", "markdown"]
# Writes a translation as the document has it, from one with stand-ins, what they stand for, and the source.
Write = Callable[[str, Mapping[str, str], str], str]
_SPACES = re.compile(r" {2,}")


@dataclass(frozen=True, slots=True)
class MarkedSentence:
    """A sentence as the translator gets it, and what its stand-ins stand for."""

    text: str
    originals: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedPassage(Passage):
    """A document and its sentences in order; none of them is empty."""

    marked: tuple[MarkedSentence, ...]
    write: Write

    @property
    def sentences(self) -> list[str]:
        return [each.text for each in self.marked]

    def restored(self, sentence: int, translation: str) -> str:
        """A translation as it stands in the document: every mark of the source once, nested as there. One that is the
        sentence itself is the source, line breaks included."""
        marked, span = self.marked[sentence], self.spans[sentence]
        source = span.within(self.text)
        if translation == marked.text:
            return source
        translation = translation.strip()
        nested = nest(marked.text, translation) if marked.originals else translation
        return self.write(nested, marked.originals, source)

    def named(self, sentence: int, text: str) -> str:
        """A text with what its stand-ins stand for in their place."""
        originals = self.marked[sentence].originals
        return STAND_IN.sub(lambda found: originals.get(found[0], found[0]), text)


def cut_format(text: str, text_format: Format) -> Passage:
    """The sentences of a text in one of the formats. Takes time linear in the length, whatever the text."""
    if text_format == "text":
        return cut(text)
    if text_format == "html":
        return _passage(text, html_runs(text), write_html)
    return _passage(text, markdown_runs(text), write_markdown)


def _passage(text: str, runs: Iterable[Sequence[Piece]], write: Write) -> MarkedPassage:
    found = [sentence for run in runs for sentence in _InlineContent.of(run).sentences()]
    return MarkedPassage(
        text=text, spans=tuple(span for span, _ in found), marked=tuple(marked for _, marked in found), write=write
    )


@dataclass(frozen=True, slots=True, eq=False)
class _InlineContent:
    """The inline content of a block, which may hold several sentences."""

    pieces: Sequence[Piece]
    partners: Sequence[int | None]
    starts: Sequence[int]  # where each piece begins in the text that is shown

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> _InlineContent:
        starts = list(accumulate((len(piece.shown) for piece in pieces), initial=0))
        return cls(pieces, partners(piece.role for piece in pieces), starts)

    def sentences(self) -> Iterator[tuple[Stretch, MarkedSentence]]:
        """Yield the sentences with their places. A mark at an edge belongs to one if its partner is inside."""
        previous = -1  # the last piece of the sentence before
        place = 0
        for sentence in split_sentences("".join(piece.shown for piece in self.pieces)):
            while self.starts[place + 1] <= sentence.start:
                place += 1
            first = place
            while self.starts[place + 1] < sentence.end:
                place += 1
            begin = self._first_mark(first, place, previous, sentence.start)
            previous = self._last_mark(first, place, sentence.end)
            parts = list(self.pieces[begin : previous + 1])
            if previous == place:
                parts[-1] = _cut(parts[-1], 0, sentence.end - self.starts[place])
            if begin == first:
                parts[0] = _cut(parts[0], sentence.start - self.starts[first], len(parts[0].shown))
            yield Stretch(parts[0].start, parts[-1].end), self._marked(parts, begin)

    def _first_mark(self, first: int, last: int, previous: int, start: int) -> int:
        """The piece a sentence begins with: before its text may be the start of an element that ends inside of it."""
        found = place = first
        is_edge = not self.pieces[first].shown[: start - self.starts[first]].strip()
        while is_edge and place > previous + 1 and not self._is_solid(place - 1):
            place -= 1
            partner = self.partners[place]
            if self.pieces[place].kind is Kind.OPEN and partner is not None and first < partner < last:
                found = place
        return found

    def _last_mark(self, first: int, last: int, end: int) -> int:
        """The piece a sentence ends with: behind its text may stand the end of an element that starts inside of it."""
        found = place = last
        is_edge = not self.pieces[last].shown[end - self.starts[last] :].strip()
        while is_edge and place < len(self.pieces) - 1 and not self._is_solid(place + 1):
            place += 1
            partner = self.partners[place]
            if self.pieces[place].kind is Kind.CLOSE and partner is not None and first < partner < last:
                found = place
        return found

    def _is_solid(self, place: int) -> bool:
        """Whether a piece shows anything besides white space."""
        return bool(self.pieces[place].shown.strip())

    def _marked(self, parts: Sequence[Piece], begin: int) -> MarkedSentence:
        """A sentence of these pieces, the first of which is the run's piece ``begin``."""
        texts, originals, numbers = (
            list[str](),
            dict[str, str](),
            dict[int, int](),
        )  # the two tags of an element have one
        for place, piece in enumerate(parts, begin):
            text = piece.literal
            if piece.kind is not Kind.TEXT:
                partner = self.partners[place]
                is_inside = partner is not None and begin <= partner < begin + len(parts)
                element = min(place, partner) if partner is not None and is_inside else place
                text = _stand_in(piece.kind, numbers.setdefault(element, len(numbers)), len(originals))
                originals[text] = piece.literal
            texts.append(text)
        return MarkedSentence(_SPACES.sub(" ", "".join(texts)), originals)


def _cut(piece: Piece, start: int, end: int) -> Piece:
    """What of a piece is shown between two places, if it can be cut there."""
    if not piece.is_sliceable:
        return piece
    shown = piece.shown[start:end]
    return Piece(piece.kind, piece.start + start, piece.start + end, shown, shown)


def _stand_in(kind: Kind, number: int, num_before: int) -> str:
    """Return the stand-in of an element with this number, of which so many are before it."""
    if kind is Kind.OPEN:
        return f"<a/{number}>"
    if kind is Kind.CLOSE:
        return f"</a/{number}>"
    if kind is Kind.NAME and num_before < len(NAMES):
        return chr(NAMES.start + num_before)
    return f"<img/{number}>"

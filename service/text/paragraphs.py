"""A text cut into sentences that are translated one by one, and the translations joined as the sentences were.

What stands between sentences is kept as it is: line breaks, blank lines, spaces, the bullets and numbers of lists,
and emoji. Only inside of a sentence that runs over a line's end the break becomes a space.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from service.text.markup.html import is_block
from service.text.placeholders.items import scan, without_edges
from service.text.spans import Stretch
from service.text.tokenizer import split_sentences

# What begins the item of a list, a heading or a quotation; it is no part of the sentence after it.
_MARKER = re.compile(r"\s*(?:(?:[-*+•‣◦▪–—>]|#{1,6}|\(?\d{1,3}[.)]|\(?[a-z]\))[ \t]+)+")
_BREAK = re.compile(r"\r\n|[\n\r\u2028\u2029]")
_TAG = re.compile(r"</?([A-Za-z][\w:.-]*)")
_WIDEST_WRAPPED = 120  # characters; nobody breaks lines wider than that to make them fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A text and its sentences in order; none of them is empty."""

    text: str
    spans: tuple[Stretch, ...]

    @property
    def sentences(self) -> list[str]:
        """Sentences, each on one line."""
        return [_BREAK.sub(" ", span.within(self.text)) for span in self.spans]

    def restored(self, sentence: int, translation: str) -> str:
        """A translation of the sentence with this number as it stands in the text."""
        return translation

    def named(self, sentence: int, text: str) -> str:
        """A part of a sentence or translation in the caller's words."""
        return text

    def join(self, translations: Sequence[str]) -> str:
        """The text with each sentence's translation in its place."""
        places = [0, *(place for span in self.spans for place in (span.start, span.end)), len(self.text)]
        gaps = [self.text[start:end] for start, end in pairwise(places)][::2]
        parts = (part for pair in zip(gaps, [*translations, ""], strict=True) for part in pair)
        return "".join(parts)


def cut(text: str) -> Passage:
    """Cut a text into its sentences. Takes time linear in the length, whatever the text."""
    spans = (
        _trimmed(text, sentence.moved(block.start))
        for block in _blocks(text)
        for sentence in _sentences(block.within(text))
    )
    return Passage(text=text, spans=tuple(spans))


def _sentences(block: str) -> Iterator[Stretch]:
    """The sentences of a block. None of them holds a tag that parts blocks of HTML, such as ``<li>``."""
    start = 0
    for tag in scan(block) if "<" in block else ():
        name = _TAG.match(tag.text) if tag.kind == "markup" else None
        if name is None or not is_block(name[1].lower()):
            continue
        yield from _sentences_between(block, Stretch(start, tag.start))
        start = tag.end
    yield from _sentences_between(block, Stretch(start, len(block)))


def _sentences_between(block: str, span: Stretch) -> Iterator[Stretch]:
    for each in _whole_sentences(span.within(block)):
        yield each.moved(span.start)


def _whole_sentences(text: str) -> list[Stretch]:
    """The sentences of a text, none of which ends within a protected item: ``v5.4.2``, ``@j.smith``."""
    spans = [Stretch(each.start, each.end) for each in split_sentences(text)]
    if not any(one.end == other.start for one, other in pairwise(spans)):
        return spans
    items = scan(text)
    starts = [item.start for item in items]
    whole = spans[:1]
    for span in spans[1:]:
        item = items[bisect_left(starts, span.start) - 1] if starts and starts[0] < span.start else None
        if item is not None and whole[-1].end == span.start < item.end:
            whole[-1] = Stretch(whole[-1].start, span.end)
        else:
            whole.append(span)
    return whole


def _trimmed(text: str, span: Stretch) -> Stretch:
    """Return a sentence's span without emoji at its edges, which stand better outside; all if there is no more."""
    inner = Stretch(*without_edges(span.within(text)))
    return inner.moved(span.start) if inner.length > 0 else span


def _blocks(text: str) -> Iterator[Stretch]:
    """Stretches of lines that may share a sentence, without the marker before them."""
    for lines in _paragraphs(text):
        width = max(line.length for line in lines)
        start = 0
        for end in range(1, len(lines) + 1):
            if end == len(lines) or not _is_wrapped(text, lines[end - 1], lines[end], width):
                marker = _MARKER.match(text, lines[start].start, lines[start].end)
                yield Stretch(marker.end() if marker else lines[start].start, lines[end - 1].end)
                start = end


def _is_wrapped(text: str, line: Stretch, following: Stretch, width: int) -> bool:
    """Whether a line was broken only because its next word found no room within the paragraph's width."""
    words = following.within(text).split(maxsplit=1)
    return width <= _WIDEST_WRAPPED and line.length + 1 + len(words[0]) > width


def _paragraphs(text: str) -> Iterator[list[Stretch]]:
    """Yield lines in groups; a blank line or a marker begins another."""
    group: list[Stretch] = []
    for line in _lines(text):
        is_blank = not line.within(text).strip()
        if group and (is_blank or _MARKER.match(text, line.start, line.end)):
            yield group
            group = []
        if not is_blank:
            group.append(line)
    if group:
        yield group


def _lines(text: str) -> Iterator[Stretch]:
    start = 0
    for found in _BREAK.finditer(text):
        yield Stretch(start, found.start())
        start = found.end()
    yield Stretch(start, len(text))

"""Text to sentences of words with exact offsets, cut the way UD English EWT cuts messy English.

Three steps. White space parts the text into stretches; each stretch is cut into words by rule
(``words.py``); sentences end at blank lines and where a small model says so (``boundaries.py``), which is
asked only at places where a sentence could end at all. Never raises, whatever the text; takes time linear
in its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from operator import itemgetter
from typing import NamedTuple

from service.text.boundaries import BoundaryModel, known_boundary, load_boundary_model
from service.text.spans import Stretch, stretch_of
from service.text.words import split_words

_SPACE = re.compile(r"(\s+)")
_CLOSERS = frozenset((")", "]", '"', "'", "”", "’", "''"))
_NEVER_LAST = frozenset((",", "-", "--", "(", "$", "#", "&", "/"))
_NEVER_FIRST = frozenset("\"'”’),.;:!?")
# A line shorter than this was ended on purpose, unless it is one of a text that is wrapped more narrowly.
_SHORT_LINE = 50
NARROWEST, WIDEST = 16, 120  # characters of a wrapped text's longest line; lists are narrower, single lines wider
_BREAK = re.compile(r"\r\n|[\n\r]")
_FIRST_WORD = re.compile(r"\S+")
# Longer stretches are rarely words, and keeping them would cost memory.
_LONGEST_KEPT = 32
# `its` before one of these is `it` + `s`.
ITS_FOLLOWERS = frozenset(
    """a an the not really simply very like just also so too been always never still now in on to for because
    easy great good nice all only""".split()
)
_MODEL = load_boundary_model()


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


class Cut(NamedTuple):
    """Words of a stretch without white space, and what its letters and marks say of sentences around it."""

    words: tuple[str, ...]
    inner: tuple[int, ...]  # indices of words inside it that could begin a sentence
    may_begin: bool
    may_end: bool


def cut_stretch(stretch: str) -> Cut:
    words = tuple(split_words(stretch))
    places = range(1, len(words))
    return Cut(
        words=words,
        inner=tuple(i for i in places if words[i - 1][-1] in ".!?…" and words[i][0] not in _NEVER_FIRST),
        may_begin=not words[0][0].islower(),
        may_end=not words[-1][-1].isalnum() and words[-1] not in _NEVER_LAST,
    )


_WORDS = itemgetter(0)  # of a cut
# English repeats itself: most stretches of a text have been cut before.
_cut_short_stretch = lru_cache(maxsize=1 << 14)(cut_stretch)


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of a text in parallel columns, and the indices at which sentences could or must begin."""

    words: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    candidates: list[int] = field(default_factory=list)
    breaks: set[int] = field(default_factory=set)


def scan_words(text: str) -> Words:
    """Cut the whole text into words. The one loop that every word goes through, so it is kept plain."""
    found = Words()
    words, starts, ends, candidates = found.words, found.starts, found.ends, found.candidates
    end = line_start = 0
    may_end = False
    wrapped = wrapped_ends(text) if "\n" in text or "\r" in text else frozenset[int]()
    parts = _SPACE.split(text)  # stretches, and the white space between them
    for gap, stretch in zip(("", *parts[1::2]), parts[::2], strict=True):
        if not stretch:  # of the text's white space at its begin or end
            continue
        start = end + len(gap)
        if gap != " " and gap:
            if _ends_line(gap, end - line_start, is_wrapped=end in wrapped):
                found.breaks.add(len(words))
            if "\n" in gap or "\r" in gap:
                line_start = start
        end = start + len(stretch)
        cut = _cut_short_stretch(stretch) if len(stretch) <= _LONGEST_KEPT else cut_stretch(stretch)
        if may_end or cut.may_begin:
            candidates.append(len(words))
        may_end = cut.may_end
        if len(cut.words) == 1:
            words.append(stretch)
            starts.append(start)
            ends.append(end)
            continue
        if cut.inner:
            candidates += [len(words) + index for index in cut.inner]
        words += cut.words
        inside = list(accumulate(map(len, cut.words), initial=start))
        starts += inside[:-1]
        ends += inside[1:]
    return found


def _ends_line(gap: str, width: int, *, is_wrapped: bool) -> bool:
    """A blank line always ends a sentence; the end of one line does if the line is short and not wrapped."""
    num_lines = max(gap.count("\n"), gap.count("\r"), 2 * gap.count("\u2029"))
    return num_lines > 1 or (num_lines == 1 and width < _SHORT_LINE and not is_wrapped)


def wrapped_ends(text: str) -> set[int]:
    """Return the ends of the lines, white space left out, that were broken because the next word found no room. A
    stretch of such lines is taken for wrapped text if at least half of them go on with a small letter: lists, forms and
    addresses seldom do. Takes time linear in the length."""
    ends: set[int] = set()
    for lines in _paragraphs(text):
        if NARROWEST <= max(line.length for line in lines) <= WIDEST:
            for run in _runs_without_room(text, lines):
                if 2 * sum(text[following.start].islower() for _, following in run) >= len(run):
                    ends.update(line.end for line, _ in run)
    return ends


def _runs_without_room(text: str, lines: Sequence[Stretch]) -> Iterator[list[tuple[Stretch, Stretch]]]:
    """Yield stretches of lines, each with the one after it, whose first word finds no room in the paragraph's width."""
    width = max(line.length for line in lines)
    run: list[tuple[Stretch, Stretch]] = []
    for line, following in pairwise(lines):
        word = _FIRST_WORD.match(text, following.start, following.end)
        if word and line.length + 1 + len(word[0]) > width:
            run.append((line, following))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _paragraphs(text: str) -> Iterator[list[Stretch]]:
    """Yield the lines between blank ones."""
    group: list[Stretch] = []
    begin = 0
    for end, begin_next in [*(found.span() for found in _BREAK.finditer(text)), (len(text), len(text))]:
        line = stretch_of(text[begin:end])
        if line.length > 0:
            group.append(line.moved(begin))
        elif group:
            yield group
            group = []
        begin = begin_next
    if group:
        yield group


def split_sentences(text: str) -> list[Sentence]:
    """The sentences of ``text``, none of them empty, offsets in code points; white space has none."""
    found = scan_words(text)
    bounds = [0, *choose_bounds(found, _MODEL), len(found.words)]
    return [_sentence_between(found, start, end) for start, end in pairwise(bounds) if start < end]


def words_of(text: str) -> list[str]:
    """Return the words of a text in order: those of ``scan_words``, without looking where sentences end."""
    stretches = text.split()
    cut = _cut_short_stretch if max(map(len, stretches), default=0) <= _LONGEST_KEPT else cut_stretch
    return list(chain.from_iterable(map(_WORDS, map(cut, stretches))))


def choose_bounds(found: Words, model: BoundaryModel) -> list[int]:
    """The word indices, rising, at which every sentence but the first begins."""
    bounds: list[int] = []
    start = 0
    for place in sorted(found.breaks.union(found.candidates) - {0}):
        is_boundary: bool | None = place in found.breaks
        if not is_boundary:
            spaced = found.starts[place] > found.ends[place - 1]
            is_boundary = known_boundary(found.words, place, start) if spaced else None
            if is_boundary is None:
                is_boundary = model.score(found.words, place, start, spaced) > 0.0
        if is_boundary:
            bounds.append(place)
            start = place
    return bounds


def _sentence_between(found: Words, start: int, end: int) -> Sentence:
    """A slice of the words; what only the end of a sentence or the next word can tell is cut here."""
    sentence = Sentence(found.words[start:end], found.starts[start:end], found.ends[start:end])
    words = sentence.words
    last = len(words) - 1
    while last > 0 and words[last] in _CLOSERS:
        last -= 1
    if words[last][-1] == "." and words[last][0].isalnum():
        # The stop of an abbreviation that ends a sentence ends them both, and is a word of its own.
        _cut_word(sentence, last, len(words[last]) - 1)
    if "its" in sentence.words or "Its" in sentence.words:
        return _cut_its(sentence)
    return sentence


def _cut_its(sentence: Sentence) -> Sentence:
    """Return the sentence with `its not` cut as `it's not` without its apostrophe."""
    found = Sentence([], [], [])
    following = [*sentence.words[1:], ""]
    for (word, start, end), follower in zip(sentence, following, strict=True):
        is_cut = word in ("its", "Its") and follower.lower() in ITS_FOLLOWERS
        found.words.extend((word[:2], word[2:]) if is_cut else (word,))
        found.starts.extend((start, start + 2) if is_cut else (start,))
        found.ends.extend((start + 2, end) if is_cut else (end,))
    return found


def _cut_word(sentence: Sentence, place: int, cut: int) -> None:
    word, middle = sentence.words[place], sentence.starts[place] + cut
    sentence.words[place : place + 1] = word[:cut], word[cut:]
    sentence.starts.insert(place + 1, middle)
    sentence.ends.insert(place, middle)


def join_words(words: Sequence[str]) -> tuple[str, Sentence]:
    """Words that are already cut, as one sentence of the text they make when joined by single spaces."""
    starts = [0, *accumulate(len(word) + 1 for word in words)][:-1]
    ends = [start + len(word) for start, word in zip(starts, words, strict=True)]
    return " ".join(words), Sentence(list(words), starts, ends)

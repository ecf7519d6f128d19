"""Line breaks that only wrap a text at a width, told from those that somebody meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from service.text.spans import Stretch, stretch_of

NARROWEST, WIDEST = 16, 120  # characters of a wrapped text's longest line; lists are narrower, single lines wider
_BREAK = re.compile(r"\r\n|[\n\r]")
_FIRST_WORD = re.compile(r"\S+")


def wrapped_ends(text: str) -> set[int]:
    """Return the ends of the lines, white space left out, that were broken because the next word found no room.

    A stretch of such lines is taken for wrapped text if at least half of them go on with a small letter: lists, forms
    and addresses seldom do. Takes time linear in the length.
    """
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

"""The text of a Markdown document, block by block; every piece knows its place in the source.

markdown-it-py finds the blocks of CommonMark and GitHub's tables. Code, HTML blocks, front matter and the definitions
of links are no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import normalizeReference
from markdown_it.token import Token

from service.text.inline import Kind, Piece
from service.text.markdown_inline import Content, inline_pieces

_FRONT_MATTER = re.compile(
    r"""\ufeff?
    (?: ---[ \t]*\r?\n(?=[\w"'-]+[ \t]*:|\#)(?s:.*?)\n(?:---|\.\.\.) | \+\+\+[ \t]*\r?\n(?s:.*?)\n\+\+\+ )
    [ \t]*(?:\r?\n|\Z)""",
    re.VERBOSE,
)
_BREAK = re.compile(r"\r\n?|\n")
_HEADING_END = re.compile(r"[ \t]+#+[ \t]*\Z")
_CELL = re.compile(r"(?:[^|\\]|\\(?s:.)|\\\Z)*+(?:\||\Z)")


def _parser() -> MarkdownIt:
    """Of blocks only: the content of each is left as it is."""
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


_PARSER = _parser()


def markdown_runs(text: str) -> Iterator[list[Piece]]:
    """The inline content of each block in order; line breaks that are kept end a run. Takes time linear in the length,
    whatever the text."""
    front_matter = _FRONT_MATTER.match(text)
    start = front_matter.end() if front_matter else 0
    environment: dict[str, Any] = {}
    tokens = _PARSER.parse(text[start:], environment)
    is_label = partial(_is_label, environment.get("references", {}))
    for content in _contents(tokens, _Lines(text, start)):
        yield from _split(inline_pieces(content, is_label))


def _is_label(references: dict[str, Any], label: str) -> bool:
    """Whether a document defines the address of a link with this label."""
    return normalizeReference(label) in references


def _split(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    run: list[Piece] = []
    for piece in pieces:
        if piece.kind is not Kind.BORDER:
            run.append(piece)
            continue
        yield run
        run = []
    yield run


class _Lines:
    """The lines of a source from ``start`` on."""

    def __init__(self, text: str, start: int) -> None:
        breaks = [found.span() for found in _BREAK.finditer(text, start)]
        places = [start, *chain.from_iterable(breaks), len(text)]
        self._text = text
        self._spans = list(zip(places[::2], places[1::2], strict=True))

    def line(self, number: int) -> tuple[int, str]:
        """Where a line begins, and the line as the parser reads it."""
        start, end = self._spans[number]
        return start, self._text[start:end].replace("\0", "\ufffd")


def _contents(tokens: Sequence[Token], lines: _Lines) -> Iterator[Content]:
    """The content of each block that has text, and of each cell of a table."""
    row: Iterator[tuple[int, str]] = iter(())
    for before, token in pairwise(tokens):
        if before.type == "tr_open" and before.map:
            row = _cells(*lines.line(before.map[0]))
        if token.type != "inline" or not token.map:
            continue
        is_cell = before.type in ("th_open", "td_open")
        content = _cell(row, token.content) if is_cell else _paragraph(token.content, token.map[0], lines)
        if content is not None:
            yield content


def _paragraph(content: str, first: int, lines: _Lines) -> Content | None:
    """A block's content with the place of each of its lines; None where a line is not found in the source."""
    parts: list[tuple[str, int]] = []
    for number, line in enumerate(content.split("\n"), first):
        start, source = lines.line(number)
        wanted = line.lstrip(" \t")
        wholes = (source, source.rstrip(), _HEADING_END.sub("", source).rstrip())
        whole = next((each for each in wholes if each.endswith(wanted)), None)
        if whole is None:
            return None
        parts.append((wanted, start + len(whole) - len(wanted)))
    return Content.of(parts)


def _cells(start: int, line: str) -> Iterator[tuple[int, str]]:
    """What stands before, between and behind the pipes of a table's row, and where."""
    place = 0
    while place < len(line):
        found = _CELL.match(line, place)
        cell = found[0].removesuffix("|") if found else line[place:]
        yield start + place, cell
        place += len(cell) + 1


def _cell(row: Iterator[tuple[int, str]], content: str) -> Content | None:
    """The next cell of a row that has this content; None if there is none. Before the content may be the marker of a
    list or quotation."""
    if not content:
        next(row, None)
        return None
    wanted = content.replace("|", "\\|")
    for start, cell in row:
        stripped = cell.rstrip()
        if stripped.endswith(wanted):
            return Content.of([(wanted, start + len(stripped) - len(wanted))])
    return None

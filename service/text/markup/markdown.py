"""The text of a Markdown document, block by block, and its translation as it is written there.

markdown-it-py finds the blocks of CommonMark and GitHub's tables; every piece knows its place in the source. Code, HTML
blocks, front matter and the definitions of links are no text. In what is written the source's marks mark, and nothing
else does.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import normalizeReference
from markdown_it.token import Token

from service.text.markup.inline import STAND_IN, Piece, runs_of
from service.text.markup.markdown_inline import inline_pieces, is_sign

_FRONT_MATTER = re.compile(
    r"""\ufeff?
    (?: ---[ \t]*\r?\n(?=[\w"'-]+[ \t]*:|\#)(?s:.*?)\n(?:---|\.\.\.) | \+\+\+[ \t]*\r?\n(?s:.*?)\n\+\+\+ )
    [ \t]*(?:\r?\n|\Z)""",
    re.VERBOSE,
)
_BREAK = re.compile(r"\r\n?|\n")
_CELL = re.compile(r"(?:[^|\\]|\\(?s:.)|\\\Z)*+(?:\||\Z)")


_PARSER = MarkdownIt("commonmark").enable("table")  # of blocks, the content of each of which it leaves as it is
_PARSER.core.ruler.enableOnly(["normalize", "block"])


def markdown_runs(text: str) -> Iterator[list[Piece]]:
    """The inline content of each block in order; kept line breaks end a run. Takes time linear in the length."""
    front_matter = _FRONT_MATTER.match(text)
    start = front_matter.end() if front_matter else 0
    environment: dict[str, Any] = {}
    tokens = _PARSER.parse(text[start:], environment)
    defined = environment.get("references", {})  # addresses of links by their labels
    for content in _contents(tokens, _Lines(text, start)):
        pieces = inline_pieces(content.text, lambda label: normalizeReference(label) in defined)
        yield from runs_of(map(content.located, pieces))


@dataclass(frozen=True, slots=True)
class _Content:
    """The lines of a block without their indentation and markers, and where each stands in the source."""

    text: str
    starts: Sequence[int]  # where each line begins in the text
    places: Sequence[int]  # where it begins in the source

    @classmethod
    def of(cls, lines: Sequence[tuple[str, int]]) -> _Content:
        """Make the content from lines and their places in the source."""
        starts = [0, *accumulate(len(line) + 1 for line, _ in lines)][:-1]
        return cls("\n".join(line for line, _ in lines), starts, [place for _, place in lines])

    def located(self, piece: Piece) -> Piece:
        """A piece of the text as one of the source."""
        is_break = self.text[piece.end - 1] == "\n"
        end = self._place(piece.end) if is_break else self._place(piece.end - 1) + 1
        return replace(piece, start=self._place(piece.start), end=end)

    def _place(self, offset: int) -> int:
        line = bisect_right(self.starts, offset) - 1
        return self.places[line] + offset - self.starts[line]


class _Lines:
    """The lines of a source from ``start`` on."""

    def __init__(self, text: str, start: int) -> None:
        breaks = [found.span() for found in _BREAK.finditer(text, start)]
        places = [start, *chain.from_iterable(breaks), len(text)]
        self._text = text
        self._spans = list(zip(places[::2], places[1::2], strict=True))

    def line(self, number: int) -> tuple[int, str]:
        """Return where a line begins, and the line as the parser reads it."""
        start, end = self._spans[number]
        return start, self._text[start:end].replace("\0", "\ufffd")


def _contents(tokens: Sequence[Token], lines: _Lines) -> Iterator[_Content]:
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


def _paragraph(content: str, first: int, lines: _Lines) -> _Content | None:
    """A block's content with the place of each of its lines; None where a line is not found in the source."""
    parts: list[tuple[str, int]] = []
    for number, line in enumerate(content.split("\n"), first):
        start, source = lines.line(number)
        wanted = line.lstrip(" \t")
        wholes = (source, source.rstrip(), _without_heading_end(source))
        whole = next((each for each in wholes if each.endswith(wanted)), None)
        if whole is None:
            return None
        parts.append((wanted, start + len(whole) - len(wanted)))
    return _Content.of(parts)


def _without_heading_end(line: str) -> str:
    """Return a line without the number signs that may end a heading, and the white space at its end."""
    line = line.rstrip()
    without = line.rstrip("#")
    return without.rstrip() if without[-1:] in (" ", "\t") else line


def _cells(start: int, line: str) -> Iterator[tuple[int, str]]:
    """What stands before, between and behind the pipes of a table's row, and where."""
    for found in _CELL.finditer(line):
        yield start + found.start(), found[0].removesuffix("|")


def _cell(row: Iterator[tuple[int, str]], content: str) -> _Content | None:
    """The next cell of a row that has this content, behind the marker of a list or quotation; None if there is none."""
    if not content:
        next(row, None)
        return None
    wanted = content.replace("|", "\\|")
    for start, cell in row:
        stripped = cell.rstrip()
        if stripped.endswith(wanted):
            return _Content.of([(wanted, start + len(stripped) - len(wanted))])
    return None


_BLOCK_BEGINS = re.compile(r"(?:[-+>]|\#{1,6}|[0-9]{1,9}(?=[.)]))(?=[\s.)]|\Z)|[-=]{3,}\s*\Z|~{3,}|`{3,}")
_HTML_BEGINS = re.compile(r"<(?=[A-Za-z/!?])")
_RUNS = frozenset("`*_~")
_PARTS = re.compile(f"({STAND_IN.pattern})")


def write_markdown(translation: str, originals: Mapping[str, str], source: str) -> str:
    """A translation with what its stand-ins stand for. Spaces keep apart marks that would be read as one, and marks of
    emphasis from words where they would be read as text. Neither begins it a block, unless its source would, nor may
    anything else in it be read as a tag."""
    parts = [part for part in _PARTS.split(translation) if part]
    written = ["", *(originals.get(part) or _HTML_BEGINS.sub(r"\\<", part) for part in parts), ""]
    parts = ["", *parts, ""]
    pieces: list[str] = []
    for place in range(1, len(parts) - 1):
        before, part = parts[place - 1 : place + 1]
        left, right = written[place - 1 : place + 1]
        is_apart = (
            _is_one_run(before, part, left, right)
            or (_is_start(part) and _is_text(right, inner=written[place + 1][:1], outer=left[-1:]))
            or (_is_end(before) and _is_text(left, inner=written[place - 2][-1:], outer=right[:1]))
        )
        pieces += " " * is_apart, right
    return _no_block("".join(pieces), source)


def _is_start(part: str) -> bool:
    return part.startswith("<a/")


def _is_end(part: str) -> bool:
    return part.startswith("</a/")


def _is_one_run(before: str, part: str, left: str, right: str) -> bool:
    """Whether the end of a mark and the start of the next one would be read as one run."""
    are_marks = STAND_IN.fullmatch(before) and STAND_IN.fullmatch(part)
    return (
        bool(are_marks) and not _is_start(before) and not _is_end(part) and left[-1] == right[0] and left[-1] in _RUNS
    )


def _is_text(mark: str, *, inner: str, outer: str) -> bool:
    """Whether a mark of emphasis would be none beside the character outside of it: next to a letter one inside of a
    word, an underscore or a mark before punctuation is text."""
    return mark[0] in _RUNS and outer.isalnum() and (mark[0] == "_" or is_sign(inner))


def _no_block(text: str, source: str) -> str:
    begins = _BLOCK_BEGINS.match(text)
    if begins is None or _BLOCK_BEGINS.match(source):
        return text
    place = begins.end() if begins[0].isdigit() else 0
    return f"{text[:place]}\\{text[place:]}"

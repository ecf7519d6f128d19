"""Output of results: JSON, JSON lines, or a table; and a progress bar beside it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from itertools import tee
from typing import Any, Literal, TypeVar

import click

from ribbon.console.texts import Texts
from ribbon.errors import InvalidRequestError

Result = TypeVar("Result")
Command = Callable[..., Any]
Format = Literal["table", "json", "jsonl"]

# Colours of entity labels and classes, given by their names' place in the alphabet of those that were seen.
COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Look of tables: with colours and cut to the window's width on a terminal, else neither."""

    has_colours: bool
    width: int | None  # columns; None does not cut

    @classmethod
    def of_stdout(cls) -> Style:
        """Return the style for standard output. ``NO_COLOR`` switches colours off (no-color.org)."""
        is_terminal = sys.stdout.isatty()
        return cls(
            has_colours=is_terminal and not os.environ.get("NO_COLOR"),
            width=shutil.get_terminal_size().columns if is_terminal else None,
        )

    def label(self, text: str, *, name: str | None = None) -> str:
        """Colour a text by the name of its label, the same name always alike."""
        if not self.has_colours or not text.strip():
            return text
        return click.style(text, fg=COLOURS[sum((name or text).strip().encode()) % len(COLOURS)], bold=True)

    def faint(self, text: str) -> str:
        """Show a text as less important."""
        return click.style(text, dim=True) if self.has_colours else text

    def cut(self, text: str, *, used: int) -> str:
        """Cut a text to what is left of the window's width; line breaks become spaces."""
        if self.width is None:
            return text
        line, room = " ".join(text.split()), max(8, self.width - used - 1)
        return line if len(line) <= room else f"{line[: room - 1]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Format in which a command writes its results."""

    format: Format
    style: Style

    def write(
        self,
        texts: Texts,
        results_of: Callable[[Iterable[str]], Iterator[Result]],
        table: Callable[[str, Result, Style], Iterable[str]],
        *,
        head: str | None = None,
    ) -> None:
        """Write the result of each text as soon as it is there. ``table`` makes the lines of one result, below
        ``head``."""
        pairs = with_progress(texts, answered(texts, results_of))
        if self.format == "table":
            write_lines(self._table(pairs, table, head))
        elif self.format == "jsonl":
            write_lines(json_of(result) for _, result in pairs)
        else:
            write_lines(json_array(result for _, result in pairs))

    def _table(
        self,
        pairs: Iterator[tuple[str, Result]],
        table: Callable[[str, Result, Style], Iterable[str]],
        head: str | None,
    ) -> Iterator[str]:
        for number, (text, result) in enumerate(pairs):
            if head and number == 0:
                yield self.style.faint(head)
            yield from table(text, result, self.style)


def format_options(command: Command) -> Command:
    """Add the options that choose a format; the command is given an ``output``."""

    @click.option("--table", "format", flag_value="table", default=True, help="A table for people (the default).")
    @click.option("--json", "format", flag_value="json", help="One JSON array with a result for each text.")
    @click.option("--jsonl", "format", flag_value="jsonl", help="A JSON object a line.")
    @wraps(command)
    def wrapped(*, format: Format, **others: Any) -> Any:  # noqa: A002  # the option's name
        return command(output=Output(format=format, style=Style.of_stdout()), **others)

    return wrapped


def answered(texts: Texts, results_of: Callable[[Iterable[str]], Iterator[Result]]) -> Iterator[tuple[str, Result]]:
    """Yield each text with its result. An error that names a text says where it stands."""
    asked, kept = tee(texts)  # what is kept is no more than a batch
    try:
        yield from zip(kept, results_of(asked), strict=True)
    except InvalidRequestError as error:
        raise click.ClickException(located(error, texts)) from error


def located(error: InvalidRequestError, texts: Texts) -> str:
    """Return the message of an error, with the lines of the texts it names."""
    messages = []
    for each in error.problem.errors or ():
        field, bracket, number = each.path.partition("[")
        is_text = bracket and field in {"text", "prompt"} and number.rstrip("]").isdecimal()
        place = texts.place(int(number.rstrip("]"))) if is_text else each.path
        messages.append(f"{place}: {each.message}")
    return "\n".join(messages) or str(error)


def with_progress(texts: Texts, pairs: Iterator[tuple[str, Result]]) -> Iterator[tuple[str, Result]]:
    """Yield the pairs, and show on standard error how far they are, if that is a terminal and output is elsewhere."""
    if texts.file is None or not sys.stderr.isatty() or sys.stdout.isatty():
        yield from pairs
        return
    if texts.num_bytes is None:
        with click.progressbar(pairs, file=sys.stderr, show_pos=True) as bar:
            yield from bar
        return
    with click.progressbar(length=texts.num_bytes, file=sys.stderr) as bytes_bar:
        for text, result in pairs:
            yield text, result
            bytes_bar.update(len(text.encode()) + 1)


def json_of(result: Any) -> str:
    """Return a result as one line of JSON, as the API writes it."""
    import msgspec

    return msgspec.json.encode(result).decode()


def json_array(results: Iterable[Any]) -> Iterator[str]:
    """Yield the lines of a JSON array, one for each result."""
    before = "["
    for result in results:
        yield before + json_of(result)
        before = ","
    yield "]" if before == "," else "[]"


def write_lines(lines: Iterable[str]) -> None:
    """Write lines to standard output, each at once: a reader of a pipe may wait for it."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def refusal_of(result: Any) -> str:
    """Return why a text has no answer, for a table; empty if it has one."""
    return f"({result.reason}: {result.detail})" if result.detail else f"({result.reason})" if result.reason else ""

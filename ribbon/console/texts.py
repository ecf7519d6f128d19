"""Texts that a command reads: its arguments, or a file or pipe with a text a line."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import click

MAX_LINE_BYTES = 2**20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NO_TEXT = "no text: give it as an argument, with --file, or through a pipe"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Texts:
    """The arguments of a command, or a file that is read line by line, never as a whole."""

    arguments: Sequence[str] = ()
    file: BinaryIO | None = None

    @classmethod
    def of(cls, arguments: Sequence[str], file: BinaryIO | None) -> Texts:
        """Choose between arguments, file and standard input. Raises UsageError if there is no text, or too many
        sources."""
        if arguments and file is not None:
            raise click.UsageError("give texts as arguments or with --file, not both")
        for number, argument in enumerate(arguments, 1):
            try:
                argument.encode()
            except UnicodeEncodeError:  # bytes that Python could not decode are surrogates
                raise click.UsageError(f"text {number} is not UTF-8") from None
        if arguments or file is not None:
            return cls(arguments=arguments, file=file)
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError(NO_TEXT)
        return cls(file=sys.stdin.buffer)

    def __iter__(self) -> Iterator[str]:
        return iter(self.arguments) if self.file is None else self._lines(self.file)

    @property
    def num_bytes(self) -> int | None:
        """Size of the file; None if it has none, as a pipe."""
        if self.file is None:
            return None
        try:
            status = os.fstat(self.file.fileno())
        except OSError:  # not a file of the system's
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def place(self, index: int) -> str:
        """Name the text with this index, for messages."""
        return f"text {index + 1}" if self.file is None else f"line {index + 1}"

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        index = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise click.UsageError(f"line {index + 1} has more than {MAX_LINE_BYTES} bytes; a text is one line")
            try:
                text = (line.removeprefix(BYTE_ORDER_MARK) if index == 0 else line).decode()
            except UnicodeDecodeError as error:
                raise click.UsageError(f"line {index + 1} is not UTF-8: {error.reason} at byte {error.start}") from None
            yield text.removesuffix("\n").removesuffix("\r")
            index += 1

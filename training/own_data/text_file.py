"""Text files as people have them: size, compression and encoding are checked before anything is read from them."""

from __future__ import annotations

import gzip
from pathlib import Path

from training.own_data.errors import DataError, lines_text

MAX_BYTES = 512 * 2**20  # read into memory at once
GUESSED = "cp1252"  # of bytes that are not UTF-8: Windows, western Europe
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def read_lines(path: Path, encoding: str | None = None) -> list[str]:
    """The lines of a text file, plain or ``.gz``, without their ends.

    Without ``encoding`` it is UTF-8, or what a byte order mark says. Raises DataError on a file that is missing, empty,
    too large, binary, or in another or more than one encoding.
    """
    content = _read_bytes(path)
    if not content.strip():
        raise DataError(f"{path} is empty.")
    encoding = encoding or next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except LookupError as error:
        raise DataError(f"There is no encoding {encoding!r}: utf-8, utf-16 and cp1252 are common ones.") from error
    except UnicodeDecodeError as error:
        raise DataError(_encoding_problem(path, content, encoding)) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{path}, line {line}: a byte of value 0, so this is no text file.")
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


def _read_bytes(path: Path) -> bytes:
    if not path.exists():
        raise DataError(f"{path} does not exist.")
    if not path.is_file():
        raise DataError(f"{path} is no file.")
    size = path.stat().st_size
    if size <= MAX_BYTES:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            try:
                content: bytes = file.read(MAX_BYTES + 1)
            except (OSError, EOFError) as error:
                raise DataError(f"{path} cannot be read: {error}.") from error
        if len(content) <= MAX_BYTES:
            return content
        size = len(content)
    advice = f"head -n 500000 {path.name} > part{path.suffix}"
    raise DataError(
        f"{path} has {'more than ' if path.suffix == '.gz' else ''}{size / 2**30:.1f} GB, and at most "
        f"{MAX_BYTES / 2**30:.1f} GB are read: a part of it is enough to begin with ({advice})."
    )


def _encoding_problem(path: Path, content: bytes, encoding: str) -> str:
    """A sentence about bytes that are not in the encoding: all in another one, or some lines only."""
    if encoding not in ("utf-8", "utf-8-sig"):
        return f"{path} is not in {encoding}: leave --encoding out or name another."
    wrong, right = [], []
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            right.append(number)
        except UnicodeDecodeError:
            wrong.append(number)
    shown = content.split(b"\n")[wrong[0] - 1].decode(GUESSED, "replace").strip()[:40]
    if right:
        return (
            f"{path} mixes encodings: {lines_text(wrong)} not in UTF-8 (perhaps {GUESSED}: {shown!r}), but "
            f"{lines_text(right)} in UTF-8. Save it in UTF-8 throughout."
        )
    return (
        f"{path}, {lines_text(wrong)}: not UTF-8. If {shown!r} reads right, add --encoding {GUESSED}; else save the "
        "file in UTF-8."
    )

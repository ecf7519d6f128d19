"""Offsets in the caller's unit: code points are Python's, UTF-16 units JavaScript's, bytes everybody's."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

OffsetUnit = Literal["codepoint", "utf16", "byte"]
OffsetTable = npt.NDArray[np.int64]


def offset_table(text: str, unit: OffsetUnit) -> OffsetTable | None:
    """Return a table in which ``table[i]`` is where code point ``i`` begins in ``unit``, up to and with ``len(text)``.

    It is None where the table would say nothing: for code points, ASCII, and UTF-16 without astral characters. Bytes
    are those of UTF-8; a lone surrogate, which has none, counts as three.
    """
    if unit == "codepoint" or text.isascii():
        return None
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")  # (character,)
    astral = points >= 0x10000
    if unit == "utf16":
        return _table_of(1 + astral) if astral.any() else None
    return _table_of(1 + (points >= 0x80) + (points >= 0x800) + astral)


def _table_of(widths: npt.NDArray[np.int64]) -> OffsetTable:
    table = np.zeros(len(widths) + 1, np.int64)
    np.cumsum(widths, out=table[1:])
    return table

"""Rows of a decoder step as parallel arrays, which are kept, dropped and joined together."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt


class Rows:
    """Base class of frozen dataclasses with slots, each field of which is an array (row, ...) or has rows itself."""

    __slots__: tuple[str, ...] = ()

    def only(self, rows: npt.NDArray[np.bool_]) -> Self:
        """Return the chosen rows (row,)."""
        chosen: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        for name, value in chosen.items():
            chosen[name] = value.only(rows) if isinstance(value, Rows) else value[rows]
        return type(self)(**chosen)

    def joined(self, newer: Self) -> Self:
        """Return these rows, and the newer ones behind them."""
        both: dict[str, Any] = {}
        for name in self.__slots__:
            one, other = getattr(self, name), getattr(newer, name)
            both[name] = one.joined(other) if isinstance(one, Rows) else np.concatenate((one, other))
        return type(self)(**both)

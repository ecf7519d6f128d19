"""Rows of ids, padded to their longest: the only shape a network ever sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Several rows side by side. ``ids`` may carry a trailing feature axis; ``pad_id`` is 0."""

    ids: Ids  # (batch, time) or (batch, time, feature), padded on the right
    lengths: Ids  # (batch,), tokens before padding


def pad(rows: Sequence[Ids], *, length: int | None = None) -> Batch:
    """Lay rows (time,) or (time, feature) under one another, padded with 0 to the longest, or to a ``length``."""
    lengths = np.fromiter(map(len, rows), np.int32, len(rows))
    ids = np.zeros((len(rows), length or int(lengths.max()), *rows[0].shape[1:]), np.int32)
    for target, row in zip(ids, rows, strict=True):
        target[: len(row)] = row
    return Batch(ids=ids, lengths=lengths)

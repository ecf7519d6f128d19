"""Repetition guard: a fourth copy of a phrase in a row is not written, so that loops are cut short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from service.text.batch import Ids

LONGEST = 4  # tokens of the longest phrase that is guarded
COPIES = 3  # in a row are let through: "no, no, no"
NOTHING = -1  # is no token
_SIZES = np.arange(1, LONGEST + 1, dtype=np.int32)
_LIMITS = COPIES * _SIZES - 1  # tokens that agree with the one so many places before; one more completes another copy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RepetitionGuard:
    """Recent tokens and runs of every hypothesis. For each n up to LONGEST: the token n places back, and how many in a
    row, up to the last, equal the token n places before them."""

    recent: Ids  # (row, n)
    runs: Ids  # (row, n)

    @classmethod
    def none(cls, num_rows: int) -> Self:
        """Make the guard of hypotheses that have no token yet."""
        return cls(recent=np.full((num_rows, LONGEST), NOTHING, np.int32), runs=np.zeros((num_rows, LONGEST), np.int32))

    def after(self, parents: npt.NDArray[np.intp], tokens: Ids) -> RepetitionGuard:
        """Return the guard of hypotheses (row,) that extend these ``parents`` by one token each."""
        recent = self.recent[parents]
        runs = (self.runs[parents] + 1) * (recent == tokens[:, None])
        recent[:, 1:] = recent[:, :-1]
        recent[:, 0] = tokens
        return RepetitionGuard(recent=recent, runs=runs)

    def forbids(self, candidates: Ids) -> npt.NDArray[np.bool_] | None:
        """Return which next tokens (row, candidate) would complete a copy too many; None if none does."""
        at_limit = self.runs >= _LIMITS
        if not at_limit.any():
            return None
        forbidden = np.where(at_limit, self.recent, NOTHING)
        found: npt.NDArray[np.bool_] = (candidates[:, :, None] == forbidden[:, None, :]).any(axis=2)
        return found

    def joined(self, other: RepetitionGuard) -> RepetitionGuard:
        return RepetitionGuard(
            recent=np.concatenate((self.recent, other.recent)), runs=np.concatenate((self.runs, other.runs))
        )

    def only(self, rows: npt.NDArray[np.bool_]) -> RepetitionGuard:
        return RepetitionGuard(recent=self.recent[rows], runs=self.runs[rows])

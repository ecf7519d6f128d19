"""Back pointers of live hypotheses: their tokens, and the rows of earlier steps that hold the attention of each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Self

import numpy as np
import numpy.typing as npt

from service.decoding.search import Floats
from service.decoding.selection import Indices
from service.text.batch import Ids

FIRST_TOKENS = 32  # room at first; afterwards twice as much each time
_TOKEN, _PLACE = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class BackPointers:
    """Tokens of every hypothesis, and for each token the parent's row in the step that gave it."""

    steps: Ids  # (row, token, 2); what is beyond a hypothesis' length means nothing

    @classmethod
    def none(cls, num_rows: int) -> Self:
        """Make the back pointers of hypotheses that have no token yet."""
        return cls(np.zeros((num_rows, FIRST_TOKENS, 2), np.int32))

    def of(self, row: int, length: int) -> tuple[list[int], list[int]]:
        """Return a hypothesis' tokens and the rows of its parents."""
        tokens, places = self.steps[row, :length].T.tolist()
        return tokens, places

    def after(self, parents: Indices, tokens: Ids, lengths: Ids) -> BackPointers:
        """Return the back pointers of hypotheses (row,) that extend these ``parents``, each ``lengths`` (row,) long, by
        one token."""
        steps = self.steps[parents]
        if len(lengths) and lengths.max() >= steps.shape[1]:
            steps = np.concatenate((steps, np.zeros_like(steps)), axis=1)
        rows = np.arange(len(parents))
        steps[rows, lengths, _TOKEN] = tokens
        steps[rows, lengths, _PLACE] = parents
        return BackPointers(steps)

    def joined(self, other: BackPointers) -> BackPointers:
        steps = np.zeros((len(self.steps) + len(other.steps), *self.steps.shape[1:]), np.int32)
        steps[: len(self.steps)] = self.steps
        steps[len(self.steps) :, : other.steps.shape[1]] = other.steps
        return BackPointers(steps)

    def only(self, rows: npt.NDArray[np.bool_]) -> BackPointers:
        return BackPointers(self.steps[rows])


class Attentions:
    """Attention of past steps, kept as long as a live sentence wants it."""

    def __init__(self) -> None:
        self.num_steps = 0  # that there were
        self._kept: deque[Floats] = deque()  # the last ones, (row, time) each

    def add(self, attention: Floats) -> None:
        self._kept.append(attention)
        self.num_steps += 1

    def forget(self, before: int) -> None:
        """Forget the attention of the steps before this one."""
        while self._kept and self.num_steps - len(self._kept) < before:
            self._kept.popleft()

    def of(self, *, start: int, places: list[int], num_tokens: int) -> Floats:
        """Return the attention (target, source) of a hypothesis: the rows in these ``places`` of the steps from
        ``start`` on."""
        first = start - (self.num_steps - len(self._kept))
        rows = [step[place] for step, place in zip(islice(self._kept, first, None), places, strict=False)]
        if not rows:
            return np.zeros((0, num_tokens), np.float32)
        return np.concatenate(rows).reshape(len(rows), -1)[:, :num_tokens].copy()  # of a slice all would be kept

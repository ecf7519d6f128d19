"""Search state of one sentence: its ended hypotheses, and the score that another one has to beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Generic

from service.decoding.search import Floats, Hypothesis
from service.decoding.strategy import Finished, T

Attend = Callable[[list[int]], Floats]  # the attention (target, source) along a hypothesis' places


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinishedHypothesis:
    """A hypothesis that has ended."""

    ids: Sequence[int]  # without </s>
    places: list[int]  # where its attention is
    score: float
    is_complete: bool


@dataclass(slots=True, eq=False)
class SentenceSearch(Generic[T]):
    """The ended hypotheses of one sentence."""

    item: T
    surface: Callable[[Sequence[int]], str]  # the text that ids spell
    ended: list[FinishedHypothesis] = field(default_factory=list)  # the complete ones in the order in which they ended
    _surfaces: set[str] = field(default_factory=set)

    @property
    def num_open(self) -> int:
        """Number of places of the beam that have not ended."""
        return int(self.item.search.beam_size) - len(self.ended)

    @property
    def is_answered(self) -> bool:
        """Whether as many hypotheses are complete as are wanted: only better ones can still change the answer."""
        return len(self.ended) >= int(self.item.search.num_hypotheses)

    @property
    def bar(self) -> float:
        """Score that another hypothesis has to beat to be in the answer."""
        if not self.is_answered:
            return -inf
        return sorted([each.score for each in self.ended], reverse=True)[int(self.item.search.num_hypotheses) - 1]

    def end(self, ids: Sequence[int], places: list[int], total: float, *, is_complete: bool) -> bool:
        """End a hypothesis that came to </s>, or at the length limit. Returns False, and changes nothing, if it spells
        what an earlier one does."""
        search = self.item.search
        if search.beam_size > 1:  # a single one is like no other
            spelt = self.surface(ids)
            if spelt in self._surfaces:
                return False
            self._surfaces.add(spelt)
        score = total / (len(ids) + is_complete) ** search.length_penalty
        self.ended.append(FinishedHypothesis(ids=ids, places=places, score=score, is_complete=is_complete))
        return True

    def answer(self, attend: Attend, *, num_steps: int) -> Finished[T]:
        """Return the finished sentence: complete hypotheses before others, the best first. Raises ValueError if no
        hypothesis has a score."""
        search = self.item.search
        ranked = sorted(self.ended, key=lambda each: (not each.is_complete, -each.score))
        if not ranked:
            raise ValueError("no hypothesis has a score")
        hypotheses = [
            Hypothesis(
                ids=tuple(each.ids),
                score=each.score,
                attention=attend(each.places),
                is_complete=each.is_complete,
            )
            for each in ranked[: search.num_hypotheses]
        ]
        return Finished(item=self.item, answer=hypotheses, num_steps=num_steps, num_tokens=len(hypotheses[0].ids))

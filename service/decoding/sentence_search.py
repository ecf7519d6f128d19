"""Search state of one sentence: its ended hypotheses, and the score that another one has to beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Generic, Protocol, TypeVar

from service.decoding.search import Floats, Hypotheses, Hypothesis, Search


class HasSearch(Protocol):
    """Item that brings a sentence's search, and is given back with the answer."""

    @property
    def search(self) -> Search: ...


T = TypeVar("T", bound=HasSearch)
Attend = Callable[[list[int]], Floats]  # the attention (target, source) along a hypothesis' places


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinishedSentence(Generic[T]):
    """An item and its answer."""

    item: T
    hypotheses: Hypotheses
    num_steps: int  # in which it took part

    @property
    def answer(self) -> Hypotheses:
        return self.hypotheses

    @property
    def num_tokens(self) -> int:
        """Number of tokens of the best hypothesis."""
        return len(self.hypotheses[0].ids)


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
    ended: list[FinishedHypothesis] = field(default_factory=list)  # the complete ones in the order in which they ended
    _surfaces: set[str] = field(default_factory=set)

    @property
    def num_open(self) -> int:
        """Number of places of the beam that have not ended."""
        return self.item.search.beam_size - len(self.ended)

    @property
    def is_answered(self) -> bool:
        """Whether as many hypotheses are complete as are wanted: only better ones can still change the answer."""
        return len(self.ended) >= self.item.search.num_hypotheses

    @property
    def bar(self) -> float:
        """Score that another hypothesis has to beat to be in the answer."""
        if not self.is_answered:
            return -inf
        return sorted((each.score for each in self.ended), reverse=True)[self.item.search.num_hypotheses - 1]

    def end(
        self, ids: Sequence[int], places: list[int], total: float, *, surface: Callable[[Sequence[int]], str]
    ) -> bool:
        """End a hypothesis that came to </s>. Returns False, and changes nothing, if it spells what an earlier one
        does."""
        return self._add(ids, places, total, length=len(ids) + 1, is_complete=True, surface=surface)

    def cut(
        self, ids: Sequence[int], places: list[int], total: float, *, surface: Callable[[Sequence[int]], str]
    ) -> None:
        """End a hypothesis at the length limit: the best first, and after all complete ones."""
        self._add(ids, places, total, length=len(ids), is_complete=False, surface=surface)

    def answer(self, attend: Attend, *, num_steps: int) -> FinishedSentence[T]:
        """Return the finished sentence. Raises ValueError if no hypothesis has a score."""
        search = self.item.search
        ranked = sorted(self.ended, key=lambda each: (not each.is_complete, -each.score))
        if not ranked:
            raise ValueError("no hypothesis has a score")
        return FinishedSentence(
            item=self.item,
            num_steps=num_steps,
            hypotheses=[
                Hypothesis(
                    ids=tuple(each.ids),
                    score=each.score,
                    attention=attend(each.places) if search.wants_attention else None,
                    is_complete=each.is_complete,
                )
                for each in ranked[: search.num_hypotheses]
            ],
        )

    def _add(
        self,
        ids: Sequence[int],
        places: list[int],
        total: float,
        *,
        length: int,
        is_complete: bool,
        surface: Callable[[Sequence[int]], str],
    ) -> bool:
        search = self.item.search
        if search.beam_size > 1:  # a single one is like no other
            spelt = surface(ids)
            if spelt in self._surfaces:
                return False
            self._surfaces.add(spelt)
        score = total / length**search.length_penalty
        self.ended.append(FinishedHypothesis(ids=ids, places=places, score=score, is_complete=is_complete))
        return True

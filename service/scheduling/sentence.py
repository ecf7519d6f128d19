"""One sentence while it is decoded: which of its hypotheses have ended, and when nothing better can come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Generic, Protocol, TypeVar

from service.scheduling.search import Floats, Hypotheses, Hypothesis, Search


class Ticket(Protocol):
    """Whoever brings a sentence: it is given back with the answer."""

    @property
    def search(self) -> Search: ...


T = TypeVar("T", bound=Ticket)
Attend = Callable[[list[int]], Floats]  # the attention (target, source) along a hypothesis' places


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finished(Generic[T]):
    """A sentence's ticket and its answer."""

    ticket: T
    hypotheses: Hypotheses
    num_steps: int  # in which it took part


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ended:
    """A hypothesis to which nothing is added any more."""

    ids: Sequence[int]  # without </s>
    places: list[int]  # where its attention is
    score: float
    is_complete: bool


@dataclass(slots=True, eq=False)
class Sentence(Generic[T]):
    """What has ended of one sentence's hypotheses."""

    ticket: T
    ended: list[Ended] = field(default_factory=list)  # the complete ones in the order in which they ended
    _surfaces: set[str] = field(default_factory=set)

    @property
    def num_open(self) -> int:
        """Places of the beam that have not ended."""
        return self.ticket.search.beam_size - len(self.ended)

    @property
    def is_answered(self) -> bool:
        """As many complete ones as are wanted: only better ones can still change the answer."""
        return len(self.ended) >= self.ticket.search.num_hypotheses

    @property
    def bar(self) -> float:
        """The score that another hypothesis has to beat to be in the answer."""
        if not self.is_answered:
            return -inf
        return sorted((each.score for each in self.ended), reverse=True)[self.ticket.search.num_hypotheses - 1]

    def end(
        self, ids: Sequence[int], places: list[int], total: float, *, surface: Callable[[Sequence[int]], str]
    ) -> bool:
        """A hypothesis came to </s>. False, and nothing happens, if it spells what an earlier one does."""
        return self._add(ids, places, total, length=len(ids) + 1, is_complete=True, surface=surface)

    def cut(
        self, ids: Sequence[int], places: list[int], total: float, *, surface: Callable[[Sequence[int]], str]
    ) -> None:
        """A hypothesis has come to the cap: the best first, and after all complete ones."""
        self._add(ids, places, total, length=len(ids), is_complete=False, surface=surface)

    def answer(self, attend: Attend, *, num_steps: int) -> Finished[T]:
        """Raises ValueError if there is none: the model gave no candidate that has a score."""
        search = self.ticket.search
        ranked = sorted(self.ended, key=lambda each: (not each.is_complete, -each.score))
        if not ranked:
            raise ValueError("no hypothesis has a score")
        return Finished(
            ticket=self.ticket,
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
        search = self.ticket.search
        if search.beam_size > 1:  # a single one is like no other
            spelt = surface(ids)
            if spelt in self._surfaces:
                return False
            self._surfaces.add(spelt)
        score = total / length**search.length_penalty
        self.ended.append(Ended(ids=ids, places=places, score=score, is_complete=is_complete))
        return True

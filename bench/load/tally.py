"""The outcomes of the requests, by the second in which they were due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from bench.latency import percentile


class Fate(Enum):
    ANSWERED = "answered"
    REFUSED = "refused"  # 429 or 503, with a problem document
    LATE = "late"  # 504
    FAILED = "failed"  # everything else: a fault

    @classmethod
    def of(cls, status: int) -> Fate:
        """A connection that broke has the status 0."""
        if status == 200:
            return cls.ANSWERED
        if status in (429, 503):
            return cls.REFUSED
        return cls.LATE if status == 504 else cls.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request. Times are seconds since the start of the run, and milliseconds."""

    due: float
    kind: str
    fate: Fate
    num_items: int
    num_words: int
    milliseconds: float  # from the moment it was due to the last byte
    lag: float  # milliseconds that the client itself was late to send it


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Requests that were due within some seconds."""

    seconds: float
    sent: Sequence[Sent]
    slo_milliseconds: float

    @property
    def offered(self) -> float:
        """Requests a second, like all rates here unless the name says otherwise."""
        return len(self.sent) / self.seconds

    @property
    def good(self) -> float:
        """Answered within the objective."""
        return sum(self._is_good(each) for each in self.sent) / self.seconds

    @property
    def good_share(self) -> float:
        return self.good / self.offered if self.sent else 1.0

    @property
    def good_items(self) -> float:
        return sum(each.num_items for each in self.sent if self._is_good(each)) / self.seconds

    @property
    def good_words(self) -> float:
        return sum(each.num_words for each in self.sent if self._is_good(each)) / self.seconds

    @property
    def lag(self) -> float:
        """The 99th percentile of the delay of sending, in milliseconds."""
        return percentile([each.lag for each in self.sent], 99) if self.sent else 0.0

    def number(self, fate: Fate) -> int:
        return sum(each.fate is fate for each in self.sent)

    def milliseconds(self, percent: float, fate: Fate = Fate.ANSWERED) -> float:
        """A percentile of those with this fate; 0 if there are none."""
        values = [each.milliseconds for each in self.sent if each.fate is fate]
        return percentile(values, percent) if values else 0.0

    def _is_good(self, each: Sent) -> bool:
        return each.fate is Fate.ANSWERED and each.milliseconds <= self.slo_milliseconds


@dataclass(slots=True, kw_only=True)
class Tally:
    """Everything that was sent."""

    slo_milliseconds: float
    sent: list[Sent] = field(default_factory=list)

    def between(self, start: float, end: float) -> Stretch:
        """The requests due from ``start`` up to ``end``."""
        chosen = [each for each in self.sent if start <= each.due < end]
        return Stretch(seconds=end - start, sent=chosen, slo_milliseconds=self.slo_milliseconds)

    def by_second(self) -> list[tuple[int, Stretch]]:
        """All seconds in which something was due."""
        seconds: dict[int, list[Sent]] = defaultdict(list)
        for each in self.sent:
            seconds[int(each.due)].append(each)
        return [
            (second, Stretch(seconds=1.0, sent=sent, slo_milliseconds=self.slo_milliseconds))
            for second, sent in sorted(seconds.items())
        ]

"""A comparison of a network with a baseline on the same test examples, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

SURE = 0.05  # a difference that chance gives less often counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The figures of both systems in percent and what they mean."""

    network: float
    baseline: float
    text: str
    chance: float | None = None  # how often chance alone gives such a difference

    @property
    def baseline_is_as_good(self) -> bool:
        return self.network <= self.baseline


def compare(network: Sequence[bool], baseline: Sequence[bool], *, name: str) -> Verdict:
    """Compare right and wrong answers by a sign test of the examples on which both differ (McNemar 1947, exact)."""
    ours, theirs = (100 * sum(answers) / len(answers) for answers in (network, baseline))
    only_network = sum(a and not b for a, b in zip(network, baseline, strict=True))
    only_baseline = sum(b and not a for a, b in zip(network, baseline, strict=True))
    chance = sign_test(only_network, only_baseline)
    return Verdict(
        network=ours,
        baseline=theirs,
        chance=chance,
        text=verdict_text(ours, theirs, name=name, surely=chance < SURE) + few_text(len(network)),
    )


def sign_test(first: int, second: int) -> float:
    """The probability, two-sided, that a fair coin falls so unevenly or more so."""
    total = first + second
    tail = sum(comb(total, k) for k in range(min(first, second) + 1)) / 2**total
    return min(1.0, 2 * tail)


def verdict_text(network: float, baseline: float, *, name: str, surely: bool, unit: str = " %") -> str:
    """What two figures of which more is better mean for the choice between both systems."""
    both = f"network {network:.1f}{unit}, {name} {baseline:.1f}{unit}"
    if network == baseline:
        return f"The baseline is as good: {both}."
    if network < baseline:
        chance = "" if surely else " (the difference may be chance)"
        return f"The baseline is better: {both}{chance}. It is simpler and faster too: consider it, or add examples."
    if not surely:
        return f"The baseline is as good: {both}; chance alone can make such a difference."
    return f"The network is better: {both}."


def few_text(count: int) -> str:
    """A warning about test sets that say little; the width is that of a 95 % interval around one half (Wald)."""
    width = 100 * 1.96 * sqrt(0.25 / count)
    return f" With {count:,} test examples a figure is known to about ±{width:.0f} points." if width > 3 else ""

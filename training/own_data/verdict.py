"""A comparison of a network with a baseline on the same test examples, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np
import numpy.typing as npt

NUM_SAMPLES = 1000  # of the bootstrap
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
    """A sentence about two figures, of which more is better: which system to choose."""
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


def compare_spans(
    gold: Sequence[Collection[object]],
    network: Sequence[Collection[object]],
    baseline: Sequence[Collection[object]],
    *,
    name: str,
) -> Verdict:
    """Compare the F1 of spans, given a set for each sentence, by a bootstrap over sentences (Efron 1979)."""
    rows = [
        [len(set(found) & set(right)), len(found), len(right), len(set(other) & set(right)), len(other)]
        for right, found, other in zip(gold, network, baseline, strict=True)
    ]
    counts = np.array(rows, np.float64)  # (sentence, count)
    draws = np.random.default_rng(1).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), NUM_SAMPLES)
    ours, theirs = _f1_of(counts.sum(0)[None])
    sampled_ours, sampled_theirs = _f1_of(draws @ counts)
    worse = float(np.mean(sampled_ours <= sampled_theirs))
    chance = 2 * min(worse, 1 - worse)
    network_f1, baseline_f1 = 100 * float(ours[0]), 100 * float(theirs[0])
    text = verdict_text(network_f1, baseline_f1, name=name, surely=chance < SURE, unit=" % F1")
    return Verdict(network=network_f1, baseline=baseline_f1, chance=chance, text=text)


def _f1_of(counts: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The F1 of both systems from sums of counts (sample, count)."""
    right, found, gold, other_right, other_found = counts.T
    return 2 * right / np.maximum(found + gold, 1), 2 * other_right / np.maximum(other_found + gold, 1)

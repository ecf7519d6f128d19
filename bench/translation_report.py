"""Iteration-level decoding beside batches of requests, in words and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.machine import Machine
from bench.translation import Lengths
from bench.translation_curve import AtEqualLatency, Curve, at_equal_latency
from bench.translation_trace import Saturated

STEP, EMPTY = "at every step", "when empty"
HEADLINE_LOAD = 0.6  # of what batches of requests can do: where both are compared
IDLE_MULTIPLES = (2, 4)  # of what a long sentence takes alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The comparison with one beam size, in milliseconds and sentences a second."""

    beam_size: int
    idle: float  # of a sentence longer than 95 % of all, alone
    saturated: Mapping[str, Sequence[Saturated]]
    curves: Mapping[str, Curve]
    lag: float  # p99, by which sentences came to the engine late
    slo: float

    @property
    def load(self) -> float:
        """Sentences a second."""
        return HEADLINE_LOAD * self.curves[EMPTY].capacity

    def p99(self, policy: str) -> float:
        return self.curves[policy].p99_at(self.load)

    def at(self, p99: float) -> AtEqualLatency:
        return at_equal_latency(self.curves[STEP], self.curves[EMPTY], p99)


def median_rate(loads: Sequence[Saturated]) -> float:
    return statistics.median(load.sentences_per_second for load in loads)


def lines_of(comparison: Comparison) -> Iterator[str]:
    """The printed lines, top to bottom."""
    step, empty = comparison.curves[STEP], comparison.curves[EMPTY]
    name = f"beam {comparison.beam_size}" if comparison.beam_size > 1 else "greedy"
    yield f"\n{name}; a sentence longer than 95 % of all, alone: {comparison.idle:.1f} ms"
    for policy, loads in comparison.saturated.items():
        tokens = statistics.median(load.target_tokens_per_second for load in loads)
        rates = [load.sentences_per_second for load in loads]
        yield (
            f"  saturated, {policy:<14} {median_rate(loads):7.1f} sentences/s, {tokens:7,.0f} target tokens/s"
            f"   (rounds {min(rates):.1f} to {max(rates):.1f})"
        )
    yield from _table_of(step, empty)
    p99s = {policy: comparison.p99(policy) for policy in (STEP, EMPTY)}
    yield (
        f"  p99 at {comparison.load:.1f}/s, {HEADLINE_LOAD:.0%} of what batches can do: {p99s[STEP]:.1f} ms {STEP}, "
        f"{p99s[EMPTY]:.1f} ms {EMPTY}: x{p99s[STEP] / p99s[EMPTY]:.2f} (wanted: at most 0.5)"
    )
    yield f"  sentences/s at equal p99 (wanted: at least 1.6 times as many); late by {comparison.lag:.1f} ms (p99)"
    yield _equal_line(f"that of batches at {HEADLINE_LOAD:.0%}", comparison.at(p99s[EMPTY]))
    yield _equal_line("fixed beforehand", comparison.at(comparison.slo))
    for multiple in IDLE_MULTIPLES:
        yield _equal_line(f"{multiple} x alone", comparison.at(multiple * comparison.idle))


def _table_of(step: Curve, empty: Curve) -> Iterator[str]:
    yield f"  {'':>11} {'of batches':>10}   {STEP:^19}   {EMPTY:^19}"
    yield f"  {'sentences/s':>11} {'capacity':>10}   {'p50 ms':>9} {'p99 ms':>9}   {'p50 ms':>9} {'p99 ms':>9}"
    by_rate = [{point.rate: point for point in curve.points} for curve in (step, empty)]
    for rate in sorted({rate for points in by_rate for rate in points}):
        cells = [
            f"{point.p50:9.1f} {point.p99:9.1f}" if (point := points.get(rate)) else f"{'-':>9} {'-':>9}"
            for points in by_rate
        ]
        yield f"  {rate:11.1f} {rate / empty.capacity:10.2f}   {cells[0]}   {cells[1]}"


def _equal_line(what: str, equal: AtEqualLatency) -> str:
    def rate(value: float | None, sign: str) -> str:
        return "never" if value is None else f"{sign}{value:.1f}"

    step = rate(equal.step, "at least " if equal.is_step_bound else "")
    empty = rate(equal.empty, "at most " if equal.is_empty_bound else "")
    bound = "at least " if equal.is_step_bound or equal.is_empty_bound else ""
    ratio = f"{bound}x{equal.ratio:.2f}" if equal.ratio is not None else "no ratio"
    return f"    p99 {equal.p99:7.1f} ms ({what}): {step} {STEP}, {empty} {EMPTY}: {ratio}"


def write_json(machine: Machine, title: str, lengths: Lengths, comparisons: Sequence[Comparison], path: Path) -> None:
    """Write the printed lines and the points behind them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": asdict(machine),
        "bundle": title,
        "sentences": asdict(lengths),
        "comparisons": [{"printed": list(lines_of(each))} | asdict(each) for each in comparisons],
    }
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")

"""The result of a run: a table of its steps, whether the objective was met, and files with the details."""

from __future__ import annotations

import csv
import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.load.patterns import MOST_LAG, Pattern, Ramp, Step
from bench.load.picture import page
from bench.load.tally import Fate, Stretch, Tally

ENOUGH_OF_PEAK = 0.95  # goodput under any overload
HEADER = (
    f"{'offered/s':>10} {'good/s':>8} {'share':>6} {'items/s':>8} {'words/s':>9} {'p50 ms':>7} {'p99 ms':>8} "
    f"{'refused':>8} {'late':>5} {'failed':>6} {'lag ms':>7}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """One step's figures; rates a second."""

    offered: float
    good: float
    good_items: float
    good_words: float
    p50_milliseconds: float
    p99_milliseconds: float
    refusal_p99_milliseconds: float
    refused: int
    late: int
    failed: int
    lag_milliseconds: float

    @classmethod
    def of(cls, step: Step, tally: Tally) -> StepOutcome:
        judged = step.judged(tally)
        return cls(
            offered=judged.offered,
            good=judged.good,
            good_items=judged.good_items,
            good_words=judged.good_words,
            p50_milliseconds=judged.milliseconds(50),
            p99_milliseconds=judged.milliseconds(99),
            refusal_p99_milliseconds=judged.milliseconds(99, Fate.REFUSED),
            refused=judged.number(Fate.REFUSED),
            late=judged.number(Fate.LATE),
            failed=judged.number(Fate.FAILED),
            lag_milliseconds=judged.lag,
        )

    @property
    def line(self) -> str:
        share = self.good / self.offered if self.offered else 0.0
        client = "  the client was late" if self.lag_milliseconds > MOST_LAG else ""
        return (
            f"{self.offered:10,.1f} {self.good:8,.1f} {share:6.2f} {self.good_items:8,.0f} {self.good_words:9,.0f} "
            f"{self.p50_milliseconds:7.1f} {self.p99_milliseconds:8.1f} {self.refused:8,} {self.late:5,} "
            f"{self.failed:6,} {self.lag_milliseconds:7.1f}{client}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run's, and the reasons why its objective was not met; none if it was."""

    pattern: str
    steps: Sequence[StepOutcome]
    verdict: str
    reasons: Sequence[str]
    saturation: StepOutcome | None

    @property
    def is_met(self) -> bool:
        return not self.reasons

    @property
    def lines(self) -> list[str]:
        ends = [f"Not met: {reason}" for reason in self.reasons] or ["Every objective is met."]
        return ["", HEADER, *(step.line for step in self.steps), self.verdict, *ends]


def conclude(tally: Tally, pattern: Pattern, options: Namespace) -> Outcome:
    steps = [StepOutcome.of(step, tally) for step in pattern.steps]
    whole = tally.between(0.0, max((step.end for step in pattern.steps), default=0.0) or 1.0)
    reasons = [f"{whole.number(Fate.FAILED)} requests failed"] if whole.number(Fate.FAILED) else []
    if isinstance(pattern, Ramp):
        return _of_ramp(pattern, steps, tally, reasons, options)
    if options.pattern == "overload":
        reasons += _overload_reasons(steps, options.slo)
    else:
        reasons += _share_reasons(whole, options)
    return Outcome(pattern=options.pattern, steps=steps, verdict=_client(steps), reasons=reasons, saturation=None)


def _of_ramp(ramp: Ramp, steps: Sequence[StepOutcome], tally: Tally, reasons: list[str], options: Namespace) -> Outcome:
    saturation = StepOutcome.of(ramp.saturation, tally) if ramp.saturation else None
    found = saturation.offered if saturation else 0.0
    if found < options.least_rate:
        reasons.append(f"saturated at {found:,.1f} requests/s, less than {options.least_rate:,.1f}")
    verdict = f"saturated at {found:,.1f} requests/s ({ramp.verdict}); {_client(steps)}"
    return Outcome(pattern="ramp", steps=steps, verdict=verdict, reasons=reasons, saturation=saturation)


def _overload_reasons(steps: Sequence[StepOutcome], slo: float) -> list[str]:
    peak = max(step.good_items for step in steps)
    reasons = [
        f"goodput at {step.offered:,.0f} requests/s is {step.good_items / peak:.2f} of the peak"
        for step in steps[2:]
        if step.good_items < ENOUGH_OF_PEAK * peak
    ]
    slow = [step for step in steps if step.p99_milliseconds > slo]
    return reasons + [f"p99 of what was accepted: {step.p99_milliseconds:.0f} ms" for step in slow]


def _share_reasons(whole: Stretch, options: Namespace) -> list[str]:
    if whole.good_share >= options.slo_share:
        return []
    return [f"{whole.good_share:.2%} within {options.slo:.0f} ms, less than {options.slo_share:.2%}"]


def _client(steps: Sequence[StepOutcome]) -> str:
    late = [step for step in steps if step.lag_milliseconds > MOST_LAG]
    if not late:
        return "the client kept up"
    rates = ", ".join(f"{step.offered:,.0f}/s" for step in late)
    return f"THE CLIENT WAS LATE at {rates}: there the figures are its own limit, not the service's"


def write_down(outcome: Outcome, tally: Tally, folder: Path) -> None:
    """Write ``load.csv`` by second, ``load.json`` by step, and ``load.html`` for people."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "load.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ("second", "offered", "good", "good_items", "good_words", "p50_ms", "p99_ms", "refused", "late", "failed")
        )
        for second, stretch in tally.by_second():
            rates = (stretch.offered, stretch.good, stretch.good_items, stretch.good_words)
            times = (round(stretch.milliseconds(50), 2), round(stretch.milliseconds(99), 2))
            fates = (stretch.number(fate) for fate in (Fate.REFUSED, Fate.LATE, Fate.FAILED))
            writer.writerow((second, *rates, *times, *fates))
    content = {**asdict(outcome), "is_met": outcome.is_met}
    (folder / "load.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / "load.html").write_text(page(outcome.lines, tally), encoding="utf-8")

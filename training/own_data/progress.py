"""Progress of a training run for a person who waits: one bar over all of it, with the time left."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tqdm import tqdm

EVERY_SECONDS = 10.0  # between lines where the output is no terminal
BAR = "{desc} {percentage:3.0f} % |{bar}| {elapsed} gone, at most {remaining} left{postfix}"
LINE = "{desc} {percentage:3.0f} %, {elapsed} gone, at most {remaining} left{postfix}"


class TimeLeft:
    """A display with an estimate of the time left, by the speed so far and by the limit, whichever ends first.

    It may end sooner, when the figure on dev no longer rises.
    """

    def __init__(self, *, limit_minutes: float, figure: str) -> None:
        """``figure`` is the end of the name of the figure on dev that is shown."""
        self._limit_seconds = 60 * limit_minutes
        self._figure = figure
        self._best = float("-inf")

    def begin(self, num_steps: int) -> None:
        terminal = sys.stderr.isatty()
        self._bar = _LimitedBar(
            total=num_steps,
            desc="training",
            bar_format=BAR if terminal else LINE,
            mininterval=0.5 if terminal else EVERY_SECONDS,
            limit_seconds=self._limit_seconds,
            leave=False,
        )

    def steps(self, batches: Iterator[Any], *, epoch: int) -> Iterator[Any]:
        for batch in batches:
            yield batch
            self._bar.update()

    def step_ended(self, losses: list[float]) -> None:
        """Show nothing: the figure on dev says more than a loss."""

    def epoch_ended(self, epoch: int, figures: Mapping[str, float]) -> None:
        score = figures.get("score", float("-inf"))
        if score <= self._best:
            return
        self._best = score
        value = next(value for name, value in figures.items() if name.endswith(self._figure))
        tqdm.write(f"  epoch {epoch:3}: {self._figure} on dev {value:.2f}, the best so far", file=sys.stderr)

    def close(self) -> None:
        """End the bar, and say if the limit came before the planned end."""
        done, wanted, seconds = self._bar.n, self._bar.total or 0, self._bar.format_dict["elapsed"]
        self._bar.close()
        if done < wanted and seconds >= 0.98 * self._limit_seconds > 0:
            tqdm.write(
                f"The time ended training after {100 * done / wanted:.0f} % of the planned steps: more --minutes may "
                "give a better model.",
                file=sys.stderr,
            )


class _LimitedBar(tqdm):  # type: ignore[type-arg]
    """A bar whose remaining time is at most that of a limit."""

    def __init__(self, *arguments: Any, limit_seconds: float, **options: Any) -> None:
        self.limit_seconds = limit_seconds
        super().__init__(*arguments, **options)

    @property
    def format_dict(self) -> dict[str, Any]:
        found = dict(super().format_dict)
        steps, elapsed, total = found["n"], found["elapsed"], found["total"]
        if steps and total:
            left = min((total - steps) * elapsed / steps, max(0.0, self.limit_seconds - elapsed))
            found["rate"] = (total - steps) / max(left, 1e-6)
        return found

"""Displays of a training run's progress on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

SHOWN_LOSSES = 50  # steps whose mean loss is shown


class Display(Protocol):
    """A display that a training run keeps up to date."""

    def begin(self, num_steps: int) -> None:
        """Take note of the number of steps that all epochs have."""
        ...

    def steps(self, batches: Iterator[Any], *, epoch: int) -> Iterator[Any]:
        """Yield the batches of an epoch, and show how far it is."""
        ...

    def step_ended(self, losses: list[float]) -> None:
        """Take note of a step; ``losses`` are those of the epoch so far."""
        ...

    def epoch_ended(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Show the figures of an epoch."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class EpochBars:
    """A bar for each epoch and a line with all its figures."""

    def __init__(self) -> None:
        self._bar: Any = None

    def begin(self, num_steps: int) -> None:
        """Do nothing: every epoch has a bar of its own."""

    def steps(self, batches: Iterator[Any], *, epoch: int) -> Iterator[Any]:
        self._bar = tqdm(batches, f"epoch {epoch}", mininterval=10)
        yield from self._bar

    def step_ended(self, losses: list[float]) -> None:
        if len(losses) % SHOWN_LOSSES == 0:
            self._bar.set_postfix(loss=f"{np.mean(losses[-SHOWN_LOSSES:]):.3f}", refresh=False)

    def epoch_ended(self, epoch: int, figures: Mapping[str, float]) -> None:
        tqdm.write(f"epoch {epoch}: " + "  ".join(f"{name} {value:.4f}" for name, value in figures.items()))

    def close(self) -> None:
        """Do nothing: the bar of an epoch ends with it."""


class Silent:
    """A display that shows nothing, for all but the first of several processes."""

    def begin(self, num_steps: int) -> None:
        """Do nothing."""

    def steps(self, batches: Iterator[Any], *, epoch: int) -> Iterator[Any]:
        yield from batches

    def step_ended(self, losses: list[float]) -> None:
        """Show nothing."""

    def epoch_ended(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""

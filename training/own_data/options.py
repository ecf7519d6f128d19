"""The options that all models of one's own have in common, and the clock of a run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from training.own_data.errors import DataError

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
CONFIGS = Path(__file__).parents[1] / "configs"
TRAINING_SHARE = 0.7  # of the time that is left when training begins; the rest exports and measures

Say = Callable[[str], None]  # shows a sentence to the person who trains


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """The options of a run."""

    out: Path
    name: str
    minutes: float = 20.0
    seed: int = 1
    overwrite: bool = False
    language: str = "en"
    command: str = ""  # as it was typed, for the card

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise DataError(f"The name {self.name!r} needs other letters: a to z, digits, '.' and '-'; see --name.")
        if (CONFIGS / f"{self.name}.toml").exists():
            raise DataError(f"{self.name} is the name of a model that ships: choose another with --name.")


@dataclass(frozen=True, slots=True)
class Clock:
    """The time that a run has in all."""

    minutes: float
    began_at: float = field(default_factory=time.perf_counter)

    @property
    def minutes_spent(self) -> float:
        return (time.perf_counter() - self.began_at) / 60

    @property
    def minutes_to_train(self) -> float:
        """The minutes that training may take from now on. It is a tenth of a minute at least."""
        return max(0.1, TRAINING_SHARE * (self.minutes - self.minutes_spent))


def name_of(out: Path) -> str:
    """The name of a model that goes into a folder: its last part with other letters replaced."""
    return re.sub(r"[^a-z0-9.]+", "-", out.resolve().name.lower()).strip("-.") or "own-model"

"""Choice of the device on which a process runs its models."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from service.errors import DeviceError

Device = Literal["cpu", "cuda"]
DeviceChoice = Literal["auto", "cpu", "cuda"]

FindObstacle = Callable[[], "Obstacle | None"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Reason why CUDA cannot be used."""

    reason: str
    log_level: int  # higher if CUDA was to be expected


def choose_device(choice: DeviceChoice, find_obstacle: FindObstacle) -> Device:
    """Choose the device. ``cpu`` never looks for an obstacle, and so never touches CUDA; ``auto`` falls back to the CPU
    with a log line. Raises DeviceError if ``cuda`` meets an obstacle."""
    if choice == "cpu":
        return "cpu"
    obstacle = find_obstacle()
    if obstacle is None:
        return "cuda"
    if choice == "cuda":
        raise DeviceError(f"RIBBON_DEVICE=cuda: {obstacle.reason}")
    _log.log(obstacle.log_level, "models run on the CPU: %s", obstacle.reason)
    return "cpu"

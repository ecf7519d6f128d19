"""Where a process runs its models: decided once, and said."""

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
    """Why there is no CUDA here."""

    reason: str
    log_level: int  # whether anybody should be surprised


def choose_device(choice: DeviceChoice, find_obstacle: FindObstacle) -> Device:
    """``cpu`` never asks for an obstacle, and so never touches CUDA. ``auto`` goes round one, with a log line.
    Raises DeviceError if ``cuda`` meets one."""
    if choice == "cpu":
        return "cpu"
    obstacle = find_obstacle()
    if obstacle is None:
        return "cuda"
    if choice == "cuda":
        raise DeviceError(f"RIBBON_DEVICE=cuda: {obstacle.reason}")
    _log.log(obstacle.log_level, "models run on the CPU: %s", obstacle.reason)
    return "cpu"

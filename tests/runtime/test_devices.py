"""Where models run: decided once, and said."""

from __future__ import annotations

import logging
from typing import NoReturn

import pytest

from service.errors import DeviceError
from service.runtime.devices import Device, DeviceChoice, Obstacle, choose_device

NO_BUILD = Obstacle(reason="built without it", log_level=logging.INFO)
BROKEN = Obstacle(reason="libcudnn.so.9 is missing", log_level=logging.WARNING)


@pytest.mark.parametrize(
    ("choice", "obstacle", "device"),
    [("auto", None, "cuda"), ("cuda", None, "cuda"), ("auto", NO_BUILD, "cpu"), ("auto", BROKEN, "cpu")],
)
def test_the_device(choice: DeviceChoice, obstacle: Obstacle | None, device: Device) -> None:
    assert choose_device(choice, lambda: obstacle) == device


def test_the_cpu_is_chosen_without_a_look_at_cuda() -> None:
    def look() -> NoReturn:
        raise AssertionError("CUDA was touched")

    assert choose_device("cpu", look) == "cpu"


@pytest.mark.parametrize("obstacle", [NO_BUILD, BROKEN], ids=["not built", "broken"])
def test_falling_back_is_said_in_one_line_with_the_reason(obstacle: Obstacle, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        choose_device("auto", lambda: obstacle)
    [line] = caplog.records
    assert line.levelno == obstacle.log_level
    assert line.getMessage() == f"models run on the CPU: {obstacle.reason}"


@pytest.mark.parametrize("obstacle", [NO_BUILD, BROKEN], ids=["not built", "broken"])
def test_who_insists_on_cuda_is_told_why_there_is_none(obstacle: Obstacle) -> None:
    with pytest.raises(DeviceError, match=f"RIBBON_DEVICE=cuda: {obstacle.reason}"):
        choose_device("cuda", lambda: obstacle)

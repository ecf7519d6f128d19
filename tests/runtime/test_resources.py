"""Devices are chosen, cores counted, priorities lowered and memory given back."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from service.errors import DeviceError
from service.runtime.resources import (
    Device,
    DeviceChoice,
    Obstacle,
    available_cores,
    choose_device,
    when_gone,
)

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


MANY = 64


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="ascii")
    return root


@pytest.mark.parametrize(
    ("limit", "cores"),
    [("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", MANY), ("nonsense", MANY)],
)
def test_version_2(tmp_path: Path, limit: str, cores: int) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{limit}\n"}
    assert available_cores(write(tmp_path, files), visible=MANY) == cores


def test_the_least_quota_on_the_way_up_binds(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/pods/one/app\n",
        "sys/fs/cgroup/pods/cpu.max": "800000 100000\n",
        "sys/fs/cgroup/pods/one/cpu.max": "300000 100000\n",
        "sys/fs/cgroup/pods/one/app/cpu.max": "max 100000\n",
    }
    assert available_cores(write(tmp_path, files), visible=MANY) == 3


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_version_1(tmp_path: Path, mount: str) -> None:
    folder = f"sys/fs/cgroup/{mount}"
    files = {
        "proc/self/cgroup": "5:memory:/docker/7\n4:cpu,cpuacct:/docker/7\n0::/\n",
        f"{folder}/cpu.cfs_quota_us": "400000\n",
        f"{folder}/cpu.cfs_period_us": "100000\n",
    }
    assert available_cores(write(tmp_path, files), visible=MANY) == 4


def test_no_quota_of_version_1_is_minus_one(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:cpu:/\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert available_cores(write(tmp_path, files), visible=MANY) == MANY


def test_without_any_cgroup_what_is_visible_counts(tmp_path: Path) -> None:
    assert available_cores(tmp_path, visible=MANY) == MANY


def test_here_and_now_there_is_a_core() -> None:
    assert available_cores() >= 1


SOON_SECONDS = 0.01


class Thing:
    """Something large."""

    def __init__(self) -> None:
        self.other: object = None


@contextmanager
def without_collections() -> Iterator[None]:
    """As in a process where nothing happens."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_what_is_held_by_nobody_is_noticed_at_once() -> None:
    async def test() -> None:
        gone, thing = asyncio.Event(), Thing()
        when_gone(thing, gone.set, look_after_seconds=3600)
        assert not gone.is_set()
        del thing
        await asyncio.wait_for(gone.wait(), 60)

    asyncio.run(test())


def test_what_is_held_only_by_itself_is_looked_for() -> None:
    async def test() -> None:
        gone, thing = asyncio.Event(), Thing()
        thing.other = thing
        when_gone(thing, gone.set, look_after_seconds=SOON_SECONDS)
        del thing
        await asyncio.wait_for(gone.wait(), 60)

    with without_collections():
        asyncio.run(test())


def test_what_is_in_use_is_left_alone_and_looked_for_again() -> None:
    async def test() -> None:
        gone, thing = asyncio.Event(), Thing()
        thing.other = thing
        when_gone(thing, gone.set, look_after_seconds=SOON_SECONDS)
        await asyncio.sleep(10 * SOON_SECONDS)
        assert not gone.is_set()
        del thing
        await asyncio.wait_for(gone.wait(), 60)

    with without_collections():
        asyncio.run(test())

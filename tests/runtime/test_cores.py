"""Cores are counted as the container may use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.runtime.cores import available_cores

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

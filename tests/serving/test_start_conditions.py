"""Places in which the service is started: each works, or the start ends with one sentence that says what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.process import ROOT, environment, get, say_hello, started

SERVICE = [sys.executable, "-m", "service"]


def can(*command: str) -> bool:
    """Whether a command of the system may be run here."""
    found = shutil.which(command[0]) is not None
    return found and subprocess.run(command, capture_output=True, check=False).returncode == 0


def mounted(script: str) -> list[str]:
    """The service in a mount namespace of its own, after a script."""
    return ["unshare", "--mount", "bash", "-c", f"{script} && exec {' '.join(SERVICE)}"]


needs_mounts = pytest.mark.skipif(
    not can("unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"), reason="mounting is not allowed here"
)
needs_users = pytest.mark.skipif(
    not can("unshare", "--user", "--map-user=1000", "true"), reason="user namespaces are not allowed here"
)
READ_ONLY = "mount -o remount,bind,ro /"
SHM_READ_ONLY = "mount -t tmpfs -o ro none /dev/shm && mount -t tmpfs none /mnt && export TMPDIR=/mnt"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["unshare", "--user", "--map-user=1000", *SERVICE], marks=needs_users, id="not root"),
        pytest.param(mounted(READ_ONLY), marks=needs_mounts, id="read-only"),
        pytest.param(mounted(f"{READ_ONLY} && {SHM_READ_ONLY}"), marks=needs_mounts, id="/dev/shm read-only"),
        pytest.param(mounted("umount -l /dev/shm"), marks=needs_mounts, id="/dev/shm absent"),
        pytest.param(["env", "--unset=HOME", *SERVICE], id="no HOME"),
    ],
)
def test_it_starts_and_answers(models: Path, command: Sequence[str]) -> None:
    environ = environment(models, RIBBON_WORKERS="2", PYTHONDONTWRITEBYTECODE="1")
    with started(command, environ) as service:
        url = service.line("ready")["url"]
        assert say_hello(url).status_code == 200
        assert b"ribbon_worker_starts_total 2.0" in get(url, "/metrics").content
        service.terminate()
        assert service.status() == 0


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["bash", "-c", f"ulimit -f 100; exec {' '.join(SERVICE)}"], id="small files alone"),
        pytest.param(["env", "TMPDIR=/proc", *SERVICE], id="no folder can be written"),
        pytest.param(mounted("mount -t tmpfs -o size=64k none /mnt"), marks=needs_mounts, id="a full disk"),
    ],
)
def test_without_room_for_metrics_the_start_says_what_to_do(models: Path, tmp_path: Path, command: list[str]) -> None:
    folder = "/mnt" if "/mnt" in command[-1] else str(tmp_path)
    environ = environment(models, RIBBON_WORKERS="2", TMPDIR=folder)
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "set TMPDIR" in json.loads(line)["message"]
    assert not list(tmp_path.glob("ribbon-metrics-*"))

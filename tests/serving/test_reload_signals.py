"""SIGHUP and POST /admin/reload in processes of their own, one and several."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.process import free_port
from tests.application import wait_until
from tests.fakes import GRAPH, NAME, VERSION, damage, lexicon_graph, write_bundle
from tests.process import (
    environment,
    get,
    heeds,
    running,
    say_hello,
    start_that_fails,
    started,
)


def write_second(models: Path) -> Path:
    folder = write_bundle(models, version="2.0.0", folder=".beside", graph=lexicon_graph())
    return folder.rename(models / "second")


def versions(url: str, *, num: int = 8) -> set[str]:
    """Of so many answers on connections of their own, which any worker gives."""
    return {say_hello(url).json()["model"]["version"] for _ in range(num)}


def reloads(admin: str) -> dict[str, float]:
    """By result."""
    families = text_string_to_metric_families(get(admin, "/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == "ribbon_reloads_total"]
    return {sample.labels["result"]: sample.value for sample in samples}


def post_reload(admin: str) -> httpx.Response:
    return httpx.post(f"{admin}/admin/reload", trust_env=False, timeout=60)


def test_one_process_reloads_on_sighup_and_when_it_is_asked_to(models: Path) -> None:
    with running(models, RIBBON_ADMIN_PORT="0") as process:
        ready = process.line("ready")
        url, admin = ready["url"], ready["admin"]
        write_second(models)
        process.popen.send_signal(signal.SIGHUP)
        assert process.line("models reloaded")["added"] == f"{NAME}@2.0.0"
        assert versions(url, num=2) == {"2.0.0"}
        damage(models / "second" / GRAPH)
        failed = post_reload(admin)
        assert (failed.status_code, failed.json()["kind"]) == (409, "reload_failed")
        process.popen.send_signal(signal.SIGHUP)
        while "those before are still served" not in next(process._rest())["message"]:
            pass
        assert versions(url, num=2) == {"2.0.0"}
        shutil.rmtree(models / "second")
        assert post_reload(admin).json()["removed"] == [f"{NAME}@2.0.0"]
        assert versions(url, num=2) == {VERSION}
        assert reloads(admin) == {"ok": 2, "unchanged": 0, "failed": 2}
        assert get(url, "/metrics").status_code == 404
        process.terminate()
        assert process.status() == 0


def test_a_supervisor_loads_first_and_then_tells_the_workers(models: Path) -> None:
    with running(models, RIBBON_ADMIN_PORT="0", RIBBON_WORKERS="2") as process:
        ready = process.line("ready")
        url, admin = ready["url"], ready["admin"]
        write_second(models)
        accepted = post_reload(admin)
        assert accepted.status_code == 202
        assert "detail" in accepted.json()
        wait_until(lambda: reloads(admin) == {"ok": 2, "unchanged": 0, "failed": 0})
        assert versions(url) == {"2.0.0"}

        damage(write_bundle(models, version="3.0.0", folder="third", graph=lexicon_graph()) / GRAPH)
        process.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: reloads(admin)["failed"] == 1)  # the supervisor's alone: workers were not told
        assert versions(url) == {"2.0.0"}
        assert get(admin, "/health/ready").status_code == 200

        shutil.rmtree(models / "third")
        os.kill(process.workers[0], signal.SIGKILL)
        process.line("worker replaced")
        assert versions(url) == {"2.0.0"}  # of the one who took its place too
        process.terminate()
        assert process.status() == 0


def test_workers_that_are_told_to_stop_do_not_say_that_models_will_be_reloaded(models: Path) -> None:
    choices = {"RIBBON_ADMIN_PORT": "0", "RIBBON_WORKERS": "2", "RIBBON_DRAIN_SECONDS": "60"}
    with running(models, **choices) as process:
        admin = process.line("ready")["admin"]
        process.terminate()
        for _ in range(2):
            process.line("stopping")
        refused = post_reload(admin)
        assert (refused.status_code, refused.json()["kind"]) == (409, "reload_failed")
        assert "leaving" in refused.json()["detail"]


def test_a_taken_admin_port_stops_the_start(models: Path) -> None:
    port = str(free_port())
    with running(models, RIBBON_PORT=port) as process:
        process.line("ready")
        ended = start_that_fails(models, RIBBON_ADMIN_PORT=port)
    assert ended.returncode == 1
    assert f":{port}: address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_sighup_while_it_starts_is_a_reload_once_it_is_ready(models: Path) -> None:
    with running(models) as process:
        wait_until(lambda: heeds(process.popen.pid, signal.SIGTERM))
        process.popen.send_signal(signal.SIGHUP)
        process.line("ready")
        assert process.line("models reloaded")["result"] == "unchanged"


def test_make_serve_is_not_ended_by_a_sighup_before_python_runs(models: Path, tmp_path: Path) -> None:
    write_environment(tmp_path / "venv")
    command = ["make", "--silent", "serve", f"VENV={tmp_path / 'venv'}", "PORT=0"]
    with started(command, environment(models)) as process:
        process.line("ready")
        os.kill(process.workers[0], signal.SIGHUP)  # heeded by now
        assert process.line("models reloaded")["result"] == "unchanged"


def write_environment(folder: Path) -> None:
    """As ``make`` finds it after an installation. Its Python is sent a SIGHUP before it is Python."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nkill -HUP $$\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (folder / ".serve").touch()

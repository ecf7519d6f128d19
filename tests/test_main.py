"""The service as users run it: a process, a port, and what stops it before it starts."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from service.runtime.session import has_cuda
from service.serving.sockets import bind, listen
from tests.fakes import GRAPH, damage, write_bundle
from tests.process import ROOT, client_of, environment, running, say_hello, start_that_fails, started


def test_it_says_one_line_when_ready_answers_and_ends_with_zero_when_told_to(models: Path) -> None:
    with running(models) as service:
        url = service.line("ready")["url"]
        assert len(service.lines) == 1
        with client_of(url) as client:
            assert client.get("/health/ready").status_code == 200
            answer = client.post("/tag", json={"text": "Alice plays well with others"})
            assert answer.json()["results"][0]["entities"][0]["label"] == "PER"
            assert "date" in answer.headers
            assert "server" not in answer.headers
            assert "connection" not in answer.headers
            assert client.post("/tag", json={"text": "x" * 5_000_000}).status_code == 413
            service.terminate()
            assert service.status() == 0
        rest = service.rest()
        assert [line["message"] for line in rest] == ["request", "request", "stopping"]
        assert "Alice" not in json.dumps(rest)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_corrupt_bundle_stops_the_start_with_one_message_that_names_the_file(models: Path, workers: str) -> None:
    path = damage(next(models.iterdir()) / GRAPH)
    ended = start_that_fails(models, RIBBON_WORKERS=workers)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert str(path) in json.loads(line)["message"]


def test_a_graph_that_is_none_is_named_without_a_traceback(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)  # its checksums are right, its graph is not
    ended = start_that_fails(tmp_path)
    assert ended.returncode == 1
    assert str(folder / GRAPH) in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("RIBBON_WORKRES", "2", "did you mean RIBBON_WORKERS?"),
        ("RIBBON_HOST", "192.0.2.1", "192.0.2.1:0: cannot assign requested address"),
        ("RIBBON_HOST", "x" * 64, f"{'x' * 64}: not a name that an address can have"),
    ],
)
def test_a_wrong_variable_stops_the_start(models: Path, variable: str, value: str, message: str) -> None:
    ended = start_that_fails(models, **{variable: value})
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(has_cuda(), reason="this onnxruntime may find a GPU")
def test_a_gpu_that_is_insisted_on_and_not_there_stops_the_start(models: Path) -> None:
    ended = start_that_fails(models, RIBBON_DEVICE="cuda")
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert json.loads(line)["message"].startswith("RIBBON_DEVICE=cuda: this onnxruntime has no CUDAExecutionProvider")


@pytest.mark.skipif(has_cuda(), reason="this onnxruntime may find a GPU")
def test_without_a_gpu_one_line_says_that_models_run_on_the_cpu_and_why(models: Path) -> None:
    with running(models, RIBBON_DEVICE="auto") as service:
        service.line("ready")
    first = service.lines[0]
    assert first["level"] == "info"
    assert first["message"].startswith("models run on the CPU: this onnxruntime has no CUDAExecutionProvider")


def test_an_argument_stops_the_start(models: Path) -> None:
    command = [sys.executable, "-m", "service", "--port=80"]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment(models), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "there are no arguments" in ended.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_without_standard_input_and_output(models: Path, workers: str) -> None:
    command = ["sh", "-c", f"exec {sys.executable} -m service <&- >&-"]
    with started(command, environment(models, RIBBON_WORKERS=workers)) as service:
        url = service.line("ready")["url"]
        assert say_hello(url).status_code == 200
        service.terminate()
        assert service.status() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_taken_port_stops_the_start(models: Path, workers: str) -> None:
    [taken] = bind("127.0.0.1", 0)
    with taken:
        listen([taken])
        port = taken.getsockname()[1]
        ended = start_that_fails(models, RIBBON_PORT=str(port), RIBBON_WORKERS=workers)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert json.loads(line)["message"] == f"127.0.0.1:{port}: address already in use"


def test_all_addresses_of_a_name_are_listened_on_with_one_port() -> None:
    sockets = bind("localhost", 0)
    try:
        assert len({each.getsockname()[1] for each in sockets}) == 1
        listen(sockets)
        port = sockets[0].getsockname()[1]
        for each in sockets:
            with socket.create_connection((each.getsockname()[0], port), timeout=5):
                pass
    finally:
        for each in sockets:
            each.close()


def test_plain_log_lines_are_a_choice(models: Path) -> None:
    with running(models, RIBBON_LOG_FORMAT="text") as service:
        assert service.popen.stderr is not None
        line = service.popen.stderr.readline()
        assert re.fullmatch(r"\d\d:\d\d:\d\d info ready url=http://127.0.0.1:\d+ .*\n", line)

"""The service as users run it: a process, a port, signals and an exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.__main__ import Server
from service.app import create_app
from service.scheduling.admission import Phase
from tests.api.conftest import wait_until
from tests.benchmarks.process import free_port
from tests.fakes import GRAPH, FakeSession, OpenFake, lexicon_graph, settings_for, write_bundle

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 60


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "models", graph=lexicon_graph())
    return tmp_path / "models"


def environment(models: Path, **choices: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RIBBON_")}
    return kept | {"RIBBON_MODELS_DIR": str(models), "RIBBON_PORT": "0", "RIBBON_THREADS": "1"} | choices


@contextmanager
def process(models: Path, **choices: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-m", "service"],
        cwd=ROOT,
        env=environment(models, **choices),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def lines_of(running: subprocess.Popen[str]) -> Iterator[Any]:
    assert running.stderr is not None
    return (json.loads(line) for line in running.stderr)


def start_that_fails(models: Path, **choices: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service"],
        cwd=ROOT,
        env=environment(models, **choices),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_it_says_one_line_when_ready_answers_and_ends_with_zero_when_told_to(models: Path) -> None:
    with process(models) as running:
        lines = lines_of(running)
        ready = next(lines)
        assert ready["message"] == "ready"
        with httpx.Client(base_url=ready["url"], trust_env=False) as client:
            assert client.get("/health/ready").status_code == 200
            answer = client.post("/tag", json={"text": "Alice plays well with others"})
            assert answer.json()["results"][0]["entities"][0]["label"] == "PER"
            assert "date" in answer.headers
            assert "server" not in answer.headers
            assert client.post("/tag", json={"text": "x" * 5_000_000}).status_code == 413
            running.send_signal(signal.SIGTERM)
            assert running.wait(PATIENCE_SECONDS) == 0
        rest = list(lines)
        assert [line["message"] for line in rest] == ["request"] * 2
        assert "Alice" not in json.dumps(rest)


def test_while_it_drains_it_listens_and_says_not_ready(models: Path) -> None:
    with process(models, RIBBON_DRAIN_SECONDS="1") as running:
        url = next(lines_of(running))["url"]
        running.send_signal(signal.SIGTERM)
        statuses = set()
        while running.poll() is None:
            try:
                statuses.add(httpx.get(f"{url}/health/ready", trust_env=False).status_code)
            except httpx.TransportError:
                break
            time.sleep(0.02)
        assert 503 in statuses
        assert running.wait(PATIENCE_SECONDS) == 0


def test_what_is_inside_when_it_is_told_to_stop_is_finished(models: Path) -> None:
    session = FakeSession()
    settings = settings_for(models, port=free_port())
    server = Server(create_app(settings, open_session=OpenFake(session)), settings, started_at=0.0)
    with (
        ThreadPoolExecutor(2) as pool,
        httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", trust_env=False) as client,
    ):
        running = pool.submit(server.run)
        wait_until(lambda: server.door.phase is Phase.READY)
        session.gate.clear()
        session.shapes.clear()
        answer = pool.submit(client.post, "/tag", json={"text": "Alice"}, timeout=PATIENCE_SECONDS)
        wait_until(lambda: bool(session.shapes))
        server.should_exit = True
        wait_until(lambda: client.get("/health/ready").status_code == 503)
        assert client.post("/tag", json={"text": "Alice"}).status_code == 503
        session.gate.set()
        assert answer.result().status_code == 200
        running.result(timeout=PATIENCE_SECONDS)


def test_a_caller_who_never_finishes_does_not_keep_it_from_ending(models: Path) -> None:
    with process(models, RIBBON_DRAIN_TIMEOUT_SECONDS="0.1") as running:
        url = httpx.URL(next(lines_of(running))["url"])
        with socket.create_connection((url.host, url.port)) as caller:
            caller.sendall(b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
            wait_until(lambda: "in_flight 2.0" in httpx.get(f"{url}/metrics", trust_env=False).text)
            running.send_signal(signal.SIGTERM)
            assert running.wait(10) == 0


def test_a_corrupt_bundle_stops_the_start_with_a_message_that_names_the_file(models: Path) -> None:
    path = next(models.iterdir()) / GRAPH
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    ended = start_that_fails(models)
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
        ("RIBBON_PORT", "http", "RIBBON_PORT=http"),
    ],
)
def test_a_wrong_variable_stops_the_start(models: Path, variable: str, value: str, message: str) -> None:
    ended = start_that_fails(models, **{variable: value})
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_port_stops_the_start(models: Path) -> None:
    with process(models) as running:
        found = re.search(r":(\d+)$", next(lines_of(running))["url"])
        assert found
        ended = start_that_fails(models, RIBBON_PORT=found[1])
    assert ended.returncode != 0
    assert "address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_plain_log_lines_are_a_choice(models: Path) -> None:
    with process(models, RIBBON_LOG_FORMAT="text") as running:
        assert running.stderr is not None
        assert re.fullmatch(r"\d\d:\d\d:\d\d info ready url=http://127.0.0.1:\d+ .*\n", running.stderr.readline())

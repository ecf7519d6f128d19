"""The log never stops what writes to it, loses nothing while it is read, and says what it lost."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.logs import MAX_WAITING_LINES, BackgroundHandler, JsonFormatter
from tests.process import ROOT, metrics_of, running, say_hello

SMALL_PIPE = 4096
NUM_REQUESTS = 60  # whose lines are several times as long as the pipe
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the size of a pipe can be set on Linux")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe with room for some twenty lines."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, SMALL_PIPE)
    yield reading, writing
    os.close(reading)


def log(handler: logging.Handler, number: int) -> None:
    handler.handle(logging.LogRecord("test", logging.INFO, __file__, 0, f"line {number}", (), None))


def lines_of(reading: int) -> list[Any]:
    with os.fdopen(os.dup(reading), encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_lines_are_written_in_order(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    handler = BackgroundHandler(JsonFormatter(), writing)
    for number in range(20):
        log(handler, number)
    handler.flush()
    os.close(writing)
    assert [line["message"] for line in lines_of(reading)] == [f"line {number}" for number in range(20)]


def test_a_pipe_that_nobody_reads_stops_nobody_and_what_was_lost_is_said_afterwards(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    handler, lost = BackgroundHandler(JsonFormatter(), writing), []
    handler.on_lost = lambda: lost.append(1)
    num_logged = MAX_WAITING_LINES + 1000
    for number in range(num_logged):
        log(handler, number)
    assert 0 < len(lost) <= 1000
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.extend(lines_of(reading)))
    reader.start()
    handler.flush()
    os.close(writing)
    reader.join()
    said = [line for line in found if line["message"] == "lines of this log were lost"]
    assert sum(line["lines"] for line in said) == len(lost) == num_logged - (len(found) - len(said))
    assert {line["level"] for line in said} == {"warning"}


def test_a_descriptor_that_others_have_made_non_blocking_loses_nothing(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(writing, False)
    handler = BackgroundHandler(JsonFormatter(), writing)
    for number in range(500):
        log(handler, number)
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.extend(lines_of(reading)))
    reader.start()
    handler.flush()
    os.close(writing)
    reader.join()
    assert len(found) == 500


def test_lines_for_a_reader_who_has_gone_are_counted(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    other = os.dup(writing)
    with os.fdopen(os.dup(reading)):
        os.dup2(other, reading)  # the reading end is closed
    handler, lost = BackgroundHandler(JsonFormatter(), writing), []
    handler.on_lost = lambda: lost.append(1)
    log(handler, 1)
    handler.flush()
    assert len(lost) == 1
    os.close(other)
    os.close(writing)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_whose_log_nobody_reads_answers_and_drains(models: Path, workers: str) -> None:
    with running(models, RIBBON_WORKERS=workers) as service:
        url = service.line("ready")["url"]
        assert service.popen.stderr is not None
        fcntl.fcntl(service.popen.stderr, fcntl.F_SETPIPE_SZ, SMALL_PIPE)
        for _ in range(NUM_REQUESTS):
            assert say_hello(url).status_code == 200
        assert "ribbon_log_lines_lost_total" in metrics_of(url)
        service.terminate()
        assert service.status() == 0


FORKED = """
import logging, os
from service.logs import configure_logging
configure_logging(level="info", format="json")
logging.warning("parent")
pid = os.fork()
logging.warning("both")
if pid == 0:
    logging.shutdown()
    os._exit(0)
os.waitpid(pid, 0)
"""


def test_a_forked_process_has_a_log_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert sorted(json.loads(line)["message"] for line in done.stderr.splitlines()) == ["both", "both", "parent"]

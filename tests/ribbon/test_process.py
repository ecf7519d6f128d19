"""The command line as a process: pipes, a terminal, signals, and the time it takes to start."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes import NAME
from tests.process import PATIENCE_SECONDS, environment, get, started

COMMAND = [sys.executable, "-W", "error", "-m", "ribbon"]
# Tests that a shell runs in the background ignore interrupts, and what they start would too.
AS_IN_A_TERMINAL = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("ribbon", run_name="__main__")
"""
SENTENCE = "Alice plays with Hong Kong.\n"


def run(folder: Path, *arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        env=variables_of(folder, **variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def variables_of(folder: Path, **variables: str) -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return environment(folder, **variables) | {"PYTHONPATH": root}


def on_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    """What the command writes to a terminal of 40 columns."""
    main, side = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=side,
        stderr=side,
        env=variables_of(folder, COLUMNS="40", **variables),
    ) as process:
        os.close(side)
        output = b""
        try:
            while part := os.read(main, 65536):
                output += part
        except OSError:  # how Linux says that the other side has closed
            pass
        process.wait(PATIENCE_SECONDS)
    os.close(main)
    return output.decode().replace("\r\n", "\n")


def test_a_pipe_gets_a_table_without_colours(folder: Path) -> None:
    result = run(folder, "tag", stdin=SENTENCE)
    assert (result.returncode, result.stderr) == (0, "")
    assert "Alice" in result.stdout
    assert "\x1b" not in result.stdout


def test_help_starts_without_heavy_packages(folder: Path) -> None:
    result = run(folder, "--help", PYTHONPROFILEIMPORTTIME="1")
    assert result.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {"httpx", "msgspec", "numpy", "onnxruntime", "litestar", "pydantic", "service", "training"}


def test_help_takes_less_than_a_third_of_a_second_of_processor_time(folder: Path) -> None:
    """The clock would measure what else the machine does."""
    assert min(processor_seconds(folder, "--help") for _ in range(3)) < 0.3


def processor_seconds(folder: Path, *arguments: str) -> float:
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, env=variables_of(folder)) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_a_terminal_gets_colours_and_lines_that_fit(folder: Path) -> None:
    text = "good " * 20
    coloured = on_terminal(folder, "classify", text)
    assert "\x1b[" in coloured
    plain = on_terminal(folder, "classify", text, NO_COLOR="1")
    assert "\x1b[" not in plain
    assert max(map(len, plain.splitlines())) <= 40
    assert "…" in plain


def test_a_continuation_streams_to_a_terminal(folder: Path) -> None:
    output = on_terminal(folder, "generate", "--temperature", "0", "--max-tokens", "3", "The", NO_COLOR="1")
    assert output == "The report is ready\n"


def test_a_reader_who_leaves_ends_it_quietly(folder: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.write_text(SENTENCE * 3000)
    with subprocess.Popen(
        [*COMMAND, "tag", "--jsonl", "--file", str(texts)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables_of(folder),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["sentences"]
        process.stdout.close()
        assert process.wait(PATIENCE_SECONDS) == 1
        assert process.stderr.read() == b""


def test_an_interrupt_ends_it_without_a_traceback(folder: Path) -> None:
    with subprocess.Popen(
        [*COMMAND[:3], "-c", AS_IN_A_TERMINAL, "classify", "--jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables_of(folder),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"good\n" * 64)
        process.stdin.flush()
        assert process.stdout.readline()  # it is at work, and waits for more
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 1
        assert process.stderr.read().strip() == b"Aborted!"


def test_serve_is_the_service_in_the_same_process(folder: Path) -> None:
    variables = variables_of(folder, RIBBON_API_KEY="of the client alone", RIBBON_URL="http://127.0.0.1:1")
    command = [*COMMAND, "serve", "--models", str(folder), "--port", "0"]
    with started(command, variables) as service:
        address = service.line("ready")["url"]
        assert {model["name"] for model in get(address, "/models").json()["models"]} >= {NAME}
        found = run(folder / "nowhere", "tag", "--url", address, SENTENCE)
        assert found.stdout == run(folder, "tag", SENTENCE).stdout
        service.terminate()
        assert service.status() == 0


@pytest.mark.parametrize(("last", "code"), [("", 0), ("raise SystemExit(3)", 3), ("1 / 0", 1)])
def test_a_program_that_never_closes_its_model_ends(folder: Path, last: str, code: int) -> None:
    program = f"import ribbon; tagger = ribbon.load({NAME!r}); print(tagger('Alice').ents[0].text); {last}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=variables_of(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "Alice\n")

"""What the documents show is run: commands with the models that ship, and the examples in Python."""

from __future__ import annotations

import gc
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ribbon.__main__ import main
from tests.process import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\$ )?((?:[^`\n]* \| |\w+=\S+ )*ribbon [a-z].*)$", re.MULTILINE)
ADDRESS = "http://127.0.0.1:8000"
# Commands that become a server, train for minutes, or fetch from the network; other tests run them.
LEFT_OUT = re.compile(r"ribbon (serve|train|models pull https)\b")
PLAIN_LINES = "It was not bad at all.\nThe file was saved.\n"


def commands_of(path: Path) -> Iterator[str]:
    for _, block in BLOCK.findall(path.read_text("utf-8")):
        yield from (command for command in COMMAND.findall(block) if not LEFT_OUT.search(command))


COMMANDS = [(path, command) for path in DOCUMENTS for command in commands_of(path)]


def run_pipeline(command: str, address: str) -> str:
    """Run ``echo`` and ``ribbon`` of a line of shell, in this process; what other programs would do is left out."""
    lexer = shlex.shlex(command.replace(ADDRESS, address), posix=True, punctuation_chars="|>")
    lexer.whitespace_split = True
    output, stages = "", list[list[str]]([[]])
    for token in lexer:
        if token == ">":
            break
        stages.append([]) if token == "|" else stages[-1].append(token)
    for program, *arguments in stages:
        if program == "echo":
            output = " ".join(arguments) + "\n"
        elif program == "ribbon":
            result = CliRunner().invoke(main, arguments, input=output)
            assert result.exit_code == 0, f"{command}: {result.output}"
            output = result.stdout
    return output


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[f"{path.stem}: {line}" for path, line in COMMANDS])
def test_commands_work_as_they_are_shown(
    path: Path, command: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIBBON_MODELS_DIR", str(ROOT / "models"))
    for name in re.findall(r"(?:--file|<) (\w[\w.]*)", command):
        (tmp_path / name).write_text(PLAIN_LINES)
    assert run_pipeline(command, url)


def test_the_first_command_prints_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIBBON_MODELS_DIR", str(ROOT / "models"))
    (_, command), (_, shown) = BLOCK.findall((ROOT / "docs/command-line.md").read_text("utf-8"))[:2]
    assert run_pipeline(command.strip(), ADDRESS).strip() == shown.strip()


def test_the_readme_shows_a_command() -> None:
    assert 'echo "Kim moved to Hong Kong." | ribbon tag' in [line for path, line in COMMANDS if path.stem == "README"]


def test_the_examples_in_python_run(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIBBON_MODELS_DIR", str(ROOT / "models"))
    blocks = [code for kind, code in BLOCK.findall((ROOT / "docs/client.md").read_text("utf-8")) if kind == "python"]
    assert len(blocks) > 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block.replace(ADDRESS, url), "docs/client.md", "exec"), names)  # noqa: S102
    names.clear()
    gc.collect()  # what an example has left open is an error here, not in another test
    printed = capsys.readouterr().out
    assert "Hong Kong" in printed
    assert "Me encanta este libro." in printed


def test_a_command_that_fails_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIBBON_MODELS_DIR", str(tmp_path))
    with pytest.raises(AssertionError, match="no bundle here"):
        run_pipeline('echo "Kim" | ribbon tag > out.txt', ADDRESS)


def test_commands_are_found_in_blocks() -> None:
    assert len(COMMANDS) > 10

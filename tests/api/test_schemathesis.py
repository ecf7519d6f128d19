"""Schemathesis finds nothing: the short form of ``make conformance``, on the service as users run it."""

from __future__ import annotations

import re
from pathlib import Path

from bench.conformance.__main__ import run
from bench.process import ROOT
from service.keys import line_for

FEW = ("--max-examples", "3", "--generation-deterministic", "--seed", "1", "--request-timeout", "30")


def test_schemathesis_finds_nothing() -> None:
    ended = run(ROOT / "models", FEW)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"(\d+) selected / \1 total", ended.stdout)


def test_nor_does_it_where_keys_are_asked_for(tmp_path: Path) -> None:
    """Without a key, or with a wrong one, every route but the probes must refuse; Schemathesis tries."""
    keys, key = tmp_path / "keys", "a-key-that-is-long-enough"
    keys.write_text(f"{line_for('tests', key)}\n", encoding="utf-8")
    arguments = (*FEW, "--phases", "examples,coverage", "--header", f"Authorization: Bearer {key}")
    ended = run(ROOT / "models", arguments, {"RIBBON_API_KEYS_FILE": str(keys)})
    assert ended.returncode == 0, ended.stdout + ended.stderr

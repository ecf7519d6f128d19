"""Schemathesis finds nothing: the short form of ``make conformance``, on the service as users run it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.process import ROOT
from service.keys import line_for
from tests.conformance.__main__ import run
from tests.conformance.meaning import MEANT

FEW = ("--max-examples", "5", "--generation-deterministic", "--seed", "1", "--request-timeout", "30")


def test_schemathesis_finds_nothing() -> None:
    ended = run(ROOT / "models", FEW)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"(\d+) selected / \1 total", ended.stdout)


def test_nor_does_it_where_keys_are_asked_for(tmp_path: Path) -> None:
    """Without a key, or with a wrong one, every route but the probes must refuse; Schemathesis tries."""
    keys, key = tmp_path / "keys", "a-key-that-is-long-enough"
    keys.write_text(f"{line_for('tests', key)}\n", encoding="utf-8")
    arguments = (*FEW, "--header", f"Authorization: Bearer {key}")
    ended = run(ROOT / "models", arguments, {"RIBBON_API_KEYS_FILE": str(keys)})
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("path", "body", "meant"),
    [
        ("/tag", {"text": "a"}, {"text": "a"}),
        (
            "/tag",
            {"text": "a", "format": "conllu", "offset_unit": "byte"},
            {"text": "a", "format": "conllu", "offset_unit": "codepoint"},
        ),
        ("/classify", {"text": ["", "a"], "strict": True}, {"text": ["", "a"], "strict": False}),
        ("/translate", {"text": "a", "target": "de"}, {"text": "a", "source": "en", "target": "de"}),
        (
            "/translate",
            {"text": "a", "target": "", "source": "x", "beam_size": 2, "num_hypotheses": 3, "max_length": 99},
            {"text": "a", "target": "es", "source": "en", "beam_size": 2, "num_hypotheses": 2, "max_length": 32},
        ),
        ("/generate", {"prompt": "a", "state": "x"}, {"prompt": "a", "max_tokens": 32}),
        ("/score", {"text": "a_b", "choices": ["c"]}, {"text": ["ab___"], "choices": ["c"]}),
    ],
)
def test_what_it_takes_for_good_is_given_a_meaning(path: str, body: dict[str, object], meant: object) -> None:
    assert MEANT[path](body) == meant

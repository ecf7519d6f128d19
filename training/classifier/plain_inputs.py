"""Plain inputs of each classifier with the labels that people expect, by kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

INPUTS = Path(__file__).with_name("inputs")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainInput:
    """A text of a kind and its right labels; empty if any label will do."""

    kind: str
    expected: tuple[str, ...]
    text: str
    must_hold: bool = False


def read_inputs(name: str, folder: Path = INPUTS) -> list[PlainInput]:
    """The plain inputs of a model; none if it has no file."""
    path = folder / f"{name}.tsv"
    if not path.is_file():
        return []
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line)
    return [
        PlainInput(kind=kind.rstrip("*"), expected=tuple(expected.split("|")), text=text, must_hold=kind.endswith("*"))
        for kind, expected, text in rows
    ]

"""docs/architecture.md shows the code as it is."""

from __future__ import annotations

from bench.architecture import BLOCK, DOCUMENT, drawn


def test_the_pictures_are_those_of_the_code() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert [block[2] for block in BLOCK.finditer(document)] == ["rooms", "request"]
    assert drawn(document) == document, "run: python -m bench.architecture"

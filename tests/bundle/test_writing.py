"""What training writes last."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from service.bundle import (
    CARD,
    EXAMPLES,
    MANIFEST,
    VOCABULARIES,
    load_bundle,
    write_manifest,
)
from tests.fakes import (
    GRAPH,
    NAME,
    manifest,
)


def test_the_manifest_is_completed_with_every_file_of_the_folder(folder):
    (folder / "LICENCE.txt").write_text("CC0")
    written = write_manifest(folder, manifest(NAME))
    assert set(written.files) == {GRAPH, VOCABULARIES, EXAMPLES, CARD, "LICENCE.txt"}
    assert load_bundle(folder).manifest == written


def test_what_a_manifest_does_not_say_is_not_written(folder):
    written = json.loads((folder / MANIFEST).read_text())
    assert "pairs" not in written
    assert "encoder" not in written["precisions"]["fp32"]


def test_a_manifest_that_could_not_be_read_is_not_written(folder):
    before = (folder / MANIFEST).read_bytes()
    with pytest.raises(ValidationError):
        write_manifest(folder, {**manifest(NAME), "task": "sing"})
    assert (folder / MANIFEST).read_bytes() == before

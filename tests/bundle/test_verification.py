"""A file that is not what the manifest says is named."""

from __future__ import annotations

import pytest

from service.bundle import (
    CARD,
    EXAMPLES,
    VOCABULARIES,
    load_bundle,
    read_bundle,
    verify,
    write_manifest,
)
from service.errors import BundleError
from tests.fakes import (
    GRAPH,
    classifier_manifest,
    write_classifier,
)


@pytest.mark.parametrize("name", [GRAPH, VOCABULARIES, EXAMPLES, CARD])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=rf"{name}: No such file"):
        load_bundle(folder)


@pytest.mark.parametrize("name", [GRAPH, VOCABULARIES, EXAMPLES, CARD])
def test_a_flipped_bit_is_named(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name}: checksum"):
        load_bundle(folder)


@pytest.mark.parametrize("name", [GRAPH, VOCABULARIES, EXAMPLES, CARD])
def test_a_truncated_file_is_named(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(BundleError, match=f"{name}: {len(content) - 1} bytes; the manifest says {len(content)}"):
        load_bundle(folder)


def test_weights_that_graphs_share_are_checked_like_the_graphs(tmp_path):
    folder = write_classifier(tmp_path)
    (folder / "weights.bin").write_bytes(bytes(1000))
    write_manifest(folder, classifier_manifest(folder.name))
    assert "weights.bin" in load_bundle(folder).manifest.files
    (folder / "weights.bin").write_bytes(bytes(999) + b"?")
    with pytest.raises(BundleError, match=r"weights\.bin: checksum"):
        load_bundle(folder)


def test_a_folder_that_is_taken_away_while_it_is_read_is_named(folder):
    bundle = read_bundle(folder)
    folder.rename(folder.with_name("gone"))
    with pytest.raises(BundleError, match=str(folder)):
        verify(bundle)

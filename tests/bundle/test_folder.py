"""Bundles are found and read, and nothing is opened that is not a plain file inside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.bundle import (
    CARD,
    EXAMPLES,
    FORMAT_VERSION,
    MANIFEST,
    SUBWORDS,
    VOCABULARIES,
    file_entry,
    find_bundles,
    load_bundle,
)
from service.errors import BundleError
from tests.fakes import (
    ENCODER,
    GRAPH,
    NAME,
    READER,
    STEP,
    UNIT_STEP,
    write_bundle,
    write_classifier,
    write_language_model,
    write_translator,
)

SHIPPED = Path(__file__).parents[2] / "models"


def test_a_sound_bundle_is_read(folder):
    bundle = load_bundle(folder)
    assert bundle.manifest.name == NAME
    assert bundle.manifest.format_version == FORMAT_VERSION
    assert bundle.graph() == bundle.graph("fp32") == folder / GRAPH
    assert bundle.checksum == file_entry(folder / MANIFEST).sha256


def test_a_classifier_s_bundle_is_read_and_may_be_the_default(tmp_path):
    assert load_bundle(write_bundle(tmp_path)).manifest.default is False
    manifest = load_bundle(write_classifier(tmp_path, default=True)).manifest
    assert (manifest.task, manifest.default) == ("classify", True)


def test_a_translator_s_bundle_has_pairs_subwords_and_two_graphs(tmp_path):
    bundle = load_bundle(write_translator(tmp_path))
    assert next((pair.source, pair.target, pair.tag) for pair in bundle.manifest.pairs) == ("en", "es", "<2es>")
    assert (bundle.encoder("fp32").name, bundle.graph("fp32").name) == (ENCODER, STEP)
    assert {SUBWORDS, ENCODER, STEP} < set(bundle.manifest.files)


def test_a_language_model_s_bundle_has_subwords_and_two_graphs(tmp_path):
    bundle = load_bundle(write_language_model(tmp_path))
    assert bundle.manifest.task == "generate"
    assert (bundle.encoder("fp32").name, bundle.graph("fp32").name) == (READER, UNIT_STEP)
    assert {SUBWORDS, READER, UNIT_STEP} < set(bundle.manifest.files)


@pytest.mark.parametrize("shipped", sorted(path.parent for path in SHIPPED.glob(f"*/{MANIFEST}")), ids=lambda p: p.name)
def test_what_ships_is_sound_and_holds_nothing_else(shipped):
    bundle = load_bundle(shipped)
    assert bundle.manifest.name == shipped.name
    assert {path.name for path in shipped.iterdir()} == {MANIFEST, *bundle.manifest.files}


def test_a_folder_without_manifest_is_named(tmp_path):
    with pytest.raises(BundleError, match=f"{MANIFEST}: No such file"):
        load_bundle(tmp_path)


def test_bundles_are_found_by_name(tmp_path):
    second, first = write_bundle(tmp_path, name="b-tagger"), write_bundle(tmp_path, name="a-tagger")
    (tmp_path / "empty").mkdir()
    assert find_bundles(tmp_path) == [first, second]


def test_a_folder_without_bundles_is_named(tmp_path):
    with pytest.raises(BundleError, match=f"{tmp_path}: no bundle here"):
        find_bundles(tmp_path)


def test_hidden_folders_are_no_bundles(tmp_path):
    """So that one can be written beside the others and then renamed."""
    seen = write_bundle(tmp_path)
    write_bundle(tmp_path, folder=".coming")
    assert find_bundles(tmp_path) == [seen]


@pytest.mark.parametrize("name", [GRAPH, VOCABULARIES, EXAMPLES, CARD, MANIFEST])
def test_a_link_out_of_the_folder_is_refused_even_to_the_same_content(folder, tmp_path, name):
    outside = (folder / name).rename(tmp_path / "outside")
    (folder / name).symlink_to(outside)
    with pytest.raises(BundleError, match=f"{folder / name}: a link that leads out of its folder"):
        load_bundle(folder)


def test_links_within_a_folder_and_to_a_folder_are_as_good_as_files(folder, tmp_path):
    """As Kubernetes mounts them: each file is a link into a hidden folder beside it."""
    (folder / "..data").mkdir()
    for name in (GRAPH, VOCABULARIES, EXAMPLES, CARD, MANIFEST):
        (folder / name).rename(folder / "..data" / name)
        (folder / name).symlink_to(Path("..data") / name)
    (tmp_path / "elsewhere").symlink_to(folder)
    assert load_bundle(tmp_path / "elsewhere").manifest.name == NAME


def test_a_link_to_itself_is_refused(folder):
    (folder / CARD).unlink()
    (folder / CARD).symlink_to(CARD)
    with pytest.raises(BundleError, match=f"{CARD}: Too many levels"):
        load_bundle(folder)


def test_a_pipe_is_refused_and_not_waited_for(folder):
    (folder / CARD).unlink()
    os.mkfifo(folder / CARD)
    with pytest.raises(BundleError, match=f"{CARD}: not a file"):
        load_bundle(folder)

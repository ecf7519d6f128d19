from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.bundle import (
    CARD,
    EXAMPLES,
    FORMAT_VERSION,
    MANIFEST,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    MAX_READ_BYTES,
    SUBWORDS,
    VOCABULARIES,
    describe,
    find_bundles,
    load_bundle,
    read_bundle,
    verify,
    write_manifest,
)
from service.errors import BundleError
from tests.fakes import (
    ENCODER,
    GRAPH,
    NAME,
    STEP,
    classifier_manifest,
    manifest,
    write_bundle,
    write_classifier,
    write_translator,
)

SHIPPED = Path(__file__).parents[1] / "models"


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_bundle(tmp_path)


def edit(folder, **fields) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_sound_bundle_is_read(folder):
    bundle = load_bundle(folder)
    assert bundle.manifest.name == NAME
    assert bundle.manifest.format_version == FORMAT_VERSION
    assert bundle.graph() == bundle.graph("fp32") == folder / GRAPH
    assert bundle.checksum == describe(folder / MANIFEST).sha256


def test_a_classifier_s_bundle_is_read_and_may_be_the_default(tmp_path):
    assert load_bundle(write_bundle(tmp_path)).manifest.default is False
    manifest = load_bundle(write_classifier(tmp_path, default=True)).manifest
    assert (manifest.task, manifest.default) == ("classify", True)


def test_a_translator_s_bundle_has_pairs_subwords_and_two_graphs(tmp_path):
    bundle = load_bundle(write_translator(tmp_path))
    assert next((pair.source, pair.target, pair.tag) for pair in bundle.manifest.pairs) == ("en", "es", "<2es>")
    assert (bundle.encoder("fp32").name, bundle.graph("fp32").name) == (ENCODER, STEP)
    assert {SUBWORDS, ENCODER, STEP} < set(bundle.manifest.files)


@pytest.mark.parametrize("name", [SUBWORDS, ENCODER, STEP, EXAMPLES, CARD])
def test_a_file_that_a_translator_needs_is_named_if_it_is_not_listed(tmp_path, name):
    folder = write_translator(tmp_path)
    files = json.loads((folder / MANIFEST).read_text())["files"]
    del files[name]
    edit(folder, files=files)
    with pytest.raises(BundleError, match=f"{MANIFEST}: lists no {name}"):
        load_bundle(folder)


def test_a_precision_without_an_encoder_is_named(folder):
    with pytest.raises(BundleError, match=f"{MANIFEST}: a precision without an encoder"):
        load_bundle(folder).encoder("fp32")


def test_what_a_manifest_does_not_say_is_not_written(folder):
    written = json.loads((folder / MANIFEST).read_text())
    assert "pairs" not in written
    assert "encoder" not in written["precisions"]["fp32"]


def test_weights_that_graphs_share_are_checked_like_the_graphs(tmp_path):
    folder = write_classifier(tmp_path)
    (folder / "weights.bin").write_bytes(bytes(1000))
    write_manifest(folder, classifier_manifest(folder.name))
    assert "weights.bin" in load_bundle(folder).manifest.files
    (folder / "weights.bin").write_bytes(bytes(999) + b"?")
    with pytest.raises(BundleError, match=r"weights\.bin: checksum"):
        load_bundle(folder)


@pytest.mark.parametrize("shipped", sorted(path.parent for path in SHIPPED.glob(f"*/{MANIFEST}")), ids=lambda p: p.name)
def test_what_ships_is_sound_and_holds_nothing_else(shipped):
    bundle = load_bundle(shipped)
    assert bundle.manifest.name == shipped.name
    assert {path.name for path in shipped.iterdir()} == {MANIFEST, *bundle.manifest.files}


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


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"name": "tagger"}'])
def test_what_is_no_manifest_is_named(folder, content):
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError, match=MANIFEST):
        load_bundle(folder)


def test_a_folder_that_is_taken_away_while_it_is_read_is_named(folder):
    bundle = read_bundle(folder)
    folder.rename(folder.with_name("gone"))
    with pytest.raises(BundleError, match=str(folder)):
        verify(bundle)


def test_a_folder_without_manifest_is_named(tmp_path):
    with pytest.raises(BundleError, match=f"{MANIFEST}: No such file"):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"task": "sing"}, "task: "),
        ({"name": "../tagger"}, "name: "),
        ({"files": {GRAPH: {"sha256": "abc", "size_bytes": 1}}}, f"files.{GRAPH}.sha256"),
        ({"precisions": {"fp32": {"file": GRAPH, "metrics": {}}}}, "precisions.fp32.max_drift: Field required"),
    ],
)
def test_a_field_that_is_unknown_wrong_or_missing_is_named(folder, fields, message):
    edit(folder, **fields)
    with pytest.raises(BundleError, match=f"{MANIFEST}: {message}"):
        load_bundle(folder)


def test_a_later_format_is_called_that_even_if_its_fields_are_unknown_too(folder):
    edit(folder, format_version=FORMAT_VERSION + 1, colour="red")
    with pytest.raises(BundleError, match=f"format_version: .*reads {FORMAT_VERSION}, not {FORMAT_VERSION + 1}"):
        load_bundle(folder)


@pytest.mark.parametrize("name", [GRAPH, VOCABULARIES, EXAMPLES, CARD])
def test_a_needed_file_that_is_not_listed_is_named(folder, name):
    files = json.loads((folder / MANIFEST).read_text())["files"]
    del files[name]
    edit(folder, files=files)
    with pytest.raises(BundleError, match=f"{MANIFEST}: lists no {name}"):
        load_bundle(folder)


def test_a_precision_that_is_not_there_is_named_beside_those_that_are(folder):
    with pytest.raises(BundleError, match=r"no precision 'int4'; known: fp32"):
        load_bundle(folder).graph("int4")


def test_the_manifest_is_completed_with_every_file_of_the_folder(folder):
    (folder / "LICENCE.txt").write_text("CC0")
    written = write_manifest(folder, manifest(NAME))
    assert set(written.files) == {GRAPH, VOCABULARIES, EXAMPLES, CARD, "LICENCE.txt"}
    assert load_bundle(folder).manifest == written


def test_a_manifest_that_could_not_be_read_is_not_written(folder):
    before = (folder / MANIFEST).read_bytes()
    with pytest.raises(ValidationError):
        write_manifest(folder, {**manifest(NAME), "task": "sing"})
    assert (folder / MANIFEST).read_bytes() == before


def test_bundles_are_found_by_name(tmp_path):
    second, first = write_bundle(tmp_path, name="b-tagger"), write_bundle(tmp_path, name="a-tagger")
    (tmp_path / "empty").mkdir()
    assert find_bundles(tmp_path) == [first, second]


def test_a_folder_without_bundles_is_named(tmp_path):
    with pytest.raises(BundleError, match=f"{tmp_path}: no bundle here"):
        find_bundles(tmp_path)


OUTSIDE = [
    "../secret",
    "/etc/passwd",
    "sub/weights.bin",
    "sub\\weights.bin",
    "..",
    ".",
    ".hidden",
    "",
    "a\0b",
    "a" * 129,
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_listed_name_that_is_not_plain_is_refused(folder, name):
    edit(folder, files={name: {"sha256": "0" * 64, "size_bytes": 1}})
    with pytest.raises(BundleError, match=f"{MANIFEST}: files"):
        load_bundle(folder)


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("field", ["file", "encoder"])
def test_a_graph_s_name_that_is_not_plain_is_refused(folder, name, field):
    precision = {"file": GRAPH, "metrics": {}, "max_drift": 1e-5} | {field: name}
    edit(folder, precisions={"fp32": precision})
    with pytest.raises(BundleError, match=f"{MANIFEST}: precisions.fp32.{field}"):
        load_bundle(folder)


@pytest.mark.parametrize("version", ["", "one", "1.0/2", "../1.0", "1.0@2", "v1", "1.0\n", "1..0", "1" * 65])
def test_a_version_that_cannot_be_ordered_is_refused(folder, version):
    edit(folder, version=version)
    with pytest.raises(BundleError, match=f"{MANIFEST}: version"):
        load_bundle(folder)


def test_versions_are_ordered_as_people_count(tmp_path):
    rising = ["1.0.0rc1", "1.0.0", "1.2.0", "1.10.0", "2.0"]
    bundles = [load_bundle(write_bundle(tmp_path, version=version, folder=version)) for version in rising]
    assert sorted((bundles[number] for number in (3, 0, 4, 2, 1)), key=lambda bundle: bundle.version) == bundles


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


def test_sizes_are_bounded_before_anything_is_read(folder):
    files = json.loads((folder / MANIFEST).read_text())["files"]
    for name, most in ((GRAPH, MAX_FILE_BYTES), (VOCABULARIES, MAX_READ_BYTES)):
        edit(folder, files=files | {name: files[name] | {"size_bytes": most + 1}})
        with pytest.raises(BundleError, match=MANIFEST):
            load_bundle(folder)
    edit(folder, files=files | {f"file-{number}": files[CARD] for number in range(MAX_FILES)})
    with pytest.raises(BundleError, match=f"{MANIFEST}: files"):
        load_bundle(folder)
    edit(folder, files=files)
    os.truncate(folder / GRAPH, 2**40)  # sparse: it takes no room, but days to read
    with pytest.raises(BundleError, match=f"{GRAPH}: {2**40} bytes; the manifest says"):
        load_bundle(folder)


def test_a_manifest_without_end_is_not_read_to_it(folder):
    os.truncate(folder / MANIFEST, 2**40)
    with pytest.raises(BundleError, match=f"{MANIFEST}: more than {MAX_MANIFEST_BYTES} bytes"):
        load_bundle(folder)


def test_hidden_folders_are_no_bundles(tmp_path):
    """So that one can be written beside the others and then renamed."""
    seen = write_bundle(tmp_path)
    write_bundle(tmp_path, folder=".coming")
    assert find_bundles(tmp_path) == [seen]

"""A manifest that says too much, too little or something else is refused, and what is wrong with it is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

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
    load_bundle,
)
from service.bundle.manifest import MAX_LIMIT
from service.errors import BundleError
from tests.bundle.conftest import edit
from tests.fakes import (
    ENCODER,
    GRAPH,
    READER,
    STEP,
    UNIT_STEP,
    write_bundle,
    write_language_model,
    write_translator,
)


def refuses_to_load_without(name: str, folder: Path) -> None:
    files = json.loads((folder / MANIFEST).read_text())["files"]
    del files[name]
    edit(folder, files=files)
    with pytest.raises(BundleError, match=f"{MANIFEST}: lists no {name}"):
        load_bundle(folder)


@pytest.mark.parametrize("name", [SUBWORDS, ENCODER, STEP, EXAMPLES, CARD])
def test_a_file_that_a_translator_needs_is_named_if_it_is_not_listed(tmp_path, name):
    refuses_to_load_without(name, write_translator(tmp_path))


@pytest.mark.parametrize("name", [SUBWORDS, READER, UNIT_STEP, EXAMPLES, CARD])
def test_a_file_that_a_language_model_needs_is_named_if_it_is_not_listed(tmp_path, name):
    refuses_to_load_without(name, write_language_model(tmp_path))


def test_a_precision_without_an_encoder_is_named(folder):
    with pytest.raises(BundleError, match=f"{MANIFEST}: a precision without an encoder"):
        load_bundle(folder).encoder("fp32")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"name": "tagger"}'])
def test_what_is_no_manifest_is_named(folder, content):
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError, match=MANIFEST):
        load_bundle(folder)


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


def precision(metrics: dict[str, float], *, max_drift: float) -> dict[str, object]:
    return {"precisions": {"fp32": {"file": GRAPH, "metrics": metrics, "max_drift": max_drift}}}


def tensor(*shape: object) -> list[dict[str, object]]:
    return [{"name": "ids", "type": "int32", "shape": shape}]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"limits": {"max_tokens": 10**9}}, "limits.max_tokens"),
        ({"limits": {"max_tokens": 0}}, "limits.max_tokens"),
        ({"limits": {"max_tokens": 1024, "max_target_tokens": MAX_LIMIT + 1}}, "limits.max_target_tokens"),
        ({"limits": {"max_tokens": 1024, "split_tokens": -1}}, "limits.split_tokens"),
        ({"features": {"num_characters": 10**9}}, "features.num_characters"),
        ({"inputs": tensor("batch", "time", 10**9)}, "inputs.0.shape.2"),
        ({"outputs": tensor("batch", 0)}, "outputs.0.shape.1"),
        ({"inputs": tensor(*["axis"] * 9)}, "inputs.0.shape"),
        (
            {"precisions": {"fp32": {"file": GRAPH, "metrics": {}, "max_drift": float("inf")}}},
            "precisions.fp32.max_drift",
        ),
        ({"precisions": {"fp32": {"file": GRAPH, "metrics": {"f1": float("nan")}, "max_drift": 0}}}, "precisions.fp32"),
    ],
)
def test_a_number_out_of_its_range_is_refused_before_anything_is_run(folder, fields, place):
    edit(folder, **fields)
    with pytest.raises(BundleError, match=f"{MANIFEST}: {place}.*(should be|at most)"):
        load_bundle(folder)


@pytest.mark.parametrize("limit", [1, MAX_LIMIT])
def test_the_ends_of_a_limit_s_range_are_taken(folder, limit):
    edit(folder, limits={"max_tokens": limit})
    assert load_bundle(folder).manifest.limits == {"max_tokens": limit}


def test_a_later_format_is_called_that_even_if_its_fields_are_unknown_too(folder):
    edit(folder, format_version=FORMAT_VERSION + 1, colour="red")
    with pytest.raises(BundleError, match=f"format_version: .*reads {FORMAT_VERSION}, not {FORMAT_VERSION + 1}"):
        load_bundle(folder)


@pytest.mark.parametrize("name", [GRAPH, VOCABULARIES, EXAMPLES, CARD])
def test_a_needed_file_that_is_not_listed_is_named(folder, name):
    refuses_to_load_without(name, folder)


def test_a_precision_that_is_not_there_is_named_beside_those_that_are(folder):
    with pytest.raises(BundleError, match=r"no precision 'int4'; known: fp32"):
        load_bundle(folder).graph("int4")


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


def test_a_manifest_without_end_is_not_read_to_it(folder):
    os.truncate(folder / MANIFEST, 2**40)
    with pytest.raises(BundleError, match=f"{MANIFEST}: more than {MAX_MANIFEST_BYTES} bytes"):
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

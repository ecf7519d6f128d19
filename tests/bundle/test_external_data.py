"""A graph may have its weights read from listed files of its own folder, and from no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.bundle import MANIFEST, load_bundle, write_manifest
from service.bundle.folder import INSIDE, TENSOR, check_external_data, external_files
from service.errors import BundleError
from service.models.loading import load_models, open_predictor
from service.runtime.session import open_session
from tests.fakes import CLASSIFIER, GRAPH, classifier_manifest, sentiment_graph, settings_for, weights, write_classifier

onnx = pytest.importorskip("onnx")
SHIPPED = Path(__file__).parents[2] / "models"


def external(tensor: Any, location: str) -> Any:
    """The tensor, its content elsewhere."""
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def classifier_with(models: Path, location: str, content: bytes) -> Path:
    """A classifier whose table is read from somewhere; its folder."""
    folder = write_classifier(models)
    model = onnx.load_from_string(sentiment_graph())
    [table] = [tensor for tensor in model.graph.initializer if tensor.name == "table"]
    external(table, location)
    (folder / GRAPH).write_bytes(model.SerializeToString())
    (folder / "weights.bin").write_bytes(content)
    write_manifest(folder, classifier_manifest(CLASSIFIER))
    return folder


def table() -> bytes:
    return np.stack([-weights() / 2, weights() / 2], axis=1).astype(np.float32).tobytes()


def test_weights_beside_the_graph_are_read(tmp_path: Path) -> None:
    classifier_with(tmp_path, "weights.bin", table())
    [loaded] = load_models(settings_for(tmp_path), open_session)
    assert loaded.card.name == CLASSIFIER


@pytest.mark.parametrize(
    "location",
    ["../secret.bin", "{tmp_path}/secret.bin", "/etc/passwd", "../../etc/passwd", "./weights.bin", "link/secret.bin"],
)
def test_a_graph_that_names_a_file_elsewhere_is_refused(tmp_path: Path, location: str) -> None:
    """Even where the file is there, and would do."""
    (tmp_path / "secret.bin").write_bytes(table())
    location = location.format(tmp_path=tmp_path)
    folder = classifier_with(tmp_path / "models", location, table())
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(BundleError, match=f"{GRAPH}: reads '{location}', which {MANIFEST} does not list"):
        load_models(settings_for(tmp_path / "models"), open_session)


def test_a_file_of_the_folder_that_nobody_has_checked_is_refused_too(tmp_path: Path) -> None:
    folder = classifier_with(tmp_path, "unlisted.bin", table())
    (folder / "unlisted.bin").write_bytes(table())
    with pytest.raises(BundleError, match=r"reads 'unlisted\.bin', which"):
        load_models(settings_for(tmp_path), open_session)


def test_a_listed_file_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = classifier_with(tmp_path / "models", "weights.bin", table())
    (folder / "weights.bin").rename(tmp_path / "secret.bin")
    (folder / "weights.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(BundleError, match=r"weights\.bin: a link that leads out"):
        load_models(settings_for(tmp_path / "models"), open_session)


def test_every_precision_is_looked_at_also_if_another_is_served(tmp_path: Path) -> None:
    folder = classifier_with(tmp_path, "weights.bin", table())
    model = onnx.load(folder / GRAPH, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "../x"
    (folder / "other.onnx").write_bytes(model.SerializeToString())
    precisions = {
        name: {"file": file, "metrics": {}, "max_drift": 1e-5}
        for name, file in (("fp32", GRAPH), ("int8", "other.onnx"))
    }
    write_manifest(folder, classifier_manifest(CLASSIFIER) | {"precisions": precisions})
    with pytest.raises(BundleError, match=r"other\.onnx: reads '\.\./x'"):
        open_predictor(load_bundle(folder), settings_for(tmp_path), open_session)


def test_tensors_are_found_wherever_they_may_be(tmp_path: Path) -> None:
    """In constants, branches, functions, sparse tensors and what is left of training."""
    helper = onnx.helper

    def tensor(location: str) -> Any:
        return external(helper.make_tensor(location, onnx.TensorProto.FLOAT, [1], [0.0]), location)

    def constant(location: str) -> Any:
        return helper.make_node("Constant", [], [location], value=tensor(location))

    def sparse(location: str) -> Any:
        return helper.make_sparse_tensor(tensor(location), tensor(f"{location}-places"), [1])

    def graph(*nodes: Any, **more: Any) -> Any:
        return helper.make_graph(list(nodes), "g", [], [], **more)

    branch = helper.make_node(
        "If", ["x"], ["y"], then_branch=graph(constant("then")), else_branch=graph(constant("else"))
    )
    lists = helper.make_node("Lists", [], [], domain="d", several=[tensor("a"), tensor("b")])
    several = helper.make_node("Graphs", [], [], domain="d", graphs=[graph(branch)])
    single = helper.make_node("Sparse", [], [], domain="d", one=sparse("one"), many=[sparse("many")])
    model = helper.make_model(graph(constant("top"), lists, several, single, initializer=[tensor("weights.bin")]))
    model.graph.sparse_initializer.append(sparse("sparse"))
    model.functions.append(helper.make_function("d", "f", [], [], [constant("function")], []))
    model.functions[0].attribute_proto.append(helper.make_attribute("default", tensor("attribute")))
    model.training_info.add().algorithm.CopyFrom(graph(constant("training")))
    (tmp_path / GRAPH).write_bytes(model.SerializeToString())
    sparse_names = {f"{name}{more}" for name in ("one", "many", "sparse") for more in ("", "-places")}
    assert external_files(tmp_path / GRAPH) == sparse_names | {
        *("top", "then", "else", "a", "b", "weights.bin", "function", "attribute", "training")
    }


def test_the_way_to_tensors_is_that_of_the_format() -> None:
    """Whatever field of whatever message leads to a tensor is followed."""
    messages: dict[str, Any] = {}

    def visit(descriptor: Any) -> None:
        if descriptor.name not in messages:
            messages[descriptor.name] = {field.number: field.message_type for field in descriptor.fields}
            for inner in filter(None, messages[descriptor.name].values()):
                visit(inner)

    visit(onnx.ModelProto.DESCRIPTOR)
    leading = {TENSOR}
    while True:
        more = {
            name
            for name, fields in messages.items()
            if any(inner and inner.name in leading for inner in fields.values())
        }
        if more <= leading:
            break
        leading |= more
    expected = {
        name: {number: inner.name for number, inner in messages[name].items() if inner and inner.name in leading}
        for name in leading - {TENSOR}
    }
    assert expected == INSIDE


@pytest.mark.parametrize("shipped", sorted(path.parent for path in SHIPPED.glob(f"*/{MANIFEST}")), ids=lambda p: p.name)
def test_what_ships_reads_what_its_manifest_lists(shipped: Path) -> None:
    check_external_data(load_bundle(shipped))


@pytest.mark.parametrize("content", [b"", b"\xff", b"\x3a\xff\xff\xff\xff\x0f", b"\x3b", b"\x80" * 11, b"\x3a\x05\x08"])
def test_what_is_no_onnx_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / GRAPH).write_bytes(content)
    with pytest.raises(BundleError, match=f"{GRAPH}: not an ONNX file"):
        external_files(tmp_path / GRAPH)

"""Make a published translator smaller: leave out the subwords that its pairs of languages do not use.

    python -m training.translator.prune models/en-es --pairs runs/en-xx-pairs --version 3.1.1

A network that started from one of more languages has their subwords too. Their rows are taken out of the graphs as they
are stored, and no other row is rounded anew. An encoder whose matrices are in float16, as they were before 3.1.1, is
stored in int8 as ``training.translator.export`` does it now.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from service.bundle import CARD, EXAMPLES, MANIFEST, SUBWORDS, Bundle, load_bundle
from service.text.pipeline import Ids
from service.text.subwords import PAD_ID, Subwords
from training.export import save_graph, share_weights
from training.onnx_graph import quantize_groups
from training.publish import finish_bundle, write_draft
from training.translator.evaluate import open_translator
from training.translator.prepare import MOST_TOKENS, read_prepared
from training.translator.shortlist_graph import PREFIX
from training.translator.subword_pruning import count_pieces, used_pieces, with_pieces

FEWEST = 8  # times that a kept piece occurs in the pairs
MATRICES = {("MatMul", 1), ("GRU", 1), ("GRU", 2)}  # operators and the inputs of theirs that are matrices
PROGRAM = "python -m training.translator.prune"
TRAINING = "python -m training.translator.train"  # the line of a card's recipe that this command follows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--pairs", type=Path, required=True, help="folder that training.translator.prepare wrote")
    parser.add_argument("--fewest", type=int, default=FEWEST, help="times that a kept subword occurs in the pairs")
    parser.add_argument("--version", required=True, help="of the smaller bundle")
    parser.add_argument(
        "--output", type=Path, help="folder of the smaller bundle; else it takes the place of the other"
    )
    arguments = parser.parse_args()
    folder = arguments.output or arguments.bundle
    bundle = load_bundle(arguments.bundle)
    model = bundle.path(SUBWORDS).read_bytes()
    subwords = Subwords.load(model)
    counts = count_pieces(texts_of(bundle, arguments.pairs), subwords)
    kept = used_pieces(model, counts, fewest=arguments.fewest)
    command = f"{PROGRAM} models/{bundle.manifest.name} --pairs {arguments.pairs} --version {arguments.version}"
    old_size = size_of(bundle)
    write_pruned(bundle, kept, folder, version=arguments.version, command=command)
    new_size = size_of(load_bundle(folder))
    print(f"{len(kept):,} of {len(subwords):,} subwords, {new_size:.2f} of {old_size:.2f} MB")


def texts_of(bundle: Bundle, pairs: Path) -> Iterator[str]:
    """Both sides of the prepared pairs in the bundle's directions."""
    directions = [f"{pair.source}-{pair.target}" for pair in bundle.manifest.pairs]
    for each in read_prepared(pairs, directions=directions, max_tokens=MOST_TOKENS):
        yield from (each.measured.pair.source, each.measured.pair.target)


def write_pruned(bundle: Bundle, kept: Ids, folder: Path, *, version: str, command: str) -> None:
    """Write the bundle with the ``kept`` ids of its subwords alone, in their order, and load it as the service will.
    Its card tells the ``command`` by which this was done.

    Its examples must be answered as before. Raises BundleError if they are not, ValueError if the card is of another
    form.
    """
    model = with_pieces(bundle.path(SUBWORDS).read_bytes(), kept)
    size = len(Subwords.load(bundle.path(SUBWORDS)))
    files = sorted({file for each in bundle.manifest.precisions.values() for file in (each.file, each.encoder) if file})
    graphs = {file: with_byte_matrices(pruned_graph(onnx.load(bundle.path(file)), kept, size)) for file in files}
    card, examples = (bundle.path(name).read_text("utf-8") for name in (CARD, EXAMPLES))
    manifest = bundle.manifest.model_dump(exclude_unset=True, exclude={"files"}) | {"version": version}
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for file, graph in graphs.items():
        save_graph(graph, folder / file)
    share_weights([folder / file for file in files])
    (folder / SUBWORDS).write_bytes(model)
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    write_draft(folder, manifest)
    (folder / EXAMPLES).write_text(examples, "utf-8")
    card = pruned_card(card, bundle, kept, sizes, version=version, command=command)
    finish_bundle(folder, manifest, card, open_translator)


def pruned_graph(graph: onnx.ModelProto, kept: Ids, vocabulary_size: int) -> onnx.ModelProto:
    """A graph of a translator with the rows of the ``kept`` subwords alone. The graph given is changed."""
    constants = {each.name: each for each in graph.graph.initializer}
    arrays = {name: numpy_helper.to_array(each) for name, each in constants.items()}
    lists = [name for name in arrays if name.startswith(PREFIX)]
    changed = {name: array[kept] for name, array in arrays.items() if array.shape[:1] == (vocabulary_size,)}
    if lists:
        changed |= dict(zip(lists, pruned_lists([arrays[name] for name in lists], kept), strict=True))
        if arrays[lists[0]].dtype != np.int8:
            _cast_gathered(graph.graph, lists[0])
    sizes = [name for name, array in arrays.items() if array.shape == () and array == vocabulary_size]
    changed |= {name: np.array(len(kept), arrays[name].dtype) for name in sizes}
    for name, array in changed.items():
        constants[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), name))
    onnx.checker.check_model(graph, full_check=True)
    return graph


def _cast_gathered(graph: onnx.GraphProto, constant: str) -> None:
    """Cast what is gathered of a constant to int64, so that the constant may be of another type."""
    place, node = next((place, node) for place, node in enumerate(graph.node) if constant in node.input)
    output, node.output[0] = node.output[0], f"{node.output[0]}_small"
    graph.node.insert(place + 1, helper.make_node("Cast", [node.output[0]], [output], to=TensorProto.INT64))


def with_byte_matrices(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with its float16 matrices stored as :class:`training.onnx_graph.ByteMatrixBuilder` does it.

    That of the tag stays as it is. The graph given is changed.
    """
    nodes, constants = graph.graph.node, {each.name: each for each in graph.graph.initializer}
    of_tag = {name for node in nodes if node.op_type == "Slice" for name in node.output}
    multiplied = {
        name
        for node in nodes
        for place, name in enumerate(node.input)
        if (node.op_type, place) in MATRICES and node.input[0] not in of_tag
    }
    for place, node in reversed(list(enumerate(nodes))):
        constant = constants.get(node.input[0])
        if node.output[0] not in multiplied or constant is None or constant.data_type != TensorProto.FLOAT16:
            continue
        matrix = torch.from_numpy(numpy_helper.to_array(constant).astype(np.float32))
        values, scales = quantize_groups(matrix)
        added = {"scales": scales.numpy(), "shape": np.array(matrix.shape, np.int64)}
        names = {name: f"{constant.name}_{name}" for name in added}
        for offset, (name, array) in enumerate(added.items(), 1):
            tensor = numpy_helper.from_array(array, names[name])
            graph.graph.initializer.insert(list(constants).index(constant.name) + offset, tensor)
        constant.CopyFrom(numpy_helper.from_array(values.numpy(), constant.name))
        whole, parts = node.output[0], [f"{node.output[0]}_{part}" for part in ("values", "scales", "product")]
        node.output[0] = parts[0]
        following = [
            helper.make_node("Cast", [names["scales"]], [parts[1]], to=TensorProto.FLOAT),
            helper.make_node("Mul", parts[:2], [parts[2]]),
            helper.make_node("Reshape", [parts[2], names["shape"]], [whole]),
        ]
        for each in reversed(following):
            nodes.insert(place + 1, each)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def pruned_lists(arrays: list[np.ndarray], kept: Ids) -> list[np.ndarray]:
    """The constants of :mod:`training.translator.shortlist_graph` for the kept ids.

    A translation that is left out leaves padding in its place, so that the others keep their priorities.
    """
    languages, rows, translations, weights, priorities = arrays
    vocabulary_size = len(languages)
    new_ids = np.full(vocabulary_size, PAD_ID, translations.dtype)
    new_ids[kept] = np.arange(len(kept))
    used, new_rows = np.unique(rows.reshape(-1, vocabulary_size)[:, kept], return_inverse=True)
    if used[0] != 0:  # row 0 is that of subwords without translations
        used, new_rows = np.insert(used, 0, 0), new_rows + 1
    return [
        languages[kept].astype(np.int8),
        new_rows.ravel().astype(rows.dtype),
        new_ids[translations[used]],
        weights,
        priorities[:, kept],
    ]


def pruned_card(card: str, bundle: Bundle, kept: Ids, sizes: Mapping[str, int], *, version: str, command: str) -> str:
    """The card with the version, the numbers of subwords and weights, the sizes and the command of a smaller bundle.

    Raises ValueError if it does not have them where :mod:`training.translator.card` writes them.
    """
    name, old = bundle.manifest.name, bundle.manifest.version
    found = re.search(r"(\d+) subwords of (\d+) numbers .*?([\d.]+) M\s+weights", card, re.DOTALL)
    if found is None:
        raise ValueError("the card names no subwords or weights")
    dropped = int(found[1]) - len(kept)
    weights = float(found[3]) - dropped * (int(found[2]) + 1) / 1e6
    edits: list[tuple[str, Any]] = [
        (rf"^# {re.escape(name)} {re.escape(old)}$", f"# {name} {version}"),
        (r"\d+( subwords of \d+ numbers)", rf"{len(kept)}\1"),
        (r"[\d.]+( M\s+weights)", rf"{weights:.1f}\1"),
        (rf"^({re.escape(TRAINING)} .*\n)", rf"\1{command}\n"),
        *((rf"(`{re.escape(file)}` \| )[\d.]+", rf"\g<1>{size / 1e6:.2f}") for file, size in sizes.items()),
    ]
    for pattern, text in edits:
        card, count = re.subn(pattern, text, card, count=1, flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"the card has no {pattern}")
    return card


def size_of(bundle: Bundle) -> float:
    """The size of a bundle in MB."""
    files = bundle.manifest.files.values()
    return (sum(each.size_bytes for each in files) + bundle.path(MANIFEST).stat().st_size) / 1e6


if __name__ == "__main__":
    main()

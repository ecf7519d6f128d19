"""Export of trained networks to ONNX graphs: the check against torch, quantisation, weights that graphs share.

The module ``export`` of each task builds the graph of its network.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx.external_data_helper import set_external_data

from service.runtime.session import OnnxSession, Session
from service.text.pipeline import Batch

GRAPHS = {"fp32": "model.onnx", "int8": "model.int8.onnx"}
WEIGHTS = "weights.bin"  # the weights that the graphs of a bundle share
SMALLEST_SHARED = 1024  # bytes; smaller weights stay in their graphs
PAGE = 4096  # bytes; weights are aligned to it so that they can be mapped into memory
# (batch, time): alone, one long, many short, ragged and large
SHAPES = ((1, 1), (1, 2), (2, 1), (1, 37), (3, 5), (8, 20), (17, 9), (5, 130), (32, 33))
TOLERANCE = 1e-4  # between torch and onnxruntime, both in float32, over sums of a thousand terms

Arrays = Mapping[str, npt.NDArray[Any]]
Values = npt.NDArray[np.float32]  # (..., row)
Answer = Callable[[Batch], Arrays]  # a network in torch: every output of its graph by name


class ExportError(Exception):
    """A graph whose output differs from that of the network. Nothing was written."""


def round_weights(network: torch.nn.Module) -> None:
    """Round every weight to float16, in place, so that the network measured afterwards is the one that ships."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())


def write_graphs(
    folder: Path,
    *,
    build: Callable[[bool], onnx.ModelProto],
    check: Callable[[Path], float],
    operators: Sequence[str],
) -> float:
    """Write :data:`GRAPHS` and their shared weights; returns the largest difference of the fp32 graph from torch.

    ``build`` makes the graph, its weights in float16 or not; ``check`` compares one with torch; ``operators`` become
    int8. Raises ExportError, before anything is written, if the graph does not give the output of the network.
    """
    with tempfile.TemporaryDirectory() as scratch:
        wide = Path(scratch) / "wide.onnx"
        graphs = {name: Path(scratch) / "bundle" / file for name, file in GRAPHS.items()}
        graphs["fp32"].parent.mkdir()
        save_graph(build(False), wide)
        check(wide)
        save_graph(build(True), graphs["fp32"])
        quantize(wide, graphs["int8"], operators)
        share_weights(list(graphs.values()))
        difference = check(graphs["fp32"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS).unlink(missing_ok=True)  # left by an older bundle
        for path in graphs["fp32"].parent.iterdir():
            shutil.copyfile(path, folder / path.name)
    return difference


def write_graph_sets(
    folder: Path,
    build: Callable[[str], Mapping[str, onnx.ModelProto]],
    *,
    precisions: Sequence[str],
    replaced: Sequence[str],
    check: Callable[[Path], float],
) -> float:
    """Write several graphs a precision and their shared weights; returns the largest difference of fp32 from torch.

    ``build`` makes the graphs of a precision by file, ``check`` compares the fp32 graphs in a folder with torch;
    ``replaced`` are files of an older bundle that are removed. Raises ExportError, before anything is written, if the
    graphs do not give the output of the network.
    """
    with tempfile.TemporaryDirectory() as scratch:
        made, proof = Path(scratch) / "made", Path(scratch) / "proof"
        _save_graphs(proof, [build("fp32")])
        difference = check(proof)
        _save_graphs(made, map(build, precisions))
        folder.mkdir(parents=True, exist_ok=True)
        for name in (WEIGHTS, *replaced):
            (folder / name).unlink(missing_ok=True)
        for path in made.iterdir():
            shutil.copyfile(path, folder / path.name)
    return difference


def _save_graphs(folder: Path, sets: Iterable[Mapping[str, onnx.ModelProto]]) -> None:
    folder.mkdir()
    paths = []
    for graphs in sets:
        for name, graph in graphs.items():
            save_graph(graph, folder / name)
            paths.append(folder / name)
    share_weights(paths)


def relative_difference(found: Values, wanted: Values) -> Values:
    """The differences of values, in relation to the largest value of a row where that is above 1: float32 has seven
    digits, and of large sums more of them differ."""
    return np.abs(found - wanted) / np.maximum(1, np.abs(wanted).max(axis=-1, keepdims=True))


def largest_difference(differences: Iterable[float]) -> float:
    """Return the largest difference between torch and onnxruntime. Raises ExportError if it is too large or NaN."""
    difference = float(np.max(list(differences)))  # NaN if any difference is NaN
    if not difference <= TOLERANCE:
        raise ExportError(f"torch and onnxruntime differ by {difference:.2e}, more than {TOLERANCE:.0e}")
    return difference


def save_graph(graph: onnx.ModelProto, path: Path) -> None:
    onnx.save(graph, str(path))


def quantize(source: Path, target: Path, operators: Sequence[str]) -> None:
    """Quantise the weights of these operators to int8, and their activations at run time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)  # the quantiser advises a preprocessing that changes nothing here
    try:
        quantize_dynamic(
            source, target, weight_type=QuantType.QInt8, op_types_to_quantize=list(operators), per_channel=True
        )
    finally:
        logging.disable(logging.NOTSET)


def share_weights(paths: Sequence[Path]) -> None:
    """Move the weights that several of these graphs have in common into one :data:`WEIGHTS` beside them (external
    data).

    All graphs are in one folder. If they have no weights in common, the file is not written.
    """
    models = [onnx.load(path) for path in paths]
    counts = Counter(value for model in models for value in {weight.raw_data for weight in model.graph.initializer})
    alike = {value for value, count in counts.items() if count > 1}
    content, offsets = bytearray(), {}
    for model, path in zip(models, paths, strict=True):
        for weight in model.graph.initializer:
            values = weight.raw_data
            if len(values) < SMALLEST_SHARED or values not in alike:
                continue
            if values not in offsets:
                content += bytes(-len(content) % PAGE)
                offsets[values] = len(content)
                content += values
            set_external_data(weight, WEIGHTS, offset=offsets[values], length=len(values))
            weight.ClearField("raw_data")
        save_graph(model, path)
    if content:
        (paths[0].parent / WEIGHTS).write_bytes(content)


def random_lengths(shape: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """Random lengths (batch,) for a ``shape`` (batch, time), at least one of them equal to time."""
    lengths = rng.integers(1, shape[1] + 1, shape[0]).astype(np.int32)
    lengths[rng.integers(shape[0])] = shape[1]
    return lengths


def torch_inputs(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The ids and lengths of a batch as tensors."""
    return torch.from_numpy(batch.ids), torch.from_numpy(batch.lengths.astype(np.int64))


def drift(answer: Answer, session: Session, batches: Sequence[Batch]) -> float:
    """The largest :func:`relative_difference` between torch and a session in any output; padding does not count."""
    worst = [0.0]
    for batch in batches:
        actual = session.run({"ids": batch.ids, "lengths": batch.lengths})
        real = np.arange(batch.ids.shape[1]) < batch.lengths[:, None]
        for name, expected in answer(batch).items():
            distances = relative_difference(actual[name], expected)  # (batch, time, tag) or (batch, label)
            worst.append(float((distances[real] if distances.ndim == 3 else distances).max()))
    return float(np.max(worst))  # NaN if any difference is NaN


def check_graph(answer: Answer, path: Path, batches: Sequence[Batch]) -> float:
    """Compare torch with onnxruntime and return the largest difference. Raises ExportError if it is too large."""
    try:
        return largest_difference([drift(answer, OnnxSession(path), batches)])
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from error

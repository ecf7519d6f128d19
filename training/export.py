"""From a trained network to graphs: check against torch, quantise, store what precisions share once.

``export`` of each task says what each network's graph is.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx.external_data_helper import set_external_data

from service.runtime.session import OnnxSession, Session
from service.text.batch import Batch

GRAPHS = {"fp32": "model.onnx", "int8": "model.int8.onnx"}
WEIGHTS = "weights.bin"  # what the graphs of a bundle hold alike
SMALLEST_SHARED = 1024  # bytes; less is not worth a look-up
PAGE = 4096  # where a weight begins, so that it can be mapped into memory
# (batch, time): alone, one long, many short, ragged and large
SHAPES = ((1, 1), (1, 2), (2, 1), (1, 37), (3, 5), (8, 20), (17, 9), (5, 130), (32, 33))
TOLERANCE = 1e-4  # between torch and onnxruntime, both in float32, over sums of a thousand terms

Arrays = Mapping[str, npt.NDArray[Any]]
Answer = Callable[[Batch], Arrays]  # what a network in torch gives for every output of its graph


class ExportError(Exception):
    """The graph does not do what the network does; nothing was written."""


def round_weights(network: torch.nn.Module) -> None:
    """Round every weight to float16, in place: what is measured afterwards is what ships."""
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
    """Write :data:`GRAPHS` and what they share; returns by how much the fp32 graph differs from torch.

    ``build`` makes the graph, its weights in float16 or not; ``check`` compares one with torch; ``operators`` become
    int8. Raises ExportError, before anything is written, if the graph does not do what the network does.
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
        (folder / WEIGHTS).unlink(missing_ok=True)  # of an older bundle
        for path in graphs["fp32"].parent.iterdir():
            shutil.copyfile(path, folder / path.name)
    return difference


def save_graph(graph: onnx.ModelProto, path: Path) -> None:
    onnx.save(graph, str(path))


def quantize(source: Path, target: Path, operators: Sequence[str]) -> None:
    """Weights of these operators to int8, activations quantised as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)  # it advises a preprocessing that changes nothing here
    try:
        quantize_dynamic(
            source, target, weight_type=QuantType.QInt8, op_types_to_quantize=list(operators), per_channel=True
        )
    finally:
        logging.disable(logging.NOTSET)


def share_weights(paths: Sequence[Path]) -> None:
    """Move the weights that several of these graphs hold alike into one :data:`WEIGHTS` beside them (external data).

    All lie in one folder. Where there is nothing to share there is no such file.
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
    """(batch,) ragged, at least one of them as long as ``shape`` (batch, time) allows."""
    lengths = rng.integers(1, shape[1] + 1, shape[0]).astype(np.int32)
    lengths[rng.integers(shape[0])] = shape[1]
    return lengths


def torch_inputs(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and lengths as a network takes them."""
    return torch.from_numpy(batch.ids), torch.from_numpy(batch.lengths.astype(np.int64))


def drift(answer: Answer, session: Session, batches: Sequence[Batch]) -> float:
    """The largest difference between torch and a session of any output; by token, at any real token."""
    worst = [0.0]
    for batch in batches:
        actual = session.run({"ids": batch.ids, "lengths": batch.lengths})
        real = np.arange(batch.ids.shape[1]) < batch.lengths[:, None]
        for name, expected in answer(batch).items():
            distances = np.abs(expected - actual[name])  # (batch, time, tag) or (batch, label)
            worst.append(float((distances[real] if distances.ndim == 3 else distances).max()))
    return float(np.max(worst))  # NaN if there is one


def check_graph(answer: Answer, path: Path, batches: Sequence[Batch]) -> float:
    """Torch against onnxruntime. Raises ExportError if they differ; returns by how much."""
    difference = drift(answer, OnnxSession(path), batches)
    if not difference <= TOLERANCE:
        raise ExportError(f"{path}: torch and onnxruntime differ by {difference:.2e}, more than {TOLERANCE:.0e}")
    return difference

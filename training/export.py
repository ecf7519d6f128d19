"""From a trained tagger to a bundle: graph, check against torch, quantise, measure, write."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from service.runtime.session import OnnxSession, Session
from service.text.batch import Batch
from training.networks.tagger import Tagger
from training.onnx_graph import GraphBuilder

HEADS = ("upos", "xpos", "entity")
# (batch, time): alone, one long, many short, ragged and large
SHAPES = ((1, 1), (1, 2), (2, 1), (1, 37), (3, 5), (8, 20), (17, 9), (5, 130), (32, 33))
TOLERANCE = 1e-4  # between torch and onnxruntime, both in float32, over sums of a thousand terms


class ExportError(Exception):
    """The graph does not do what the network does; nothing was written."""


def round_weights(network: torch.nn.Module) -> None:
    """Round every weight to float16, in place: what is measured afterwards is what ships."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())


def build_graph(network: Tagger, *, num_characters: int, half: bool) -> onnx.ModelProto:
    """``ids`` (batch, time, feature) and ``lengths`` (batch,) to what a predictor wants of every head."""
    builder = GraphBuilder(half=half)
    time_major = builder.node("Transpose", "ids", perm=[1, 0, 2])
    features = network.features
    columns = [builder.slice(time_major, i, i + 1, 2) for i in range(2)]
    words, suffixes = (builder.node("Squeeze", column, builder.integers(2)) for column in columns)
    characters = builder.slice(time_major, 2, 2 + num_characters, 2)
    rows = builder.node(
        "Concat",
        builder.embed(features.words, words),
        builder.embed(features.suffixes, suffixes),
        builder.characters(features.characters, characters, num_characters),
        axis=2,
    )
    encoded = builder.recurrent(network.encoder, rows, "lengths")
    encoded = builder.node("Transpose", encoded, perm=[1, 0, 2])
    results = [builder.linear(network.heads[name], encoded) for name in HEADS]
    results[-1] = builder.node("LogSoftmax", results[-1], axis=2)
    return builder.model(
        inputs=[
            helper.make_tensor_value_info("ids", TensorProto.INT32, ["batch", "time", 2 + num_characters]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
        ],
        outputs=[
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "time", network.heads[name].out_features])
            for name in HEADS
        ],
        results=results,
    )


def save_graph(graph: onnx.ModelProto, path: Path) -> None:
    onnx.save(graph, str(path))


def quantize(source: Path, target: Path) -> None:
    """Weights of the recurrent layers and products to int8, activations quantised as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)  # it advises a preprocessing that changes nothing here
    try:
        quantize_dynamic(
            source, target, weight_type=QuantType.QInt8, op_types_to_quantize=["LSTM", "MatMul"], per_channel=True
        )
    finally:
        logging.disable(logging.NOTSET)


def random_batch(shape: tuple[int, int], sizes: Mapping[str, int], num_characters: int, seed: int) -> Batch:
    """Ids of every kind and ragged lengths, at least one of them full."""
    rng = np.random.default_rng(seed)
    columns = [sizes["words"], sizes["suffixes"], *[sizes["characters"]] * num_characters]
    ids = np.stack([rng.integers(0, size, shape) for size in columns], axis=2).astype(np.int32)
    lengths = rng.integers(1, shape[1] + 1, shape[0]).astype(np.int32)
    lengths[rng.integers(shape[0])] = shape[1]
    ids[np.arange(shape[1]) >= lengths[:, None]] = 0
    return Batch(ids=ids, lengths=lengths)


def drift(network: Tagger, session: Session, batches: Sequence[Batch]) -> float:
    """The largest difference of any output at any real token between torch and a session."""
    worst = 0.0
    for batch in batches:
        actual = session.run({"ids": batch.ids, "lengths": batch.lengths})
        with torch.inference_mode():
            expected = network(torch.from_numpy(batch.ids), torch.from_numpy(batch.lengths.astype(np.int64)))
        real = np.arange(batch.ids.shape[1]) < batch.lengths[:, None]
        for name in HEADS:
            values = expected[name].log_softmax(-1) if name == "entity" else expected[name]
            worst = max(worst, float(np.abs(values.numpy() - actual[name])[real].max()))
    return worst


def check_graph(network: Tagger, path: Path, sizes: Mapping[str, int], num_characters: int) -> float:
    """Torch against onnxruntime over :data:`SHAPES`. Raises ExportError if they differ; returns by how much."""
    batches = [random_batch(shape, sizes, num_characters, seed) for seed, shape in enumerate(SHAPES)]
    difference = drift(network, OnnxSession(path), batches)
    if difference > TOLERANCE:
        raise ExportError(f"{path}: torch and onnxruntime differ by {difference:.2e}, more than {TOLERANCE:.0e}")
    return difference

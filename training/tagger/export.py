"""The graph of a tagger, and the batches with which it is checked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from service.text.pipeline import Batch
from training.export import SHAPES, Arrays, random_lengths, torch_inputs
from training.networks.tagger import Tagger
from training.onnx_graph import GraphBuilder

HEADS = ("upos", "xpos", "entity")
QUANTIZED = ("LSTM", "MatMul")


def build_graph(network: Tagger, *, num_characters: int, half: bool) -> onnx.ModelProto:
    """The graph from ``ids`` (batch, time, feature) and ``lengths`` (batch,) to the output of every head."""
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


@torch.inference_mode()
def answer_of(network: Tagger, batch: Batch) -> Arrays:
    """The output that the graph of a network should give, by head (batch, time, tag)."""
    logits = network(*torch_inputs(batch))
    return {name: (logits[name].log_softmax(-1) if name == "entity" else logits[name]).numpy() for name in HEADS}


def random_batch(shape: tuple[int, int], sizes: Mapping[str, int], num_characters: int, seed: int) -> Batch:
    """A batch of ids of every kind and ragged lengths."""
    rng = np.random.default_rng(seed)
    columns = [sizes["words"], sizes["suffixes"], *[sizes["characters"]] * num_characters]
    ids = np.stack([rng.integers(0, size, shape) for size in columns], axis=2).astype(np.int32)
    lengths = random_lengths(shape, rng)
    ids[np.arange(shape[1]) >= lengths[:, None]] = 0
    return Batch(ids=ids, lengths=lengths)


def check_batches(sizes: Mapping[str, int], num_characters: int) -> list[Batch]:
    """One batch of each of :data:`SHAPES`."""
    return [random_batch(shape, sizes, num_characters, seed) for seed, shape in enumerate(SHAPES)]

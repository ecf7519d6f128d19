"""The graph of a classifier, and the batches with which it is checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch.nn import functional

from service.text.pipeline import Batch
from training.export import SHAPES, Arrays, random_lengths, round_weights, torch_inputs
from training.networks.classifier import Classifier, ClassifierConfig
from training.onnx_graph import GraphBuilder, quantize_rows

OUTPUT = "log_probabilities"
# With these an answer depends on its row alone, to the last bit. A mean and an attention sum over time: onnxruntime
# 1.31 adds step by step, and the zeros of padding change nothing, but no release promises in what order it adds. Its
# RNN, other than GRU and LSTM, multiplies one row in another order than several, which moves the last bits.
EXACT_POOLINGS, EXACT_CELLS = ("max", "last"), ("gru", "lstm")
LONG_SHAPES = ((1, 1500), (3, 700))  # (batch, time) of reviews
QUANTIZED = ("LSTM",)  # the head has a few columns: int8 would cost it accuracy and win nothing


def is_exact(config: ClassifierConfig) -> bool:
    """Tell whether an fp32 answer is the same, to the last bit, alone and with neighbours in its batch."""
    return config.pooling in EXACT_POOLINGS and config.cell in EXACT_CELLS


def make_final(network: Classifier, temperature: float, shifts: Sequence[float] = ()) -> None:
    """Turn the network, in place, into the one that ships. Must be called only once.

    Its logits are divided by the temperature, then shifted by label. Its word table is rounded to bytes with a scale a
    row, all other weights to float16.
    """
    with torch.no_grad():
        network.head.weight /= temperature
        network.head.bias /= temperature
        if shifts:
            network.head.bias += torch.tensor(shifts)
        values, scales = quantize_rows(network.words.weight)
        round_weights(network)
        network.words.weight.copy_(values * scales)


def build_graph(network: Classifier, *, half: bool) -> onnx.ModelProto:
    """The graph from ``ids`` (batch, time) and ``lengths`` (batch,) to ``log_probabilities`` (batch, label).

    In a multi-label network they are the logarithms of each label's own probability.
    """
    builder = GraphBuilder(half=half)
    ids = builder.node("Transpose", "ids", perm=[1, 0])
    rows = builder.recurrent(network.encoder, builder.embed_bytes(network.words, ids), "lengths")
    lengths = builder.node("Cast", "lengths", to=TensorProto.INT64)
    pooled = POOLINGS[network.config.pooling](builder, network, rows, ids, lengths)
    num_labels = network.head.out_features
    return builder.model(
        inputs=[
            helper.make_tensor_value_info("ids", TensorProto.INT32, ["batch", "time"]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
        ],
        outputs=[helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", num_labels])],
        results=[log_probabilities(builder, network, builder.linear(network.head, pooled))],
    )


def log_probabilities(builder: GraphBuilder, network: Classifier, logits: str) -> str:
    """Add the nodes that end the graph.

    The logarithm of a logit's sigmoid is written as its log-softmax beside 0: onnxruntime's Softplus rounds differently
    for other sizes of a batch, so that neighbours would change an answer.
    """
    if not network.multi_label:
        return builder.node("LogSoftmax", logits, axis=1)
    column = builder.node("Unsqueeze", logits, builder.integers(2))
    zeros = builder.node("Mul", column, builder.scalar(0, np.float32))
    pairs = builder.node("LogSoftmax", builder.node("Concat", column, zeros, axis=2), axis=2)
    return builder.node("Gather", pairs, builder.scalar(0, np.int64), axis=2)


# (builder, network, rows (time, batch, size), ids (time, batch), lengths (batch,) int64) -> (batch, size)
Pooling = Callable[[GraphBuilder, Classifier, str, str, str], str]


def pool_last(builder: GraphBuilder, network: Classifier, rows: str, ids: str, lengths: str) -> str:
    rows = builder.node("Transpose", rows, perm=[1, 0, 2])
    place = builder.node("Unsqueeze", builder.node("Sub", lengths, builder.integers(1)), builder.integers(1))
    last = builder.node("GatherND", rows, place, batch_dims=1)
    if not network.encoder.backwards:
        return last
    first = builder.node("Gather", rows, builder.scalar(0, np.int64), axis=1)
    size = network.encoder.hidden_size
    return builder.node("Concat", builder.slice(last, 0, size, 1), builder.slice(first, size, 2 * size, 1), axis=1)


def pool_mean(builder: GraphBuilder, network: Classifier, rows: str, ids: str, lengths: str) -> str:
    total = builder.node("ReduceSum", mask(builder, rows, ids, lengths, 0.0), builder.integers(0), keepdims=0)
    counts = builder.node("Cast", builder.node("Unsqueeze", lengths, builder.integers(1)), to=TensorProto.FLOAT)
    return builder.node("Div", total, counts)


def pool_max(builder: GraphBuilder, network: Classifier, rows: str, ids: str, lengths: str) -> str:
    return builder.node("ReduceMax", mask(builder, rows, ids, lengths, -np.inf), axes=[0], keepdims=0)


def pool_attention(builder: GraphBuilder, network: Classifier, rows: str, ids: str, lengths: str) -> str:
    assert network.attention is not None
    scores = mask(builder, builder.linear(network.attention, rows), ids, lengths, -np.inf)
    weights = builder.node("Softmax", scores, axis=0)
    products = builder.node("Mul", weights, mask(builder, rows, ids, lengths, 0.0))
    return builder.node("ReduceSum", products, builder.integers(0), keepdims=0)


def mask(builder: GraphBuilder, values: str, ids: str, lengths: str, filler: float) -> str:
    """Overwrite the padding in values (time, batch, any)."""
    return builder.node("Where", builder.is_real(ids, lengths), values, builder.scalar(filler, np.float32))


POOLINGS: dict[str, Pooling] = {"last": pool_last, "mean": pool_mean, "max": pool_max, "attention": pool_attention}


@torch.inference_mode()
def answer_of(network: Classifier, batch: Batch) -> Arrays:
    """The output that the network's graph should give, (batch, label)."""
    logits = network(*torch_inputs(batch))
    return {OUTPUT: (functional.logsigmoid(logits) if network.multi_label else logits.log_softmax(-1)).numpy()}


def random_batch(shape: tuple[int, int], num_words: int, seed: int) -> Batch:
    """A batch of ids of every kind and ragged lengths."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, num_words, shape).astype(np.int32)
    lengths = random_lengths(shape, rng)
    ids[np.arange(shape[1]) >= lengths[:, None]] = 0
    return Batch(ids=ids, lengths=lengths)


def check_batches(num_words: int) -> list[Batch]:
    """One batch of each of :data:`SHAPES`, and texts as long as reviews."""
    return [random_batch(shape, num_words, seed) for seed, shape in enumerate((*SHAPES, *LONG_SHAPES))]

"""The same look-ups as ONNX graphs, for tests that run onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.fakes.words import LABELS, MULTI_LABELS, NUM_CHARACTERS, multi_weights, tables, weights


def lexicon_graph() -> bytes:
    """The tiny tagger's look-up as an ONNX graph, for tests that run onnxruntime."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [helper.make_node("Gather", ["ids", "first"], ["words"], axis=2)]
    nodes += [helper.make_node("Gather", [f"{head}_table", "words"], [head], axis=0) for head in tables()]
    return _model(
        nodes,
        ids=["batch", "time", 2 + NUM_CHARACTERS],
        outputs={head: ["batch", "time", table.shape[1]] for head, table in tables().items()},
        constants=[
            helper.make_tensor("first", TensorProto.INT64, [], [0]),
            *(numpy_helper.from_array(table, f"{head}_table") for head, table in tables().items()),
        ],
    )


def sentiment_graph() -> bytes:
    """The tiny classifier's sum as an ONNX graph, for tests that run onnxruntime."""
    from onnx import TensorProto, helper, numpy_helper

    logits = np.stack([-weights() / 2, weights() / 2], axis=1)  # (word, label)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["words"], axis=0),
        helper.make_node("ReduceSum", ["words", "time"], ["logits"], keepdims=0),
        helper.make_node("LogSoftmax", ["logits"], ["log_probabilities"], axis=1),
    ]
    return _model(
        nodes,
        ids=["batch", "time"],
        outputs={"log_probabilities": ["batch", len(LABELS)]},
        constants=[
            numpy_helper.from_array(logits.astype(np.float32), "table"),
            helper.make_tensor("time", TensorProto.INT64, [1], [1]),
        ],
    )


def multi_label_graph() -> bytes:
    """The tiny multi-label classifier's sums as an ONNX graph, for tests that run onnxruntime.

    The logarithm of a logit's sigmoid is its log-softmax beside 0. onnxruntime's Softplus would round by the number of
    rows: its loop over vectors leaves a rest to another one.
    """
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["words"], axis=0),
        helper.make_node("ReduceSum", ["words", "time"], ["logits"], keepdims=0),
        helper.make_node("Unsqueeze", ["logits", "last"], ["column"]),
        helper.make_node("Mul", ["column", "zero"], ["zeros"]),
        helper.make_node("Concat", ["column", "zeros"], ["pairs"], axis=2),
        helper.make_node("LogSoftmax", ["pairs"], ["logarithms"], axis=2),
        helper.make_node("Gather", ["logarithms", "first"], ["log_probabilities"], axis=2),
    ]
    return _model(
        nodes,
        ids=["batch", "time"],
        outputs={"log_probabilities": ["batch", len(MULTI_LABELS)]},
        constants=[
            numpy_helper.from_array(multi_weights(), "table"),
            helper.make_tensor("time", TensorProto.INT64, [1], [1]),
            helper.make_tensor("last", TensorProto.INT64, [1], [2]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("first", TensorProto.INT64, [], [0]),
        ],
    )


def _model(
    nodes: Sequence[Any],
    *,
    ids: Sequence[str | int],
    outputs: Mapping[str, Sequence[str | int]],
    constants: Sequence[Any],
) -> bytes:
    from onnx import TensorProto, helper

    def tensor(kind: int, name: str, shape: Sequence[str | int]) -> Any:
        return helper.make_tensor_value_info(name, kind, list(shape))

    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs=[tensor(TensorProto.INT32, "ids", ids), tensor(TensorProto.INT32, "lengths", ["batch"])],
        outputs=[tensor(TensorProto.FLOAT, name, shape) for name, shape in outputs.items()],
        initializer=constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())

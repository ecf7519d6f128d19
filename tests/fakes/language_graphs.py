"""The tiny language model's step and reader as ONNX graphs, for tests that run onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.fakes.language import CYCLE, STATE_SIZE, language_pieces, language_tables


def language_graphs() -> dict[str, bytes]:
    """Both graphs as ONNX, for tests that run onnxruntime, by the names of their files."""
    return {"unit_step.onnx": _step_graph(), "reader.onnx": _reader_graph()}


def _step_graph() -> bytes:
    from onnx import helper

    nodes = [
        helper.make_node("Gather", ["state", "cur"], ["previous"], axis=1),
        helper.make_node("Gather", ["state", "num"], ["counted"], axis=1),
        helper.make_node("Add", ["counted", "one"], ["count"]),
        helper.make_node("Cast", ["tokens"], ["token_float"], to=helper.TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["token_float", "last_axis"], ["token_column"]),
        helper.make_node("Concat", ["previous", "token_column", "count"], ["next_state"], axis=1),
        helper.make_node("Squeeze", ["previous", "last_axis"], ["previous_row"]),
        helper.make_node("Squeeze", ["count", "last_axis"], ["count_row"]),
        *_logprob_nodes("tokens", "previous_row", "count_row"),
        helper.make_node("Identity", ["logprobs"], ["log_probabilities"]),
        helper.make_node("TopK", ["logprobs", "num_candidates"], ["scores", "best"], axis=1),
        helper.make_node("Cast", ["best"], ["candidates"], to=helper.TensorProto.INT32),
    ]
    size = len(language_pieces().subwords)
    return _graph(
        nodes,
        inputs={
            "tokens": ("INT32", ["row"]),
            "state": ("FLOAT", ["row", STATE_SIZE]),
            "num_candidates": ("INT64", [1]),
        },
        outputs={
            "next_state": ("FLOAT", ["row", STATE_SIZE]),
            "log_probabilities": ("FLOAT", ["row", size]),
            "scores": ("FLOAT", ["row", "candidate"]),
            "candidates": ("INT32", ["row", "candidate"]),
        },
    )


def _reader_graph() -> bytes:
    from onnx import helper

    nodes = [
        helper.make_node("Cast", ["ids"], ["ids_float"], to=helper.TensorProto.FLOAT),
        helper.make_node("Slice", ["state", "zero_list", "two_list", "last_axis"], ["before"]),
        helper.make_node("Concat", ["before", "ids_float"], ["extended"], axis=1),  # (batch, 2 + time)
        helper.make_node("Gather", ["state", "num"], ["counted"], axis=1),
        helper.make_node("Mul", ["ids_float", "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "one"], ["ones"]),
        helper.make_node("CumSum", ["ones", "axis"], ["places"]),
        helper.make_node("Add", ["places", "counted"], ["counts"]),
        helper.make_node("Slice", ["extended", "one_list", "minus_one_list", "last_axis"], ["shifted"]),
        *(
            node
            for name in ("ids", "shifted", "counts")
            for node in (
                helper.make_node("Reshape", [name, "flat"], [f"{name}_flat"]),
                helper.make_node("Gather", [f"{name}_flat", "positions"], [f"{name}_asked"]),
            )
        ),
        *_logprob_nodes("ids_asked", "shifted_asked", "counts_asked"),
        helper.make_node("Unsqueeze", ["targets", "last_axis"], ["target_column"]),
        helper.make_node("GatherElements", ["logprobs", "target_column"], ["found"], axis=1),
        helper.make_node("Squeeze", ["found", "last_axis"], ["log_probabilities"]),
        helper.make_node("Cast", ["lengths"], ["lengths_long"], to=helper.TensorProto.INT64),
        helper.make_node("Unsqueeze", ["lengths_long", "last_axis"], ["previous_place"]),
        helper.make_node("Add", ["previous_place", "one_long"], ["current_place"]),
        helper.make_node("GatherElements", ["extended", "previous_place"], ["last_but_one"], axis=1),
        helper.make_node("GatherElements", ["extended", "current_place"], ["last_token"], axis=1),
        helper.make_node("Cast", ["previous_place"], ["lengths_float"], to=helper.TensorProto.FLOAT),
        helper.make_node("Add", ["counted", "lengths_float"], ["total"]),
        helper.make_node("Concat", ["last_but_one", "last_token", "total"], ["next_state"], axis=1),
    ]
    return _graph(
        nodes,
        inputs={
            "ids": ("INT32", ["batch", "time"]),
            "lengths": ("INT32", ["batch"]),
            "state": ("FLOAT", ["batch", STATE_SIZE]),
            "positions": ("INT64", ["position"]),
            "targets": ("INT32", ["position"]),
        },
        outputs={"next_state": ("FLOAT", ["batch", STATE_SIZE]), "log_probabilities": ("FLOAT", ["position"])},
    )


def _logprob_nodes(last: str, before: str, count: str) -> list[Any]:
    """Give ``logprobs`` (row, token) by the last token (row,), the one before it and the count, both floats (row,)."""
    from onnx import helper

    return [
        helper.make_node("Cast", [before], ["before_key"], to=helper.TensorProto.INT64),
        helper.make_node("Cast", [count], ["count_long"], to=helper.TensorProto.INT64),
        helper.make_node("Mod", ["count_long", "cycle"], ["count_key"]),
        helper.make_node("Gather", ["last_table", last], ["by_last"], axis=0),
        helper.make_node("Gather", ["before_table", "before_key"], ["by_before"], axis=0),
        helper.make_node("Gather", ["count_table", "count_key"], ["by_count"], axis=0),
        helper.make_node("Add", ["by_last", "by_before"], ["by_both"]),
        helper.make_node("Add", ["by_both", "by_count"], ["logits"]),
        helper.make_node("LogSoftmax", ["logits"], ["logprobs"], axis=1),
    ]


def _graph(
    nodes: Sequence[Any], *, inputs: Mapping[str, tuple[str, list[Any]]], outputs: Mapping[str, tuple[str, list[Any]]]
) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    def values(tensors: Mapping[str, tuple[str, list[Any]]]) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape)
            for name, (kind, shape) in tensors.items()
        ]

    numbers = {
        "cur": np.array([1]), "num": np.array([2]), "last_axis": np.array([1]), "axis": np.array(1),
        "zero_list": np.array([0]), "one_list": np.array([1]), "two_list": np.array([2]),
        "minus_one_list": np.array([-1]), "flat": np.array([-1]), "one_long": np.array(1), "cycle": np.array(CYCLE),
        "one": np.array(1, np.float32), "zero": np.array(0, np.float32),
    }  # fmt: skip
    tables = {f"{name}_table": table for name, table in language_tables().items()}
    used = {name for node in nodes for name in node.input}
    constants = [numpy_helper.from_array(each, name) for name, each in (numbers | tables).items() if name in used]
    graph = helper.make_graph(nodes, "tiny", values(inputs), values(outputs), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())

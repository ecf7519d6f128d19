"""The rows of a decoder's step by their sources, so that one product serves all hypotheses of a sentence."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from training.onnx_graph import GraphBuilder

# With one row onnxruntime multiplies float32 by another kernel, whose sums are rounded otherwise.
FEWEST_ROWS = 2


class SourceGroups:
    """Nodes that bring rows (row, size) into groups (source, rank, size) and back.

    The memory of a source is then multiplied as it is, by a matrix of its rows, and not copied for each of them. The
    groups are as large as the largest; a place without a row holds some other row. ``sources`` (row,) are the sources
    of the rows, in any order, ``lengths`` (source,) those of the sources.
    """

    def __init__(self, builder: GraphBuilder, sources: str, lengths: str) -> None:
        self._builder = builder
        node, one = builder.node, builder.scalar(1, np.int64)
        num_rows = node("Squeeze", node("Shape", sources))
        rows = node("Range", builder.scalar(0, np.int64), num_rows, one)
        is_same = node("Equal", node("Unsqueeze", sources, builder.integers(1)), sources)  # (row, row)
        is_earlier = node("Less", rows, node("Unsqueeze", rows, builder.integers(1)))
        is_before = node("Cast", node("And", is_same, is_earlier), to=TensorProto.INT64)
        ranks = node("ReduceSum", is_before, builder.integers(1), keepdims=0)
        largest = node("Add", node("ReduceMax", ranks, keepdims=1), one)
        width = node("Max", largest, builder.integers(FEWEST_ROWS))
        self._places = node("Add", node("Mul", node("Cast", sources, to=TensorProto.INT64), width), ranks)
        num_places = node("Mul", node("Shape", lengths), width)
        empty = node("ConstantOfShape", num_places, value=helper.make_tensor("", TensorProto.INT64, [1], [0]))
        self._rows = node("ScatterElements", empty, self._places, rows, axis=0)  # of each place
        self._grouped = node("Concat", node("Shape", lengths), width, builder.integers(-1), axis=0)
        self._flat = node("Concat", num_places, builder.integers(-1), axis=0)

    def group(self, values: str) -> str:
        """Add rows (row, size) in groups: (source, rank, size)."""
        return self._builder.node("Reshape", self._builder.node("Gather", values, self._rows, axis=0), self._grouped)

    def rows(self, grouped: str) -> str:
        """Add the rows of groups in their order: (row, size)."""
        return self._builder.node("Gather", self._builder.node("Reshape", grouped, self._flat), self._places, axis=0)

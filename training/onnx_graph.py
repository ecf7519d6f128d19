"""ONNX graphs written node by node from a network's weights.

Nothing is traced: ONNX's recurrent operators compute exactly what these networks do, lengths included, and a graph of
twenty nodes can be read by a person. onnx.ai/onnx/operators: LSTM, GRU, RNN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from training.networks.layers import CharacterConvolution, RecurrentEncoder

OPSET, IR_VERSION = 17, 9
MICROSOFT = "com.microsoft"  # onnxruntime's own operators
GROUP_SIZE = 32  # numbers of a row of a matrix that have one scale
QUANTIZED_CELLS = ("lstm",)  # with an int8 kernel in onnxruntime
# torch keeps the gates in the order i f g o (LSTM) and r z n (GRU); ONNX wants i o f c and z r h.
GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}


class GraphBuilder:
    """A builder of nodes and weights. Every method adds nodes and returns the name of the new value."""

    def __init__(self, *, half: bool) -> None:
        # Store weights in float16: they were rounded to it before, so nothing is lost. Otherwise those that can be
        # quantised are stored in float32, because the quantiser reads nothing else.
        self.half = half
        self._outer: list[onnx.NodeProto] = []
        self._nodes = self._outer  # of the graph in the making: this one, or a subgraph of it
        self._num_nodes = 0
        self._weights: list[onnx.TensorProto] = []
        self._integers: dict[tuple[int, ...], str] = {}

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return self.nodes(operator, *inputs, num_outputs=1, **attributes)[0]

    def nodes(self, operator: str, *inputs: str, num_outputs: int, **attributes: Any) -> list[str]:
        """Add one node of several outputs."""
        outputs = [f"{operator.lower()}_{self._num_nodes}_{i}" for i in range(num_outputs)]
        self._num_nodes += 1
        self._nodes.append(helper.make_node(operator, list(inputs), outputs, **attributes))
        return outputs

    def weight(self, value: Tensor, *, half: bool | None = None) -> str:
        """Add a constant. Stored in float16 it is cast to float32 once, when the graph is loaded: not in a subgraph."""
        half = self.half if half is None else half
        name = self.store(value.detach().cpu().numpy().astype(np.float16 if half else np.float32))
        inner, self._nodes = self._nodes, self._outer
        name = self.node("Cast", name, to=TensorProto.FLOAT) if half else name
        self._nodes = inner
        return name

    def matrix(self, value: Tensor, *, half: bool | None = None) -> str:
        """Add a constant that is multiplied, as :meth:`weight` does."""
        return self.weight(value, half=half)

    @contextmanager
    def subgraph(self) -> Iterator[Subgraph]:
        """Collect the nodes that are added meanwhile as the body of a loop, which may use every value from before."""
        self._nodes = []
        yield Subgraph(self._nodes)
        self._nodes = self._outer

    def integers(self, *values: int) -> str:
        if values not in self._integers:
            self._integers[values] = self.store(np.array(values, np.int64))
        return self._integers[values]

    def scalar(self, value: float, kind: type[np.generic]) -> str:
        return self.store(np.array(value, kind))

    def store(self, array: np.ndarray, *, name: str = "weight") -> str:
        """Add a constant in its own type; its name is ``name`` and a number."""
        name = f"{name}_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(array, name))
        return name

    def slice(self, value: str, start: int, end: int, axis: int) -> str:
        return self.node("Slice", value, self.integers(start), self.integers(end), self.integers(axis))

    def gather_spread(self, values: Tensor, ids: str) -> str:
        """Map ids (batch, id) to their values (batch, 1, id), stored in float32, to be applied to rows of columns."""
        found = self.node("Gather", self.weight(values, half=False), ids, axis=0)
        return self.node("Unsqueeze", found, self.integers(1))

    def embed(self, embedding: nn.Embedding, ids: str) -> str:
        """Add a look-up in a table that stays in float16; only the rows that are used are cast to float32."""
        table = self.store(embedding.weight.detach().cpu().numpy().astype(np.float16))
        return self.node("Cast", self.node("Gather", table, ids, axis=0), to=TensorProto.FLOAT)

    def embed_bytes(self, embedding: nn.Embedding, ids: str) -> str:
        """Add a look-up in a table of one byte a number and one scale a row (:func:`quantize_rows`)."""
        values, scales = (self.store(part.cpu().numpy()) for part in quantize_rows(embedding.weight.detach()))
        rows = self.node("Cast", self.node("Gather", values, ids, axis=0), to=TensorProto.FLOAT)
        return self.node("Mul", rows, self.node("Gather", scales, ids, axis=0))

    def is_real(self, ids: str, lengths: str) -> str:
        """Map ids (time, batch) and int64 lengths (batch,) to (time, batch, 1), true where a row is not padding."""
        time = self.node("Squeeze", self.node("Shape", ids, start=0, end=1))
        steps = self.node("Range", self.scalar(0, np.int64), time, self.scalar(1, np.int64))
        is_real = self.node("Less", self.node("Unsqueeze", steps, self.integers(1)), lengths)
        return self.node("Unsqueeze", is_real, self.integers(2))

    def linear(self, layer: nn.Linear, value: str) -> str:
        product = self.node("MatMul", value, self.matrix(layer.weight.T))
        return self.node("Add", product, self.weight(layer.bias))

    def layer_norm(self, norm: nn.LayerNorm, value: str) -> str:
        """Add a layer norm over the last axis."""
        weights = (self.weight(part) for part in (norm.weight, norm.bias))
        return self.node("LayerNormalization", value, *weights, axis=-1, epsilon=norm.eps)

    def characters(self, network: CharacterConvolution, ids: str, num_characters: int) -> str:
        """Map ids (..., characters) to (..., output), the maximum over positions of the sums of looked-up products.

        A character's product with its part of a filter depends on the character alone: all are tables, multiplied once
        when the graph is loaded (by ``Gemm``, because the quantiser would make a ``MatMul`` int8).
        """
        embedding = self.weight(network.embedding.weight, half=True)
        size = network.embedding.embedding_dim
        vectors = []
        for width, convolution in zip(network.widths, network.convolutions, strict=True):
            weight = self.weight(convolution.weight.T)  # (width x embedding, filter)
            last = num_characters - width + 1
            total = ""
            for i in range(width):
                table = self.node("Gemm", embedding, self.slice(weight, i * size, (i + 1) * size, 0))
                found = self.node("Gather", table, self.slice(ids, i, last + i, 2), axis=0)
                total = self.node("Add", total, found) if total else found
            best = self.node("ReduceMax", total, axes=[2], keepdims=0)
            vectors.append(self.node("Add", best, self.weight(convolution.bias)))
        return self.node("Relu", self.node("Concat", *vectors, axis=2))

    def recurrent(self, encoder: RecurrentEncoder, rows: str, lengths: str) -> str:
        """Map (time, batch, input) to (time, batch, output)."""
        directions = 1 + bool(encoder.backwards)
        attributes: dict[str, Any] = {"hidden_size": encoder.hidden_size}
        attributes["direction"] = "bidirectional" if directions == 2 else "forward"
        if encoder.cell == "gru":
            attributes["linear_before_reset"] = 1  # the reset gate acts as it does in torch
        size = encoder.hidden_size * directions
        half = None if encoder.cell in QUANTIZED_CELLS else True
        for i in range(len(encoder.forwards)):
            if encoder.projections:
                rows = self.node("MatMul", rows, self.matrix(encoder.projections[i].weight.T, half=half))
            layers = [encoder.forwards[i], *encoder.backwards[i : i + 1]]
            inputs, states, biases = recurrent_weights(layers, encoder.cell)
            weights = [*(self.matrix(each, half=half) for each in (inputs, states)), self.weight(biases, half=half)]
            output = self.node(encoder.cell.upper(), rows, *weights, lengths, **attributes)
            rows = self.node("Transpose", output, perm=[0, 2, 1, 3])  # from (time, direction, batch, hidden)
            rows = self.node("Reshape", rows, self.integers(0, 0, size))
        return rows

    def model(
        self,
        *,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        results: Sequence[str],
    ) -> onnx.ModelProto:
        """The finished graph, checked by onnx; ``results`` are the values that become its outputs."""
        for value, output in zip(results, outputs, strict=True):
            self._nodes.append(helper.make_node("Identity", [value], [output.name]))
        graph = helper.make_graph(self._nodes, "ribbon", list(inputs), list(outputs), self._weights)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)],
            ir_version=IR_VERSION,
            producer_name="ribbon",
        )
        onnx.checker.check_model(model, full_check=True)
        return model


class ByteMatrixBuilder(GraphBuilder):
    """A builder that stores matrices in int8 with scales (:func:`quantize_groups`).

    They become float32 once, when the graph is loaded, and are multiplied in it.
    """

    def matrix(self, value: Tensor, *, half: bool | None = None) -> str:
        parts = (self.store(part.numpy()) for part in quantize_groups(value.detach().cpu()))
        values, scales = (self.node("Cast", part, to=TensorProto.FLOAT) for part in parts)
        return self.node("Reshape", self.node("Mul", values, scales), self.integers(*value.shape))


class Subgraph:
    """The body of a loop: it has nodes, inputs and results of its own, and the weights of the graph around it."""

    graph: onnx.GraphProto

    def __init__(self, nodes: list[onnx.NodeProto]) -> None:
        self._nodes = nodes

    def finish(self, *, inputs: Sequence[onnx.ValueInfoProto], results: Sequence[str]) -> None:
        """End the subgraph with ``results``, float32 of any shape, as its outputs."""
        outputs = [helper.make_tensor_value_info(f"{each}_out", TensorProto.FLOAT, None) for each in results]
        for value, output in zip(results, outputs, strict=True):
            self._nodes.append(helper.make_node("Identity", [value], [output.name]))
        self.graph = helper.make_graph(self._nodes, "body", list(inputs), outputs)


def recurrent_weights(layers: Sequence[nn.RNNBase], cell: str) -> tuple[Tensor, Tensor, Tensor]:
    """ONNX's W (direction, gates, input), R (direction, gates, hidden) and B (direction, both biases)."""

    def gates(value: Tensor) -> Tensor:
        parts = value.chunk(len(GATES[cell]))
        return torch.cat([parts[i] for i in GATES[cell]])

    inputs = torch.stack([gates(layer.weight_ih_l0) for layer in layers])
    states = torch.stack([gates(layer.weight_hh_l0) for layer in layers])
    biases = torch.stack([torch.cat([gates(layer.bias_ih_l0), gates(layer.bias_hh_l0)]) for layer in layers])
    return inputs, states, biases


def recurrent_state(
    layer: int, inputs: Tensor, states: Tensor, biases: Tensor, *, cell: str = "lstm"
) -> dict[str, Tensor]:
    """The state of one layer of a ``RecurrentEncoder`` from the weights of :func:`recurrent_weights`."""
    order = np.argsort(GATES[cell])

    def gates(value: Tensor) -> Tensor:
        parts = value.chunk(len(order))
        return torch.cat([parts[i] for i in order])

    state = {}
    for direction, name in zip(range(len(inputs)), ("forwards", "backwards"), strict=False):
        of_input, of_state = biases[direction].chunk(2)
        state |= {
            f"encoder.{name}.{layer}.weight_ih_l0": gates(inputs[direction]),
            f"encoder.{name}.{layer}.weight_hh_l0": gates(states[direction]),
            f"encoder.{name}.{layer}.bias_ih_l0": gates(of_input),
            f"encoder.{name}.{layer}.bias_hh_l0": gates(of_state),
        }
    return state


def quantize_groups(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The int8 values of a matrix (..., row, group, number) and float16 scales (..., row, group, 1).

    A group is GROUP_SIZE numbers of a row, or the whole row if that is no multiple of it. Their products in float32 are
    the rounded matrix.
    """
    size = matrix.shape[-1]
    values, scales = quantize_rows(matrix.reshape(*matrix.shape[:-1], -1, size if size % GROUP_SIZE else GROUP_SIZE))
    return values, scales.half()


def quantize_rows(table: Tensor) -> tuple[Tensor, Tensor]:
    """The int8 values of a table (..., row, number) and float32 scales (..., row, 1).

    Their products are the rounded table. A scale has eight significant bits, so that every product is exact in float32
    and rounding a rounded table changes nothing.
    """
    scales = (table.abs().amax(-1, keepdim=True) / 127).bfloat16().float()
    scales[scales == 0] = 1.0
    return (table / scales).round().to(torch.int8), scales

"""Matrix products of the graphs of decoders and language models: in float32, or in int8 with fixed scales.

``docs/adr/0007-int8-with-fixed-scales.md`` has the reason for fixed scales.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, nn

from training.onnx_graph import MICROSOFT, ByteMatrixBuilder, GraphBuilder, quantize_rows

LEVELS = 127.0  # of a byte for either sign


class Products(Protocol):
    """The look-ups of embeddings and the products of a graph. Values to multiply are between -1 and 1."""

    def embed(self, norm: nn.LayerNorm, ids: str) -> str:
        """Add normalised rows of the table, to be multiplied by the weights of ``of_embedded``."""
        ...

    def of_embedded(self, weight: Tensor) -> Tensor:
        """The weights (output, embedding) of embedded rows for ``linear``."""
        ...

    def join(self, *values: str) -> str:
        """Add values (row, size) side by side, for ``linear``."""
        ...

    def linear(self, values: str, weight: Tensor, bias: Tensor | None = None) -> str:
        """Add the product of joined values (row, input) and a weight (output, input): (row, output)."""
        ...

    def logits(self, readouts: str, bias: Tensor) -> str:
        """Add the logits (row, vocabulary) of joined values (row, embedding)."""
        ...

    def listed_logits(self, readouts: str, columns: str, listed: str, bias: Tensor) -> str:
        """Add the logits (source, row, listed) of joined values (source, row, embedding) for each source's ``listed``
        ids (source, listed), whose ``columns`` (source, embedding, listed) the table of the same kind has given."""
        ...


class FloatTable:
    """An embedding's table in float16, stored once for all of its uses in a graph."""

    columns_type = TensorProto.FLOAT

    def __init__(self, builder: GraphBuilder, embedding: nn.Embedding) -> None:
        self._builder = builder
        self.values = builder.store(embedding.weight.detach().cpu().numpy().astype(np.float16))

    def rows(self, ids: str) -> str:
        """Add the rows of ids (...) as they are: (..., embedding)."""
        return self._builder.node("Cast", self._builder.node("Gather", self.values, ids, axis=0), to=TensorProto.FLOAT)

    def columns(self, ids: str) -> str:
        """Add the rows of ids (batch, id) as the columns of a matrix each: (batch, embedding, id)."""
        return self._builder.node("Transpose", self.rows(ids), perm=[0, 2, 1])


class ByteTable:
    """An embedding's table in int8 with one scale a row (:func:`quantize_rows`), stored once for all of its uses."""

    columns_type = TensorProto.INT8

    def __init__(self, builder: GraphBuilder, embedding: nn.Embedding) -> None:
        self._builder = builder
        values, scales = quantize_rows(embedding.weight.detach())
        self.values, self._scales = builder.store(values.cpu().numpy()), builder.store(scales.cpu().numpy())

    def rows(self, ids: str) -> str:
        """Add the rows of ids (...) as they are: (..., embedding)."""
        rows = self._builder.node("Cast", self._builder.node("Gather", self.values, ids, axis=0), to=TensorProto.FLOAT)
        return self._builder.node("Mul", rows, self._builder.node("Gather", self._scales, ids, axis=0))

    def columns(self, ids: str) -> str:
        """Add the bytes of the rows of ids (batch, id) as the columns of a matrix each: (batch, embedding, id)."""
        return self._builder.node("Transpose", self._builder.node("Gather", self.values, ids, axis=0), perm=[0, 2, 1])


class FloatProducts:
    """Products in float32 of weights kept in float16."""

    Table = FloatTable
    EncoderBuilder = GraphBuilder

    def __init__(self, builder: GraphBuilder, embedding: nn.Embedding, norm: nn.LayerNorm) -> None:
        self._builder = builder
        self._table = FloatTable(builder, embedding)

    def embed(self, norm: nn.LayerNorm, ids: str) -> str:
        return self._builder.layer_norm(norm, self._table.rows(ids))

    def of_embedded(self, weight: Tensor) -> Tensor:
        return weight

    def join(self, *values: str) -> str:
        return values[0] if len(values) == 1 else self._builder.node("Concat", *values, axis=1)

    def linear(self, values: str, weight: Tensor, bias: Tensor | None = None) -> str:
        biases = [] if bias is None else [self._builder.weight(bias, half=False)]
        return self._builder.node("Gemm", values, self._builder.weight(weight), *biases, transB=1)

    def logits(self, readouts: str, bias: Tensor) -> str:
        table = self._builder.node("Cast", self._table.values, to=TensorProto.FLOAT)
        return self._builder.node("Gemm", readouts, table, self._builder.weight(bias, half=False), transB=1)

    def listed_logits(self, readouts: str, columns: str, listed: str, bias: Tensor) -> str:
        product = self._builder.node("MatMul", readouts, columns)
        return self._builder.node("Add", product, self._builder.gather_spread(bias, listed))


class ByteProducts:
    """Products in int8: weights with a scale an output, values in bytes of one fixed scale.

    All values are bounded, so that the bytes of a row do not depend on its neighbours. Embeddings, normalised by
    ``norm``, are divided by their largest possible values.
    """

    Table = ByteTable
    EncoderBuilder = ByteMatrixBuilder

    def __init__(self, builder: GraphBuilder, embedding: nn.Embedding, norm: nn.LayerNorm) -> None:
        self._builder = builder
        self._table = ByteTable(builder, embedding)
        values, self._scales = quantize_rows(embedding.weight.detach())
        with torch.no_grad():
            self._largest = norm(values * self._scales).abs().amax(dim=0)  # (embedding,)
        self._step, self._zero = builder.scalar(1 / LEVELS, np.float32), builder.scalar(128, np.uint8)
        self._bytes: dict[str, str] = {}  # by the name of the value

    def embed(self, norm: nn.LayerNorm, ids: str) -> str:
        divided = nn.LayerNorm(len(self._largest), eps=norm.eps)
        with torch.no_grad():
            divided.weight.copy_(norm.weight / self._largest)
            divided.bias.copy_(norm.bias / self._largest)
        return self._builder.layer_norm(divided, self._table.rows(ids))

    def of_embedded(self, weight: Tensor) -> Tensor:
        return weight * self._largest

    def join(self, *values: str) -> str:
        parts = list(map(self._quantize, values))
        return parts[0] if len(parts) == 1 else self._builder.node("Concat", *parts, axis=1)

    def linear(self, values: str, weight: Tensor, bias: Tensor | None = None) -> str:
        table, scales = quantize_rows(weight.detach())
        return self._multiply(values, self._builder.store(table.T.contiguous().numpy()), scales, bias)

    def logits(self, readouts: str, bias: Tensor) -> str:
        table = self._builder.node("Transpose", self._table.values, perm=[1, 0])
        return self._multiply(readouts, table, self._scales, bias)

    def listed_logits(self, readouts: str, columns: str, listed: str, bias: Tensor) -> str:
        # Scale and bias are operators of their own, each of which rounds an element by itself: where a column stands
        # in its matrix changes nothing.
        sums = self._builder.node("MatMulInteger", readouts, columns, self._zero)
        sums = self._builder.node("Cast", sums, to=TensorProto.FLOAT)
        scaled = self._builder.node("Mul", sums, self._builder.gather_spread(self._scales[:, 0] / LEVELS, listed))
        return self._builder.node("Add", scaled, self._builder.gather_spread(bias, listed))

    def _quantize(self, value: str) -> str:
        if value not in self._bytes:
            self._bytes[value] = self._builder.node("QuantizeLinear", value, self._step, self._zero)
        return self._bytes[value]

    def _multiply(self, values: str, weight: str, scales: Tensor, bias: Tensor | None) -> str:
        inputs = [values, weight, self._step, self._builder.store(scales[:, 0].numpy()), self._zero]
        if bias is not None:
            inputs += ["", self._builder.store(bias.detach().numpy())]
        return self._builder.node("MatMulIntegerToFloat", *inputs, domain=MICROSOFT)

"""How graphs of a decoder or a language model multiply: in float32, or in int8 with fixed scales.

Why fixed: ``docs/adr/0007-int8-with-fixed-scales.md``.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, nn

from training.onnx_graph import MICROSOFT, GraphBuilder, quantize_rows

LEVELS = 127.0  # of either sign, that a byte has


class Products(Protocol):
    """How a graph looks up embeddings and multiplies. What it multiplies lies between -1 and 1."""

    def embed(self, norm: nn.LayerNorm, ids: str) -> str:
        """Normalised rows of the table, to be multiplied by what ``of_embedded`` gives."""
        ...

    def of_embedded(self, weight: Tensor) -> Tensor:
        """The weights (output, embedding) of embedded rows, as ``linear`` wants them."""
        ...

    def join(self, *values: str) -> str:
        """Values (row, size) side by side, for ``linear``."""
        ...

    def linear(self, values: str, weight: Tensor, bias: Tensor | None = None) -> str:
        """What was joined, weight (output, input) -> (row, output)."""
        ...

    def logits(self, readouts: str, bias: Tensor) -> str:
        """What was joined, (row, embedding) -> (row, vocabulary)."""
        ...


class FloatProducts:
    """Weights are kept in float16 and multiplied in float32; the table is kept once for both of its uses."""

    def __init__(self, builder: GraphBuilder, embedding: nn.Embedding, norm: nn.LayerNorm) -> None:
        self._builder = builder
        self._table = builder.store(embedding.weight.detach().cpu().numpy().astype(np.float16))

    @staticmethod
    def look_up(builder: GraphBuilder, embedding: nn.Embedding, ids: str) -> str:
        """Rows of the table as they are."""
        return builder.embed(embedding, ids)

    def embed(self, norm: nn.LayerNorm, ids: str) -> str:
        rows = self._builder.node("Gather", self._table, ids, axis=0)
        return self._builder.layer_norm(norm, self._builder.node("Cast", rows, to=TensorProto.FLOAT))

    def of_embedded(self, weight: Tensor) -> Tensor:
        return weight

    def join(self, *values: str) -> str:
        return values[0] if len(values) == 1 else self._builder.node("Concat", *values, axis=1)

    def linear(self, values: str, weight: Tensor, bias: Tensor | None = None) -> str:
        biases = [] if bias is None else [self._builder.weight(bias, half=False)]
        return self._builder.node("Gemm", values, self._builder.weight(weight), *biases, transB=1)

    def logits(self, readouts: str, bias: Tensor) -> str:
        table = self._builder.node("Cast", self._table, to=TensorProto.FLOAT)
        return self._builder.node("Gemm", readouts, table, self._builder.weight(bias, half=False), transB=1)


class ByteProducts:
    """Weights in int8 with a scale an output, what they are multiplied with in bytes of one fixed scale: all of it is
    bounded, so that no row's bytes hang on its neighbours. Embeddings, normalised by ``norm``, are divided by the most
    they can be."""

    def __init__(self, builder: GraphBuilder, embedding: nn.Embedding, norm: nn.LayerNorm) -> None:
        self._builder = builder
        values, self._scales = quantize_rows(embedding.weight.detach())
        with torch.no_grad():
            self._largest = norm(values * self._scales).abs().amax(dim=0)  # (embedding,)
        self._table, self._row_scales = builder.store(values.numpy()), builder.store(self._scales.numpy())
        self._step, self._zero = builder.scalar(1 / LEVELS, np.float32), builder.scalar(128, np.uint8)
        self._bytes: dict[str, str] = {}  # by what they are of

    @staticmethod
    def look_up(builder: GraphBuilder, embedding: nn.Embedding, ids: str) -> str:
        """Rows of the table as they are."""
        return builder.embed_bytes(embedding, ids)

    def embed(self, norm: nn.LayerNorm, ids: str) -> str:
        rows = self._builder.node("Cast", self._builder.node("Gather", self._table, ids, axis=0), to=TensorProto.FLOAT)
        rows = self._builder.node("Mul", rows, self._builder.node("Gather", self._row_scales, ids, axis=0))
        divided = nn.LayerNorm(len(self._largest), eps=norm.eps)
        with torch.no_grad():
            divided.weight.copy_(norm.weight / self._largest)
            divided.bias.copy_(norm.bias / self._largest)
        return self._builder.layer_norm(divided, rows)

    def of_embedded(self, weight: Tensor) -> Tensor:
        return weight * self._largest

    def join(self, *values: str) -> str:
        parts = list(map(self._quantize, values))
        return parts[0] if len(parts) == 1 else self._builder.node("Concat", *parts, axis=1)

    def linear(self, values: str, weight: Tensor, bias: Tensor | None = None) -> str:
        table, scales = quantize_rows(weight.detach())
        return self._multiply(values, self._builder.store(table.T.contiguous().numpy()), scales, bias)

    def logits(self, readouts: str, bias: Tensor) -> str:
        return self._multiply(readouts, self._builder.node("Transpose", self._table, perm=[1, 0]), self._scales, bias)

    def _quantize(self, value: str) -> str:
        if value not in self._bytes:
            self._bytes[value] = self._builder.node("QuantizeLinear", value, self._step, self._zero)
        return self._bytes[value]

    def _multiply(self, values: str, weight: str, scales: Tensor, bias: Tensor | None) -> str:
        inputs = [values, weight, self._step, self._builder.store(scales[:, 0].numpy()), self._zero]
        if bias is not None:
            inputs += ["", self._builder.store(bias.detach().numpy())]
        return self._builder.node("MatMulIntegerToFloat", *inputs, domain=MICROSOFT)

"""The weights of a published graph as tensors, in the order in which they were stored when it was built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

SMALLEST_SIZE = 8  # weights have more elements than that, the constants of a graph fewer


def stored_weights(path: Path, *, without: str | None = None) -> list[Tensor]:
    """The constants of a graph that are weights, in float32, but for those whose names begin with ``without``."""
    constants = [each for each in onnx.load(path).graph.initializer if not (without and each.name.startswith(without))]
    arrays = map(numpy_helper.to_array, constants)
    return [torch.from_numpy(array.astype(np.float32)) for array in arrays if array.size > SMALLEST_SIZE]


def next_product(weights: Iterator[Tensor]) -> Tensor:
    """The weight (output, input) of a product of :class:`training.matmul_variants.ByteProducts`: bytes (input, output)
    followed by scales (output,)."""
    table = next(weights)
    return (table * next(weights)).T.contiguous()

"""Cross-entropy fused with the output layer, so that the logits of a whole batch are never in memory at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK_ROWS = 256  # logits of so many rows stay in the cache


class _TiedLoss(torch.autograd.Function):
    """The autograd function. Gradients are computed beside the loss, chunk by chunk, while each chunk's softmax is in
    the cache."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float, dtype: torch.dtype
    ) -> Tensor:
        rows_cast, weight_cast, bias_cast = rows.to(dtype), weight.to(dtype), bias.to(dtype)
        rows_gradient = torch.empty_like(rows_cast)
        weight_gradient, bias_gradient = torch.zeros_like(weight), torch.zeros_like(bias)
        total = rows.new_zeros((), dtype=torch.float32)
        for start in range(0, len(rows), CHUNK_ROWS):
            here = slice(start, start + CHUNK_ROWS)
            chunk, wanted = rows_cast[here], targets[here, None]
            # (row, vocabulary): probabilities first, then the gradient of the logits in their place
            share = torch.softmax(torch.addmm(bias_cast, chunk, weight_cast.t()), dim=-1)
            total -= share.gather(1, wanted).float().clamp_min(1e-12).log().sum()
            share.sub_(smoothing / len(weight))
            share.scatter_add_(1, wanted, torch.full_like(wanted, -(1 - smoothing), dtype=dtype))
            torch.mm(share, weight_cast, out=rows_gradient[here])
            weight_gradient += share.t() @ chunk
            bias_gradient += (share.new_ones(1, len(share)) @ share)[0]
        ctx.save_for_backward(rows_gradient, weight_gradient, bias_gradient)
        ctx.count, ctx.dtype = len(rows), rows.dtype
        return total / len(rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        rows, weight, bias = ctx.saved_tensors
        scale = gradient / ctx.count
        return (rows.float() * scale).to(ctx.dtype), weight * scale, bias * scale, None, None, None


def tied_loss(rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, smoothing: float) -> Tensor:
    """The mean negative log-probability of ``targets`` (row,) under ``rows @ weight.T + bias``; rows (row, size),
    weight (vocabulary, size).

    The value is the plain cross-entropy. The gradient is that of the label-smoothed one (Szegedy et al. 2016):
    ``smoothing`` of the target's probability is spread evenly over the vocabulary. Under autocast the products are made
    in its type. Once differentiable.
    """
    device = rows.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else rows.dtype
    with torch.autocast(device, enabled=False):
        loss: Tensor = _TiedLoss.apply(rows, weight, bias, targets, smoothing, dtype)
        return loss

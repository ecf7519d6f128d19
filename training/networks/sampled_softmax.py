"""Cross-entropy over a batch's own words and a sample of the others, for the first part of a long training run.

Words that are no target in the batch are drawn uniformly. Each represents several that were not drawn: the logarithm of
their number is added to its logit (importance sampling; Jean et al. 2015). With all words drawn it is the full softmax.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from training.networks.tied_softmax import tied_loss


def sampled_loss(
    rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, num_sampled: int, smoothing: float
) -> Tensor:
    """The mean negative log-probability of ``targets`` (row,) among the targets and about ``num_sampled`` other words.

    The arguments are those of :func:`training.networks.tied_softmax.tied_loss`.
    """
    wanted, places = targets.unique(return_inverse=True)
    is_free = torch.ones(len(weight), dtype=torch.bool, device=weight.device)
    is_free[wanted] = False
    free = is_free.nonzero()[:, 0]
    if num_sampled >= len(free):
        return tied_loss(rows, weight, bias, targets, smoothing=smoothing)
    drawn = free[torch.randperm(len(free), device=free.device)[:num_sampled]]
    words = torch.cat([wanted, drawn])
    chosen = bias[words]
    standing_for = torch.zeros_like(chosen)
    standing_for[len(wanted) :] = math.log(len(free) / num_sampled)
    return tied_loss(rows, weight[words], chosen + standing_for, places, smoothing=smoothing)

"""A trained language model as the start of a wider one (after Net2Net: Chen et al. 2016)."""

from __future__ import annotations

import torch
from torch import Tensor

from training.networks.language_model import LanguageModel


@torch.no_grad()
def widen(network: LanguageModel, narrow: LanguageModel) -> None:
    """Set the weights of ``network`` so that it predicts nearly what ``narrow`` does, which has no more units.

    The units of ``narrow`` keep their weights and do not read the new ones; new recurrent units keep the random weights
    by which they read, and nothing reads them yet. New numbers of an embedding are random with the mean and deviation
    of its others, so that its norm stays what it was. Raises ValueError for networks that differ in more than sizes.
    """
    wide_state, narrow_state = network.state_dict(), narrow.state_dict()
    if wide_state.keys() != narrow_state.keys() or len(network.output_bias) != len(narrow.output_bias):
        raise ValueError("the network that training starts from has other layers or another vocabulary")
    for name, weight in wide_state.items():
        start = narrow_state[name]
        if any(before > now for before, now in zip(start.shape, weight.shape, strict=True)):
            raise ValueError(f"{name} has the shape {tuple(weight.shape)}, less than {tuple(start.shape)} at the start")
        if name == "embedding.weight":
            num_new = weight.shape[1] - start.shape[1]
            deviation, mean = torch.std_mean(start, dim=1, correction=0, keepdim=True)
            weight.copy_(torch.cat([start, mean + deviation * torch.randn(len(start), num_new)], dim=1))
        elif ".encoder." in name:  # the gates' rows one after another
            num_gates = len(start) // narrow.config.hidden_size
            _fill(weight.view(num_gates, -1, *weight.shape[1:]), start.view(num_gates, -1, *start.shape[1:]))
        elif ".readout." in name:
            weight.zero_()
            _fill(weight[None], start[None])
        else:  # the norm's, and the biases of the output
            _fill(weight[None], start[None])


def _fill(weight: Tensor, start: Tensor) -> None:
    """Write the weights of the start over those of its units (gate, unit[, input]), which read nothing new."""
    num_units = start.shape[1]
    if weight.ndim == 3:
        weight[:, :num_units] = 0
        weight[:, :num_units, : start.shape[2]] = start
    else:
        weight[:, :num_units] = start

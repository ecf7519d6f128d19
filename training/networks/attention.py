"""Three kinds of attention, by name: a weight for each place of the source at each step of a decoder."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

AttentionKind = Literal["multiplicative", "additive", "none"]


class MultiplicativeAttention(nn.Module):
    """Attention by scaled inner products (Luong et al. 2015, "general"; the scale of Vaswani et al. 2017)."""

    def __init__(self, *, decoder_size: int, annotation_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(decoder_size, annotation_size, bias=False)
        self.scale = annotation_size**-0.5

    def keys(self, annotations: Tensor) -> Tensor:
        return annotations * self.scale

    def forward(self, state: Tensor, keys: Tensor) -> Tensor:
        """Map states (batch, decoder) and keys (batch, time, key) to energies (batch, time)."""
        return torch.bmm(keys, self.query(state)[:, :, None])[:, :, 0]


class AdditiveAttention(nn.Module):
    """Attention by a layer of tanh units (Bahdanau et al. 2015)."""

    def __init__(self, *, decoder_size: int, annotation_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(decoder_size, decoder_size, bias=False)
        self.key = nn.Linear(annotation_size, decoder_size)
        self.energy = nn.Linear(decoder_size, 1, bias=False)

    def keys(self, annotations: Tensor) -> Tensor:
        return self.key(annotations)

    def forward(self, state: Tensor, keys: Tensor) -> Tensor:
        return self.energy(torch.tanh(keys + self.query(state)[:, None]))[:, :, 0]


class NoAttention(nn.Module):
    """Equal weights for every annotation: the source is one vector of fixed size, the mean (Cho et al. 2014)."""

    def __init__(self, *, decoder_size: int, annotation_size: int) -> None:
        super().__init__()

    def keys(self, annotations: Tensor) -> Tensor:
        return annotations[:, :, :1]

    def forward(self, state: Tensor, keys: Tensor) -> Tensor:
        return torch.zeros_like(keys[:, :, 0])


ATTENTIONS: dict[AttentionKind, type[nn.Module]] = {
    "multiplicative": MultiplicativeAttention,
    "additive": AdditiveAttention,
    "none": NoAttention,
}

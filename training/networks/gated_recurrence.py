"""Recurrent layers whose gates do not read the state, so that all matrix products are computed for all steps at once.

The transition is the minimal GRU of Feng et al. 2024 ("Were RNNs All We Needed?"), with a tanh on the new value as in a
GRU: ``state = keep * state + (1 - keep) * new``. Only this line runs step by step. A GRU whose recurrent weights are
zero does the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

LONGEST_MEMORY = 3.0  # bias of the slowest keep gate: sigmoid(3) = 0.95 of a state stays at each step


def run_recurrence(new: Tensor, keep: Tensor, initial: Tensor) -> Tensor:
    """States of all steps, (time, batch, size), from new values and keep gates (time, batch, size) and a first state
    (batch, size). Once differentiable."""
    states: Tensor = _Recurrence.apply(new, keep, initial.to(new.dtype))
    return states


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, new: Tensor, keep: Tensor, initial: Tensor) -> Tensor:
        states = torch.empty_like(new)
        state = initial
        for new_now, keep_now, out in zip(new, keep, states, strict=True):
            torch.lerp(new_now, state, keep_now, out=out)
            state = out
        ctx.save_for_backward(new, keep, initial, states)
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        new, keep, initial, states = ctx.saved_tensors
        total = torch.empty_like(new)  # gradient of the loss by each state, later steps included
        carried = torch.zeros_like(initial)
        for t in reversed(range(len(new))):
            torch.add(gradient[t], carried, out=total[t])
            torch.mul(total[t], keep[t], out=carried)
        before = torch.cat([initial[None], states[:-1]])
        return torch.addcmul(total, total, keep, value=-1), total * (before - new), carried


def spread_gates(bias: Tensor) -> None:
    """Set biases of keep gates so that some units forget at once and others remember long."""
    with torch.no_grad():
        bias.copy_(torch.linspace(-1.0, LONGEST_MEMORY, len(bias)))


class GatedLayer(nn.Module):
    """One layer in one direction."""

    def __init__(self, input_size: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.input = nn.Linear(input_size, 2 * size)  # keep gates, then new values
        spread_gates(self.input.bias[:size])

    def forward(self, rows: Tensor, initial: Tensor) -> Tensor:
        """Map (time, batch, input) and a state (batch, size) to (time, batch, size), numbers between -1 and 1."""
        keep, new = self.input(rows).split(self.size, dim=-1)
        return run_recurrence(torch.tanh(new), torch.sigmoid(keep), initial)

    def step(self, rows: Tensor, state: Tensor) -> Tensor:
        """Map an input (batch, input) and a state (batch, size) to the next state (batch, size)."""
        keep, new = self.input(rows).split(self.size, dim=-1)
        return torch.lerp(torch.tanh(new), state, torch.sigmoid(keep))


class BidirectionalGatedLayer(nn.Module):
    """One layer in both directions over padded rows. The backward direction begins at the last token of each row."""

    def __init__(self, input_size: int, size: int) -> None:
        super().__init__()
        self.size = size  # of one direction
        self.forwards = nn.Linear(input_size, 2 * size)
        self.backwards = nn.Linear(input_size, 2 * size)
        for layer in (self.forwards, self.backwards):
            spread_gates(layer.bias[:size])

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        """Map (time, batch, input) and a mask (time, batch, 1), true at tokens, to (time, batch, 2 x size)."""
        ahead, back = self.forwards(rows), self.backwards(rows)
        keep = torch.cat([ahead[:, :, : self.size], back[:, :, : self.size].flip(0)], dim=-1)
        new = torch.cat([ahead[:, :, self.size :], back[:, :, self.size :].flip(0)], dim=-1)
        is_token = torch.cat(
            [mask.expand_as(ahead[:, :, : self.size]), mask.flip(0).expand_as(back[:, :, : self.size])], -1
        )
        keep = torch.where(is_token, torch.sigmoid(keep), 1.0)  # the zeros of the start stay until the first token
        states = run_recurrence(torch.tanh(new), keep, torch.zeros_like(new[0]))
        return torch.cat([states[:, :, : self.size], states[:, :, self.size :].flip(0)], dim=-1)

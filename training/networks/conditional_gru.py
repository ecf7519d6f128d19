"""The conditional GRU under teacher forcing, with a backward pass written by hand.

Autograd would add to the gradient of every weight, and of all annotations, at every step. The loop written by hand
computes only the recurrent gradients; the gradient of each weight is one product over all steps after it. It is a third
faster on a CPU, with the same numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def run_conditional_gru(
    projected: Tensor,
    state: Tensor,
    annotations: Tensor,
    mask: Tensor,
    *,
    first_hidden: tuple[Tensor, Tensor],
    query: Tensor,
    second_input: tuple[Tensor, Tensor],
    second_hidden: tuple[Tensor, Tensor],
    scale: float,
) -> tuple[Tensor, Tensor]:
    """States (batch, time, decoder) and contexts (batch, time, annotation) of all steps.

    ``projected`` (batch, time, 3 x decoder) is the first cell's part of its inputs, ``state`` (batch, decoder) the
    first one, ``annotations`` (batch, source, annotation), ``mask`` (batch, source) true at tokens. Weights come with
    their biases; ``scale`` multiplies the energies. Under autocast all is computed in its type. Once differentiable.
    """
    device = projected.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else projected.dtype
    tensors = (projected.transpose(0, 1), state, annotations, *first_hidden, query, *second_input, *second_hidden)
    with torch.autocast(device, enabled=False):
        states, contexts = _ConditionalGru.apply(mask, scale, *(tensor.to(dtype) for tensor in tensors))
    return states.transpose(0, 1), contexts.transpose(0, 1)


class _ConditionalGru(torch.autograd.Function):
    """The autograd function. Its arrays have time first: (time, batch, ...)."""

    @staticmethod
    def forward(
        ctx: Any,
        mask: Tensor,
        scale: float,
        projected: Tensor,
        state: Tensor,
        annotations: Tensor,
        first_weight: Tensor,
        first_bias: Tensor,
        query: Tensor,
        input_weight: Tensor,
        input_bias: Tensor,
        second_weight: Tensor,
        second_bias: Tensor,
    ) -> tuple[Tensor, Tensor]:
        (num_steps, batch, _), size = projected.shape, state.shape[1]
        num_tokens, width = annotations.shape[1:]
        new = projected.new_empty
        before = new(num_steps, batch, size)  # the state before each step
        between, states = new(num_steps, batch, size), new(num_steps, batch, size)
        queries, contexts = new(num_steps, batch, width), new(num_steps, batch, width)
        weights = new(num_steps, batch, num_tokens)
        first, second = _gates(num_steps, batch, size, new), _gates(num_steps, batch, size, new)
        hidden_from = torch.where(mask, 0.0, float("-inf")).to(projected.dtype)
        for t in range(num_steps):
            before[t] = state
            _cell(projected[t], torch.addmm(first_bias, state, first_weight.t()), state, between[t], first, t)
            torch.mm(between[t], query.t(), out=queries[t])
            energies = torch.bmm(annotations, queries[t][:, :, None])[:, :, 0]
            weights[t] = torch.softmax(torch.add(hidden_from, energies, alpha=scale), dim=-1)
            torch.bmm(weights[t][:, None], annotations, out=contexts[t][:, None])
            given = torch.addmm(input_bias, contexts[t], input_weight.t())
            _cell(given, torch.addmm(second_bias, between[t], second_weight.t()), between[t], states[t], second, t)
            state = states[t]
        ctx.save_for_backward(
            annotations, first_weight, query, input_weight, second_weight,
            before, between, queries, contexts, weights, *first, *second,
        )  # fmt: skip
        ctx.scale = scale
        return states, contexts

    @staticmethod
    def backward(ctx: Any, states_gradient: Tensor, contexts_gradient: Tensor) -> tuple[Tensor | None, ...]:
        annotations, first_weight, query, input_weight, second_weight, *kept = ctx.saved_tensors
        before, between, queries, contexts, weights = kept[:5]
        first, second = kept[5:9], kept[9:13]
        num_steps, batch, size = before.shape
        new = before.new_empty
        first_given, first_own = new(num_steps, batch, 3 * size), new(num_steps, batch, 3 * size)
        second_given, second_own = new(num_steps, batch, 3 * size), new(num_steps, batch, 3 * size)
        context_all, query_all, energy_all = (
            torch.empty_like(contexts),
            torch.empty_like(queries),
            torch.empty_like(weights),
        )
        carried = torch.zeros_like(before[0])
        for t in reversed(range(num_steps)):
            gradient = carried + states_gradient[t]
            middle = _cell_backward(gradient, between[t], second, second_given[t], second_own[t], t)
            middle.addmm_(second_own[t], second_weight)
            torch.addmm(contexts_gradient[t], second_given[t], input_weight, out=context_all[t])
            wanted = torch.bmm(annotations, context_all[t][:, :, None])[:, :, 0]
            wanted -= (wanted * weights[t]).sum(dim=1, keepdim=True)
            torch.mul(wanted, weights[t], out=energy_all[t])
            energy_all[t] *= ctx.scale
            torch.bmm(energy_all[t][:, None], annotations, out=query_all[t][:, None])
            middle.addmm_(query_all[t], query)
            carried = _cell_backward(middle, before[t], first, first_given[t], first_own[t], t)
            carried.addmm_(first_own[t], first_weight)
        annotations_gradient = _outer(weights, context_all) + _outer(energy_all, queries)
        return (
            None, None, first_given, carried, annotations_gradient,
            _weight(first_own, before), _bias(first_own),
            _weight(query_all, between),
            _weight(second_given, contexts), _bias(second_given),
            _weight(second_own, between), _bias(second_own),
        )  # fmt: skip


def _gates(num_steps: int, batch: int, size: int, new: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Empty arrays of every step: reset and update gates, new value, recurrent part that the reset gate multiplies."""
    return (
        new(num_steps, batch, size),
        new(num_steps, batch, size),
        new(num_steps, batch, size),
        new(num_steps, batch, size),
    )


def _cell(given: Tensor, own: Tensor, state: Tensor, out: Tensor, gates: tuple[Tensor, ...], t: int) -> None:
    """One GRU transition. ``given`` and ``own`` (batch, 3 x size) are the parts of input and state in the gates."""
    size = state.shape[1]
    reset, update, new, through = (gate[t] for gate in gates)
    torch.add(given[:, :size], own[:, :size], out=reset).sigmoid_()
    torch.add(given[:, size : 2 * size], own[:, size : 2 * size], out=update).sigmoid_()
    through.copy_(own[:, 2 * size :])
    torch.addcmul(given[:, 2 * size :], reset, through, out=new).tanh_()
    torch.lerp(new, state, update, out=out)


def _cell_backward(
    gradient: Tensor, state: Tensor, gates: tuple[Tensor, ...] | list[Tensor], given: Tensor, own: Tensor, t: int
) -> Tensor:
    """Write the gradients of ``given`` and ``own``; returns the state's gradient without the part through ``own``."""
    size = state.shape[1]
    reset, update, new, through = (gate[t] for gate in gates)
    torch.ops.aten.tanh_backward(gradient - gradient * update, new, grad_input=given[:, 2 * size :])
    inner = given[:, 2 * size :]
    torch.ops.aten.sigmoid_backward(inner * through, reset, grad_input=given[:, :size])
    torch.ops.aten.sigmoid_backward(gradient * (state - new), update, grad_input=given[:, size : 2 * size])
    own[:, : 2 * size] = given[:, : 2 * size]
    torch.mul(inner, reset, out=own[:, 2 * size :])
    return gradient * update


def _weight(gradients: Tensor, inputs: Tensor) -> Tensor:
    return gradients.flatten(0, 1).t() @ inputs.flatten(0, 1)


def _bias(gradients: Tensor) -> Tensor:
    """The sum over rows as a product with ones, because a sum over rows of bfloat16 is many times slower."""
    rows = gradients.flatten(0, 1)
    return (rows.new_ones(1, len(rows)) @ rows)[0]


def _outer(weights: Tensor, vectors: Tensor) -> Tensor:
    """Map (time, batch, source) and (time, batch, width) to their products (batch, source, width)."""
    return torch.bmm(weights.permute(1, 2, 0), vectors.transpose(0, 1))

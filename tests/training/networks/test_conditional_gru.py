from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from training.networks.conditional_gru import run_conditional_gru

BATCH, STEPS, SOURCE, STATE, WIDTH = 3, 4, 5, 6, 8
SCALE = 0.7
LENGTHS = (5, 1, 3)


def inputs(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    shapes = dict(
        projected=(BATCH, STEPS, 3 * STATE),
        state=(BATCH, STATE),
        annotations=(BATCH, SOURCE, WIDTH),
        first_weight=(3 * STATE, STATE),
        first_bias=(3 * STATE,),
        query=(WIDTH, STATE),
        input_weight=(3 * STATE, WIDTH),
        input_bias=(3 * STATE,),
        second_weight=(3 * STATE, STATE),
        second_bias=(3 * STATE,),
    )
    return {
        name: torch.randn(shape, generator=generator, dtype=torch.float64).mul(0.5).to(dtype).requires_grad_()
        for name, shape in shapes.items()
    }


def mask():
    return torch.arange(SOURCE) < torch.tensor(LENGTHS)[:, None]


def written_out(values):
    return run_conditional_gru(
        values["projected"],
        values["state"],
        values["annotations"],
        mask(),
        first_hidden=(values["first_weight"], values["first_bias"]),
        query=values["query"],
        second_input=(values["input_weight"], values["input_bias"]),
        second_hidden=(values["second_weight"], values["second_bias"]),
        scale=SCALE,
    )


def cell(given, own, state):
    reset = torch.sigmoid(given[:, :STATE] + own[:, :STATE])
    update = torch.sigmoid(given[:, STATE : 2 * STATE] + own[:, STATE : 2 * STATE])
    new = torch.tanh(given[:, 2 * STATE :] + reset * own[:, 2 * STATE :])
    return (1 - update) * new + update * state


def by_autograd(values):
    state, states, contexts = values["state"], [], []
    for given in values["projected"].unbind(1):
        between = cell(given, state @ values["first_weight"].T + values["first_bias"], state)
        energies = torch.einsum("btw,bw->bt", values["annotations"], between @ values["query"].T) * SCALE
        weights = energies.masked_fill(~mask(), float("-inf")).softmax(1)
        contexts.append(torch.einsum("bt,btw->bw", weights, values["annotations"]))
        seen = contexts[-1] @ values["input_weight"].T + values["input_bias"]
        state = cell(seen, between @ values["second_weight"].T + values["second_bias"], between)
        states.append(state)
    return torch.stack(states, 1), torch.stack(contexts, 1)


def test_it_is_what_autograd_computes_forwards_and_backwards():
    first, second = inputs(), inputs()
    for expected, found in zip(by_autograd(first), written_out(second), strict=True):
        assert torch.allclose(found, expected, atol=1e-12)
    generator = torch.Generator().manual_seed(2)
    for run, values in ((by_autograd, first), (written_out, second)):
        generator.manual_seed(2)
        wanted = [torch.randn(part.shape, generator=generator, dtype=torch.float64) for part in run(values)]
        sum((part * weight).sum() for part, weight in zip(run(values), wanted, strict=True)).backward()
    for name, value in first.items():
        assert torch.allclose(second[name].grad, value.grad, atol=1e-11), name


def test_what_lies_behind_a_source_has_no_part_in_it():
    values = inputs()
    states, contexts = written_out(values)
    with torch.no_grad():
        values["annotations"][~mask()] = 7.0
    again = written_out(values)
    assert torch.equal(again[0], states)
    assert torch.equal(again[1], contexts)
    again[0].sum().backward()
    assert (values["annotations"].grad[~mask()] == 0).all()


def test_under_autocast_it_computes_in_bfloat16_and_gives_gradients_of_each_weights_own_type():
    values = inputs(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        states, _ = written_out(values)
    assert states.dtype == torch.bfloat16
    states.float().sum().backward()
    assert all(value.grad is None or value.grad.dtype == torch.float32 for value in values.values())
    exact = written_out(inputs(torch.float32))[0]
    assert (states.float() - exact).abs().max() < 0.05

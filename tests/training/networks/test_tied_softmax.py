from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional

from training.networks.tied_softmax import CHUNK_ROWS, tied_loss

VOCABULARY, SIZE = 30, 8


def inputs(count: int):
    generator = torch.Generator().manual_seed(count)
    shapes = dict(rows=(count, SIZE), weight=(VOCABULARY, SIZE), bias=(VOCABULARY,))
    values = {
        name: torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for name, shape in shapes.items()
    }
    return values, torch.randint(0, VOCABULARY, (count,), generator=generator)


def plain(values, targets, smoothing):
    logits = values["rows"] @ values["weight"].T + values["bias"]
    return functional.cross_entropy(logits, targets, label_smoothing=smoothing)


@pytest.mark.parametrize("count", [1, 5, CHUNK_ROWS, 2 * CHUNK_ROWS + 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradients_are_those_of_the_smoothed_cross_entropy(count, smoothing):
    (first, targets), (second, _) = inputs(count), inputs(count)
    plain(first, targets, smoothing).backward()
    loss = tied_loss(second["rows"], second["weight"], second["bias"], targets, smoothing=smoothing)
    loss.backward()
    assert loss.item() == pytest.approx(plain(first, targets, 0.0).item(), abs=1e-6)
    for name, value in first.items():
        assert torch.allclose(second[name].grad, value.grad, atol=1e-12), name


def test_a_loss_that_is_scaled_scales_its_gradients():
    (first, targets), (second, _) = inputs(7), inputs(7)
    tied_loss(first["rows"], first["weight"], first["bias"], targets, smoothing=0.1).backward()
    (3 * tied_loss(second["rows"], second["weight"], second["bias"], targets, smoothing=0.1)).backward()
    for name, value in first.items():
        assert torch.allclose(second[name].grad, 3 * value.grad), name


def test_under_autocast_gradients_keep_their_types():
    values, targets = inputs(6)
    values = {name: value.detach().float().requires_grad_() for name, value in values.items()}
    with torch.autocast("cpu", torch.bfloat16):
        loss = tied_loss(values["rows"], values["weight"], values["bias"], targets, smoothing=0.1)
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(value.grad.dtype == torch.float32 for value in values.values())

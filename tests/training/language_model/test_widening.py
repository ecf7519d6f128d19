"""A wider network starts from what a narrower one knows."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from training.language_model.widening import widen
from training.networks.language_model import LanguageModel, LanguageModelConfig

SIZE = 60  # of the vocabulary


def network_of(embedding_size: int, hidden_size: int, **choices) -> LanguageModel:
    config = LanguageModelConfig(embedding_size=embedding_size, hidden_size=hidden_size, dropout=0.0, **choices)
    return LanguageModel(vocabulary_size=SIZE, config=config).eval()


def trained(**choices) -> LanguageModel:
    network = network_of(64, 24, **choices)
    with torch.no_grad():  # as training leaves them, not as they begin
        network.input_norm.bias.normal_(std=0.1)
        network.output_bias.normal_()
        network.embedding.weight.mul_(10)
    return network


@pytest.mark.parametrize("choices", [{}, {"num_layers": 2}, {"cell": "gru"}], ids=["lstm", "two layers", "gru"])
def test_a_wider_network_predicts_what_the_narrower_one_does(choices):
    torch.manual_seed(1)
    narrow, wide = trained(**choices), network_of(96, 40, **choices)
    widen(wide, narrow)
    ids = torch.arange(4, SIZE).view(4, -1)
    with torch.inference_mode():
        wanted, found = narrow(ids)[0], wide(ids)[0]
    assert float((found - wanted).norm() / wanted.norm()) < 0.1  # the norm sees new numbers, that is all


@pytest.mark.parametrize("choices", [{}, {"num_layers": 2}, {"cell": "gru"}], ids=["lstm", "two layers", "gru"])
def test_a_network_of_the_same_size_takes_the_weights_as_they_are(choices):
    narrow, other = trained(**choices), network_of(64, 24, **choices)
    widen(other, narrow)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in narrow.state_dict().items())


def test_new_units_learn():
    torch.manual_seed(1)
    narrow, wide = trained(), network_of(96, 40)
    widen(wide, narrow)
    ids = torch.arange(4, SIZE).view(4, -1)
    wide(ids)[0].square().mean().backward()
    readout = wide.directions["forwards"].readout.weight.grad
    assert bool((readout[:, 24:] != 0).any())
    assert bool((readout[64:] != 0).any())


@pytest.mark.parametrize(
    ("other", "message"),
    [(network_of(32, 24), "less than"), (network_of(64, 24, num_layers=2), "other layers")],
    ids=["narrower", "deeper"],
)
def test_what_cannot_hold_the_weights_is_refused(other, message):
    with pytest.raises(ValueError, match=message):
        widen(other, trained())

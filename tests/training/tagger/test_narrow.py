from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from tests.training.tiny_tagger import HEADS, SIZES, random_ids, tagger
from training.networks.tagger import Tagger
from training.tagger.narrow import narrow

IDS, LENGTHS = random_ids(60, 12)
REAL = torch.arange(12) < LENGTHS[:, None]


@torch.inference_mode()
def vectors(network):
    levels = [network.features(IDS)]
    for layer in range(network.config.num_layers):
        levels.append(network.encoder.layer(layer, levels[-1], LENGTHS))
    return [rows[REAL] for rows in levels]


def wide(num_layers=2):
    network = tagger(num_layers=num_layers, word_size=4).eval()  # 16 features, as many as a layer gives
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "bias" in name:
                parameter.normal_()
    return network


@torch.inference_mode()
def drift(network, **sizes):
    """The largest difference of a logit between a network and its narrower copy."""
    chosen = replace(network.config, **sizes)
    other = Tagger(sizes=SIZES, heads=HEADS, config=chosen).eval()
    other.load_state_dict(narrow(network.state_dict(), vectors(network), chosen))
    before, after = network(IDS, LENGTHS), other(IDS, LENGTHS)
    return max(float((before[name] - after[name])[REAL].abs().max()) for name in HEADS)


def test_with_all_units_and_the_full_rank_nothing_changes():
    assert drift(wide()) < 1e-5
    assert drift(wide(), projection_size=16) < 1e-4


def test_a_unit_whose_work_others_do_goes_without_a_trace():
    network = wide()
    with torch.no_grad():
        for layer in network.encoder.forwards, network.encoder.backwards:
            for cell in layer:
                for value in (cell.weight_ih_l0, cell.weight_hh_l0, cell.bias_ih_l0, cell.bias_hh_l0):
                    value[5::8] = value[2::8]  # unit 5 of each gate is unit 2
    assert drift(network, hidden_size=7) < 1e-3
    assert drift(network, hidden_size=6) > 1e-3


def test_inputs_of_low_rank_are_projected_without_a_trace():
    network = wide(num_layers=1)
    narrow_input = torch.randn(3, network.features.output_size, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        for layer in (network.encoder.forwards[0], network.encoder.backwards[0]):
            layer.weight_ih_l0.copy_(layer.weight_ih_l0[:, :3] @ narrow_input)
    assert drift(network, projection_size=3) < 1e-4
    assert drift(network, projection_size=2) > 1e-3

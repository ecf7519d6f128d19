"""Weights of a published language model, from which the training of another one can start."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from training.bundle_weights import next_product, stored_weights
from training.export import GRAPHS
from training.language_model.graphs import CELLS
from training.networks.language_model import FORWARDS, LanguageModel, LanguageModelConfig
from training.onnx_graph import GATES

State = dict[str, Tensor]
DIRECTION = f"directions.{FORWARDS}"
OF_TABLE, OF_LAYER, OF_OUTPUT = 4, 6, 5  # weights: table and its norm, each layer, readout and logits


def network_of_bundle(folder: Path) -> LanguageModel:
    """A network of one direction with the weights of the int8 graph of a bundle, and no dropout.

    The weights are read in the order in which :func:`training.language_model.graphs.step_graph` stores them. Raises
    ValueError if the graph holds others.
    """
    weights = stored_weights(folder / GRAPHS["int8"])
    num_layers, odd = divmod(len(weights) - OF_TABLE - OF_OUTPUT, OF_LAYER)
    if odd or num_layers < 1 or any(weight.ndim > 2 for weight in weights):
        raise ValueError(f"{len(weights)} weights, which no language model in int8 has")
    values = iter(weights)
    table, scales, norm_weight, norm_bias = (next(values) for _ in range(OF_TABLE))
    state: State = {"embedding.weight": table * scales}
    for layer in range(num_layers):
        for part in ("ih", "hh"):
            state[f"{DIRECTION}.encoder.forwards.{layer}.weight_{part}_l0"] = next_product(values)
            state[f"{DIRECTION}.encoder.forwards.{layer}.bias_{part}_l0"] = next(values)
    state[f"{DIRECTION}.readout.weight"], state[f"{DIRECTION}.readout.bias"] = next_product(values), next(values)
    next(values)  # scales of the table again
    state["output_bias"] = next(values)
    # ByteProducts.embed divides each column of embedded rows by a number of its own, and of_embedded multiplies their
    # weights by it. Here the number is chosen that makes the norm's weights 1, as they are in a new network.
    state["input_norm.weight"], state["input_norm.bias"] = torch.ones_like(norm_weight), norm_bias / norm_weight
    state[f"{DIRECTION}.encoder.forwards.0.weight_ih_l0"] *= norm_weight
    return _network_of(state, num_layers)


def _network_of(state: State, num_layers: int) -> LanguageModel:
    gates, hidden_size = state[f"{DIRECTION}.encoder.forwards.0.weight_hh_l0"].shape
    cells = {len(order): cell for cell, order in GATES.items() if cell in CELLS}
    vocabulary_size, embedding_size = state["embedding.weight"].shape
    config = LanguageModelConfig(
        cell=cells[gates // hidden_size],  # type: ignore[arg-type]
        num_layers=num_layers,
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        dropout=0.0,
    )
    network = LanguageModel(vocabulary_size=vocabulary_size, config=config)
    network.load_state_dict(state)
    return network

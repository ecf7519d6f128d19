"""Start a translator's training from a published bundle: its int8 graphs become the weights of a run folder.

    python -m training.translator.bundle_start models/en-xx --run-dir runs/en-xx-start

A configuration then names the folder in ``starts_from``. Checkpoints of old runs need not be kept, and a translator
that ships can be trained further on other pairs. The precision lost to int8 is recovered within minutes of training.
Several bundles with the same subwords, which went on from one network, give the mean of their weights (Wortsman et al.
2022): a start for other directions of their languages.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from service.bundle import SUBWORDS, load_bundle
from training.bundle_weights import next_product, stored_weights
from training.export import GRAPHS
from training.mean_weights import State, mean_of
from training.onnx_graph import GATES
from training.translator.export import ENCODERS
from training.translator.shortlist_graph import PREFIX as SHORTLIST_PREFIX


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE")
    parser.add_argument("--run-dir", type=Path, required=True, help="folder to write best.pt and the subwords to")
    arguments = parser.parse_args()
    bundles = [load_bundle(folder) for folder in arguments.bundles]
    subwords, *others = (bundle.path(SUBWORDS).read_bytes() for bundle in bundles)
    if any(other != subwords for other in others):
        raise SystemExit("the bundles have different subwords")
    state = mean_of([state_of_bundle(folder) for folder in arguments.bundles])
    arguments.run_dir.mkdir(parents=True, exist_ok=True)
    torch.save({"network": state}, arguments.run_dir / "best.pt")
    (arguments.run_dir / SUBWORDS).write_bytes(subwords)
    names = ", ".join(bundle.manifest.name for bundle in bundles)
    print(f"{sum(value.numel() for value in state.values()):,} weights of {names}")


def state_of_bundle(folder: Path) -> State:
    """The state of a :class:`training.networks.translator.Translator` with one encoder layer and multiplicative
    attention.

    Reads the constants of the int8 graphs in the order in which ``training.translator.graphs`` stores them, those of a
    shortlist left out. Raises ValueError if a graph holds others.
    """
    state = _encoder_state(_multiplied(stored_weights(folder / ENCODERS["int8"], without=SHORTLIST_PREFIX)))
    return state | _decoder_state(stored_weights(folder / GRAPHS["int8"], without=SHORTLIST_PREFIX))


def _multiplied(constants: Iterable[Tensor]) -> list[Tensor]:
    """The constants, those of bytes multiplied by the scales behind them: one a row, or one a group of a row."""
    found: list[Tensor] = []
    for each in constants:
        if each.ndim > 1 and each.shape[-1] == 1:
            product = found[-1] * each
            found[-1] = product if product.ndim == 2 else product.flatten(-2)
        else:
            found.append(each)
    return found


def _encoder_state(constants: list[Tensor]) -> State:
    if len(constants) != 9:
        raise ValueError(f"an encoder of one layer has 9 weights, this one {len(constants)}")
    table, norm_weight, norm_bias, tag, inputs, states, biases, initial_weight, initial_bias = constants
    state = {
        "embedding.weight": table,
        "source_norm.weight": norm_weight,
        "source_norm.bias": norm_bias,
        "tag.weight": tag.T.contiguous(),
        "initial.weight": initial_weight.T.contiguous(),
        "initial.bias": initial_bias,
    }
    order = np.argsort(GATES["gru"])
    for direction, name in enumerate(("forwards", "backwards")):
        parts = {
            "weight_ih": inputs[direction],
            "weight_hh": states[direction],
            **dict(zip(("bias_ih", "bias_hh"), biases[direction].chunk(2), strict=True)),
        }
        for part, value in parts.items():
            gates = value.chunk(3)
            state[f"encoders.0.{name}.0.{part}_l0"] = torch.cat([gates[i] for i in order])
    return state


def _decoder_state(constants: list[Tensor]) -> State:
    if len(constants) != 37:
        raise ValueError(f"a decoder's step with multiplicative attention has 37 constants, this one {len(constants)}")
    values = iter(constants)
    next(values), next(values)  # the table of subwords is the encoder's
    norm_weight, norm_bias = next(values), next(values)
    state: State = dict(_cell_state("first", values))
    state["attention.query.weight"] = next_product(values)
    state |= dict(_cell_state("second", values))
    state["readout.weight"], state["readout.bias"] = next_product(values), next(values)
    state["readout_norm.weight"], state["readout_norm.bias"] = next(values), next(values)
    next(values)  # scales of the table again
    state["output_bias"] = next(values)
    # ByteProducts.embed divides each column of embedded rows by a number of its own, and of_embedded multiplies their
    # weights by it. Here the number is chosen that makes the norm's weights 1, as they are in a new network.
    state["target_norm.weight"] = torch.ones_like(norm_weight)
    state["target_norm.bias"] = norm_bias / norm_weight
    state["first.input.weight"] *= norm_weight
    state["readout.weight"][:, -len(norm_weight) :] *= norm_weight
    return state


def _cell_state(name: str, values: Iterator[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The weights of a GRU cell.

    The graph has a product each for the reset and the update gate, of input and state side by side, then the new
    value's product with the state and that with the input.
    """
    of_gates = [(next_product(values), next(values)) for _ in range(2)]
    of_state, state_bias = next_product(values), next(values)
    of_input, input_bias = next_product(values), next(values)
    input_size = of_input.shape[1]
    yield f"{name}.input.weight", torch.cat([*(weight[:, :input_size] for weight, _ in of_gates), of_input])
    yield f"{name}.hidden.weight", torch.cat([*(weight[:, input_size:] for weight, _ in of_gates), of_state])
    # Both biases of a gate are one number in the graph.
    yield f"{name}.input.bias", torch.cat([*(bias for _, bias in of_gates), input_bias])
    yield f"{name}.hidden.bias", torch.cat([*(torch.zeros_like(bias) for _, bias in of_gates), state_bias])


if __name__ == "__main__":
    main()

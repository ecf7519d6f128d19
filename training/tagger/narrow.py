"""Make a tagger narrower: fewer units a layer and input weights of low rank, so that its graph multiplies less.

    python -m training.tagger.narrow training/configs/en-tagger.toml --start runs/en-tagger-start \
        --run-dir runs/en-tagger-narrow

The run folder of a tagger becomes one of the sizes that a configuration names, from which training goes on. What is
left out, and what makes up for it, is chosen by least squares over what the layers give on training text. Units go one
by one: the one that the sums of its readers miss least, whose weights it leaves to the others (Hassibi and Stork 1993,
for whole columns). Input weights become a product of two matrices by a singular value decomposition of their outputs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from service.bundle import VOCABULARIES
from service.text.pipeline import WordEncoder, dump_vocabularies, load_vocabularies, pad
from training.batches import random_part
from training.checkpoints import load_start
from training.config import load_config
from training.corpora import tagging
from training.export import torch_inputs
from training.networks.tagger import Tagger, TaggerConfig
from training.predict import by_length
from training.tagger.config import TaggerRun

DIRECTIONS = ("forwards", "backwards")
DAMPING = 1e-6  # of a covariance, as a share of its mean variance
NUM_WORDS = 60_000  # of training text

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """The mean (size,) and the covariance (size, size) of vectors."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> Moments:
        """The moments of rows (word, size), in float64."""
        rows = rows.double()
        covariance = torch.cov(rows.T, correction=0)
        covariance.diagonal().add_(DAMPING * covariance.diagonal().mean())
        return cls(mean=rows.mean(0), covariance=covariance)

    def part(self, kept: Tensor) -> Moments:
        """The moments of some elements, by their places."""
        return Moments(mean=self.mean[kept], covariance=self.covariance[kept][:, kept])


class Reader:
    """Weights (output, unit) that read the units of a layer, while units are taken away.

    In the place of a unit comes its best linear estimate from those that are left: its column is spread over theirs,
    and the estimate's constant is added to ``bias`` (output,).
    """

    def __init__(self, weight: Tensor, moments: Moments) -> None:
        self.weight = weight.double().clone()
        self.bias = self.weight.new_zeros(len(weight))
        self._mean = moments.mean
        self._inverse = moments.covariance.inverse()  # of the units that are left, zeros for the others
        self._variance = (self.weight @ moments.covariance * self.weight).sum()

    def costs(self) -> Tensor:
        """The error of the outputs without each unit (unit,), as a share of their variance; NaN where it is gone."""
        return self.weight.square().sum(0) / self._inverse.diagonal() / self._variance

    def remove(self, unit: int) -> None:
        """Take away one unit."""
        estimate, column = self._inverse[unit] / self._inverse[unit, unit], self.weight[:, unit].clone()
        self.bias += column * (estimate @ self._mean)
        self.weight -= torch.outer(column, estimate)
        self._inverse = self._inverse - torch.outer(self._inverse[:, unit], estimate)
        self._inverse[unit] = self._inverse[:, unit] = self.weight[:, unit] = 0


def narrow(state: State, inputs: Sequence[Tensor], config: TaggerConfig) -> State:
    """The state of a tagger with the sizes of ``config`` from one of bidirectional LSTM layers, wider or the same.

    ``inputs`` are the vectors (word, size) that each layer reads on some text, and at last the heads.
    """
    state = dict(state)
    moments = [Moments.of(rows) for rows in inputs]
    for layer in range(config.num_layers):
        kept = remove_units(state, layer, moments[layer + 1], config)
        moments[layer + 1] = moments[layer + 1].part(kept)
    if config.projection_size and "encoder.projections.0.weight" not in state:
        for layer in range(config.num_layers):
            project(state, layer, moments[layer], config.projection_size)
    return {name: value.float() for name, value in state.items()}


def remove_units(state: State, layer: int, moments: Moments, config: TaggerConfig) -> Tensor:
    """Take units from a layer, in place, until it has ``hidden_size`` a direction; returns the places of the others.

    ``moments`` are those of the layer's output (direction x unit).
    """
    readers = readers_of(state, layer, config)
    above = Reader(torch.cat([state[weight] for weight, _ in readers]), moments)
    kept = []
    for direction, places in enumerate(torch.arange(len(moments.mean)).chunk(2)):
        name = f"encoder.{DIRECTIONS[direction]}.{layer}."
        within = Reader(state[f"{name}weight_hh_l0"], moments.part(places))
        left = list(range(len(places)))
        while len(left) > config.hidden_size:
            costs = (above.costs()[places] + within.costs()).tolist()
            unit = min(left, key=costs.__getitem__)
            above.remove(int(places[unit]))
            within.remove(unit)
            left.remove(unit)
        rows = torch.cat([torch.tensor(left) + gate * len(places) for gate in range(4)])
        state[f"{name}weight_hh_l0"] = within.weight[rows][:, left]
        state[f"{name}bias_hh_l0"] = (state[f"{name}bias_hh_l0"] + within.bias)[rows]
        for part in ("weight_ih_l0", "bias_ih_l0"):
            state[name + part] = state[name + part][rows]
        kept.append(places[left])
    sizes = [len(state[weight]) for weight, _ in readers]
    parts = zip(readers, above.weight[:, torch.cat(kept)].split(sizes), above.bias.split(sizes), strict=True)
    for (weight, bias), columns, constant in parts:
        state[weight], state[bias] = columns, state[bias] + constant
    return torch.cat(kept)


def readers_of(state: State, layer: int, config: TaggerConfig) -> list[tuple[str, str]]:
    """The names of the weights that read the output of a layer, each with the name of its bias."""
    if layer + 1 == config.num_layers:
        heads = {name.rpartition(".")[0] for name in state if name.startswith("heads.")}
        return [(f"{head}.weight", f"{head}.bias") for head in sorted(heads)]
    above = [f"encoder.{direction}.{layer + 1}." for direction in DIRECTIONS]
    return [(f"{name}weight_ih_l0", f"{name}bias_ih_l0") for name in above]


def project(state: State, layer: int, moments: Moments, size: int) -> None:
    """Replace the input weights of a layer, in place, by a projection to vectors of variance 1 and weights for those.

    ``moments`` are those of the layer's input.
    """
    names = [f"encoder.{direction}.{layer}." for direction in DIRECTIONS]
    weight = torch.cat([state[f"{name}weight_ih_l0"] for name in names]).double()
    root = torch.linalg.cholesky(moments.covariance)
    outputs, values, inputs = torch.linalg.svd(weight @ root, full_matrices=False)
    narrowed = outputs[:, :size] * values[:size]
    projection = torch.linalg.solve_triangular(root, inputs[:size], upper=False, left=False)
    constant = (weight - narrowed @ projection) @ moments.mean
    state[f"encoder.projections.{layer}.weight"] = projection
    for name, rows, bias in zip(names, narrowed.chunk(2), constant.chunk(2), strict=True):
        state[f"{name}weight_ih_l0"] = rows
        state[f"{name}bias_ih_l0"] = state[f"{name}bias_ih_l0"] + bias


@torch.inference_mode()
def layer_inputs(network: Tagger, encoder: WordEncoder, sentences: Sequence[Sequence[str]]) -> list[Tensor]:
    """The vectors (word, size) of all words that each layer reads, and at last the heads."""
    collected: list[list[Tensor]] = []
    for indices in by_length(sentences, 4000):
        ids, lengths = torch_inputs(pad([encoder.encode(sentences[i]) for i in indices]))
        real = torch.arange(ids.shape[1]) < lengths[:, None]
        levels = [network.features(ids)]
        for layer in range(network.config.num_layers):
            levels.append(network.encoder.layer(layer, levels[-1], lengths))
        collected.append([rows[real] for rows in levels])
    return [torch.cat(rows) for rows in zip(*collected, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a TOML file of training/configs with the sizes to make")
    parser.add_argument("--start", type=Path, required=True, help="run folder of the wide tagger")
    parser.add_argument("--run-dir", type=Path, required=True, help="a folder that training can start from")
    parser.add_argument("--data-dir", type=Path, help="folder with the corpora; else they are downloaded")
    arguments = parser.parse_args()
    config = load_config(TaggerRun, arguments.config)
    vocabularies = load_vocabularies(arguments.start / VOCABULARIES)
    encoder = WordEncoder(vocabularies, num_characters=config.vocabulary.num_characters, cache_size=200_000)
    wide = load_start(arguments.start, config.network)
    inputs = layer_inputs(wide, encoder, text_of(config, arguments.data_dir))
    narrowed = narrow(wide.state_dict(), inputs, config.network)
    arguments.run_dir.mkdir(parents=True, exist_ok=True)
    torch.save({"network": narrowed}, arguments.run_dir / "best.pt")
    dump_vocabularies(vocabularies, arguments.run_dir / VOCABULARIES)


def text_of(config: TaggerRun, data_dir: Path | None) -> list[Sequence[str]]:
    """Random sentences of the training corpora, of NUM_WORDS words in all."""
    corpora = tagging.read_training(data_dir, config.corpora)
    sentences = [sentence.words for sentence in chain.from_iterable(corpora.values())]
    return random_part(sentences, NUM_WORDS, np.random.default_rng(config.fit.seed))


if __name__ == "__main__":
    main()

"""Train a translator: pairs, subwords, network, fit, evaluate, export.

python -m training.translator.train --help
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from service.bundle import SUBWORDS
from service.text.subwords import Subwords
from training.checkpoints import load_translator, new_translator
from training.command_line import publishing_parser
from training.config import load_config
from training.corpora.parallel import PairSet, read_pairs
from training.displays import Display
from training.loop import fit, seed_everything
from training.networks.translator import TranslatorNetwork
from training.translator.batches import MeasuredPair, PairBatch, measure, pack_pairs, pair_batches
from training.translator.config import TranslatorRun
from training.translator.predict import score_sets
from training.translator.prepare import PAIRS, dev_sets, folder_of_pairs, mixture_of, prepare, read_prepared
from training.translator.subwords import SubwordPairEncoder
from training.translator.variation import RandomVariation


def main() -> None:
    arguments = publishing_parser(__doc__).parse_args()
    config = load_config(TranslatorRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    seed_everything(config.fit.seed)

    pairs_folder = folder_of_pairs(config, folder)
    if not list(pairs_folder.glob(f"{PAIRS}*")):
        prepare(config, arguments.data_dir, pairs_folder)
    subwords = subwords_of_run(folder, pairs_folder)
    best_cut = SubwordPairEncoder(subwords)
    dev = dev_sets(config, arguments.data_dir)
    epochs = Epochs(config, pairs_folder, best_cut)

    network = first_network(config, subwords)
    print(f"{sum(weight.numel() for weight in network.parameters()):,} weights; {len(epochs.examples):,} pairs")
    best = fit_translator(network, epochs, best_cut, dev, config=config, folder=folder)
    if not arguments.bundle:
        return
    # Publishing needs the packages of the service, training alone does not.
    from training.translator.evaluate import print_figures
    from training.translator.publish import publish

    figures = publish(
        best,
        subwords,
        config=config,
        folder=arguments.bundle,
        data_dir=arguments.data_dir,
        report=folder / "report",
    )
    print_figures(figures)


def fit_translator(
    network: TranslatorNetwork,
    epochs: Epochs,
    encoder: SubwordPairEncoder,
    dev: Sequence[PairSet],
    *,
    config: TranslatorRun,
    folder: Path,
    display: Display | None = None,
) -> nn.Module:
    """Train a network and return the weights of the highest chrF on the dev sets; see :func:`training.loop.fit`."""
    return fit(
        network,
        epochs.batches,
        steps_per_epoch=epochs.num_steps,
        score=lambda averaged: score_sets(averaged, encoder, dev, beam_size=config.dev_beam_size),
        config=config.fit,
        folder=folder,
        display=display,
    )


class Epochs:
    """The training pairs, and the batches of each epoch."""

    def __init__(self, config: TranslatorRun, pairs_folder: Path, best_cut: SubwordPairEncoder) -> None:
        self._config = config
        self._encoder = replace(best_cut, sampling=config.subword_sampling)
        prepared = read_prepared(pairs_folder, directions=config.directions, max_tokens=config.max_tokens)
        rewritten = read_pairs(Path(config.distilled)) if config.distilled else []
        self.examples = measure(rewritten, best_cut, max_tokens=config.max_tokens)
        if config.keep_references:
            self.examples = [each.measured for each in prepared] + self.examples
        self._mixture = mixture_of(config, prepared, epoch_tokens=config.epoch_tokens) if config.epoch_tokens else None
        first = self._draw(np.random.default_rng(config.fit.seed))
        self.num_steps = len(pack_pairs([each.length for each in first], config.batch_tokens, np.random.default_rng(0)))

    def batches(self, rng: np.random.Generator) -> Iterator[PairBatch]:
        """One epoch: every pair once, or what the mixture draws."""
        drawn = self._draw(rng)
        return pair_batches(
            [each.pair for each in drawn],
            self._encoder,
            num_tokens=self._config.batch_tokens,
            vary=RandomVariation(self._config.variation),
            own_share=self._config.scheduled_sampling,
            rng=rng,
        )

    def _draw(self, rng: np.random.Generator) -> list[MeasuredPair]:
        if self._mixture is None:
            return self.examples
        return [self.examples[place] for place in self._mixture.draw(rng)]


def subwords_of_run(folder: Path, pairs_folder: Path) -> Subwords:
    """The subwords of the pairs, kept with the run, so that a resumed run cuts its texts as before."""
    path = folder / SUBWORDS
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes((pairs_folder / SUBWORDS).read_bytes())
    return Subwords.load(path)


def first_network(config: TranslatorRun, subwords: Subwords) -> TranslatorNetwork:
    """A new network, or the best one of the run to start from. Raises RuntimeError if that has other sizes."""
    if config.starts_from:
        return load_translator(Path(config.starts_from), config).train()
    return new_translator(config, subwords)


if __name__ == "__main__":
    main()

"""Train a translator: pairs, subwords, network, fit, evaluate, export.

``python -m training.train_translator --help``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from service.bundle import SUBWORDS
from service.text.subwords import Subwords
from training.checkpoints import load_translator
from training.command_line import publishing_parser
from training.config import load_config
from training.corpora.parallel import Pair, read_pairs, read_sets
from training.loop import fit, seed_everything
from training.networks.translator import Translator
from training.pair_batches import PairBatch, measure, pack_pairs, pair_batches
from training.pair_variation import RandomVariation, mask_pair
from training.publish_translator import publish
from training.subword_training import SubwordPairEncoder, learn_subwords
from training.translating import score_sets
from training.translator_run import TranslatorRun


def main() -> None:
    arguments = publishing_parser(__doc__).parse_args()
    config = load_config(TranslatorRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    seed_everything(config.fit.seed)

    pairs = read_training(config, arguments.data_dir)
    dev = read_sets(config.corpora, config.directions, "dev", arguments.data_dir)
    subwords = subwords_of_run(folder, config, pairs)
    best_cut = SubwordPairEncoder(subwords)
    examples = measure([mask_pair(pair, subwords.alphabet) for pair in pairs], best_cut, max_tokens=config.max_tokens)
    lengths = [example.length for example in examples]

    network = first_network(config, subwords)
    print(f"{sum(weight.numel() for weight in network.parameters()):,} weights; {len(examples):,} pairs")
    encoder = replace(best_cut, sampling=config.subword_sampling)

    def epoch(rng: np.random.Generator) -> Iterator[PairBatch]:
        return pair_batches(
            [example.pair for example in examples],
            lengths,
            encoder,
            num_tokens=config.batch_tokens,
            vary=RandomVariation(config.variation),
            own_share=config.scheduled_sampling,
            rng=rng,
        )

    best = fit(
        network,
        epoch,
        steps_per_epoch=len(pack_pairs(lengths, config.batch_tokens, np.random.default_rng(config.fit.seed))),
        score=lambda averaged: score_sets(averaged, best_cut, dev, beam_size=config.dev_beam_size),
        config=config.fit,
        folder=folder,
    )
    if not arguments.bundle:
        return
    figures = publish(
        best,
        subwords,
        config=config,
        folder=arguments.bundle,
        data_dir=arguments.data_dir,
        report=folder / "report",
    )
    for name, value in figures.items():
        print(f"{name:56} {value:6.2f}")


def read_training(config: TranslatorRun, data_dir: Path | None) -> list[Pair]:
    """The pairs of the corpora, and those that teachers rewrote, beside them or in their place."""
    rewritten = read_pairs(Path(config.distilled)) if config.distilled else []
    if rewritten and not config.keep_references:
        return rewritten
    sets = read_sets(config.corpora, config.directions, "train", data_dir)
    return [pair for each in sets for pair in each.pairs] + rewritten


def subwords_of_run(folder: Path, config: TranslatorRun, pairs: Sequence[Pair]) -> Subwords:
    """Kept with the run: a resumed one must cut its texts as before."""
    path = folder / SUBWORDS
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            (Path(known) / SUBWORDS).read_bytes()
            if (known := config.starts_from or config.subwords_of)
            else learn(config, pairs)
        )
    return Subwords.load(path)


def first_network(config: TranslatorRun, subwords: Subwords) -> Translator:
    """A new one, or the best of the run to start from. Raises RuntimeError if that has other sizes."""
    if config.starts_from:
        return load_translator(Path(config.starts_from), config).train()
    return Translator(vocabulary_size=len(subwords), config=config.network)


def learn(config: TranslatorRun, pairs: Sequence[Pair]) -> bytes:
    """From every different sentence of both sides once."""
    texts = dict.fromkeys(text for pair in pairs for text in (pair.source, pair.target))
    languages = [direction.partition("-")[2] for direction in config.directions]
    return learn_subwords(texts, size=config.vocabulary_size, languages=languages)


if __name__ == "__main__":
    main()

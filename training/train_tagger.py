"""Train the tagger: corpora, network, fit, evaluate, export. ``python -m training.train_tagger --help``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from service.bundle import VOCABULARIES
from service.text.pipeline import WordEncoder
from service.text.vocabulary import Vocabulary, load_vocabularies
from training.command_line import publishing_parser
from training.config import load_config
from training.corpora import tagging
from training.corpora.tagging_sets import read_sets
from training.export import round_weights
from training.loop import fit, seed_everything
from training.mixture import Mixture
from training.networks.tagger import Tagger
from training.publish_tagger import publish
from training.scoring import score_sets
from training.tagger_run import TaggerRun
from training.vocabularies import build_vocabularies, count_words, dropout_rates, vocabularies_of_run


def main() -> None:
    arguments = publishing_parser(__doc__).parse_args()
    config = load_config(TaggerRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    seed_everything(config.fit.seed)

    corpora = tagging.read_training(arguments.data_dir)
    heads = tagging.tag_sets(corpora["ewt"], corpora["gmb"])
    if config.labelled_text:
        corpora["labelled"] = tagging.read_labelled(Path(config.labelled_text))
    examples = {name: tagging.examples_of(rows, name, heads) for name, rows in corpora.items()}
    dev = read_sets("dev", arguments.data_dir)

    counts = count_words(s.words for sentences in corpora.values() for s in sentences)
    vocabularies = vocabularies_of_run(folder, lambda: first_vocabularies(config, counts))
    encoder = WordEncoder(vocabularies, num_characters=config.vocabulary.num_characters, cache_size=200_000)
    rates = dropout_rates(vocabularies["words"], counts, config.augment.word_dropout)

    network = Tagger.of(vocabularies, heads, config.network)
    if config.pretrained:
        load_pretrained(network, Path(config.pretrained))

    mixture = Mixture(
        examples=examples,
        num_words={"gmb": config.gmb_words, "labelled": config.labelled_words},
        batch_words=config.batch_words,
        augment=config.augment,
        encoder=encoder,
        rates=rates,
    )
    best = fit(
        network,
        mixture.epoch,
        steps_per_epoch=mixture.batches_per_epoch(),
        score=lambda averaged: score_sets(averaged, encoder, dev, heads),
        config=config.fit,
        folder=folder,
    )
    for name, value in score_sets(best, encoder, dev, heads).items():
        print(f"dev {name:20} {value:6.2f}")
    if not arguments.bundle:
        return
    round_weights(best)  # as they will be in the bundle
    own_schemes = score_sets(best, encoder, read_sets("test", arguments.data_dir), heads)
    figures = publish(
        best,
        vocabularies,
        heads,
        config=config,
        own_schemes={f"{name}_own_scheme_f1": round(own_schemes[f"{name}_{name}"], 2) for name in ("gmb", "wnut17")},
        folder=arguments.bundle,
        data_dir=arguments.data_dir,
        report=folder / "report",
    )
    for name, value in figures.items():
        print(f"{name:24} {value:6.2f}")


def first_vocabularies(config: TaggerRun, counts: Mapping[str, int]) -> dict[str, Vocabulary]:
    """Those of the run that this one starts from, or new ones."""
    if config.pretrained:
        return load_vocabularies(Path(config.pretrained) / VOCABULARIES)
    return build_vocabularies(counts, config.vocabulary)


def load_pretrained(network: Tagger, folder: Path) -> None:
    """Start from a pretraining run (features and encoder) or from another tagger's (its heads too)."""
    state = torch.load(folder / "best.pt", weights_only=True)["network"]
    names = {name.removeprefix("tagger."): name for name in state}
    wanted = {name: state[names[name]] for name in network.state_dict() if name in names}
    network.load_state_dict(wanted, strict=False)  # what the other run has not stays new


if __name__ == "__main__":
    main()

"""Train the tagger: corpora, network, fit, evaluate, export.

python -m training.tagger.train --help
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from service.bundle import VOCABULARIES
from service.text.pipeline import Vocabulary, WordEncoder, load_vocabularies
from training.checkpoints import load_start
from training.command_line import publishing_parser
from training.config import load_config
from training.corpora import tagging
from training.corpora.examples import TaggedSentence
from training.corpora.tagging_sets import read_sets
from training.export import round_weights
from training.loop import Epoch, fit, seed_everything
from training.networks.tagger import Tagger
from training.tagger.batches import TaggedExample, bits_of
from training.tagger.config import TaggerRun
from training.tagger.generated_sentences import generate
from training.tagger.mixture import Mixture, taught_batches
from training.tagger.predict import score_sets
from training.tagger.publish import publish
from training.tagger.renamed_sentences import harvest, rename
from training.vocabularies import build_vocabularies, count_words, dropout_rates, vocabularies_of_run


def main() -> None:
    arguments = publishing_parser(__doc__).parse_args()
    config = load_config(TaggerRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    seed_everything(config.fit.seed)

    corpora = read_corpora(config, arguments.data_dir)
    heads = tagging.read_tag_sets(arguments.data_dir)
    examples = {
        name: tagging.examples_of(rows, name, heads, labelled_entities=config.labelled_entities)
        for name, rows in corpora.items()
    }
    examples |= made_examples(config, corpora, examples, heads["entity"])
    dev = read_sets("dev", arguments.data_dir)

    counts = count_words(s.words for sentences in examples.values() for s in sentences)
    vocabularies = vocabularies_of_run(folder, lambda: first_vocabularies(config, counts))
    encoder = WordEncoder(vocabularies, num_characters=config.vocabulary.num_characters, cache_size=200_000)
    rates = dropout_rates(vocabularies["words"], counts, config.augment.word_dropout)

    network = Tagger.of(vocabularies, heads, config.network)
    if config.pretrained:
        load_pretrained(network, Path(config.pretrained))

    mixture = Mixture(
        examples=examples,
        num_words=config.epoch_words,
        batch_words=config.batch_words,
        augment=config.augment,
        encoder=encoder,
        rates=rates,
    )
    best = fit(
        network,
        taught_epoch(mixture, load_start(Path(config.teacher), config.network)) if config.teacher else mixture.epoch,
        steps_per_epoch=mixture.batches_per_epoch(),
        score=lambda averaged: score_sets(averaged, encoder, dev, heads),
        config=config.fit,
        folder=folder,
    )
    for name, value in score_sets(best, encoder, dev, heads).items():
        print(f"dev {name:20} {value:6.2f}")
    if not arguments.bundle:
        return
    round_weights(best)  # as in the bundle
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


def taught_epoch(mixture: Mixture, teacher: Tagger) -> Epoch:
    """The epochs of a mixture with a teacher's answers to them."""
    return lambda rng: taught_batches(mixture.epoch(rng), teacher)


def read_corpora(config: TaggerRun, data_dir: Path | None) -> dict[str, list[TaggedSentence]]:
    """The corpora of a configuration, and ``labelled``, the text that taggers labelled."""
    corpora = tagging.read_training(data_dir, config.corpora)
    if config.labelled_text:
        corpora["labelled"] = tagging.read_labelled(Path(config.labelled_text))
        if "silver" in corpora:
            corpora["silver"] = tagging.with_second_opinion(corpora["silver"], corpora["labelled"])
    return corpora


def made_examples(
    config: TaggerRun,
    corpora: Mapping[str, Sequence[TaggedSentence]],
    examples: Mapping[str, Sequence[TaggedExample]],
    tags: Sequence[str],
) -> dict[str, list[TaggedExample]]:
    """Generated sentences: some from templates, others copies of corpus sentences with other names."""
    names = harvest(corpora)
    made = {}
    if config.generated_sentences:
        made["generated"] = generate(config.generated_sentences, names, config.fit.seed)
    if config.renamed_sentences:
        made["renamed"] = rename(examples, tags, names, count=config.renamed_sentences, seed=config.fit.seed)
    return {
        name: [TaggedExample(words=s.words, allowed={"entity": bits_of(s.allowed, tags)}) for s in sentences]
        for name, sentences in made.items()
    }


def first_vocabularies(config: TaggerRun, counts: Mapping[str, int]) -> dict[str, Vocabulary]:
    """The vocabularies of the run from which this one starts, or new ones."""
    if config.pretrained:
        return load_vocabularies(Path(config.pretrained) / VOCABULARIES)
    return build_vocabularies(counts, config.vocabulary)


def load_pretrained(network: Tagger, folder: Path) -> None:
    """Start from a pretraining run (features and encoder) or from another tagger's (its heads too)."""
    state = torch.load(folder / "best.pt", weights_only=True)["network"]
    names = {name.removeprefix("tagger."): name for name in state}
    wanted = {name: state[names[name]] for name in network.state_dict() if name in names}
    network.load_state_dict(wanted, strict=False)  # weights that the other run lacks stay new


if __name__ == "__main__":
    main()

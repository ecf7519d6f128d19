"""Train the tagger: corpora, network, fit, evaluate, export. ``python -m training.train_tagger --help``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import eq
from pathlib import Path

import numpy as np
import torch

from service.text.pipeline import WordEncoder
from service.text.vocabulary import load_vocabularies
from training.batches import TaggedBatch, TaggedExample, pack, tagged_batches
from training.config import load_config
from training.corpora import tagging
from training.corpora.examples import TaggedSentence
from training.corpora.tagging_sets import GoldSet, read_entity_sets, read_pos_set
from training.export import round_weights
from training.loop import fit, seed_everything
from training.networks.tagger import Tagger
from training.prediction import score_spans, tag_sentences
from training.publish_tagger import publish
from training.tagger_run import TaggerRun
from training.vocabularies import build_vocabularies, count_words, dropout_rates, vocabularies_of_run


def read_training(data_dir: Path | None) -> dict[str, list[TaggedSentence]]:
    return {
        "ewt": tagging.read_ewt("train", data_dir),
        "gmb": tagging.read_gmb("train", data_dir),
        "wnut17": tagging.read_wnut17("train", data_dir),
        "btc": tagging.read_btc(data_dir),
        "wikigold": tagging.read_wikigold(data_dir),
    }


def score_sets(
    network: Tagger, encoder: WordEncoder, sets: Sequence[GoldSet], heads: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Accuracy and F1 in percent; ``score`` weighs a point of tags like five of entities."""
    figures = {}
    for test in sets:
        predicted = tag_sentences(network, encoder, test.sentences, {head: heads[head] for head in test.gold})
        for head, gold in test.gold.items():
            if test.labels:
                figures[f"{test.name}_{head}"] = 100 * score_spans(gold, predicted[head], test.labels).micro.f1
            else:
                hits = map(eq, chain.from_iterable(gold), chain.from_iterable(predicted[head]))
                figures[head] = 100 * float(np.mean(list(hits)))
    entities = [value for name, value in figures.items() if name not in ("upos", "xpos")]
    figures["score"] = (figures["upos"] + figures["xpos"]) / 2 + 0.2 * float(np.mean(entities))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data-dir", type=Path, help="folder with the corpora; else they are downloaded")
    parser.add_argument("--run-dir", type=Path, help="checkpoints, logs and report; default runs/NAME")
    parser.add_argument("--bundle", type=Path, help="publish: measure on the test sets, write a bundle here")
    arguments = parser.parse_args()
    config = load_config(TaggerRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    seed_everything(config.fit.seed)

    corpora = read_training(arguments.data_dir)
    heads = tagging.tag_sets(corpora["ewt"], corpora["gmb"])
    if config.labelled_text:
        corpora["labelled"] = tagging.read_labelled(Path(config.labelled_text))
    examples = {name: tagging.examples_of(rows, name, heads) for name, rows in corpora.items()}
    dev = read_sets("dev", arguments.data_dir)

    counts = count_words(s.words for sentences in corpora.values() for s in sentences)
    pretrained = Path(config.pretrained) if config.pretrained else None
    vocabularies = vocabularies_of_run(
        folder,
        lambda: (
            load_vocabularies(pretrained / "vocabularies.json")
            if pretrained
            else build_vocabularies(counts, config.vocabulary)
        ),
    )
    encoder = WordEncoder(vocabularies, num_characters=config.vocabulary.num_characters, cache_size=200_000)
    rates = dropout_rates(vocabularies["words"], counts, config.augment.word_dropout)

    network = Tagger(
        sizes={name: len(vocabulary) for name, vocabulary in vocabularies.items()},
        heads={name: len(tags) for name, tags in heads.items()},
        config=config.network,
    )
    if pretrained:
        load_pretrained(network, pretrained)

    words = {name: sum(len(s.words) for s in sentences) for name, sentences in corpora.items()}  # seen an epoch
    words |= {"gmb": config.gmb_words}
    if "labelled" in corpora:
        words["labelled"] = config.labelled_words

    def choose(rng: np.random.Generator) -> list[TaggedExample]:
        return [example for name, members in examples.items() for example in sample(members, words[name], rng)]

    def epoch(rng: np.random.Generator) -> Iterator[TaggedBatch]:
        return tagged_batches(
            choose(rng), encoder, num_words=config.batch_words, rates=rates, config=config.augment, rng=rng
        )

    rng = np.random.default_rng(0)
    num_batches = len(pack([len(example.words) for example in choose(rng)], config.batch_words, rng))

    best = fit(
        network,
        epoch,
        steps_per_epoch=num_batches,
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


def read_sets(split: str, data_dir: Path | None) -> list[GoldSet]:
    return [read_pos_set(split, data_dir), *read_entity_sets(split, data_dir)]


def sample(examples: Sequence[TaggedExample], num_words: int, rng: np.random.Generator) -> list[TaggedExample]:
    """Random examples, about so many words of them."""
    chosen, total = [], 0
    for i in rng.permutation(len(examples)):
        if total >= num_words:
            break
        chosen.append(examples[i])
        total += len(examples[i].words)
    return chosen


def load_pretrained(network: Tagger, folder: Path) -> None:
    """Start from a pretraining run (features and encoder) or from another tagger's (its heads too)."""
    state = torch.load(folder / "best.pt", weights_only=True)["network"]
    names = {name.removeprefix("tagger."): name for name in state}
    wanted = {name: state[names[name]] for name in network.state_dict() if name in names}
    network.load_state_dict(wanted, strict=False)  # what the other run has not stays new


if __name__ == "__main__":
    main()

"""Pretrain a tagger's features and encoder on plain text by predicting masked words.

    python -m training.tagger.pretrain --help

The configurations of :mod:`training.tagger.train` name the run folder as ``pretrained``. The corpora are those whose
licences allow a model of them to be passed on, without any split on which something is evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from service.text.pipeline import WordEncoder
from training.batches import pack
from training.command_line import run_parser
from training.config import FitConfig, load_config
from training.corpora import plain, tagging
from training.loop import fit, seed_everything
from training.networks.cloze import ClozeModel
from training.networks.tagger import Tagger, TaggerConfig
from training.tagger.batches import ClozeBatch, cloze_batches
from training.vocabularies import VocabularyConfig, build_vocabularies, count_words, vocabularies_of_run


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingRun:
    name: str
    batch_words: int = 2000
    mask_rate: float = 0.25
    max_sentence: int = 100  # words; longer ones are left out
    num_dev: int = 2000  # sentences held out to measure perplexity
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    network: TaggerConfig = field(default_factory=TaggerConfig)
    fit: FitConfig


def main() -> None:
    arguments = run_parser(__doc__).parse_args()
    config = load_config(PretrainingRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    seed_everything(config.fit.seed)

    annotated = [sentence.words for corpus in tagging.read_training(arguments.data_dir).values() for sentence in corpus]
    texts = chain(plain.read_tatoeba_english(arguments.data_dir), plain.read_war_and_peace(arguments.data_dir))
    sentences = [words for words in chain(annotated, texts) if 1 < len(words) <= config.max_sentence]
    order = np.random.default_rng(0).permutation(len(sentences))
    dev = [sentences[i] for i in order[: config.num_dev]]
    train = [sentences[i] for i in order[config.num_dev :]]
    vocabularies = vocabularies_of_run(folder, lambda: build_vocabularies(count_words(train), config.vocabulary))
    num_words = sum(map(len, train))
    print(f"{len(train)} sentences, {num_words} words; vocabulary of {len(vocabularies['words'])}")

    encoder = WordEncoder(vocabularies, num_characters=config.vocabulary.num_characters, cache_size=500_000)
    network = ClozeModel(Tagger.of(vocabularies, {}, config.network))

    def batches(rows: list, rng: np.random.Generator):
        return cloze_batches(rows, encoder, num_words=config.batch_words, mask_rate=config.mask_rate, rng=rng)

    fit(
        network,
        lambda rng: batches(train, rng),
        steps_per_epoch=len(pack(list(map(len, train)), config.batch_words, np.random.default_rng(0))),
        score=lambda averaged: perplexity(averaged, list(batches(dev, np.random.default_rng(0)))),
        config=config.fit,
        folder=folder,
    )


def perplexity(network: torch.nn.Module, batches: list[ClozeBatch]) -> dict[str, float]:
    """The perplexity of masked known words, given all words that are not masked."""
    counts = [len(batch.targets) for batch in batches]
    device = next(network.parameters()).device
    with torch.inference_mode():
        losses = [float(network.loss(batch.to(device))) for batch in batches]
    nats = float(np.average(losses, weights=counts))
    return {"perplexity": float(np.exp(nats)), "score": -nats}


if __name__ == "__main__":
    main()

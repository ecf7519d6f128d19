"""Train a language model of words on plain text: corpus, network, fit, perplexity.

``python -m training.train_language_model --help``. It is an experiment of its own: no published model begins with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp
from pathlib import Path

import numpy as np

from service.text.batch import Ids
from service.text.pipeline import TextEncoder
from service.text.tokenizer import words_of
from service.text.vocabulary import Vocabulary
from training.classifier.plain_text import read_column
from training.command_line import run_parser
from training.config import FitConfig, load_config
from training.loop import fit, seed_everything
from training.networks.language_model import LanguageModel, LanguageModelConfig
from training.networks.layers import State
from training.streams import num_batches, stream_batches
from training.vocabularies import vocabularies_of_run, vocabulary_of_texts
from training.word_vectors import start_from_vectors

END = "</s>"  # between texts; no word that the tokenizer cuts


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModelRun:
    """One language model; a file of ``training/configs``."""

    name: str
    sources: tuple[str, ...]  # names in training/classifier/plain_text.py; of running text a paragraph is a text
    max_words: int = 30_000
    num_dev: int = 300  # texts held out to measure perplexity
    epoch_texts: int = 9_000  # of the corpus seen an epoch, a fresh sample each time
    num_streams: int = 128
    num_steps: int = 48
    word_vectors: bool = True  # GloVe's are the start of the table's first columns
    network: LanguageModelConfig = field(default_factory=LanguageModelConfig)
    fit: FitConfig


def main() -> None:
    arguments = run_parser(__doc__).parse_args()
    config = load_config(LanguageModelRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    seed_everything(config.fit.seed)

    held_out, texts = split_texts(config, arguments.data_dir)
    vocabulary = vocabularies_of_run(
        folder, lambda: {"words": vocabulary_of_texts(texts, max_words=config.max_words, first=(END,))}
    )["words"]
    encoder = TextEncoder(vocabulary, cache_size=500_000)
    train = [encoder.encode(words_of(text)) for text in texts]
    dev = [encoder.encode(words_of(text)) for text in held_out]
    end_id = vocabulary.encode(END)
    print(f"{len(train)} texts, {sum(map(len, train))} tokens; vocabulary of {len(vocabulary)}")

    network = LanguageModel(frequencies=frequencies_of(train, vocabulary), config=config.network)
    if config.word_vectors:
        start_from_vectors(network.words, vocabulary, arguments.data_dir)

    def epoch(rng: np.random.Generator):
        chosen = [train[i] for i in rng.choice(len(train), min(config.epoch_texts, len(train)), replace=False)]
        return stream_batches(
            chosen, num_streams=config.num_streams, num_steps=config.num_steps, end_id=end_id, rng=rng
        )

    shape = {"num_streams": config.num_streams, "num_steps": config.num_steps}
    best = fit(
        network,
        epoch,
        steps_per_epoch=num_batches(train[: config.epoch_texts], **shape),
        score=lambda averaged: perplexity(averaged, dev, end_id),
        config=config.fit,
        folder=folder,
    )
    for name, value in perplexity(best, dev, end_id).items():
        print(f"dev {name:24} {value:8.2f}")


def split_texts(config: LanguageModelRun, data_dir: Path | None) -> tuple[list[str], list[str]]:
    """The texts of all sources, each once, in random order: those held out for perplexity, and all others."""
    texts = list(dict.fromkeys(text for source in config.sources for text in read_column(source, data_dir)))
    np.random.default_rng(0).shuffle(texts)
    return texts[: config.num_dev], texts[config.num_dev :]


def frequencies_of(texts: Sequence[Ids], vocabulary: Vocabulary) -> np.ndarray:
    """How often each id occurs (word,); the mark between texts once a text, and nothing less than once."""
    counts = np.bincount(np.concatenate(texts), minlength=len(vocabulary)).astype(np.float64)
    counts[vocabulary.encode(END)] = len(texts)
    return np.maximum(counts, 1.0)


def perplexity(network: LanguageModel, texts: Sequence[Ids], end_id: int) -> dict[str, float]:
    """By direction: exp of the mean negative log-likelihood of a token, over the whole vocabulary, unknown words
    counted as the one word they are. Texts run on from one another as in training."""
    states: dict[str, State] = {}
    total, sums = 0, dict.fromkeys(network.directions, 0.0)
    for batch in stream_batches(texts, num_streams=min(16, len(texts)), num_steps=64, end_id=end_id):
        for name, value in network.log_likelihood(batch, states).items():
            sums[name] += value * batch.num_tokens
        total += batch.num_tokens
    figures = {f"perplexity_{name}": exp(-value / total) for name, value in sums.items()}
    return {"score": -sum(figures.values()), **figures}


if __name__ == "__main__":
    main()

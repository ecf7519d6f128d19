"""Small language models of words on open English text, and n-grams on the same, for experiments of minutes."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from service.text.pipeline import Ids
from training.language_model.batches import stream_batches
from training.language_model.corpora import read_splits
from training.language_model.ngrams import KneserNey
from training.language_model.units import Units, vocabulary_of_words, word_units
from training.networks.language_model import FORWARDS, LanguageModel, LanguageModelConfig
from training.networks.layers import State

NUM_STREAMS, NUM_STEPS = 16, 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that say what is trained on what."""
    parser.add_argument("--sources", nargs="+", default=["lm-english/wikipedia", "lm-english/textbooks"])
    parser.add_argument("--num-texts", type=int, default=25_000, help="training texts at most")
    parser.add_argument("--vocabulary-size", type=int, default=8000)
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--batches", type=int, default=2000, help=f"of {NUM_STREAMS} x {NUM_STEPS} words")


@dataclass(frozen=True, kw_only=True)
class Text:
    """Training and dev texts as ids, and the words that the ids stand for."""

    units: Units
    words: tuple[str, ...]
    train: list[Ids]
    dev: list[Ids]


def read_text(arguments: Any) -> Text:
    """The texts of the sources, in random order; words are in lower case, the rarest are unknown."""
    splits = read_splits(arguments.sources, arguments.data_dir)
    rng = np.random.default_rng(arguments.seed)
    train = [text for split in splits.values() for text in split.train]
    train = [train[place] for place in rng.permutation(len(train))[: arguments.num_texts]]
    vocabulary = vocabulary_of_words(train, arguments.vocabulary_size)
    units = word_units(vocabulary)
    dev = [text for split in splits.values() for text in split.dev]
    return Text(
        units=units,
        words=tuple(vocabulary.tokens),
        train=[units.encode(text) for text in train],
        dev=[units.encode(text) for text in dev],
    )


def train_ngrams(text: Text, order: int) -> KneserNey:
    """Interpolated Kneser-Ney on the same text as the networks."""
    return KneserNey(text.train, order=order, size=text.units.size, end_id=text.units.end_id)


class SelfReader(LanguageModel):
    """A language model that in training reads a share of words of its own in place of the text's: scheduled sampling
    (Bengio et al. 2015), all words of a stretch drawn at once from what it says of the text itself (Duckworth et al.
    2019)."""

    own_share = 0.0

    def read(self, ids: Tensor, state: State = None, direction: str = FORWARDS) -> tuple[Tensor, State]:
        if self.training and self.own_share:
            with torch.no_grad():
                readouts, _ = super().read(ids[:, :-1], state, direction)
                logits = functional.linear(readouts, self.embedding.weight, self.output_bias)
                drawn = logits.softmax(-1).flatten(0, 1).multinomial(1).view_as(ids[:, 1:])
            is_own = torch.rand(drawn.shape) < self.own_share
            ids = torch.cat([ids[:, :1], torch.where(is_own, drawn, ids[:, 1:])], dim=1)
        return super().read(ids, state, direction)


def train_network(text: Text, cell: str, arguments: Any, own_share: float = 0.0) -> tuple[LanguageModel, float]:
    """A one-layer network, and the seconds of one core that it took. The share of its own words that it reads in
    training rises from 0 to ``own_share``."""
    torch.manual_seed(arguments.seed)
    config = LanguageModelConfig(
        cell=cell,
        embedding_size=arguments.hidden_size,
        hidden_size=arguments.hidden_size,
        dropout=0.1,
        num_sampled=500,
    )
    network = SelfReader(vocabulary_size=text.units.size, config=config)
    rate = 5e-3 if cell == "lstm" else 2e-3
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, arguments.batches)
    rng, began = np.random.default_rng(arguments.seed), time.process_time()
    done = 0
    while done < arguments.batches:
        stream = stream_batches(
            text.train, num_streams=NUM_STREAMS, num_steps=NUM_STEPS, end_id=text.units.end_id, rng=rng
        )
        before = done
        for batch in islice(stream, arguments.batches - done):
            network.own_share = own_share * done / arguments.batches
            loss = network.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            done += 1
            if done % 500 == 0:
                print(f"  {cell}, batch {done}: loss {loss.item():.2f}", flush=True)
        if done == before:
            raise ValueError(f"the texts are too short for a batch of {NUM_STREAMS} streams")
    network.num_sampled = 0
    return network.eval(), time.process_time() - began


def trained_network(
    text: Text, cell: str, arguments: Any, folder: Path, own_share: float = 0.0
) -> tuple[LanguageModel, float]:
    """The network that an experiment before has left in the folder if it was trained alike, else a new one, left
    there."""
    name = f"{cell}-{arguments.hidden_size}-{arguments.batches}-{arguments.vocabulary_size}-{arguments.num_texts}.pt"
    path = folder / (f"own-{own_share}-{name}" if own_share else name)
    if not path.exists():
        network, seconds = train_network(text, cell, arguments, own_share)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save({"weights": network.state_dict(), "seconds": seconds}, path)
        return network, seconds
    kept = torch.load(path, weights_only=True)
    config = LanguageModelConfig(cell=cell, embedding_size=arguments.hidden_size, hidden_size=arguments.hidden_size)
    network = LanguageModel(vocabulary_size=text.units.size, config=config)
    network.load_state_dict(kept["weights"])
    return network.eval(), kept["seconds"]

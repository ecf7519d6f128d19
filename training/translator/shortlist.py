"""Measure the BLEU that a lexical shortlist would cost, in an experiment;
training/translator/evaluate_shortlist_time.py measures its time.

    python -m training.translator.shortlist training/configs/multi30k.toml --run-dir runs/multi30k

The candidates of a sentence are, for each source subword, the target subwords that translate it most often (IBM model
1, Brown et al. 1993), and the most frequent ones of all sentences. Prints, on dev, how many there are, the share of the
references' tokens among them, and BLEU with and without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from service.bundle import SUBWORDS
from service.text.subwords import EOS_ID, Subwords
from training.checkpoints import load_translator
from training.command_line import run_parser
from training.config import load_config
from training.corpora.parallel import Pair, PairSet, read_sets
from training.networks.translator import Memory, Step, Translator
from training.translator.config import TranslatorRun
from training.translator.predict import judge, translate
from training.translator.subwords import SubwordPairEncoder
from training.translator.variation import mask_pair

NUM_ITERATIONS = 4
CHOICES = ((50, 10), (100, 20), (100, 40))  # (frequent ones, those of each source subword)
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """The lexicon of one target language: p(target | source) of all pairs seen together, and frequencies of targets."""

    sources: Indices  # (pair,)
    targets: Indices  # (pair,)
    probabilities: npt.NDArray[np.float64]  # (pair,)
    counts: Indices  # (vocabulary,)

    def table(self, *, num_frequent: int, num_each: int) -> npt.NDArray[np.bool_]:
        """A table (source, target) of the targets that are candidates of each source."""
        size = len(self.counts)
        order = np.lexsort((-self.probabilities, self.sources))
        sources = self.sources[order]
        ranks = np.arange(len(order)) - np.searchsorted(sources, sources)
        kept = order[ranks < num_each]
        table = np.zeros((size, size), bool)
        table[self.sources[kept], self.targets[kept]] = True
        table[:, np.argsort(-self.counts, kind="stable")[:num_frequent]] = True
        table[:, EOS_ID] = True
        return table


def learn_lexicon(rows: Sequence[tuple[Sequence[int], Sequence[int]]], size: int) -> Lexicon:
    """Learn model 1 by expectation maximisation; the tag of the source stands for words that translate nothing."""
    links = [np.array(np.meshgrid(source, target)).reshape(2, -1) for source, target in rows]
    source, target = np.concatenate(links, axis=1).astype(np.int64)
    places = np.concatenate([np.repeat(np.arange(len(t)), len(s)) for s, t in rows])
    starts = np.cumsum([0] + [len(t) for _, t in rows])[:-1]
    places += np.repeat(starts, [len(s) * len(t) for s, t in rows])  # the place of each target token over all rows
    keys, pair = np.unique(source * size + target, return_inverse=True)
    probabilities = np.full(len(keys), 1.0 / size)
    for _ in range(NUM_ITERATIONS):
        shares = probabilities[pair]
        shares /= np.bincount(places, shares)[places]
        expected = np.bincount(pair, shares)
        probabilities = expected / np.bincount(keys // size, expected, minlength=size)[keys // size]
    counts = np.bincount(np.concatenate([t for _, t in rows]), minlength=size)
    return Lexicon(sources=keys // size, targets=keys % size, probabilities=probabilities, counts=counts)


class Shortlisted:
    """A network restricted to the candidates of each source, for training/translator/beam_search.py."""

    def __init__(self, network: Translator, table: npt.NDArray[np.bool_]) -> None:
        self.network, self.table, self.parameters = network, torch.from_numpy(table), network.parameters

    def encode(self, ids: Tensor, lengths: Tensor) -> tuple[ListedMemory, Tensor]:
        memory, state = self.network.encode(ids, lengths)
        table = self.table[ids] & memory.mask[:, :, None]  # (batch, time, vocabulary)
        return ListedMemory(memory=memory, allowed=table.any(dim=1)), state

    def step(self, tokens: Tensor, state: Tensor, memory: ListedMemory) -> tuple[Step, Tensor]:
        step, _ = self.network.step(tokens, state, memory.memory)
        embedded = self.network.embed_target(tokens[:, None])[:, 0]
        logits = self.network.logits(self.network.read_out(step.state, step.context, embedded))
        return step, logits.masked_fill(~memory.allowed, float("-inf")).log_softmax(-1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ListedMemory:
    """A memory with the mask of candidates, (batch, vocabulary)."""

    memory: Memory
    allowed: Tensor

    def select(self, rows: Tensor) -> ListedMemory:
        return ListedMemory(memory=self.memory.select(rows), allowed=self.allowed[rows])


def rows_of(pairs: Sequence[Pair], encoder: SubwordPairEncoder) -> list[tuple[list[int], list[int]]]:
    alphabet = encoder.subwords.alphabet
    masked = [each for pair in pairs if (each := mask_pair(pair, alphabet)) is not None]
    return [
        (encoder.encode_source(each.source, each.target_language), encoder.encode_target(each.target))
        for each in masked
    ]


def report(network: Translator, encoder: SubwordPairEncoder, dev: PairSet, lexicon: Lexicon) -> None:
    rows = rows_of(dev.pairs, encoder)
    whole = judge(translate([network], encoder, dev.pairs, beam_size=1), dev.pairs)
    print(f"{dev.name}: whole vocabulary: BLEU {whole.bleu:.2f}", flush=True)
    for num_frequent, num_each in CHOICES:
        table = lexicon.table(num_frequent=num_frequent, num_each=num_each)
        lists = [table[source].any(axis=0) for source, _ in rows]
        found = np.concatenate([allowed[target] for allowed, (_, target) in zip(lists, rows, strict=True)])
        listed = Shortlisted(network, table)
        quality = judge(translate([listed], encoder, dev.pairs, beam_size=1), dev.pairs)  # type: ignore[list-item]
        print(
            f"{dev.name}: {num_frequent} frequent, {num_each} each: {np.mean([each.sum() for each in lists]):.0f} on a "
            f"list, {100 * found.mean():.2f} % of the references' tokens on it, BLEU {quality.bleu:.2f}",
            flush=True,
        )


def main() -> None:
    arguments = run_parser(__doc__).parse_args()
    config = load_config(TranslatorRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    encoder = SubwordPairEncoder(Subwords.load(folder / SUBWORDS))
    network = load_translator(folder, config)
    sets = (read_sets(config.corpora, config.directions, split, arguments.data_dir) for split in ("train", "dev"))
    for train, dev in zip(*sets, strict=True):
        lexicon = learn_lexicon(rows_of(train.pairs, encoder), len(encoder.subwords))
        with torch.inference_mode():
            report(network, encoder, dev, lexicon)


if __name__ == "__main__":
    main()

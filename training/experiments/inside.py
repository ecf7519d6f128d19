"""Trains three tiny recurrent networks whose every number can be watched: the playground's pane Inside.

``python -m training.experiments.inside --data-dir DIR`` lets a simple recurrent network, a GRU and an LSTM of 16 units
read the same word vectors from the left to the right and say whether a text is negative, neutral or positive. Their
weights, rounded to 8 bits, go into one JSON file that the page reads; it computes the cells itself. The file also holds
what PyTorch makes of one sentence, for the tests of the page's arithmetic.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from training.classifier.corpora import POLARITY, SENTIMENT
from training.classifier.polarity_examples import polarity_examples
from training.command_line import CORPORA
from training.corpora.labelled_text import LabelledText, read_texts
from training.networks.layers import CELLS

PAGE = Path("service/web/playground/inside.json")
# The page splits text alike, in JavaScript: a word with its apostrophe, or one other character.
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_")
UNKNOWN = 0  # the id of words that are not in the list
LEAST_COUNT = 12  # occurrences of a word that is chosen
EXAMPLE = "The service was not bad at all, and I will be back."
LICENCE = (
    "learned from open corpora under CC BY 4.0, CC BY-SA 4.0, MIT and Apache 2.0 (see the card of en-sentiment), and "
    "from templates of this project; weights CC BY-SA 4.0"
)
Ints = npt.NDArray[np.int64]


def words_of(text: str) -> list[str]:
    """Split a text into words in lower case."""
    return WORD.findall(text.lower().replace("’", "'"))


def choose_words(texts: Sequence[LabelledText], size: int) -> list[str]:
    """Return the words that the networks know: one half the most frequent, the other half those that tell most of the
    label (mutual information with a word's presence)."""
    counts = [Counter[str]() for _ in POLARITY]
    for text in texts:
        counts[text.label].update(set(words_of(text.text)))
    totals = sum(counts, Counter[str]())
    labels = np.bincount([text.label for text in texts], minlength=len(POLARITY)) / len(texts)
    frequent = [word for word, _ in totals.most_common(size // 2)]

    def information(word: str) -> float:
        share = np.array([count[word] for count in counts]) / totals[word]
        known = share > 0
        return float(totals[word] * (share[known] * np.log(share[known] / labels[known])).sum())

    telling = sorted((w for w, n in totals.items() if n >= LEAST_COUNT), key=lambda w: (-information(w), w))
    return list(dict.fromkeys([*frequent, *telling]))[:size]


class Readers(nn.Module):
    """A network of each cell, all with the same word vectors; each says the class after every word."""

    def __init__(self, num_words: int, word_size: int, hidden_size: int) -> None:
        super().__init__()
        self.words = nn.Embedding(num_words + 1, word_size)
        self.cells = nn.ModuleDict(
            {name: cell(word_size, hidden_size, batch_first=True) for name, cell in CELLS.items()}
        )
        self.heads = nn.ModuleDict({name: nn.Linear(hidden_size, len(POLARITY)) for name in CELLS})
        nn.init.normal_(self.words.weight, std=0.4)
        with torch.no_grad():
            self.cells["lstm"].bias_hh_l0[hidden_size : 2 * hidden_size] += 1.0  # forget gates begin open

    def forward(self, ids: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Map ids (batch, time) to the logits (batch, class) of each network after the last word."""
        vectors = functional.dropout(self.words(ids), 0.15, self.training)
        rows = torch.arange(len(ids))
        return {name: self.heads[name](cell(vectors)[0][rows, lengths - 1]) for name, cell in self.cells.items()}


def batches(texts: Sequence[tuple[Ints, int]], size: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
    """Yield ids (batch, time), lengths and labels; texts of like length together, the batches in random order."""
    order = sorted(range(len(texts)), key=lambda place: (len(texts[place][0]), rng.random()))
    for start in rng.permutation(range(0, len(order), size)):
        chosen = [texts[place] for place in order[start : start + size]]
        ids = pad_sequence([torch.from_numpy(each) for each, _ in chosen], batch_first=True)
        yield ids, torch.tensor([len(each) for each, _ in chosen]), torch.tensor([label for _, label in chosen])


def train(network: Readers, texts: Sequence[tuple[Ints, int]], arguments: Any) -> None:
    """Minimise the summed cross-entropy of the three networks."""
    rng = np.random.default_rng(arguments.seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    steps = arguments.epochs * (len(texts) // arguments.batch_size + 1)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    for epoch in range(arguments.epochs):
        losses = []
        for ids, lengths, labels in batches(texts, arguments.batch_size, rng):
            forgotten = ids.masked_fill(torch.rand(ids.shape) < 0.05, UNKNOWN)
            each = [functional.cross_entropy(logits, labels) for logits in network(forgotten, lengths).values()]
            optimizer.zero_grad()
            torch.stack(each).sum().backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append([loss.item() for loss in each])
        means = ", ".join(f"{name} {loss:.3f}" for name, loss in zip(CELLS, np.mean(losses, 0), strict=True))
        print(f"epoch {epoch + 1}: loss of {means}", flush=True)


@torch.inference_mode()
def accuracy(network: Readers, texts: Sequence[tuple[Ints, int]]) -> dict[str, float]:
    """Return the share of texts whose class each network names."""
    right = Counter[str]()
    for ids, lengths, labels in batches(texts, 256, np.random.default_rng(0)):
        for name, logits in network(ids, lengths).items():
            right[name] += int((logits.argmax(-1) == labels).sum())
    return {name: round(right[name] / len(texts), 3) for name in CELLS}


def tables_of(network: Readers) -> dict[str, nn.Parameter]:
    """Return the parameters by the names that they have in the file, as ``lstm.hidden``."""
    tables = {"words": network.words.weight}
    for name, cell in network.cells.items():
        head = network.heads[name]
        parts = (cell.weight_ih_l0, cell.weight_hh_l0, cell.bias_ih_l0, cell.bias_hh_l0, head.weight, head.bias)
        names = ("input", "hidden", "input_bias", "hidden_bias", "head", "head_bias")
        tables |= {f"{name}.{part}": table for part, table in zip(names, parts, strict=True)}
    return tables


@torch.no_grad()
def round_weights(network: Readers) -> dict[str, Any]:
    """Round every parameter to 8 bits with one scale each, in place, and return the tables as they go into the file."""
    written = {}
    for name, table in tables_of(network).items():
        scale = float(f"{table.abs().max().item() / 127:.6g}")
        rounded = (table / scale).round().clamp(-127, 127).to(torch.int8)
        table.copy_(rounded.float() * scale)
        text = base64.b64encode(rounded.numpy().tobytes()).decode()
        written[name] = {"shape": list(table.shape), "scale": scale, "int8": text}
    return written


@torch.inference_mode()
def states_of(network: Readers, ids: Ints) -> dict[str, Any]:
    """Return what PyTorch computes for a text: each network's probabilities (time, class) after every word, and its
    hidden state (1, hidden) after the last."""
    vectors, found = network.words(torch.from_numpy(ids)[None]), {}
    for name, cell in network.cells.items():
        states = cell(vectors)[0][0]
        probabilities = network.heads[name](states).softmax(-1)
        found[name] = {"hidden": rounded(states[-1:]), "probabilities": rounded(probabilities)}
    return found


def rounded(values: Tensor) -> list[list[float]]:
    """Return the rows with five decimals."""
    return [[round(value, 5) for value in row] for row in values.tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help=CORPORA)
    parser.add_argument("--out", type=Path, default=PAGE, help="default %(default)s")
    parser.add_argument("--num-words", type=int, default=1800)
    parser.add_argument("--word-size", type=int, default=12)
    parser.add_argument("--hidden-size", type=int, default=16)
    parser.add_argument("--templates", type=int, default=8000, help="generated texts with negations and turns")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.process_time()
    torch.manual_seed(arguments.seed)

    corpus = read_texts(SENTIMENT, "train", POLARITY, data_dir=arguments.data_dir)
    corpus += polarity_examples(arguments.templates, POLARITY, np.random.default_rng(arguments.seed))
    dev = read_texts(SENTIMENT, "dev", POLARITY, data_dir=arguments.data_dir)
    words = choose_words(corpus, arguments.num_words)
    places = {word: place for place, word in enumerate(words, 1)}

    def encode(text: str) -> Ints:
        return np.array([places.get(word, UNKNOWN) for word in words_of(text)], np.int64)

    examples, dev_examples = (
        [(ids, text.label) for text in texts if len(ids := encode(text.text)[:80])] for texts in (corpus, dev)
    )
    network = Readers(len(words), arguments.word_size, arguments.hidden_size)
    train(network, examples, arguments)
    exact = accuracy(network.eval(), dev_examples)
    tables = round_weights(network)
    rounded_accuracy = accuracy(network, dev_examples)
    content = {
        "licence": LICENCE,
        "labels": POLARITY,
        "accuracy": rounded_accuracy,
        "num_dev": len(dev_examples),
        "words": " ".join(words),
        "tables": tables,
        "example": {"text": EXAMPLE, "states": states_of(network, encode(EXAMPLE))},
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"right on {len(dev_examples)} dev texts: {exact}, rounded to 8 bits {rounded_accuracy}")
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes, {time.process_time() - began:.0f} s of one core")


if __name__ == "__main__":
    main()

"""Shows what a network that only predicts the next word finds out about words.

``python -m training.experiments.elman_grammar`` trains a simple recurrent network on the little language of Elman's
"Finding structure in time" (1990): 29 words in sentences of two or three, one behind the other without a stop. It is
never told that there are nouns and verbs; the dendrogram of its states says what it found.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from training.experiments.record import COLOURS, Record, experiment_parser
from training.networks.layers import CELLS
from training.report import blank_figure, save_figure, table

CATEGORIES = {
    "human": "man woman boy girl",
    "animal": "cat mouse dog lion",
    "aggressor": "dragon monster",
    "inanimate": "book rock car",
    "fragile": "glass plate",
    "food": "cookie bread sandwich",
    "eat": "eat",
    "perceive": "see smell",
    "destroy": "break smash",
    "intransitive": "think sleep exist",
    "transitive": "like chase",
    "agent-patient": "move",
}
NOUNS = ("human", "animal", "aggressor", "inanimate", "fragile", "food")
TEMPLATES = """
human eat food; human perceive inanimate; human destroy fragile; human intransitive; human transitive human;
human agent-patient inanimate; human agent-patient; animal eat food; animal transitive animal;
animal agent-patient inanimate; animal agent-patient; inanimate agent-patient; aggressor destroy fragile;
aggressor eat human; aggressor eat animal; aggressor eat food
"""
SENTENCES = [template.split() for template in TEMPLATES.split(";")]
CATEGORY_OF = {word: category for category, words in CATEGORIES.items() for word in words.split()}
WORDS = sorted(CATEGORY_OF)
Vectors = npt.NDArray[np.float32]


class Predictor(nn.Module):
    """Elman's simple recurrent network: one word in, the next one out."""

    def __init__(self, cell: str, hidden_size: int) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS), 32)
        self.cell = CELLS[cell](32, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, len(WORDS))


def make_text(num_sentences: int, rng: random.Random) -> list[int]:
    """The ids of so many sentences' words."""
    text = []
    for _ in range(num_sentences):
        text += [rng.choice(CATEGORIES[category].split()) for category in rng.choice(SENTENCES)]
    return [WORDS.index(word) for word in text]


def train(network: Predictor, text: list[int], epochs: int) -> list[float]:
    """Truncated backpropagation over 32 streams, the state carried on; return each epoch's perplexity."""
    streams = torch.tensor(text[: len(text) // 32 * 32]).view(32, -1)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    perplexities = []
    for _ in range(epochs):
        state, losses = None, []
        for start in range(0, streams.shape[1] - 1, 10):
            stretch = streams[:, start : start + 11]
            states, state = network.cell(network.words(stretch[:, :-1]), state)
            state = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
            loss = functional.cross_entropy(network.head(states).flatten(0, 1), stretch[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        perplexities.append(float(np.exp(np.mean(losses))))
    return perplexities


@torch.inference_mode()
def word_states(network: Predictor, text: list[int]) -> Vectors:
    """Return (word, hidden): the mean state behind each word over all places where it stands, as Elman's."""
    ids = torch.tensor(text)
    states = network.cell(network.words(ids[None]))[0][0]
    return torch.stack([states[ids == word].mean(0) for word in range(len(WORDS))]).numpy()


def neighbours_of_same_category(vectors: Vectors) -> float:
    """Return the share of the words, of categories with several, whose nearest word is of their category."""
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    categories = [CATEGORY_OF[word] for word in WORDS]
    pairs = [(categories[i], categories[j]) for i, j in enumerate(distances.argmin(1))]
    asked = [(own, nearest) for own, nearest in pairs if categories.count(own) > 1]
    return float(np.mean([own == nearest for own, nearest in asked]))


def nouns_apart(vectors: Vectors) -> float:
    """The share of words on the right side if the tree is cut in two and the sides are called nouns and verbs."""
    from scipy.cluster.hierarchy import fcluster, linkage

    sides = fcluster(linkage(vectors, "average"), 2, "maxclust") == 1
    is_noun = np.array([CATEGORY_OF[word] in NOUNS for word in WORDS])
    return float(max(np.mean(sides == is_noun), np.mean(sides != is_noun)))


def draw(vectors: Vectors, record: Record, title: str) -> None:
    """The tree of the words by their mean states, nouns and verbs in two colours."""
    from scipy.cluster.hierarchy import dendrogram, linkage

    figure = blank_figure(7, 7)
    axes = figure.add_subplot()
    labels = [f"{word}  ({CATEGORY_OF[word]})" for word in WORDS]
    tree: Any = linkage(vectors, "average")
    dendrogram(tree, labels=labels, orientation="left", ax=axes, color_threshold=0, above_threshold_color="0.3")
    for label in axes.get_yticklabels():
        is_noun = label.get_text().split()[0] in WORDS and CATEGORY_OF[label.get_text().split()[0]] in NOUNS
        label.set(fontsize=9, color=COLOURS["lstm"] if is_noun else COLOURS["rnn"])
    axes.set(xlabel="distance of the clusters' mean states", title=title)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    save_figure(figure, record.folder / "dendrogram.png")


def main() -> None:
    parser = experiment_parser(__doc__, "elman-grammar")
    parser.add_argument("--cell", default="rnn", choices=sorted(CELLS))
    parser.add_argument("--hidden-size", type=int, default=150, help="Elman's 150")
    parser.add_argument("--sentences", type=int, default=10_000, help="Elman's 10,000")
    parser.add_argument("--epochs", type=int, default=6, help="Elman's 6")
    arguments = parser.parse_args()
    record = Record(arguments, "What a simple network finds out by itself")

    text = make_text(arguments.sentences, random.Random(arguments.seed))
    network = Predictor(arguments.cell, arguments.hidden_size)
    before = word_states(network, text)
    perplexities = train(network, text, arguments.epochs)
    after = word_states(network, text)
    counts = np.bincount(text, minlength=len(WORDS)) / len(text)
    unigram = float(np.exp(-(counts * np.log(counts)).sum()))

    draw(after, record, f"{len(WORDS)} words by the states of a network that predicts the next word")
    figures = {
        "nearest word of the same category": (neighbours_of_same_category(before), neighbours_of_same_category(after)),
        "nouns and verbs apart": (nouns_apart(before), nouns_apart(after)),
    }
    record.keep(words=len(text), perplexity_by_epoch=perplexities, perplexity_of_counts=unigram)
    record.keep(before_and_after_training=figures)
    record.say(
        f"""Elman (1990) let a simple recurrent network of 150 units read 10,000 sentences of two or three words, such
        as "woman smash plate" and "cat move", as one long row of words, and predict the next. Here likewise:
        {arguments.sentences} sentences, {len(text)} words, {arguments.epochs} passes, {arguments.hidden_size} units.
        The states behind each word are averaged over all its places, and the {len(WORDS)} means are clustered."""
    )
    record.show("dendrogram.png", "dendrogram of the words")
    record.lines += table(
        ["", "before training", "after"],
        [[name, f"{100 * first:.0f} %", f"{100 * second:.0f} %"] for name, (first, second) in figures.items()],
    )
    record.say(
        f"""The perplexity falls from {unigram:.1f} (guessing by frequency alone) to {perplexities[-1]:.1f} in the last
        pass; most of what is left is chance, since the grammar draws each word of a category alike. Unlike Elman's, the
        gradient here flows back through ten steps, and words have vectors of 32 numbers instead of one-hot inputs."""
    )
    record.write()


if __name__ == "__main__":
    main()

"""Measures whether networks and n-grams know which noun a verb agrees with, however far away it stands.

``python -m training.experiments.agreement --data-dir DIR`` trains a simple recurrent network, an LSTM and Kneser-Ney
n-grams on the same text and asks each for the likelier of two verb forms in sentences of Wikipedia (Linzen et al.
2016), by the number of attractors: nouns of the other number between subject and verb. ``--hidden-size 512`` and
``--batches`` for larger and longer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from service.text.pipeline import Ids
from training.experiments.record import COLOURS, Record, experiment_parser
from training.experiments.small_models import Text, add_arguments, read_text, train_ngrams, trained_network
from training.language_model.minimal_pairs import Accuracy, Pair, judge, read_pairs
from training.language_model.perplexity import log_likelihoods
from training.report import blank_figure, save_figure, table

Score = Callable[[Sequence[Ids]], Sequence[npt.NDArray[np.float64]]]
STYLES = {"rnn": COLOURS["rnn"], "lstm": COLOURS["lstm"], "3-gram": "0.7", "5-gram": "0.4"}
UNK_ID = 1


def known_pairs(pairs: Sequence[Pair], text: Text) -> list[Pair]:
    """The pairs whose two verb forms, the last words, are in the vocabulary: others cannot be told apart."""

    def is_known(sentence: str) -> bool:
        return int(text.units.encode(sentence)[-1]) != UNK_ID

    return [pair for pair in pairs if all(map(is_known, (pair.good, *pair.bad)))]


def perplexity(score: Score, texts: Sequence[Ids]) -> float:
    """The perplexity of a word of these texts, ends included."""
    return float(np.exp(-np.concatenate(list(score(texts))).mean()))


def draw(found: dict[str, dict[str, Accuracy]], record: Record) -> None:
    """Accuracy by number of attractors, a line each system."""
    figure = blank_figure(6.4, 4.2)
    axes = figure.add_subplot()
    groups = [name for name in next(iter(found.values())) if name != "all"]
    for name, accuracies in found.items():
        values = [100 * accuracies[group].right for group in groups]
        axes.plot(range(len(groups)), values, "-o", color=STYLES[name], label=name)
    axes.axhline(50, color="0.8", linewidth=1)
    axes.text(len(groups) - 1, 51, "chance", color="0.5", fontsize=8, ha="right")
    labels = [f"{group.partition('=')[2]}\n({found['lstm'][group].number})" for group in groups]
    axes.set_xticks(range(len(groups)), labels)
    axes.set(xlabel="attractors between subject and verb (sentences)", ylabel="right verb form likelier, %")
    axes.set(ylim=(0, 100), title="Agreement of subject and verb")
    axes.legend(fontsize=8, loc="lower left")
    save_figure(figure, record.folder / "attractors.png")


def main() -> None:
    parser = experiment_parser(__doc__, "agreement")
    add_arguments(parser)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/experiments"), help="where networks are left")
    arguments = parser.parse_args()
    record = Record(arguments, "Agreement over a distance")
    text = read_text(arguments)
    pairs = known_pairs(read_pairs("linzen-natural", arguments.data_dir), text)
    print(f"{len(text.train)} texts, {sum(map(len, text.train))} words, {len(pairs)} pairs", flush=True)

    systems: dict[str, Score] = {}
    seconds: dict[str, float] = {}
    for cell in ("rnn", "lstm"):
        network, seconds[cell] = trained_network(text, cell, arguments, arguments.run_dir)
        systems[cell] = lambda texts, network=network: log_likelihoods(network, texts, text.units.end_id)
    for order in (3, 5):
        systems[f"{order}-gram"] = train_ngrams(text, order).log_likelihoods
    found = {name: dict(judge(pairs, score, text.units.encode)) for name, score in systems.items()}
    perplexities = {name: perplexity(score, text.dev[:400]) for name, score in systems.items()}

    draw(found, record)
    groups = list(found["lstm"])[1:]
    record.keep(
        accuracy={name: {group: each[group].right for group in groups} for name, each in found.items()},
        sentences={group: found["lstm"][group].number for group in groups},
        perplexity_on_dev=perplexities,
        training_cpu_seconds=seconds,
        training_words=sum(map(len, text.train)),
    )
    write_text(record, found, perplexities, text, arguments)
    record.write()


def write_text(record: Record, found: Any, perplexities: dict[str, float], text: Text, arguments: Any) -> None:
    """The report's paragraphs and tables."""
    groups = list(found["lstm"])[1:]
    record.say(
        """"The keys to the cabinet ___ on the table": whoever takes the nearest noun says "is". The noun in between is
        an attractor. A window of a few words cannot know better where the subject lies outside of it; a network that
        carries a state could."""
    )
    record.show("attractors.png", "right verb forms by number of attractors")
    header = ["", *(f"{group.partition('=')[2]} attractors" for group in groups), "perplexity of dev texts"]
    rows = [
        [name, *(f"{100 * each[group].right:.1f}" for group in groups), f"{perplexities[name]:.0f}"]
        for name, each in found.items()
    ]
    record.lines += table(header, rows)
    seen = arguments.batches * 400
    record.say(
        f"""Trained on {sum(map(len, text.train)):,} words of open text ({", ".join(arguments.sources)}),
        {text.units.size} kinds of them; the networks of {arguments.hidden_size} units were shown {seen:,} words in all,
        the n-grams each once. Only pairs whose two verb forms are in the vocabulary count; the sentences are lower
        case, as published. Published LSTMs are larger by far and read a hundred times as much (about 93 % without an
        attractor, 85 with one, on another choice of sentences)."""
    )


if __name__ == "__main__":
    main()

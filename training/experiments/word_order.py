"""Measures whether the order of words matters: irony, spam and intents by counts of words and by networks.

``python -m training.experiments.word_order --data-dir DIR`` trains six systems on each task from nothing but its
labels, and scores each on the test texts as they are and with their words shuffled. ``--hidden-size 512`` and
``--epochs`` for more.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.svm import LinearSVC

from service.text.pipeline import TextEncoder
from service.text.tokenizer import words_of
from training.classifier.baselines import words_and_pairs
from training.classifier.batches import examples_of, text_batches
from training.classifier.corpora import IRONY
from training.classifier.predict import predict_logits
from training.corpora.labelled_text import LabelledText, read_lines, read_texts, without
from training.corpora.tweeteval import read_irony
from training.experiments.record import COLOURS, Record, experiment_parser
from training.networks.classifier import Classifier, ClassifierConfig
from training.report import blank_figure, save_figure, table
from training.vocabularies import vocabulary_of_texts

TASKS = {"irony": IRONY, "spam": "spam/sms", "intents": "intents/clinc150"}
RECURRENT = {"rnn": ("rnn", False), "gru": ("gru", False), "lstm": ("lstm", False), "bilstm": ("lstm", True)}
Labels = npt.NDArray[np.int64]
Predict = Callable[[Sequence[str]], Labels]


@dataclass(frozen=True, kw_only=True)
class Task:
    """The labelled texts of one task."""

    train: list[LabelledText]
    dev: list[LabelledText]
    test: list[LabelledText]
    num_labels: int


def read_task(corpus: str, data_dir: Path | None) -> Task:
    """The three parts of a task; no training text is also in dev or test."""
    if corpus == IRONY:
        labels, read = ("not ironic", "ironic"), lambda part: read_irony(part, data_dir)
    else:
        labels = tuple(sorted({row[0] for row in read_lines(corpus, "train", data_dir)}))
        read = lambda part: read_texts(corpus, part, labels, data_dir=data_dir)  # noqa: E731
    dev, test = read("dev"), read("test")
    train = without(read("train"), [text.text for text in (*dev, *test)])
    return Task(train=train, dev=dev, test=test, num_labels=len(labels))


def count_words(task: Task) -> Predict:
    """A logistic regression over which words occur, each counted by itself."""
    vectorizer = CountVectorizer(analyzer=lambda text: words_of(text.lower()), min_df=2, binary=True)
    model = LogisticRegression(max_iter=300, tol=1e-3)
    model.fit(vectorizer.fit_transform(texts_of(task.train)), labels_of(task.train))
    return lambda texts: np.asarray(model.predict(vectorizer.transform(texts)))


def weigh_pairs(task: Task) -> Predict:
    """A linear support vector machine over TF-IDF of words and pairs of neighbours."""
    vectorizer = TfidfVectorizer(analyzer=words_and_pairs, min_df=2, sublinear_tf=True)
    model = LinearSVC()
    model.fit(vectorizer.fit_transform(texts_of(task.train)), labels_of(task.train))
    return lambda texts: np.asarray(model.predict(vectorizer.transform(texts)))


def train_network(task: Task, cell: str, bidirectional: bool, arguments: Any) -> Predict:
    """A recurrent network, the maximum of its states over the text; the epoch that is best on dev."""
    torch.manual_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    vocabulary = vocabulary_of_texts(texts_of(task.train), max_words=8000, min_count=2)
    encoder = TextEncoder(vocabulary)
    config = ClassifierConfig(
        cell=cell,
        bidirectional=bidirectional,
        word_size=64,
        hidden_size=arguments.hidden_size,
        input_dropout=0.2,
        weight_drop=0.0,
    )
    network = Classifier(num_words=len(vocabulary), num_labels=task.num_labels, config=config)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    examples = examples_of(task.train, encoder)
    best, best_score = copy.deepcopy(network), -1.0
    for _ in range(arguments.epochs):
        network.train()
        for batch in text_batches(examples, num_words=2000, num_texts=64, max_tokens=100, rng=rng):
            loss = network.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        guesses = predict_logits(network, encoder, texts_of(task.dev)).argmax(1)
        score = float(accuracy_score(labels_of(task.dev), guesses))
        if score > best_score:
            best, best_score = copy.deepcopy(network), score
    return lambda texts: predict_logits(best, encoder, texts).argmax(1)


def texts_of(texts: Sequence[LabelledText]) -> list[str]:
    return [text.text for text in texts]


def labels_of(texts: Sequence[LabelledText]) -> list[int]:
    return [text.label for text in texts]


def shuffled(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    """The same texts, the words of each in another order."""
    return [" ".join(rng.permutation(words_of(text) or [text])) for text in texts]


def measure(task: Task, predict: Predict, rng: np.random.Generator) -> dict[str, float]:
    """Accuracy and macro F1 on the test texts, and macro F1 with their words shuffled."""
    texts, gold = texts_of(task.test), labels_of(task.test)
    guesses, of_shuffled = predict(texts), predict(shuffled(texts, rng))
    return {
        "accuracy": 100 * float(accuracy_score(gold, guesses)),
        "macro F1": 100 * float(f1_score(gold, guesses, average="macro")),
        "macro F1, shuffled": 100 * float(f1_score(gold, of_shuffled, average="macro")),
    }


def draw(results: dict[str, dict[str, dict[str, float]]], record: Record) -> None:
    """Macro F1 of each system, as the texts are and with their words shuffled."""
    figure = blank_figure(11, 3.6)
    for axes, (task, systems) in zip(figure.subplots(1, len(results), sharey=True), results.items(), strict=True):
        places = np.arange(len(systems))
        plain, mixed = ([found[name] for found in systems.values()] for name in ("macro F1", "macro F1, shuffled"))
        axes.bar(places - 0.2, plain, 0.38, color=COLOURS["lstm"], label="as written")
        axes.bar(places + 0.2, mixed, 0.38, color="0.75", label="words shuffled")
        for place, value in zip(places, plain, strict=True):
            axes.text(place - 0.2, value + 1, f"{value:.0f}", ha="center", fontsize=7)
        axes.set_xticks(places, systems, rotation=40, ha="right", fontsize=8)
        axes.set(title=task, ylim=(0, 108))
        axes.grid(axis="y", color="0.92")
        axes.set_axisbelow(True)
    figure.axes[0].set_ylabel("macro F1 on test, %")
    figure.axes[0].legend(fontsize=8, loc="upper right")
    save_figure(figure, record.folder / "order.png")


def main() -> None:
    parser = experiment_parser(__doc__, "word-order")
    parser.add_argument("--hidden-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--train-texts", type=int, default=20_000, help="of each task at most")
    arguments = parser.parse_args()
    record = Record(arguments, "Does order matter?")
    results: dict[str, dict[str, dict[str, float]]] = {}
    sizes = {}
    for name, corpus in TASKS.items():
        task = read_task(corpus, arguments.data_dir)
        del task.train[arguments.train_texts :]
        sizes[name] = {"train": len(task.train), "dev": len(task.dev), "test": len(task.test)}
        results[name] = {}
        systems: dict[str, Callable[[], Predict]] = {
            "bag of words": lambda task=task: count_words(task),
            "TF-IDF, pairs": lambda task=task: weigh_pairs(task),
        }
        for system, (cell, both) in RECURRENT.items():
            systems[system] = lambda task=task, cell=cell, both=both: train_network(task, cell, both, arguments)
        for system, train in systems.items():
            began = time.process_time()
            predict = train()
            seconds = time.process_time() - began
            found = measure(task, predict, np.random.default_rng(arguments.seed))
            results[name][system] = found | {"training seconds": seconds}
            print(f"{name:8} {system:14} " + "  ".join(f"{k} {v:.1f}" for k, v in results[name][system].items()))

    draw(results, record)
    record.keep(texts=sizes, results=results)
    write_text(record, results, sizes, arguments)
    record.write()


def write_text(record: Record, results: Any, sizes: Any, arguments: Any) -> None:
    """The report's paragraphs and tables."""
    record.say(
        f"""A bag of words knows which words a text has, TF-IDF of pairs also which stand side by side, a recurrent
        network reads them in order. Each learns from the labels alone, without pretrained vectors; networks have
        {arguments.hidden_size} units, vectors of 64, {arguments.epochs} epochs, the best of them on dev. Each is scored
        once on the test texts, and once with the words of each text shuffled: who reads order must lose by it."""
    )
    record.show("order.png", "macro F1 by task and system, as written and shuffled")
    systems = next(iter(results.values()))
    header = ["", *(f"{task}, {kind}" for task in results for kind in ("accuracy", "macro F1", "shuffled F1", "s"))]
    keys = ("accuracy", "macro F1", "macro F1, shuffled", "training seconds")
    rows = [[name, *(f"{results[t][name][k]:.1f}" for t in results for k in keys)] for name in systems]
    record.lines += table(header, rows)
    texts = "; ".join(f"{name} ({TASKS[name]}) {s['train']} / {s['dev']} / {s['test']}" for name, s in sizes.items())
    record.say(f"Texts of training, dev and test: {texts}. Seconds of training on one core.")


if __name__ == "__main__":
    main()

"""What a network must beat on whole texts: a bag of words, and word pairs, under a linear model.

    python -m training.text_baselines --task sst2 --output baselines-sst2.json

Words are cut as the service cuts them. The strength of regularisation is chosen on dev, by macro F1; test is
then scored once. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.text.tokenizer import words_of
from training.classification import ClassReport, evaluate_classes
from training.corpora.labelled import LabelledText
from training.corpora.text_tasks import SENTIMENT, TASKS, TextSet, read_sets, read_training
from training.minimal_pairs import score_pairs

Words = Sequence[str]

NUM_TIMED = 2_000  # texts


class LinearClassifier:
    """A vectorizer and a linear model, from texts to classes."""

    def __init__(self, vectorizer: Any, model: Any) -> None:
        self._vectorizer = vectorizer
        self._model = model

    def predict(self, texts: Sequence[str]) -> list[int]:
        """The class of each text."""
        return self.predict_words([cut(text) for text in texts])

    def predict_words(self, rows: Sequence[Words]) -> list[int]:
        """As ``predict``, of texts that are cut already."""
        classes: list[int] = self._model.predict(self._vectorizer.transform(rows)).tolist()
        return classes

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(text, class). Of logistic regression only: a support vector machine has none."""
        features = self._vectorizer.transform([cut(text) for text in texts])
        return np.asarray(self._model.predict_proba(features))

    @property
    def size_bytes(self) -> int:
        return len(pickle.dumps(self))


def cut(text: str) -> list[str]:
    """The words of a text, case aside."""
    return words_of(text.lower())


def words_and_pairs(words: Words) -> list[str]:
    """Each word, and each two neighbours."""
    return [*words, *(f"{first} {second}" for first, second in pairwise(words))]


def bag_of_words() -> Any:
    """Which words there are rather than how many of each (Pang et al. 2002); a word seen once is left out."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(analyzer=list, binary=True, min_df=2)


def tf_idf() -> Any:
    """Words and pairs of neighbours by how telling they are; what is seen once is left out."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=words_and_pairs, sublinear_tf=True, min_df=2)


def logistic_regression(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=500, tol=1e-3)


def linear_svm(strength: float) -> Any:
    from sklearn.svm import LinearSVC

    return LinearSVC(C=strength, random_state=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A kind of baseline. ``strengths`` are what is tried on dev: inverses of how much it is regularised."""

    name: str
    vectorizer: Callable[[], Any]
    model: Callable[[float], Any]
    strengths: Sequence[float]


RECIPES = (
    Recipe(
        name="bag of words, logistic regression",
        vectorizer=bag_of_words,
        model=logistic_regression,
        strengths=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    ),
    Recipe(
        name="TF-IDF of words and pairs, linear SVM",
        vectorizer=tf_idf,
        model=linear_svm,
        strengths=(0.03, 0.1, 0.3, 1.0),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CutSet:
    """A set of texts, cut once for all that is tried on it."""

    source: TextSet
    rows: Sequence[Words]

    def score(self, predicted: Sequence[int], labels: Sequence[str]) -> ClassReport:
        return evaluate_classes(gold=[text.label for text in self.source.texts], predicted=predicted, labels=labels)


def cut_set(source: TextSet) -> CutSet:
    return CutSet(source=source, rows=[cut(text.text) for text in source.texts])


def fit(
    recipe: Recipe, train: Sequence[LabelledText], dev: Sequence[CutSet], labels: Sequence[str]
) -> tuple[LinearClassifier, dict[str, float]]:
    """The classifier of the strength that does best on dev; the strength, and the processor seconds it took."""
    started = time.process_time()
    vectorizer = recipe.vectorizer()
    features = vectorizer.fit_transform([cut(text.text) for text in train])
    seconds_of_features = time.process_time() - started
    dev_features = [vectorizer.transform(part.rows) for part in dev]
    classes = [text.label for text in train]
    best: tuple[float, LinearClassifier, dict[str, float]] | None = None
    for strength in recipe.strengths:
        started = time.process_time()
        model = recipe.model(strength).fit(features, classes, [text.weight for text in train])
        seconds = seconds_of_features + time.process_time() - started
        reports = (part.score(model.predict(x), labels) for part, x in zip(dev, dev_features, strict=True))
        mean = sum(report.macro_f1 for report in reports) / len(dev)
        if best is None or mean > best[0]:
            best = mean, LinearClassifier(vectorizer, model), {"strength": strength, "train_seconds": seconds}
    assert best is not None
    return best[1], best[2]


def measure_speed(classifier: LinearClassifier, texts: Sequence[str]) -> float:
    """Texts a second from string to class, by processor time of all threads, best of three rounds."""
    rounds = []
    for _ in range(3):
        started = time.process_time()
        classifier.predict(texts)
        rounds.append(time.process_time() - started)
    return len(texts) / min(rounds)


def run_task(task: str, data_dir: Path | None, recipes: Sequence[Recipe] = RECIPES) -> dict[str, Any]:
    """All figures of a task's baselines, as the JSON file holds them."""
    labels = TASKS[task]
    train = read_training(task, data_dir)
    sets = {split: [cut_set(part) for part in read_sets(task, split, data_dir)] for split in ("dev", "test")}
    systems = {}
    for recipe in recipes:
        classifier, chosen = fit(recipe, train, sets["dev"], labels)
        systems[recipe.name] = chosen | figures_of(classifier, sets, labels)
        print(recipe.name, _summary(systems[recipe.name]))
    return {"task": task, "labels": list(labels), "train_texts": len(train), "systems": systems}


def figures_of(
    classifier: LinearClassifier, sets: Mapping[str, Sequence[CutSet]], labels: Sequence[str]
) -> dict[str, Any]:
    """Size, speed, and the figures on each set; of two opinions also the minimal pairs."""
    timed = {part.source.name: [text.text for text in part.source.texts[:NUM_TIMED]] for part in sets["dev"]}
    return {
        "size_bytes": classifier.size_bytes,
        "texts_per_second": {name: measure_speed(classifier, texts) for name, texts in timed.items()},
        "sets": {
            split: {
                part.source.name: part.score(classifier.predict_words(part.rows), labels).as_dict() for part in parts
            }
            for split, parts in sets.items()
        },
        "minimal_pairs": score_pairs(classifier.predict).as_dict() if labels is SENTIMENT else None,
    }


def _summary(system: Mapping[str, Any]) -> str:
    scores = (
        f"{split} {name}: {100 * figures['accuracy']:.2f} % right, macro F1 {100 * figures['macro_f1']:.2f}"
        for split, parts in system["sets"].items()
        for name, figures in parts.items()
    )
    return "; ".join((f"C={system['strength']}", *scores))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and score linear baselines of a task.")
    parser.add_argument("--task", choices=tuple(TASKS), required=True)
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--output", type=Path, required=True, help="a JSON file")
    options = parser.parse_args()
    figures = run_task(options.task, options.data_dir)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

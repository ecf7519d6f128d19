"""Baselines of text classifiers: TF-IDF of words and pairs under a linear model, and VADER's word list.

    python -m training.classifier.baselines CONFIG

writes ``baselines.json`` into the run's folder, where the report finds it. Words are cut as the service cuts them. The
strength of regularisation is chosen on dev; test is then scored once. Needs scikit-learn, and for sentiment
``vaderSentiment``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from service.text.tokenizer import words_of
from training.classifier.config import ClassifierRun
from training.classifier.corpora import POLARITY, TextSet, labels_of, read_sets, read_training
from training.classifier.figures import Scores, measure_set
from training.classifier.multi_label import tune_thresholds
from training.classifier.report import BASELINES
from training.command_line import run_parser
from training.config import load_config
from training.corpora.labelled_text import LabelledText
from training.corpora.vader import compound

STRENGTHS = (1.0, 4.0, 16.0)  # inverses of the regularisation, of logistic regression
VADER_BORDER = 0.05  # of its compound score, as its authors say


class Features:
    """TF-IDF of words and pairs of neighbours that occur in at least so many texts. Counting them takes longer than
    a fit often does, so models of several strengths share them."""

    def __init__(self, train: Sequence[LabelledText], *, min_count: int) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(analyzer=words_and_pairs, sublinear_tf=True, min_df=min_count)
        self.train = self._vectorizer.fit_transform([text.text for text in train])

    def of(self, texts: Sequence[str]) -> Any:
        """The sparse matrix (text, word or pair) of other texts."""
        return self._vectorizer.transform(texts)


class LinearClassifier:
    """TF-IDF of words and pairs of neighbours with a logistic regression of each label."""

    def __init__(
        self,
        train: Sequence[LabelledText],
        *,
        multi_label: bool,
        strength: float,
        features: Features | None = None,
    ) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier
        from threadpoolctl import threadpool_limits

        self._features = features or Features(train, min_count=2)
        model = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
        self._num_labels = len(train[0].target)
        # Its vectors are short for several threads, which would wait for each other and take 16 times as long.
        with threadpool_limits(1):
            if multi_label:
                self._model = OneVsRestClassifier(model)
                self._model.fit(self._features.train, np.array([text.target for text in train]) > 0.5)
            else:
                self._model = model.fit(self._features.train, [text.label for text in train])

    def scores(self, texts: Sequence[str]) -> Scores:
        """Probabilities (text, label)."""
        found = np.asarray(self._model.predict_proba(self._features.of(texts)))
        scores = np.zeros((len(texts), self._num_labels))
        scores[:, np.asarray(self._model.classes_, int)] = found
        return scores


class LinearSvm:
    """TF-IDF of words and pairs of neighbours with a linear support vector machine of each label (Joachims 1998)."""

    def __init__(self, train: Sequence[LabelledText], *, strength: float, features: Features) -> None:
        from sklearn.svm import LinearSVC

        self._features = features
        self._model = LinearSVC(C=strength, random_state=1).fit(features.train, [text.label for text in train])

    def labels(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """The label (text,) of each text, by place."""
        return np.asarray(self._model.predict(self._features.of(texts)), np.int64)


def words_and_pairs(text: str) -> list[str]:
    """The words of a text in lower case, and each two neighbours."""
    words = words_of(text.lower())
    return [*words, *(f"{first} {second}" for first, second in pairwise(words))]


def vader_scores(texts: Sequence[str]) -> Scores:
    """Negative, neutral or positive by VADER's compound score (Hutto and Gilbert 2014), as one-hot rows."""
    compounds = np.array([compound(text) for text in texts])
    return np.eye(3)[(compounds > -VADER_BORDER).astype(int) + (compounds >= VADER_BORDER)]


def best_linear(
    train: Sequence[LabelledText], dev: Sequence[TextSet], config: ClassifierRun, labels: Sequence[str]
) -> tuple[LinearClassifier, float]:
    """The linear model of the strength with the best mean macro F1 on dev, and the strength."""
    features = Features(train, min_count=2)
    models = [
        LinearClassifier(train, multi_label=config.multi_label, strength=strength, features=features)
        for strength in STRENGTHS
    ]
    means = [
        np.mean([measure_set(p, model.scores(texts_of(p)), config, labels).figures["macro_f1"] for p in dev])
        for model in models
    ]
    best = int(np.argmax(means))
    return models[best], STRENGTHS[best]


def texts_of(part: TextSet) -> list[str]:
    """The texts of a set without their labels."""
    return [text.text for text in part.texts]


def run(config: ClassifierRun, data_dir: Path | None) -> dict[str, Any]:
    """The figures of every baseline by split, set and system."""
    labels = labels_of(config, data_dir)
    dev, test = (read_sets(config, split, data_dir) for split in ("dev", "test"))
    train = [text for part in read_training(config, data_dir).values() for text in part]
    linear, strength = best_linear(train, dev, config, labels)
    thresholds: dict[str, npt.ArrayLike] = {}
    for part in dev if config.multi_label else ():
        gold = np.array([text.target for text in part.texts]) > 0.5
        thresholds[part.name] = tune_thresholds(gold, linear.scores(texts_of(part)))
    found: dict[str, Any] = {"strength": strength, "train_texts": len(train)}
    for split, sets in (("dev", dev), ("test", test)):
        found[split] = {}
        for part in sets:
            scores = linear.scores(texts_of(part))
            systems = {"TF-IDF, linear": measure_set(part, scores, config, labels, thresholds.get(part.name)).figures}
            if tuple(labels) == POLARITY:
                systems["VADER"] = measure_set(part, vader_scores(texts_of(part)), config, labels).figures
            found[split][part.name] = systems
    return found


def main() -> None:
    arguments = run_parser(__doc__).parse_args()
    config = load_config(ClassifierRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    found: Mapping[str, Any] = run(config, arguments.data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BASELINES).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

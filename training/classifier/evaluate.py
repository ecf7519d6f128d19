"""Measure a classifier's bundle on the corpora of its configuration, as the service runs it.

``python -m training.classifier.evaluate BUNDLE``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from service.bundle import Bundle, load_bundle
from service.predictors.classifier import Classifier
from service.runtime.session import OnnxSession
from service.text.tokenizer import words_of
from training.classification import Calibration, calibrate, evaluate_classes
from training.classifier.config import ClassifierRun
from training.classifier.corpora import TextSet, read_sets
from training.classifier.multi_label import evaluate_labels
from training.command_line import evaluation_parser
from training.config import load_config
from training.corpora.labelled_text import LabelledText
from training.evaluation import Score
from training.prediction import answer_rows

CONFIGS = Path(__file__).parents[1] / "configs"
Scores = npt.NDArray[np.float64]  # (text, label) probabilities


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenBundle:
    """A bundle loaded in one precision."""

    bundle: Bundle
    precision: str
    classifier: Classifier


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetFigures:
    """What a classifier got right on one set of texts; shares are between 0 and 1."""

    name: str
    num_texts: int
    figures: dict[str, float]  # accuracy or micro_f1, macro_f1, "f1 LABEL", ece
    by_label: dict[str, Score]
    by_source: dict[str, dict[str, float]] = field(default_factory=dict)  # macro_f1 and ece
    calibration: Calibration | None = None  # of the likeliest label; none where a text has several labels
    confusion: Any = None


def open_classifier(folder: Path, precision: str | None = None) -> OpenBundle:
    """Load a bundle in a precision, or in its default one. Raises BundleError."""
    bundle = load_bundle(folder)
    precision = precision or bundle.manifest.default_precision
    classifier = Classifier(bundle, OnnxSession(bundle.graph(precision)))
    return OpenBundle(bundle=bundle, precision=precision, classifier=classifier)


def classify_texts(classifier: Classifier, texts: Sequence[str]) -> Scores:
    """The scores of every text, in order; of one over the limit, those of its beginning; of one without a word, the
    mean of all others, or the same score for every label if no text has a word."""
    scores = np.full((len(texts), len(classifier.labels)), 1 / len(classifier.labels))
    rows = {i: classifier.encode_beginning(text).ids for i, text in enumerate(texts) if words_of(text)}
    if rows:
        found = np.array([answer.scores for answer in answer_rows(classifier, list(rows.values()))])
        scores[:] = found.mean(0)
        scores[list(rows)] = found
    return scores


def measure_set(
    part: TextSet, scores: Scores, config: ClassifierRun, labels: Sequence[str], thresholds: npt.ArrayLike = 0.5
) -> SetFigures:
    """The figures of a set, of probabilities (text, label). ``thresholds`` (label,) decide in a multi-label task."""
    if config.multi_label:
        found = evaluate_labels(
            np.array([t.target for t in part.texts]) > 0.5, scores >= np.asarray(thresholds), labels
        )
        return SetFigures(
            name=part.name,
            num_texts=len(scores),
            figures={"macro_f1": found.macro_f1, "micro_f1": found.micro.f1},
            by_label=found.by_label,
        )
    gold = np.array([text.label for text in part.texts])
    report = evaluate_classes(gold=gold, predicted=scores.argmax(1), labels=labels)
    calibration = calibrate(gold=gold, probabilities=scores)
    figures = {"accuracy": report.accuracy.value, "macro_f1": report.macro_f1}
    if config.figure.startswith("f1 "):
        figures[config.figure] = report.by_label[config.figure.removeprefix("f1 ")].f1
    return SetFigures(
        name=part.name,
        num_texts=len(scores),
        figures=figures | {"ece": calibration.expected_error},
        by_label=report.by_label,
        by_source=figures_by_source(part.texts, scores, labels),
        calibration=calibration,
        confusion=report.confusion,
    )


def figures_by_source(
    texts: Sequence[LabelledText], scores: Scores, labels: Sequence[str]
) -> dict[str, dict[str, float]]:
    """The macro F1 of each source, over the labels that occur in it, and its calibration error; nothing where there is
    one source only."""
    sources = sorted({text.source for text in texts})
    if len(sources) < 2:
        return {}
    gold = np.array([text.label for text in texts])
    figures = {}
    for source in sources:
        chosen = np.array([text.source == source for text in texts])
        report = evaluate_classes(gold=gold[chosen], predicted=scores[chosen].argmax(1), labels=labels)
        found = [score.f1 for score in report.by_label.values() if score.support]
        error = calibrate(gold=gold[chosen], probabilities=scores[chosen]).expected_error
        figures[source] = {"macro_f1": sum(found) / len(found), "ece": error}
    return figures


def measure(model: OpenBundle, config: ClassifierRun, split: str, data_dir: Path | None) -> list[SetFigures]:
    """The figures of a bundle on every set of a split."""
    classifier, thresholds = model.classifier, model.bundle.manifest.thresholds or {}
    return [
        measure_set(
            part,
            classify_texts(classifier, [text.text for text in part.texts]),
            config,
            classifier.labels,
            [thresholds.get(label, 0.5) for label in classifier.labels],
        )
        for part in read_sets(config, split, data_dir)
    ]


def percent(sets: Sequence[SetFigures]) -> dict[str, float]:
    """The figures as a manifest carries them: in percent, by set and figure."""
    return {
        f"{part.name.replace('/', '_')}_{name.replace(' ', '_')}": round(100 * value, 2)
        for part in sets
        for name, value in part.figures.items()
    }


def main() -> None:
    parser = evaluation_parser(__doc__)
    parser.add_argument("--config", type=Path, help="default training/configs/NAME.toml")
    arguments = parser.parse_args()
    model = open_classifier(arguments.bundle, arguments.precision)
    config = load_config(ClassifierRun, arguments.config or CONFIGS / f"{model.bundle.manifest.name}.toml")
    sets = measure(model, config, arguments.split, arguments.data_dir)
    for name, value in percent(sets).items():
        print(f"{name:48} {value:8.2f}")
    for part in sets:
        for source, figures in part.by_source.items():
            for name, value in figures.items():
                print(f"{f'{part.name} {source} {name}':48} {100 * value:8.2f}")


if __name__ == "__main__":
    main()

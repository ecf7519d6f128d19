"""Measure a classifier's bundle on the corpora of its configuration, with the code of the service.

python -m training.classifier.evaluate BUNDLE
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.bundle import Bundle, load_bundle
from service.predictors.classifier import Classifier
from service.runtime.session import OnnxSession
from service.text.tokenizer import words_of
from training.classifier.config import ClassifierRun
from training.classifier.corpora import TextSet, read_sets
from training.classifier.figures import Scores, SetFigures, measure_set, percent
from training.command_line import evaluation_parser
from training.config import load_config
from training.predict import answer_rows

CONFIGS = Path(__file__).parents[1] / "configs"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenBundle:
    """A bundle loaded in one precision."""

    bundle: Bundle
    precision: str
    classifier: Classifier


def open_classifier(folder: Path, precision: str | None = None) -> OpenBundle:
    """Load a bundle in a precision, or in its default one. Raises BundleError."""
    bundle = load_bundle(folder)
    precision = precision or bundle.manifest.default_precision
    classifier = Classifier(bundle, OnnxSession(bundle.graph(precision)))
    return OpenBundle(bundle=bundle, precision=precision, classifier=classifier)


def classify_texts(classifier: Classifier, texts: Sequence[str]) -> Scores:
    """The scores of every text, in order.

    A text over the limit has the scores of its beginning. A text without a word has the mean of all others, or the same
    score for every label if no text has a word.
    """
    scores = np.full((len(texts), len(classifier.labels)), 1 / len(classifier.labels))
    rows = {i: classifier.encode_beginning(text).ids for i, text in enumerate(texts) if words_of(text)}
    if rows:
        found = np.array([answer.scores for answer in answer_rows(classifier, list(rows.values()))])
        scores[:] = found.mean(0)
        scores[list(rows)] = found
    return scores


def measure(model: OpenBundle, config: ClassifierRun, sets: Sequence[TextSet]) -> list[SetFigures]:
    """The figures of a bundle on every set."""
    classifier, thresholds = model.classifier, model.bundle.manifest.thresholds or {}
    return [
        measure_set(
            part,
            classify_texts(classifier, [text.text for text in part.texts]),
            config,
            classifier.labels,
            [thresholds.get(label, 0.5) for label in classifier.labels],
        )
        for part in sets
    ]


def main() -> None:
    parser = evaluation_parser(__doc__)
    parser.add_argument("--config", type=Path, help="default training/configs/NAME.toml")
    arguments = parser.parse_args()
    model = open_classifier(arguments.bundle, arguments.precision)
    config = load_config(ClassifierRun, arguments.config or CONFIGS / f"{model.bundle.manifest.name}.toml")
    sets = measure(model, config, read_sets(config, arguments.split, arguments.data_dir))
    for name, value in percent(sets).items():
        print(f"{name:48} {value:8.2f}")
    for part in sets:
        for source, figures in part.by_source.items():
            for name, value in figures.items():
                print(f"{f'{part.name} {source} {name}':48} {100 * value:8.2f}")


if __name__ == "__main__":
    main()

"""Measure a classifier's bundle on the official sets, as it is served.

``python -m training.evaluate_classifier --help``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from service.bundle import VOCABULARIES, Bundle, load_bundle
from service.predictors.classifier import Classifier
from service.runtime.session import OnnxSession
from training.classifier_report import (
    ClassifierReport,
    ClassSection,
    System,
    make_section,
    pairs_of_baselines,
    systems_of_baselines,
    write_classifier_report,
)
from training.command_line import evaluation_parser
from training.corpora.text_tasks import SENTIMENT, TASKS, TextSet, read_sets
from training.export import WEIGHTS
from training.minimal_pairs import PairsReport, read_pairs, score_pairs
from training.prediction import answer_rows

MODEL = "model"  # what it is called beside its baselines
PAIRS = "minimal_pairs"  # begins the names of their figures
TEMPERATURE = "temperature"  # among a manifest's metrics
REPORTED_LABELS = {"irony": "irony"}  # by set: the class whose F1 is the task's official figure

Scores = npt.NDArray[np.float64]  # (text, label) probabilities


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenBundle:
    """A bundle at work in one precision."""

    bundle: Bundle
    precision: str
    classifier: Classifier

    @property
    def size_bytes(self) -> int:
        """Of the files that a service reads into memory for this precision."""
        files = self.bundle.manifest.files
        wanted = (self.bundle.graph(self.precision).name, WEIGHTS, VOCABULARIES)
        return sum(files[name].size_bytes for name in wanted if name in files)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnsweredSet:
    """What a bundle said of a set of texts."""

    source: TextSet
    scores: Scores
    seconds: float  # of one processor, from strings to answers; what else the machine does counts little

    @property
    def texts_per_second(self) -> float:
        return len(self.scores) / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """A bundle in one precision on one split."""

    answered: Sequence[AnsweredSet]
    sections: Sequence[ClassSection]
    pairs: PairsReport | None  # None where the classes are others than negative and positive
    baselines: Mapping[str, Any]

    def figures(self) -> dict[str, float]:
        """Those that a manifest carries, in percent."""
        figures: dict[str, float] = {}
        for section in self.sections:
            figures |= {f"{section.name}_{measure}": value for measure, value in figures_of(section).items()}
        if self.pairs:
            figures[f"{PAIRS}_texts"] = self.pairs.texts.value
            figures[f"{PAIRS}_both"] = self.pairs.pairs.value
            figures[f"{PAIRS}_order_only"] = self.pairs.order_only.value
        return {name: round(100 * value, 2) for name, value in figures.items()}

    def report(self, title: str, facts: Mapping[str, Any]) -> ClassifierReport:
        """With the baselines beside it."""
        pairs = {MODEL: self.pairs, **pairs_of_baselines(self.baselines)} if self.pairs else {}
        return ClassifierReport(title=title, sections=self.sections, pairs=pairs, facts=facts)


def figures_of(section: ClassSection) -> dict[str, float]:
    """Of one set, each between 0 and 1."""
    figures = {"accuracy": section.report.accuracy.value, "macro_f1": section.report.macro_f1}
    if section.name in REPORTED_LABELS:
        label = REPORTED_LABELS[section.name]
        figures[f"f1_{label}"] = section.report.by_label[label].f1
    return figures | {"ece": section.after.expected_error, "ece_uncalibrated": section.before.expected_error}


def open_classifier(folder: Path, precision: str | None = None) -> OpenBundle:
    """Raises BundleError; ``precision`` is the bundle's default if none is named."""
    bundle = load_bundle(folder)
    precision = precision or bundle.manifest.default_precision
    classifier = Classifier(bundle, OnnxSession(bundle.graph(precision)))
    return OpenBundle(bundle=bundle, precision=precision, classifier=classifier)


def classify_texts(classifier: Classifier, texts: Sequence[str]) -> Scores:
    """Every text's scores, in order; of one over the limit, those of its beginning."""
    rows = [classifier.encode_beginning(text).ids for text in texts]
    return np.array([answer.scores for answer in answer_rows(classifier, rows)])


def answer_sets(model: OpenBundle, sets: Sequence[TextSet]) -> list[AnsweredSet]:
    answered = []
    for source in sets:
        started = time.process_time()
        scores = classify_texts(model.classifier, [text.text for text in source.texts])
        answered.append(AnsweredSet(source=source, scores=scores, seconds=time.process_time() - started))
    return answered


def score_minimal_pairs(model: OpenBundle, split: str) -> PairsReport | None:
    if model.classifier.labels != SENTIMENT:
        return None
    return score_pairs(lambda texts: classify_texts(model.classifier, texts).argmax(axis=1).tolist(), read_pairs(split))


def measure(
    model: OpenBundle,
    sets: Sequence[TextSet],
    *,
    split: str,
    temperature: float,
    baselines: Mapping[str, Any],
    train_seconds: float | None = None,
) -> Measured:
    """All figures of the sets of one split; ``baselines`` are what training/text_baselines.py wrote."""
    answered = answer_sets(model, sets)
    sections = []
    for part in answered:
        section = make_section(
            name=part.source.name,
            corpus=part.source.corpus,
            labels=TASKS[part.source.name],
            gold=[text.label for text in part.source.texts],
            log_probabilities=np.log(np.maximum(part.scores, np.finfo(np.float64).tiny)),
            temperature=temperature,
        )
        own = System(
            name=f"{MODEL}, {model.precision}",
            accuracy=section.report.accuracy.value,
            macro_f1=section.report.macro_f1,
            size_bytes=model.size_bytes,
            texts_per_second=part.texts_per_second,
            train_seconds=train_seconds,
        )
        others = systems_of_baselines(baselines, name=part.source.name, split=split)
        sections.append(replace(section, systems=[own, *others]))
    pairs = score_minimal_pairs(model, split)
    return Measured(answered=answered, sections=sections, pairs=pairs, baselines=baselines)


def read_baselines(paths: Iterable[Path], split: str) -> dict[str, Any]:
    """The systems in what training/text_baselines.py and training/recurrent_baselines.py wrote that ``split`` knows."""
    systems: dict[str, Any] = {}
    for path in paths:
        systems |= json.loads(path.read_text(encoding="utf-8"))["systems"]
    return {"systems": {name: row for name, row in systems.items() if split in row["sets"]}}


def task_of(labels: Sequence[str]) -> str:
    """The widest task with these classes. Raises ValueError if there is none."""
    tasks = [task for task, known in TASKS.items() if tuple(labels) == known]
    if not tasks:
        raise ValueError(f"no task has the classes {', '.join(labels)}")
    return tasks[-1]


def main() -> None:
    parser = evaluation_parser(__doc__)
    parser.add_argument("--task", choices=tuple(TASKS), help="default: all sets that have the bundle's classes")
    parser.add_argument("--report", type=Path, default=None, help="write tables and pictures here")
    parser.add_argument(
        "--baselines", type=Path, nargs="*", default=(), help="JSON files of baselines: set beside it in the report"
    )
    arguments = parser.parse_args()
    model = open_classifier(arguments.bundle, arguments.precision)
    sets = read_sets(arguments.task or task_of(model.classifier.labels), arguments.split, arguments.data_dir)
    baselines = read_baselines(arguments.baselines, arguments.split)
    temperature = float(model.bundle.manifest.metrics[TEMPERATURE])
    measured = measure(model, sets, split=arguments.split, temperature=temperature, baselines=baselines)
    figures = measured.figures()
    for name, value in figures.items():
        print(f"{name:32} {value:8.2f}")
    for part in measured.answered:
        print(f"{f'{part.source.name}_texts_per_second':32} {part.texts_per_second:8.1f}")
    if arguments.report:
        title = f"{arguments.bundle.name}, {model.precision}, on {arguments.split}"
        write_classifier_report(measured.report(title, figures), arguments.report)


if __name__ == "__main__":
    main()

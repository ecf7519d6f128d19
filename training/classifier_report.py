"""The report folder of a classifier: figures as JSON, tables as Markdown, confusion and reliability as pictures.

The same report writes the same bytes. Needs matplotlib.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from training.calibration import probabilities_of
from training.classification import Calibration, ClassReport, calibrate, evaluate_classes
from training.evaluation import Accuracy
from training.minimal_pairs import PairsReport
from training.report import blank_figure, draw_confusion, picture, save_figure, score_table, table


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A row of the table that sets systems side by side; None is what nobody measured."""

    name: str
    accuracy: float  # between 0 and 1, macro_f1 too
    macro_f1: float
    size_bytes: int | None = None
    texts_per_second: float | None = None
    train_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassSection:
    """A model on one set of texts: what it got right, how sure it was, and other systems beside it."""

    name: str  # "sst2": names the pictures too
    corpus: str  # "SST-2 test"
    report: ClassReport
    before: Calibration  # without the temperature
    after: Calibration
    systems: Sequence[System] = ()  # the model first


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassifierReport:
    """All that is told of a classifier. ``pairs`` by system, the model first; ``facts`` are passed on as they are."""

    title: str
    sections: Sequence[ClassSection]
    pairs: Mapping[str, PairsReport] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def make_section(
    *,
    name: str,
    corpus: str,
    labels: Sequence[str],
    gold: ArrayLike,
    log_probabilities: ArrayLike,
    temperature: float,
    systems: Sequence[System] = (),
) -> ClassSection:
    """A section from what a bundle answers: ``log_probabilities`` (text, label) with the temperature in them."""
    after = probabilities_of(log_probabilities)
    return ClassSection(
        name=name,
        corpus=corpus,
        report=evaluate_classes(gold=gold, predicted=after.argmax(axis=1), labels=labels),
        # Logits are log-probabilities times the temperature, but for a constant a row, which softmax ignores.
        before=calibrate(gold=gold, probabilities=probabilities_of(log_probabilities, 1 / temperature)),
        after=calibrate(gold=gold, probabilities=after),
        systems=systems,
    )


def systems_of_baselines(figures: Mapping[str, Any], *, name: str, split: str) -> list[System]:
    """The rows of what ``training.text_baselines`` wrote, on the set ``name`` of ``split``."""
    return [
        System(
            name=system,
            accuracy=row["sets"][split][name]["accuracy"],
            macro_f1=row["sets"][split][name]["macro_f1"],
            size_bytes=row["size_bytes"],
            texts_per_second=row["texts_per_second"][name],
            train_seconds=row["train_seconds"],
        )
        for system, row in figures["systems"].items()
    ]


def pairs_of_baselines(figures: Mapping[str, Any]) -> dict[str, PairsReport]:
    """The minimal pairs of what ``training.text_baselines`` wrote; none where a task has other classes."""
    rows = {system: row["minimal_pairs"] for system, row in figures["systems"].items()}
    return {system: PairsReport.from_dict(row) for system, row in rows.items() if row}


def write_classifier_report(report: ClassifierReport, folder: Path) -> None:
    """Write ``figures.json``, ``report.md`` and, a section, ``confusion-<name>.png`` and ``reliability-<name>.png``."""
    names = [section.name for section in report.sections]
    if len(set(names)) < len(names):
        raise ValueError(f"sections of a report need names of their own: {names}")
    folder.mkdir(parents=True, exist_ok=True)
    figures = json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"
    (folder / "figures.json").write_text(figures, encoding="utf-8")
    (folder / "report.md").write_text(as_markdown(report), encoding="utf-8")
    for section in report.sections:
        draw_confusion(section.report.confusion, folder / f"confusion-{section.name}.png", title=section.name)
        draw_reliability(section, folder / f"reliability-{section.name}.png")


def as_dict(report: ClassifierReport) -> dict[str, Any]:
    """The report as ``figures.json`` holds it."""
    return {
        "title": report.title,
        "facts": dict(report.facts),
        "sections": [
            {
                "name": section.name,
                "corpus": section.corpus,
                "figures": section.report.as_dict(),
                "calibration": {"before": section.before.as_dict(), "after": section.after.as_dict()},
                "systems": list(map(asdict, section.systems)),
            }
            for section in report.sections
        ],
        "minimal_pairs": {system: pairs.as_dict() for system, pairs in report.pairs.items()},
    }


def as_markdown(report: ClassifierReport) -> str:
    """The report as ``report.md`` holds it."""
    lines = [f"# {report.title}", ""]
    if report.facts:
        lines += table(["fact", "value"], [[name, str(value)] for name, value in report.facts.items()])
    for section in report.sections:
        lines += _section(section)
    if report.pairs:
        lines += pairs_table(report.pairs)
    return "\n".join(lines).rstrip("\n") + "\n"


def pairs_table(pairs: Mapping[str, PairsReport]) -> list[str]:
    """The Markdown lines that set systems side by side on the minimal pairs."""
    first = next(iter(pairs.values()))
    rows = [
        ["single texts", *(_share(report.texts) for report in pairs.values())],
        ["pairs, both right", *(_share(report.pairs) for report in pairs.values())],
        ["of which same words, other order", *(_share(report.order_only) for report in pairs.values())],
        *(
            [f"of which {phenomenon}", *(_share(report.by_phenomenon[phenomenon]) for report in pairs.values())]
            for phenomenon in first.by_phenomenon
        ),
    ]
    return ["## Minimal pairs", "", *table(["", *pairs], rows)]


def draw_reliability(section: ClassSection, path: Path) -> None:
    """How often the model was right where it was so sure, before and after the temperature, beside the ideal."""
    figure = blank_figure(9.0, 4.5)
    for axes, (title, calibration) in zip(
        figure.subplots(1, 2), (("before", section.before), ("after", section.after)), strict=True
    ):
        filled = [part for part in calibration.bins if part.count]
        width = calibration.bins[0].high
        axes.bar([part.low for part in filled], [part.accuracy for part in filled], width, align="edge", edgecolor="w")
        axes.plot([part.confidence for part in filled], [part.accuracy for part in filled], "ko", markersize=3)
        axes.plot([0, 1], [0, 1], color="0.5", linestyle="--", linewidth=1)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of the best class", ylabel="share of them right")
        axes.set_title(f"{section.name}, {title}: ECE {100 * calibration.expected_error:.2f} %")
    save_figure(figure, path)


def _section(section: ClassSection) -> list[str]:
    return [
        f"## {section.name}: {section.corpus}",
        "",
        *(_systems_table(section.systems) if section.systems else []),
        f"{100 * section.report.accuracy.value:.2f} % right, macro F1 {100 * section.report.macro_f1:.2f}; by class:",
        "",
        *score_table(section.report.by_label),
        *picture("confusion", section.name),
        *_calibration_table(section),
        *picture("reliability", section.name),
    ]


def _systems_table(systems: Sequence[System]) -> list[str]:
    header = ["system", "accuracy %", "macro F1 %", "size MB", "texts/s, one thread", "training, s"]
    rows = [
        [
            system.name,
            f"{100 * system.accuracy:.2f}",
            f"{100 * system.macro_f1:.2f}",
            _number(system.size_bytes, unit=1e6, digits=2),
            _number(system.texts_per_second),
            _number(system.train_seconds),
        ]
        for system in systems
    ]
    return table(header, rows)


def _calibration_table(section: ClassSection) -> list[str]:
    rows = [
        [name, f"{100 * found.expected_error:.2f}", f"{found.negative_log_likelihood:.4f}"]
        for name, found in (("without", section.before), ("with", section.after))
    ]
    return table(["temperature", "calibration error (ECE) %", "negative log-likelihood, nats"], rows)


def _number(value: float | None, *, unit: float = 1.0, digits: int = 0) -> str:
    return "–" if value is None else f"{value / unit:,.{digits}f}"


def _share(accuracy: Accuracy) -> str:
    return f"{accuracy.correct} of {accuracy.total} ({100 * accuracy.value:.0f} %)"

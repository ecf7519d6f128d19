"""The report of a classifier: figures as JSON, tables as Markdown, confusion and reliability as pictures.

The same figures write the same bytes. Needs matplotlib.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from service.predictors.classifier import Classifier
from training.classifier.config import ClassifierRun
from training.classifier.examples import answer_inputs, table_of
from training.classifier.figures import SetFigures
from training.classifier.plain_inputs import read_inputs
from training.report import blank_figure, draw_confusion, picture, save_figure, score_table, table

MOST_PICTURED = 12  # labels; larger confusion matrices cannot be read
BASELINES = "baselines.json"  # in the run's folder: what training/classifier/baselines.py wrote

ByPrecision = Mapping[str, Sequence[SetFigures]]


def write_report(
    folder: Path,
    classifier: Classifier,
    config: ClassifierRun,
    measured: Mapping[str, ByPrecision],
    thresholds: Mapping[str, float],
) -> None:
    """Write ``figures.json``, ``report.md`` and the pictures of each set. ``measured`` by split and precision,
    ``thresholds`` by label, empty where a text has one label.

    ``classifier`` answers the plain inputs. Baselines are read from the folder around the report, if they are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.parent / BASELINES
    baselines = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    answers = answer_inputs(classifier, read_inputs(config.name))
    content = {
        "title": f"{config.name} {config.version}",
        "sets": {
            split: {p: [as_dict(s) for s in sets] for p, sets in found.items()} for split, found in measured.items()
        },
        "baselines": baselines,
        "plain_inputs": {"right": sum(each.is_right for each in answers), "number": len(answers)},
    }
    (folder / "figures.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = [f"# {content['title']}", "", config.description + ".", ""]
    for split, found in measured.items():
        for place, first in enumerate(found["fp32"]):
            name = f"{split}-{first.name.replace('/', '-')}"
            systems = {precision: sets[place].figures for precision, sets in found.items()}
            lines += [f"## {first.name}, {split} ({first.num_texts:,} texts)", ""]
            lines += _figures_table({**systems, **baselines.get(split, {}).get(first.name, {})})
            lines += _set_tables(first, name)
            if first.calibration:
                draw_reliability(first, folder / f"reliability-{name}.png")
            if first.confusion and len(first.by_label) <= MOST_PICTURED:
                draw_confusion(first.confusion, folder / f"confusion-{name}.png", title=first.name)
    if thresholds:
        lines += ["## Thresholds, chosen on dev", "", *threshold_table(thresholds)]
    if answers:
        right = content["plain_inputs"]["right"]
        lines += [f"## Plain inputs: {right} of {len(answers)} right (int8)", "", *table_of(answers)]
    (folder / "report.md").write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")


def threshold_table(thresholds: Mapping[str, float]) -> list[str]:
    """The probability from which a text has each label, as Markdown."""
    return table(["label", "threshold"], [[label, f"{value:.2f}"] for label, value in thresholds.items()])


def as_dict(part: SetFigures) -> dict[str, Any]:
    """The figures of a set as JSON holds them."""
    return {
        "name": part.name,
        "num_texts": part.num_texts,
        "figures": part.figures,
        "by_source": part.by_source,
        "by_label": {label: score.as_dict() for label, score in part.by_label.items()},
        "calibration": part.calibration.as_dict() if part.calibration else None,
    }


def draw_reliability(part: SetFigures, path: Path) -> None:
    """Draw the accuracy of the classifier over its confidence, beside the ideal."""
    assert part.calibration is not None
    figure = blank_figure(4.8, 4.5)
    axes = figure.subplots(1, 1)
    filled = [each for each in part.calibration.bins if each.count]
    axes.bar(
        [each.low for each in filled],
        [each.accuracy for each in filled],
        part.calibration.bins[0].high,
        align="edge",
        edgecolor="w",
    )
    axes.plot([each.confidence for each in filled], [each.accuracy for each in filled], "ko", markersize=3)
    axes.plot([0, 1], [0, 1], color="0.5", linestyle="--", linewidth=1)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of the likeliest label", ylabel="share of them right")
    axes.set_title(f"{part.name}: ECE {100 * part.calibration.expected_error:.2f} %")
    save_figure(figure, path)


def _figures_table(systems: Mapping[str, Mapping[str, float]], of: str = "system") -> list[str]:
    names = list(dict.fromkeys(name for figures in systems.values() for name in figures))
    rows = [
        [system, *(f"{100 * figures[name]:.2f}" if name in figures else "–" for name in names)]
        for system, figures in systems.items()
    ]
    return table([of, *(f"{name} %" for name in names)], rows)


def _set_tables(part: SetFigures, name: str) -> list[str]:
    lines = score_table(part.by_label)
    if part.by_source:
        lines += _figures_table(part.by_source, of="source")
    if part.confusion and len(part.by_label) <= MOST_PICTURED:
        lines += picture("confusion", name)
    return lines + (picture("reliability", name) if part.calibration else [])

"""A run's report folder: figures as JSON, tables as Markdown, confusion matrices as pictures.

The same report writes the same bytes. Needs matplotlib.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation import Accuracy, Confusion, Score, SpanReport, TagReport

WRITE_COUNTS_UP_TO = 20  # labels; beyond, numbers in the cells cannot be read


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TagSection:
    """One layer of tags on one corpus. ``systems`` by name; the first is the model, the rest baselines."""

    name: str  # "upos": names the picture too
    corpus: str  # "UD English EWT test"
    systems: Mapping[str, TagReport]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpanSection:
    """Entities on one corpus, as ``TagSection``; ``confusion`` is the model's, word by word."""

    name: str
    corpus: str
    systems: Mapping[str, SpanReport]
    confusion: Confusion | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunReport:
    """All that is told of a run; ``facts`` (sizes, seeds, minutes) are passed on as they are."""

    title: str
    tags: Sequence[TagSection] = ()
    spans: Sequence[SpanSection] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_report(report: RunReport, folder: Path) -> None:
    """Write ``report.json``, ``report.md`` and a ``confusion-<name>.png`` a section into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"
    (folder / "report.json").write_text(figures, encoding="utf-8")
    (folder / "report.md").write_text(as_markdown(report), encoding="utf-8")
    for name, confusion in _confusions(report).items():
        draw_confusion(confusion, folder / f"confusion-{name}.png", title=name)


def as_dict(report: RunReport) -> dict[str, Any]:
    """The report as ``report.json`` holds it."""
    return {
        "title": report.title,
        "facts": dict(report.facts),
        "tags": [_section_dict(section) for section in report.tags],
        "spans": [
            _section_dict(section) | {"confusion": section.confusion.as_dict() if section.confusion else None}
            for section in report.spans
        ],
    }


def as_markdown(report: RunReport) -> str:
    """The report as ``report.md`` holds it."""
    lines = [f"# {report.title}", ""]
    if report.facts:
        lines += table(["fact", "value"], [[name, str(value)] for name, value in report.facts.items()])
    for tags in report.tags:
        lines += _tag_section(tags)
    for spans in report.spans:
        lines += _span_section(spans)
    return "\n".join(lines).rstrip("\n") + "\n"


def draw_confusion(confusion: Confusion, path: Path, *, title: str) -> None:
    """A heat map: a row is a gold label, and shows what share of it got each label; counts in the cells."""
    num_labels = len(confusion.labels)
    roomy = num_labels <= WRITE_COUNTS_UP_TO
    inches = max(4.0, (0.48 if roomy else 0.2) * num_labels) + 1.5
    figure = blank_figure(inches, inches)
    axes = figure.add_subplot()
    shares = confusion.counts / np.maximum(confusion.counts.sum(axis=1, keepdims=True), 1)
    # The square root lifts small shares: the errors are the picture, and most are under 5 %.
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0.0, vmax=1.0)
    size = 9 if roomy else 7
    axes.set_xticks(range(num_labels), confusion.labels, rotation=90, fontsize=size)
    axes.set_yticks(range(num_labels), confusion.labels, fontsize=size)
    axes.set(xlabel="predicted", ylabel="gold", title=f"{title} (shade: root of the share of the gold label)")
    axes.set_xticks(np.arange(num_labels + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(num_labels + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    if roomy:
        _write_counts(axes, confusion, shares)
    save_figure(figure, path)


def blank_figure(width: float, height: float) -> Any:
    """A figure of this size in inches, which needs no screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: Path) -> None:
    """Write a PNG, the same bytes for the same figure."""
    figure.savefig(path, metadata={"Software": None})  # the library's version would change the bytes


def _write_counts(axes: Any, confusion: Confusion, shares: Any) -> None:
    for row, column in zip(*np.nonzero(confusion.counts), strict=True):
        ink = "white" if shares[row, column] > 0.3 else "black"
        count = int(confusion.counts[row, column])
        text = str(count) if count < 10_000 else f"{count / 1000:.0f}k"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=ink)


def _tag_section(section: TagSection) -> list[str]:
    name, model = next(iter(section.systems.items()))
    return [
        f"## {section.name}: {section.corpus}",
        "",
        *_accuracy_table(section.systems),
        f"Precision, recall and F1 of `{name}` by tag:",
        "",
        *score_table(model.by_tag),
        *picture("confusion", section.name),
    ]


def _span_section(section: SpanSection) -> list[str]:
    name, model = next(iter(section.systems.items()))
    return [
        f"## {section.name}: {section.corpus}",
        "",
        *_micro_table(section.systems),
        f"Exact spans of `{name}` by label:",
        "",
        *score_table(model.by_label),
        *(picture("confusion", section.name) if section.confusion else []),
    ]


def _confusions(report: RunReport) -> dict[str, Confusion]:
    names = [section.name for section in report.tags] + [section.name for section in report.spans]
    if len(set(names)) < len(names):
        raise ValueError(f"sections of a report need names of their own: {names}")
    of_tags = {section.name: next(iter(section.systems.values())).confusion for section in report.tags}
    return of_tags | {section.name: section.confusion for section in report.spans if section.confusion}


def _section_dict(section: TagSection | SpanSection) -> dict[str, Any]:
    systems = {name: system.as_dict() for name, system in section.systems.items()}
    return {"name": section.name, "corpus": section.corpus, "systems": systems}


def _accuracy_table(systems: Mapping[str, TagReport]) -> list[str]:
    rows = [
        [name, *(_percent_of(part) for part in (system.overall, system.known, system.unknown))]
        for name, system in systems.items()
    ]
    return table(["system", "all words %", "known words %", "unknown words %"], rows)


def _micro_table(systems: Mapping[str, SpanReport]) -> list[str]:
    rows = [[name, *_score_cells(system.micro)] for name, system in systems.items()]
    return table(["system", "precision %", "recall %", "F1 %", "spans"], rows)


def score_table(scores: Mapping[str, Score]) -> list[str]:
    """Precision, recall and F1, a label a row."""
    rows = [[_code(label), *_score_cells(score)] for label, score in scores.items()]
    return table(["label", "precision %", "recall %", "F1 %", "support"], rows)


def _score_cells(score: Score) -> list[str]:
    return [*(f"{100 * x:.2f}" for x in (score.precision, score.recall, score.f1)), str(score.support)]


def _percent_of(accuracy: Accuracy) -> str:
    return f"{100 * accuracy.value:.2f}" if accuracy.total else "–"


def _code(label: str) -> str:
    # Penn tags include two backticks, which only a longer fence can hold.
    return f"``` {label} ```" if "`" in label else f"`{label}`"


def picture(kind: str, name: str) -> list[str]:
    """A picture of a section, ``<kind>-<name>.png`` in the report's folder."""
    return [f"![{kind} of {name}]({kind}-{name}.png)", ""]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table, first column to the left, and a blank one."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [*(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)), ""]

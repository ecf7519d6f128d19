"""A tagger's report folder: figures as JSON, tables as Markdown, confusion matrices as pictures.

The same report writes the same bytes. Needs matplotlib.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.evaluation import Accuracy, Confusion, SpanReport, TagReport
from training.report import draw_confusion, picture, score_cells, score_table, table


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TagSection:
    """The figures of one layer of tags on one corpus. ``systems`` by name: the model first, then baselines."""

    name: str  # "upos": names the picture too
    corpus: str  # "UD English EWT test"
    systems: Mapping[str, TagReport]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpanSection:
    """The figures of entities on one corpus, as in ``TagSection``; ``confusion`` is the model's, word by word."""

    name: str
    corpus: str
    systems: Mapping[str, SpanReport]
    confusion: Confusion | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunReport:
    """The content of a report; ``facts`` (sizes, seeds, minutes) are copied as they are."""

    title: str
    tags: Sequence[TagSection] = ()
    spans: Sequence[SpanSection] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_report(report: RunReport, folder: Path) -> None:
    """Write ``report.json``, ``report.md`` and a ``confusion-<name>.png`` for each section into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"
    (folder / "report.json").write_text(figures, encoding="utf-8")
    (folder / "report.md").write_text(as_markdown(report), encoding="utf-8")
    for name, confusion in _confusions(report).items():
        draw_confusion(confusion, folder / f"confusion-{name}.png", title=name)


def as_dict(report: RunReport) -> dict[str, Any]:
    """The content of ``report.json``."""
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
    """The content of ``report.md``."""
    lines = [f"# {report.title}", ""]
    if report.facts:
        lines += table(["fact", "value"], [[name, str(value)] for name, value in report.facts.items()])
    for tags in report.tags:
        lines += _tag_section(tags)
    for spans in report.spans:
        lines += _span_section(spans)
    return "\n".join(lines).rstrip("\n") + "\n"


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
    rows = [[name, *score_cells(system.micro)] for name, system in systems.items()]
    return table(["system", "precision %", "recall %", "F1 %", "spans"], rows)


def _percent_of(accuracy: Accuracy) -> str:
    return f"{100 * accuracy.value:.2f}" if accuracy.total else "–"

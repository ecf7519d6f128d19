"""Parts of every report: Markdown tables, and pictures by matplotlib whose bytes are always the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation import Confusion, Score

WRITE_COUNTS_UP_TO = 20  # labels; with more of them numbers in the cells cannot be read


def draw_confusion(confusion: Confusion, path: Path, *, title: str) -> None:
    """Draw a heat map. A row is a gold label and shows the share of it that got each label; counts are in the cells."""
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
    """A figure of this size in inches, drawn without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: Path) -> None:
    """Write a PNG; the same figure gives the same bytes."""
    figure.savefig(path, metadata={"Software": None})  # the library's version would change the bytes


def _write_counts(axes: Any, confusion: Confusion, shares: Any) -> None:
    for row, column in zip(*np.nonzero(confusion.counts), strict=True):
        ink = "white" if shares[row, column] > 0.3 else "black"
        count = int(confusion.counts[row, column])
        text = str(count) if count < 10_000 else f"{count / 1000:.0f}k"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=ink)


def score_table(scores: Mapping[str, Score]) -> list[str]:
    """A table of precision, recall and F1, a row a label."""
    rows = [[_code(label), *score_cells(score)] for label, score in scores.items()]
    return table(["label", "precision %", "recall %", "F1 %", "support"], rows)


def score_cells(score: Score) -> list[str]:
    """The cells of precision, recall, F1 and support."""
    return [*(f"{100 * x:.2f}" for x in (score.precision, score.recall, score.f1)), str(score.support)]


def _code(label: str) -> str:
    # Penn tags include two backticks, which need a longer fence.
    return f"``` {label} ```" if "`" in label else f"`{label}`"


def picture(kind: str, name: str) -> list[str]:
    """A link to a picture of a section, ``<kind>-<name>.png`` in the report's folder."""
    return [f"![{kind} of {name}]({kind}-{name}.png)", ""]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table, the first column aligned to the left, and a blank line."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [*(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)), ""]

"""Goodput and latency by load, drawn; where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.overload import Overload


def draw(found: Sequence[Overload], path: Path) -> bool:
    """A column for each model. False, and nothing is written, if there is no matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(6.4 * len(found), 7.2), layout="constrained")
    FigureCanvasAgg(figure)
    for (upper, lower), overload in zip(figure.subplots(2, len(found), squeeze=False).T, found, strict=True):
        loads = [point.load for point in overload.points]
        upper.plot(loads, [point.goodput_work / overload.peak_work for point in overload.points], "o-", label="work")
        tokens = [point.goodput_tokens / overload.peak_tokens for point in overload.points]
        upper.plot(loads, tokens, "o--", label="tokens")
        upper.axhline(0.95, color="grey", linestyle=":", label="95 %")
        upper.set(title=overload.title, ylabel="goodput, of its peak", xscale="log", ylim=(0, 1.05))
        lower.plot(loads, [point.p99 for point in overload.points], "o-", label="answered, p99")
        lower.plot(loads, [point.p50 for point in overload.points], "o--", label="answered, p50")
        lower.plot(loads, [max(point.refused_p99, 0.1) for point in overload.points], "o-", label="refused, p99")
        lower.axhline(overload.deadline_ms, color="grey", linestyle=":", label="deadline")
        lower.set(xlabel="load, times capacity", ylabel="milliseconds", xscale="log", yscale="log")
        for axes in (upper, lower):
            axes.set_xticks(loads, [f"{load:g}x" for load in loads])
            axes.grid(which="both", alpha=0.2)
            axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return True

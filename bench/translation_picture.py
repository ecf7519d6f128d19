"""Latency by rate of both policies, drawn; where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.translation_curve import Curve


def draw(panels: Mapping[str, Mapping[str, Curve]], path: Path) -> bool:
    """A panel each with its curves, all by name. False, and nothing is written, if there is no matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(6.4 * len(panels), 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, curves) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for number, (name, curve) in enumerate(curves.items()):
            rates, colour = [point.rate for point in curve.points], f"C{number}"
            axes.plot(rates, [point.p99 for point in curve.points], "o-", color=colour, label=f"{name}, p99")
            axes.plot(rates, [point.p50 for point in curve.points], "o--", color=colour, label=f"{name}, p50")
            axes.axvline(curve.capacity, color=colour, linestyle=":", label=f"{name}, capacity")
        axes.set(title=title, xlabel="sentences a second", ylabel="milliseconds from the moment due", yscale="log")
        axes.set_xlim(left=0)
        axes.grid(which="both", alpha=0.2)
        axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return True

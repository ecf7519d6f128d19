"""Pictures of a translator's report: by domain, by length of the source, and of training over core-hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from training.report import blank_figure, save_figure
from training.translator.domains import DomainFigures

SECONDS_PER_HOUR = 3600
NO_MEASURE = {"epoch", "loss", "seconds", "cpu_seconds", "score"}
History = Sequence[Mapping[str, float]]  # an epoch each, as training writes it into a checkpoint


def core_hours(history: History) -> list[float]:
    """Return for each epoch the hours of processor time that training took until its end.

    Epochs of runs that did not write down processor time count with the time on the clock.
    """
    seconds = (each.get("cpu_seconds", each["seconds"]) for each in history)
    return [total / SECONDS_PER_HOUR for total in accumulate(seconds)]


def draw_learning_curve(history: History, path: Path) -> None:
    """Draw the loss and the dev figures over core-hours, a panel a measure.

    A figure's measure is the last word of its name (``news en-es chrF``); one without such a word is a BLEU.
    """
    hours = core_hours(history)
    names = sorted({name for each in history for name in each} - NO_MEASURE)
    measures = sorted({_measure(name) for name in names})
    figure = blank_figure(5.0 * (1 + len(measures)), 4.2)
    panels = figure.subplots(1, 1 + len(measures), squeeze=False)[0]
    panels[0].plot(hours, [each["loss"] for each in history], "o-", markersize=3)
    panels[0].set(xlabel="core-hours", ylabel="cross-entropy of a training token, nats")
    for axes, measure in zip(panels[1:], measures, strict=True):
        for name in names:
            if _measure(name) == measure:
                _draw_figure(axes, name, hours, history)
        axes.set(xlabel="core-hours", ylabel=f"{measure}, dev")
        axes.legend(fontsize=7)
    for axes in panels:
        axes.grid(color="0.9")
    save_figure(figure, path)


def draw_domains(figures: DomainFigures, path: Path) -> None:
    """Draw BLEU and chrF of each domain as bars, a panel a direction."""
    directions = list(dict.fromkeys(each.direction for each in figures.domains))
    figure = blank_figure(5.2 * len(directions), 5.0)
    for axes, direction in zip(figure.subplots(1, len(directions), squeeze=False)[0], directions, strict=True):
        parts = [each for each in figures.domains if each.direction == direction][::-1]
        places = range(len(parts))
        axes.barh([place + 0.2 for place in places], [each.score.chrf for each in parts], height=0.4, label="chrF")
        axes.barh([place - 0.2 for place in places], [each.score.bleu for each in parts], height=0.4, label="BLEU")
        axes.set_yticks(list(places), [each.domain for each in parts], fontsize=8)
        axes.set(title=direction, xlim=(0, 100))
        axes.legend(loc="lower right")
        axes.grid(axis="x", color="0.9")
    save_figure(figure, path)


def draw_lengths(figures: DomainFigures, path: Path) -> None:
    """Draw BLEU (above) and chrF (below) over the middle of each span of lengths, a line a kind of text."""
    directions = list(dict.fromkeys(each.direction for each in figures.lengths))
    columns = max(1, len(directions))
    figure = blank_figure(4.5 * columns, 7.0)
    rows = figure.subplots(2, columns, sharey="row", squeeze=False)
    for column, direction in enumerate(directions):
        for row, measure in zip(rows, ("bleu", "chrf"), strict=True):
            for part in (each for each in figures.lengths if each.direction == direction):
                middles = [(each.low + min(each.high, 60)) / 2 for each in part.scores]
                row[column].plot(
                    middles, [getattr(each.score, measure) for each in part.scores], "o-", label=part.group
                )
            title = {"bleu": "BLEU", "chrf": "chrF"}[measure]
            row[column].set(title=direction, xlabel="words of the source", ylabel=title)
            row[column].set_ylim(bottom=0)
            row[column].legend(fontsize=8)
            row[column].grid(color="0.9")
    save_figure(figure, path)


def _draw_figure(axes: Any, name: str, hours: Sequence[float], history: History) -> None:
    seen = [(hour, each[name]) for hour, each in zip(hours, history, strict=True) if name in each]
    label = name.rsplit(" ", 1)[0] if name.endswith(("BLEU", "chrF")) else name
    axes.plot([hour for hour, _ in seen], [value for _, value in seen], "o-", markersize=3, label=label)


def _measure(name: str) -> str:
    last = name.rsplit(" ", 1)[-1]
    return last if last in ("BLEU", "chrF") else "BLEU"

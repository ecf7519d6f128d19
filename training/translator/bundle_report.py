"""The report folder of a published translator: figures as JSON, tables as Markdown, pictures of training, lengths and
attention.

    python -m training.translator.bundle_report "with attention=docs/reports/multi30k" \\
        "without attention=runs/multi30k-no-attention/report" --output docs/reports/multi30k/lengths.png

draws the BLEU by source length of several reports into one picture. The same report writes the same bytes. Needs
matplotlib.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sacrebleu

from service.predictors.translation import LanguagePair, TranslateOptions
from service.predictors.translator import Translator
from training.corpora.parallel import Pair
from training.report import blank_figure, picture, save_figure, table
from training.translator.evaluate import TranslatedSet
from training.translator.pictures import draw_learning_curve

EDGES = (1, 6, 9, 12, 15, 18, 22, 27, 1000)  # words of a source
FEWEST = 15  # sentences; a BLEU of fewer says little
NUM_PICTURES = 10
PICTURED_SPACES = range(5, 14)  # in a source
FIGURES, REPORT, CURVE, LENGTHS = "figures.json", "report.md", "curve.png", "lengths.png"
MEASURES = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "bleu_all_references": "BLEU, all references",
    "bleu_literature": "BLEU, lower-cased tokens",
}

Measured = Mapping[str, Sequence[TranslatedSet]]  # by precision, the default one first


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBin:
    """The BLEU of sentences whose sources have ``low`` to ``high`` words."""

    low: int
    high: int
    count: int
    bleu: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetSection:
    """The figures of a test set by precision, the default one first."""

    name: str
    figures: Mapping[str, Mapping[str, float]]  # by precision and measure


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionPicture:
    """The attention weights of one translation: of each target piece to each source piece."""

    source_tokens: Sequence[str]
    target_tokens: Sequence[str]
    weights: npt.NDArray[np.float32]  # (target, source)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TranslatorReport:
    """The content of a report."""

    title: str
    signature: str  # of BLEU
    sections: Sequence[SetSection]
    lengths: Mapping[str, Sequence[LengthBin]]  # by direction, over all its test sets
    history: Sequence[Mapping[str, float]] = ()  # an epoch each
    attentions: Sequence[AttentionPicture] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def make_report(
    title: str,
    test: Measured,
    history: Sequence[Mapping[str, float]],
    attentions: Sequence[AttentionPicture],
) -> TranslatorReport:
    """The report of measured test sets. BLEU by length is that of the first precision."""
    default = next(iter(test.values()))
    sections = [
        SetSection(name=part.source.name, figures={name: test[name][place].measures() for name in test})
        for place, part in enumerate(default)
    ]
    by_direction: dict[str, list[TranslatedSet]] = {}
    for part in default:
        by_direction.setdefault(part.source.direction, []).append(part)
    lengths = {
        direction: bleu_by_length(
            [text for part in parts for text in part.translations],
            [pair for part in parts for pair in part.source.pairs],
        )
        for direction, parts in by_direction.items()
    }
    return TranslatorReport(
        title=title,
        signature=default[0].quality.signature,
        sections=sections,
        lengths=lengths,
        history=history,
        attentions=attentions,
    )


def attentions_of(translator: Translator, test: Sequence[TranslatedSet]) -> list[AttentionPicture]:
    """The attention of some sentences from all over the test sets that are neither very short nor wider than a page."""
    found = []
    for number in range(NUM_PICTURES):
        part = test[number % len(test)].source
        fit = [pair for pair in part.pairs if pair.source.count(" ") in PICTURED_SPACES]
        if not fit:
            continue
        pair = fit[number * len(fit) // NUM_PICTURES]
        options = TranslateOptions(pair=LanguagePair(*part.direction.split("-")), attention=True)
        attention = translator.translate([pair.source], options)[0][0].attention
        assert attention is not None  # it was asked for
        found.append(
            AttentionPicture(
                source_tokens=attention.source_tokens,
                target_tokens=attention.target_tokens,
                weights=attention.weights,
            )
        )
    return found


def bleu_by_length(translations: Sequence[str], pairs: Sequence[Pair]) -> list[LengthBin]:
    """The BLEU of the first reference by length of the source."""
    lengths = [len(pair.source.split()) for pair in pairs]
    bins = []
    for low, end in pairwise(EDGES):
        places = [i for i, length in enumerate(lengths) if low <= length < end]
        if len(places) >= FEWEST:
            found = sacrebleu.corpus_bleu([translations[i] for i in places], [[pairs[i].target for i in places]])
            high = max(lengths[i] for i in places)
            bins.append(LengthBin(low=low, high=high, count=len(places), bleu=round(found.score, 2)))
    return bins


def write_translator_report(report: TranslatorReport, folder: Path) -> None:
    """Write :data:`FIGURES`, :data:`REPORT` and the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"
    (folder / FIGURES).write_text(figures, encoding="utf-8")
    (folder / REPORT).write_text(as_markdown(report), encoding="utf-8")
    draw_lengths({report.title: report.lengths}, folder / LENGTHS)
    if report.history:
        draw_learning_curve(report.history, folder / CURVE)
    for number, attention in enumerate(report.attentions, 1):
        draw_attention(attention, folder / f"attention-{number}.png")


def as_dict(report: TranslatorReport) -> dict[str, Any]:
    """The content of :data:`FIGURES`."""
    return {
        "title": report.title,
        "facts": dict(report.facts),
        "signature": report.signature,
        "sets": {
            section.name: {name: dict(row) for name, row in section.figures.items()} for section in report.sections
        },
        "lengths": {direction: list(map(asdict, bins)) for direction, bins in report.lengths.items()},
        "history": list(map(dict, report.history)),
    }


def as_markdown(report: TranslatorReport) -> str:
    """The content of :data:`REPORT`."""
    lines = [f"# {report.title}", "", f"sacreBLEU: `{report.signature}`", ""]
    rows = [
        [section.name, precision, *(f"{row[measure]:.2f}" for measure in MEASURES)]
        for section in report.sections
        for precision, row in section.figures.items()
    ]
    lines += table(["set", "precision", *MEASURES.values()], rows)
    lines += ["## BLEU by source length", "", "Words of the source, all test sets of a direction together.", ""]
    for direction, bins in report.lengths.items():
        rows = [[f"{part.low} to {part.high}", str(part.count), f"{part.bleu:.2f}"] for part in bins]
        lines += table([f"{direction}: words", "sentences", "BLEU"], rows)
    lines += ["![BLEU by source length](lengths.png)", ""]
    if report.history:
        lines += ["## Training", "", "![Loss and dev figures over core-hours](curve.png)", ""]
    if report.attentions:
        lines += ["## Where the decoder looks", "", "A row is a piece it writes, a column a piece it reads.", ""]
    for number in range(1, len(report.attentions) + 1):
        lines += picture("attention", str(number))
    return "\n".join(lines).rstrip("\n") + "\n"


def draw_lengths(systems: Mapping[str, Mapping[str, Sequence[LengthBin]]], path: Path) -> None:
    """Draw BLEU over the middle of each bin, a panel a direction, a line a system."""
    directions = list(dict.fromkeys(direction for lengths in systems.values() for direction in lengths))
    figure = blank_figure(4.5 * max(1, len(directions)), 3.8)
    for axes, direction in zip(figure.subplots(1, max(1, len(directions)), squeeze=False)[0], directions, strict=False):
        for name, lengths in systems.items():
            bins = lengths.get(direction, ())
            axes.plot([(part.low + part.high) / 2 for part in bins], [part.bleu for part in bins], "o-", label=name)
        axes.set(title=direction, xlabel="words of the source", ylabel="BLEU", ylim=(0, None))
        axes.legend()
        axes.grid(color="0.9")
    save_figure(figure, path)


def draw_attention(attention: AttentionPicture, path: Path) -> None:
    """Draw attention weights as shades of grey."""
    width, height = len(attention.source_tokens), len(attention.target_tokens)
    figure = blank_figure(2.0 + 0.32 * width, 1.6 + 0.32 * height)
    axes = figure.add_subplot()
    axes.imshow(attention.weights, cmap="Greys", vmin=0.0, vmax=1.0)
    axes.set_xticks(range(width), attention.source_tokens, rotation=90)
    axes.set_yticks(range(height), attention.target_tokens)
    axes.xaxis.tick_top()
    save_figure(figure, path)


def read_lengths(folder: Path) -> dict[str, list[LengthBin]]:
    """The BLEU by length of a report that was written before."""
    found = json.loads((folder / FIGURES).read_text(encoding="utf-8"))["lengths"]
    return {direction: [LengthBin(**part) for part in bins] for direction, bins in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--output", type=Path, required=True, help="the picture")
    arguments = parser.parse_args()
    named = (each.partition("=") for each in arguments.reports)
    draw_lengths({name: read_lengths(Path(folder)) for name, _, folder in named}, arguments.output)


if __name__ == "__main__":
    main()

"""The report of a language model: figures as JSON, tables and texts as Markdown, the learning curve as a picture.

The same figures write the same bytes. Needs matplotlib.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from training.language_model.config import LanguageModelRun
from training.report import blank_figure, save_figure, table

BASELINES = "baselines.json"  # in the run's folder: what training/language_model/baselines.py wrote
CURVE = "learning-curve.png"
PAIRS = "Share of pairs whose right text is the likelier one, in percent; `all` is the mean over the finest groups."
FIGURES = {
    "word_perplexity": "perplexity of a word",
    "unit_perplexity": "of a unit",
    "bits_per_character": "bits a character",
}


def write_report(folder: Path, config: LanguageModelRun, content: Mapping[str, Any]) -> None:
    """Write ``figures.json``, ``report.md`` and the learning curve; ``content`` as
    :func:`training.language_model.publish.publish` gathers it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = [f"# {content['title']}", "", f"{config.description}.", ""]
    lines += _perplexities(content) + _pairs(content) + _next_words(content["next_words"])
    lines += _samples(content["samples"]) + _training(content["history"])
    (folder / "report.md").write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")
    if content["history"]:
        draw_curve(content["history"], folder / CURVE)


def draw_curve(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Perplexity of a unit of dev over core-minutes."""
    minutes, total = [], 0.0
    for epoch in history:
        total += epoch["cpu_seconds"] / 60
        minutes.append(total)
    points = [(x, epoch["perplexity_forwards"]) for x, epoch in zip(minutes, history, strict=True) if "score" in epoch]
    figure = blank_figure(5.5, 3.5)
    axes = figure.subplots(1, 1)
    axes.plot([x for x, _ in points], [y for _, y in points], marker="o", markersize=3)
    axes.set(xlabel="core-minutes of training", ylabel="perplexity of a unit, dev", yscale="log")
    save_figure(figure, path)


def _perplexities(content: Mapping[str, Any]) -> list[str]:
    """Of all test texts by system, then words' perplexities by source."""
    systems = {f"network, {next(iter(content['dev']))}": content["test"]["texts"]}
    systems |= {name: found["test"] for name, found in content["baselines"].items()}
    rows = [[name, *(f"{found['all'][figure]:.2f}" for figure in FIGURES)] for name, found in systems.items()]
    lines = ["## Test texts", "", *table(["system", *FIGURES.values()], rows)]
    sources = [name for name in content["test"]["texts"] if name != "all"]
    rows = [
        [source, f"{content['test']['texts'][source]['num_words']:,}"]
        + [f"{found[source]['word_perplexity']:.1f}" for found in systems.values()]
        for source in sources
    ]
    lines += ["Perplexity of a word by source:", "", *table(["source", "words", *systems], rows)]
    rows = [
        [precision, *(f"{found['texts']['all'][figure]:.3f}" for figure in FIGURES)]
        for precision, found in content["dev"].items()
    ]
    return [*lines, "Both precisions on dev:", "", *table(["precision", *FIGURES.values()], rows)]


def _pairs(content: Mapping[str, Any]) -> list[str]:
    if "pairs" not in content["test"]:
        return []
    systems = {"network": content["test"]["pairs"]}
    systems |= {name: found["pairs"] for name, found in content["baselines"].items() if "pairs" in found}
    lines = ["## Minimal pairs", "", PAIRS, ""]
    for name, groups in systems["network"].items():
        rows = [[group, *(f"{100 * found[name][group]:.1f}" for found in systems.values())] for group in groups]
        lines += table([name, *systems], rows)
    return lines


def _next_words(found: Mapping[str, Any]) -> list[str]:
    lines = ["## The likeliest next words", ""] if found else []
    for prompt, words in found.items():
        told = ", ".join(f"{each['word']} {100 * each['probability']:.1f} %" for each in words)
        lines += [f"**{prompt}** {told}", ""]
    return lines


def _samples(found: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["## Samples", "", "As they were drawn, seed 1, none left out. The prompt is in bold.", ""]
    for temperature, group in groupby(found, key=lambda each: each["temperature"]):
        lines += [f"### Temperature {temperature}", ""]
        for sample in group:
            prompt = f"**{sample['prompt'].strip()}**" if sample["prompt"].strip() else ""
            text = sample["text"].replace("\n", "  \n> ")
            lines += [f"> {prompt}{text}", ""]
    return lines


def _training(history: Sequence[Mapping[str, float]]) -> list[str]:
    if not history:
        return []
    minutes = sum(epoch["cpu_seconds"] for epoch in history) / 60
    clock = sum(epoch["seconds"] for epoch in history) / 60
    text = f"{len(history)} epochs in {minutes:.0f} core-minutes, {clock:.0f} by the clock."
    return ["## Training", "", text, "", f"![Perplexity over core-minutes]({CURVE})", ""]

"""The report folder of an experiment: its text with tables and pictures, and its figures as JSON."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from training.command_line import CORPORA

REPORTS = Path("docs/reports/experiments")
# The same colour for the same network in every picture; from Okabe and Ito, told apart by the colour-blind, too.
COLOURS = {"rnn": "#D55E00", "gru": "#009E73", "lstm": "#0072B2", "attention": "#CC79A7", "other": "#555555"}


def experiment_parser(description: str | None, name: str) -> argparse.ArgumentParser:
    """The flags that every experiment has: where its report goes, where the corpora are, and the seed."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report-dir", type=Path, default=REPORTS / name, help="default %(default)s")
    parser.add_argument("--data-dir", type=Path, help=CORPORA)
    parser.add_argument("--seed", type=int, default=1)
    return parser


class Record:
    """Collects the lines and the figures of a report, and the seconds since it was begun."""

    def __init__(self, arguments: argparse.Namespace, title: str) -> None:
        torch.manual_seed(arguments.seed)
        self.folder: Path = arguments.report_dir
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lines = [f"# {title}", ""]
        sizes = {name: value for name, value in vars(arguments).items() if not isinstance(value, Path | None)}
        self.figures: dict[str, Any] = {"settings": sizes}
        self._began = time.perf_counter(), time.process_time()

    def say(self, *paragraphs: str) -> None:
        """Add paragraphs."""
        for paragraph in paragraphs:
            self.lines += [" ".join(paragraph.split()), ""]

    def show(self, picture: str, description: str) -> None:
        """Add a picture that lies in the folder."""
        self.lines += [f"![{description}]({picture})", ""]

    def keep(self, **figures: Any) -> None:
        """Add figures, rounded to what is worth reading."""
        self.figures |= rounded(figures)

    def write(self) -> None:
        """Write ``report.md`` and ``figures.json``, with the time that the experiment took."""
        wall, cpu = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
        self.figures["seconds"] = {"cpu": round(cpu), "wall": round(wall)}
        settings = ", ".join(f"{name} {_spelled(value)}" for name, value in self.figures["settings"].items())
        self.say(f"Settings: {settings}. {cpu:.0f} seconds of one processor core. All figures: `figures.json`.")
        (self.folder / "report.md").write_text("\n".join(self.lines).rstrip("\n") + "\n", encoding="utf-8")
        text = json.dumps(self.figures, indent=1, ensure_ascii=False)
        (self.folder / "figures.json").write_text(text + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """The same value with its floats rounded to four significant digits, in mappings and sequences, too."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {str(key): rounded(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [rounded(each) for each in value]
    return value


def _spelled(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

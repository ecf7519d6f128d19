"""The command-line flags that all measurements of a translator share, and the system that they name."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from service.bundle import load_bundle
from training.command_line import CORPORA
from training.translator.answers import Answer, RemoteTranslator, ServedModel, Translate

LANGUAGES = ("es", "de", "fr")
LANGUAGE_NAMES = {"de": "German", "en": "English", "es": "Spanish", "fr": "French"}
EVALUATION = Path(__file__).with_name("evaluation")  # our own evaluation data


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Translators to be measured: a function that translates, and the model of each target language."""

    translate: Translate
    models: Mapping[str, ServedModel]

    @property
    def name(self) -> str:
        """The name of the model, or ``translators`` if there are several."""
        names = {model.name for model in self.models.values()}
        return names.pop() if len(names) == 1 else "translators"

    @property
    def title(self) -> str:
        """The names and versions: ``en-es 3.0.0, en-de 3.0.0``."""
        return ", ".join(dict.fromkeys(f"{model.name} {model.version}" for model in self.models.values()))

    def answers(self, texts: Sequence[str], language: str) -> list[Answer]:
        """Translate English texts into a language."""
        return self.translate(texts, f"en-{language}")


def measurement_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the flags that choose the system, the amount of text and the folder of the figures."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="a running service, such as http://127.0.0.1:8123")
    where.add_argument("--bundle", type=Path, help="a bundle's folder, to measure it in this process")
    parser.add_argument("--model", help="the model's name, of a service that has several for a pair")
    parser.add_argument("--beam-size", type=int, help="default: that of the service")
    parser.add_argument("--languages", nargs="+", default=list(LANGUAGES), help="default: es de fr")
    parser.add_argument("--limit", type=int, help="at most this many texts of each set")
    parser.add_argument("--data-dir", type=Path, help=CORPORA)
    parser.add_argument("--output", type=Path, help="folder for the figures; default runs/MODEL/evaluation")
    return parser


def open_system(arguments: argparse.Namespace, **options: Any) -> System:
    """Return the translator that the flags name; ``options`` are further fields of each request."""
    if arguments.beam_size is not None:
        options["beam_size"] = arguments.beam_size
    if arguments.bundle:
        from training.translator.evaluate import answers_here, open_translator

        bundle = load_bundle(arguments.bundle)
        threshold = (bundle.manifest.confidence or {}).get("threshold")
        model = ServedModel(name=bundle.manifest.name, version=bundle.manifest.version, threshold=threshold)
        here = answers_here(open_translator(bundle), **options)
        return System(translate=here, models=dict.fromkeys(arguments.languages, model))
    remote = RemoteTranslator(url=arguments.url, model=arguments.model, options=options)
    return System(translate=remote, models={each: remote.served(f"en-{each}") for each in arguments.languages})


def output_folder(arguments: argparse.Namespace, system: System) -> Path:
    """Return the folder for figures, and make it."""
    folder: Path = arguments.output or Path("runs") / system.name / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_figures(figures: Any, path: Path) -> None:
    """Write a dataclass as JSON."""
    path.write_text(json.dumps(asdict(figures), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def finish(name: str, figures: Any, lines: Sequence[str], *, arguments: argparse.Namespace, system: System) -> None:
    """Write the figures of a measurement as ``NAME.json`` and print its lines."""
    path = output_folder(arguments, system) / f"{name}.json"
    write_figures(figures, path)
    print("\n".join([*lines, f"written: {path}"]))


def shortened(texts: Sequence[Any], limit: int | None) -> list[Any]:
    """Return the first ``limit`` of a list, all without a limit."""
    return list(texts[:limit])

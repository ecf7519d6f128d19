"""Commands of ``ribbon train``: models of one's own data, each by one command.

    ribbon train classifier tickets.csv --out models/tickets

Exit codes: 0 the model is there; 1 the training went wrong; 2 the data or the options are not usable, and the message
says why; 130 interrupted from the keyboard, and nothing is left.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

MODELS = Path("models")
EXAMPLE = "We cannot log in since this morning."
NO_TORCH = "Training needs more packages than serving: pip install '.[train]' in a clone of Ribbon ({error})."
Command = Callable[..., None]


@click.group()
def train() -> None:
    """Train a model of your own data and write it as a bundle that the service finds.

    The columns of a table are guessed and named, data sets for choosing and measuring are split off, the size fits the
    amount of data, and the result is compared with a simple baseline.
    """


def shared_options(command: Command) -> Command:
    """Add the options that all models have in common."""
    for option in reversed(
        (
            click.option("--out", type=click.Path(path_type=Path), help="Folder of the bundle; default models/NAME."),
            click.option("--name", help="Name of the model; default the folder's, or the file's."),
            click.option("--minutes", type=click.FloatRange(min=0.05), default=20, show_default=True, help="At most."),
            click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of all chance."),
            click.option("--threads", type=click.IntRange(min=1), help="Default: as many as there are cores."),
            click.option("--encoding", help="Of the files; default UTF-8."),
            click.option("--overwrite", is_flag=True, help="Replace a model in the folder."),
        )
    ):
        command = option(command)
    return command


def held_out_options(command: Command) -> Command:
    """Add the options that name files of dev and test."""
    for name, use in (("--test", "measure"), ("--dev", "choose")):
        kind = click.Path(path_type=Path)
        command = click.option(name, type=kind, help=f"File to {use} by; default: a part is split off.")(command)
    return command


def start_option(default: str) -> Callable[[Command], Command]:
    """An option that names the bundle to start from."""
    kind = click.Path(path_type=Path)
    return click.option("--start", type=kind, help=f"Bundle that training starts from, or 'none'; default {default}.")


def told(command: Command) -> Command:
    """End with a sentence and an exit code, not with a traceback, where data or options are at fault."""

    @wraps(command)
    def run(**options: Any) -> None:
        try:
            from training.export import ExportError
            from training.own_data.errors import DataError
        except ImportError as error:
            raise click.ClickException(NO_TORCH.format(error=error)) from error
        try:
            command(**options)
        except DataError as error:
            raise click.UsageError(str(error)) from error
        except ImportError as error:
            raise click.ClickException(NO_TORCH.format(error=error)) from error
        except ExportError as error:
            raise click.ClickException(f"The trained network could not be exported: {error}") from error
        except KeyboardInterrupt:
            click.echo("Interrupted: nothing was written.", err=True)
            raise SystemExit(130) from None

    return run


@train.command()
@click.argument("data", type=click.Path(path_type=Path))
@held_out_options
@click.option("--text-column", help="Name or number of the column with the text.")
@click.option("--label-column", help="Name or number of the column with the label.")
@click.option("--label-separator", help="Between several labels of a cell, or 'none'; default: found in the data.")
@click.option("--drop-rare-labels", is_flag=True, help="Leave labels with fewer than five examples out.")
@click.option("--skip-malformed", is_flag=True, help="Leave malformed lines out instead of stopping.")
@click.option("--language", default="en", show_default=True, help="Of the texts.")
@start_option("that of models/ which tells the labels apart best")
@shared_options
@told
def classifier(data: Path, **options: Any) -> None:
    """Train a classifier of texts from DATA: CSV, TSV or JSON Lines with a text and a label, or several.

    \b
    ribbon train classifier tickets.csv --out models/tickets
    ribbon train classifier train.tsv --test test.tsv --text-column body
    ribbon train classifier train.jsonl    {"text": "It is late and torn.", "labels": ["delivery", "damage"]}
    """
    from training.own_data.classifier import ClassifierFiles, train_classifier
    from training.own_data.labelled import TableOptions

    chosen = options_of(data, options)
    verdict = train_classifier(
        ClassifierFiles(train=data, dev=options["dev"], test=options["test"]),
        chosen,
        table=TableOptions(
            text_column=options["text_column"],
            label_column=options["label_column"],
            label_separator=options["label_separator"],
            encoding=options["encoding"],
            skip_malformed=options["skip_malformed"],
            drop_rare_labels=options["drop_rare_labels"],
        ),
        starts=starts_of(options, "classify"),
        say=click.echo,
    )
    click.echo(verdict.text)
    tell_how_to_serve(chosen.out, "classify", {"text": EXAMPLE, "model": chosen.name})


@train.command()
@click.argument("data", type=click.Path(path_type=Path))
@held_out_options
@click.option("--word-column", type=click.IntRange(min=1), help="Number of the column with the word.")
@click.option("--tag-column", type=click.IntRange(min=1), help="Number of the column with the tag.")
@click.option("--drop-rare-labels", is_flag=True, help="Learn labels with fewer than five entities as no entity.")
@click.option("--language", default="en", show_default=True, help="Of the sentences.")
@start_option("the first of models/")
@shared_options
@told
def tagger(data: Path, **options: Any) -> None:
    """Train a tagger from DATA: CoNLL-U, columns with BIO tags, or JSON Lines with spans by offsets.

    \b
    ribbon train tagger train.conllu --out models/parts-of-speech
    ribbon train tagger train.iob2 --dev dev.iob2
    ribbon train tagger train.jsonl    {"text": "Call Kim.", "spans": [[5, 8, "PER"]]}
    """
    from training.own_data.tagged import TaggedOptions
    from training.own_data.tagger import TaggerFiles, train_tagger

    chosen = options_of(data, options)
    verdicts = train_tagger(
        TaggerFiles(train=data, dev=options["dev"], test=options["test"]),
        chosen,
        reading=TaggedOptions(
            word_column=options["word_column"],
            tag_column=options["tag_column"],
            encoding=options["encoding"],
            drop_rare_labels=options["drop_rare_labels"],
        ),
        starts=starts_of(options, "tag"),
        say=click.echo,
    )
    for verdict in verdicts:
        click.echo(verdict.text)
    tell_how_to_serve(chosen.out, "tag", {"text": "Kim moved from Spain to Hong Kong in May.", "model": chosen.name})


@train.command()
@click.argument("data", type=click.Path(path_type=Path))
@held_out_options
@click.option("--languages", help="Of the first and the second column, such as en-es; else the first line says it.")
@click.option("--skip-malformed", is_flag=True, help="Leave malformed lines out instead of stopping.")
@start_option("that of models/ which has the languages")
@shared_options
@told
def translator(data: Path, **options: Any) -> None:
    """Train a translator from DATA: TSV, CSV or JSON Lines with a sentence and its translation.

    \b
    ribbon train translator pairs.tsv --languages en-es --out models/help-pages
    """
    from training.own_data.pairs import PairOptions
    from training.own_data.translator import TranslatorFiles, train_translator

    chosen = options_of(data, options)
    trained = train_translator(
        TranslatorFiles(train=data, dev=options["dev"], test=options["test"]),
        chosen,
        reading=PairOptions(
            languages=options["languages"], encoding=options["encoding"], skip_malformed=options["skip_malformed"]
        ),
        starts=starts_of(options, "translate"),
        say=click.echo,
    )
    click.echo(trained.verdict.text)
    source, _, target = trained.direction.partition("-")
    body = {"text": "Your password has expired.", "source": source, "target": target, "model": chosen.name}
    tell_how_to_serve(chosen.out, "translate", body)


@train.command("language-model")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--language", default="en", show_default=True, help="Of the text.")
@start_option("the first of models/")
@shared_options
@told
def language_model(data: Path, **options: Any) -> None:
    """Train a language model of the running text in DATA: paragraphs between blank lines, or a text a line.

    \b
    ribbon train language-model letters.txt --out models/letters
    """
    from training.own_data.language_model import train_language_model

    chosen = options_of(data, options)
    verdict = train_language_model(
        data, chosen, encoding=options["encoding"], starts=starts_of(options, "generate"), say=click.echo
    )
    click.echo(verdict.text)
    tell_how_to_serve(chosen.out, "generate", {"prompt": "Thank you for", "model": chosen.name})


def options_of(data: Path, options: dict[str, Any]) -> Any:
    """The options of a run, the folder and the name made from the file's name where they are not given."""
    from training.own_data.options import TrainOptions, name_of

    name = options["name"] or name_of(options["out"] or Path(data.name.partition(".")[0]))
    limit_threads(options["threads"])
    return TrainOptions(
        out=options["out"] or MODELS / name,
        name=name,
        minutes=options["minutes"],
        seed=options["seed"],
        overwrite=options["overwrite"],
        language=options.get("language", "en"),
        command=shlex.join(["ribbon", "train", *sys.argv[1:]]).replace("ribbon train train", "ribbon train"),
    )


def limit_threads(threads: int | None) -> None:
    """Let torch use so many threads; by default it uses one a core."""
    import torch

    if threads:
        torch.set_num_threads(threads)


def starts_of(options: dict[str, Any], task: str) -> list[Path]:
    """The bundles that training may start from: the one that is named, else those of the task in ``models``."""
    from training.own_data.starts import bundles_of

    start: Path | None = options["start"]
    if start is None:
        found: list[Path] = bundles_of(MODELS, task, options.get("language", "en"))
        return found
    return [] if str(start) == "none" else [start]


def tell_how_to_serve(out: Path, endpoint: str, body: dict[str, Any]) -> None:
    """Print where everything is, and the commands that serve the model and ask it."""
    import json

    click.echo(f"\nThe model is in {out}, its card in {out / 'CARD.md'}, its report in {out / 'report' / 'report.md'}.")
    click.echo("Serve it, then ask it (a running service finds it after SIGHUP):\n")
    click.echo(f"    ribbon serve --models {out.parent}")
    header = "-H 'Content-Type: application/json'"
    click.echo(f"    curl http://127.0.0.1:8000/{endpoint} {header} -d {shlex.quote(json.dumps(body))}")


if __name__ == "__main__":
    train()

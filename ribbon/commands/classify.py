"""Command ``ribbon classify``: the class of each text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ribbon.console.options import Connection, connection_options, text_options
from ribbon.console.output import Output, Style, format_options, refusal_of
from ribbon.console.texts import Texts

if TYPE_CHECKING:
    from ribbon.answers import Classification
    from ribbon.options import ClassifyOptions

LABEL_WIDTH = 16
HEAD = f"{'LABEL':{LABEL_WIDTH}} SCORE   TEXT"
EPILOG = """\b
Examples:
  ribbon classify "It was not bad at all." "The meeting starts at three."
  ribbon classify --model en-spam --file messages.txt
  ribbon classify --truncate --file reviews.txt --jsonl > classes.jsonl
"""


@click.command(epilog=EPILOG)
@text_options
@connection_options
@format_options
@click.option("--truncate", is_flag=True, help="Read the beginning of a text over the model's limit.")
def classify(texts: Texts, connection: Connection, output: Output, truncate: bool) -> None:
    """Say which class each text belongs to, and how probable it is."""
    client = connection.open("classify")
    options: ClassifyOptions = {**connection.options, "truncate": truncate}  # type: ignore[typeddict-item]
    output.write(texts, lambda each: client.classify_all(each, **options), rows_of, head=HEAD)


def rows_of(text: str, result: Classification, style: Style) -> Iterator[str]:
    """Yield the line of a text; a multi-label model's has all its labels."""
    label = ", ".join(result.labels) if result.labels is not None else result.label
    score = "-" if result.score is None else f"{result.score:.4f}"
    shown = style.label(f"{label or '-':{LABEL_WIDTH}}", name=label)
    yield f"{shown} {score:7} {style.cut(text, used=LABEL_WIDTH + 9)}{refusal_of(result)}".rstrip()

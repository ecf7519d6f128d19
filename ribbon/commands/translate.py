"""Command ``ribbon translate``: texts in another language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ribbon.console.options import Connection, connection_options, text_options
from ribbon.console.output import Output, Style, format_options, refusal_of
from ribbon.console.texts import Texts

if TYPE_CHECKING:
    from ribbon.answers import Translation
    from ribbon.options import TranslateOptions

EPILOG = """\b
Examples:
  ribbon translate --target es "I love this book."
  ribbon translate --target de --file strings.txt > strings.de.txt
  ribbon translate --target fr --format html "<b>Save</b> the file."
"""


@click.command(epilog=EPILOG)
@text_options
@connection_options
@format_options
@click.option("--target", "-t", required=True, help="Language that is wanted, such as es.")
@click.option("--source", "-s", default="en", show_default=True, help="Language of the texts.")
@click.option("--beam", "beam_size", type=click.IntRange(1, 16), default=4, show_default=True, help="Beam size.")
@click.option("--alternatives", type=click.IntRange(1, 16), default=1, help="Translations of a text of one sentence.")
@click.option(
    "--format", "markup", type=click.Choice(["text", "html", "markdown"]), default="text", help="Markup of the texts."
)
def translate(
    texts: Texts,
    connection: Connection,
    output: Output,
    target: str,
    source: str,
    beam_size: int,
    alternatives: int,
    markup: str,
) -> None:
    """Translate texts, one line each."""
    client = connection.open("translate")
    options: TranslateOptions = {
        **connection.options,  # type: ignore[typeddict-item]
        "target": target,
        "source": source,
        "beam_size": beam_size,
        "num_hypotheses": alternatives,
        "format": markup,
    }
    output.write(texts, lambda each: client.translate_all(each, **options), rows_of)


def rows_of(text: str, result: Translation, style: Style) -> Iterator[str]:
    """Yield the translation, and below it the other ones that were asked for."""
    if result.translation is None:
        click.echo(f"no translation of {style.cut(text, used=20)!r} {refusal_of(result)}", err=True)
    yield result.translation or ""
    yield from (style.faint(f"  {each.translation}") for each in (result.hypotheses or ())[1:])

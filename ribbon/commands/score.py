"""Command ``ribbon score``: how likely texts are, or choices for a gap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ribbon.console.options import Connection, connection_options, text_options
from ribbon.console.output import Output, Style, format_options, refusal_of
from ribbon.console.texts import Texts

if TYPE_CHECKING:
    from ribbon.language_answers import Score
    from ribbon.options import ScoreOptions

TEXT_HEAD, CHOICE_HEAD = "PERPLEXITY    LOGPROB  TOKENS  TEXT", "PROBABILITY    LOGPROB  CHOICE"
EPILOG = """\b
Examples:
  ribbon score "The keys on the table are here." "The keys on the table is here."
  ribbon score --choice to --choice at "He is looking forward ___ seeing you."
"""


@click.command(epilog=EPILOG)
@text_options
@connection_options
@format_options
@click.option("--choice", "choices", multiple=True, help="What may stand for the ___ in each text.")
def score(texts: Texts, connection: Connection, output: Output, choices: tuple[str, ...]) -> None:
    """Say how likely a language model finds each text, or each choice for its gap."""
    client = connection.open("generate")
    options: ScoreOptions = connection.options | ({"choices": list(choices)} if choices else {})  # type: ignore[assignment]
    head = CHOICE_HEAD if choices else TEXT_HEAD
    output.write(texts, lambda each: client.score_all(each, **options), rows_of, head=head)


def rows_of(text: str, result: Score, style: Style) -> Iterator[str]:
    """Yield the line of a text, or a line for each choice, the likeliest first."""
    if result.reason:
        yield f"{'-':>10} {'-':>10}  {'-':>6}  {style.cut(text, used=32)}{refusal_of(result)}"
    elif result.choices is None:
        shown = style.cut(text, used=32)
        yield f"{result.perplexity:>10.1f} {result.logprob:>10.2f}  {result.num_tokens:>6}  {shown}"
    else:
        for each in sorted(result.choices, key=lambda choice: -choice.probability):
            yield f"{each.probability:>11.4f} {each.logprob:>10.2f}  {each.text}"

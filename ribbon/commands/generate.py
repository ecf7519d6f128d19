"""Command ``ribbon generate``: continuations of prompts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ribbon.console.options import Connection, connection_options, text_options
from ribbon.console.output import Output, Style, format_options, refusal_of
from ribbon.console.texts import Texts

if TYPE_CHECKING:
    from ribbon.client import Client
    from ribbon.language_answers import Generation
    from ribbon.options import GenerateOptions

EPILOG = """\b
Examples:
  ribbon generate "Thank you for your message. I"
  ribbon generate --temperature 0 --max-tokens 8 "The students opened their"
  ribbon generate --samples 3 --seed 7 --jsonl "The report"
"""


@click.command(epilog=EPILOG)
@text_options
@connection_options
@format_options
@click.option("--max-tokens", type=click.IntRange(min=1), default=64, show_default=True, help="Most tokens to write.")
@click.option("--temperature", type=click.FloatRange(0, 5), default=0.8, show_default=True, help="0: the likeliest.")
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="Share of the probability.")
@click.option("--samples", type=click.IntRange(1, 16), default=1, show_default=True, help="Continuations of a prompt.")
@click.option("--stop", multiple=True, help="End before this string; may be given several times.")
@click.option("--seed", type=click.IntRange(min=0), help="The same seed gives the same text.")
def generate(
    texts: Texts,
    connection: Connection,
    output: Output,
    max_tokens: int,
    temperature: float,
    top_p: float,
    samples: int,
    stop: tuple[str, ...],
    seed: int | None,
) -> None:
    """Continue prompts. On a terminal a single one appears as it is written."""
    client = connection.open("generate")
    options: GenerateOptions = {
        **connection.options,  # type: ignore[typeddict-item]
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "num_samples": samples,
        "stop": list(stop),
    }
    if seed is not None:
        options["seed"] = seed
    if output.format == "table" and sys.stdout.isatty() and samples == 1 and len(texts.arguments) == 1:
        write_stream(client, texts.arguments[0], options, output.style)
    else:
        output.write(texts, lambda each: client.generate_all(each, **options), rows_of)


def write_stream(client: Client, prompt: str, options: GenerateOptions, style: Style) -> None:
    """Write the prompt, and each token as soon as it is there."""
    from ribbon.answers import RefusedEvent
    from ribbon.language_answers import TokenEvent

    sys.stdout.write(style.faint(prompt))
    for event in client.generate_stream(prompt, **options):
        if isinstance(event, TokenEvent):
            sys.stdout.write(event.text)
            sys.stdout.flush()
        elif isinstance(event, RefusedEvent):
            raise click.ClickException(event.detail)
    sys.stdout.write("\n")


def rows_of(text: str, result: Generation, style: Style) -> Iterator[str]:
    """Yield the prompt with each of its continuations."""
    if not result.samples:
        click.echo(f"no continuation of {style.cut(text, used=20)!r} {refusal_of(result)}", err=True)
    yield from (f"{style.faint(text)}{sample.text}" for sample in result.samples)

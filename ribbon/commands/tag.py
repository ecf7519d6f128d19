"""Command ``ribbon tag``: parts of speech and entities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ribbon.console.options import Connection, connection_options, text_options
from ribbon.console.output import Output, Style, format_options, refusal_of
from ribbon.console.texts import Texts

if TYPE_CHECKING:
    from ribbon.answers import Doc, Token
    from ribbon.options import TagOptions

TOKEN_WIDTH, TAG_WIDTH = 16, 6
HEAD = f"{'TOKEN':{TOKEN_WIDTH}}  {'UPOS':{TAG_WIDTH}} {'XPOS':{TAG_WIDTH}} ENTITY"
EPILOG = """\b
Examples:
  ribbon tag "Kim moved to Hong Kong."
  ribbon tag --file news.txt --jsonl > tags.jsonl
  ribbon tag --task ner --url http://127.0.0.1:8000 "Kim moved to Hong Kong."
"""


@click.command(epilog=EPILOG)
@text_options
@connection_options
@format_options
@click.option("--task", "tasks", multiple=True, type=click.Choice(["pos", "ner"]), help="Only this one of the two.")
def tag(texts: Texts, connection: Connection, output: Output, tasks: tuple[str, ...]) -> None:
    """Tag texts: words, parts of speech, entities."""
    client = connection.open("tag")
    options: TagOptions = connection.options | ({"tasks": list(tasks)} if tasks else {})  # type: ignore[assignment]
    output.write(texts, lambda each: client.tag_all(each, **options), rows_of, head=HEAD)


def rows_of(text: str, doc: Doc, style: Style) -> Iterator[str]:
    """Yield a line for each token, and an empty one behind each sentence."""
    if not doc.sents:
        yield f"{style.cut(text, used=TOKEN_WIDTH)}{refusal_of(doc)}"
        yield ""
    for sentence in doc.sents:
        width = max(TOKEN_WIDTH, *(len(token.text) for token in sentence.tokens))
        for token in sentence.tokens:
            yield row_of(token, width, style).rstrip()
        yield ""


def row_of(token: Token, width: int, style: Style) -> str:
    """Return the line of a token; outside of entities there is no entity."""
    entity = "" if token.entity in (None, "O") else str(token.entity)
    shown = style.label(entity, name=entity.partition("-")[2])
    return f"{token.text:{width}}  {token.upos or '':{TAG_WIDTH}} {token.xpos or '':{TAG_WIDTH}} {shown}"

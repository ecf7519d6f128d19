"""Table of all settings for people, made from the class that reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from service.settings_rules import variable

HEAD = "| Variable | Default | Meaning | What turning it up costs |\n| --- | --- | --- | --- |"
BEGIN, END = "<!-- settings: written by `make settings` -->", "<!-- end of settings -->"
_BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def table(settings: type[BaseModel]) -> str:
    """Return the table in Markdown: a line for each setting, in the order of the class."""
    return "\n".join([HEAD, *(line(name, field) for name, field in settings.model_fields.items())])


def line(name: str, field: FieldInfo) -> str:
    default = "" if field.default is None else f"`{field.default}`"
    return f"| `{variable(name)}` | {default} | {field.description or ''} | {cost_of(field)} |"


def cost_of(field: FieldInfo) -> str:
    """Return a setting's cost; empty if the class does not say."""
    return str(field.json_schema_extra.get("cost", "")) if isinstance(field.json_schema_extra, dict) else ""


def rewritten(document: str, settings: type[BaseModel]) -> str:
    """Return the document with the table between its two marks up to date. Raises ValueError if it has no such
    marks."""
    if not _BLOCK.search(document):
        raise ValueError(f"no table between {BEGIN!r} and {END!r}")
    return _BLOCK.sub(lambda _: f"{BEGIN}\n{table(settings)}\n{END}", document)


def main(arguments: Sequence[str], settings: type[BaseModel]) -> str:
    """Return the table; in each document that is named, write the table anew."""
    for path in map(Path, arguments):
        path.write_text(rewritten(path.read_text(encoding="utf-8"), settings), encoding="utf-8")
    return table(settings)

"""The command line and the Python client as pages, made of their own help and docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

PACKAGE = "ribbon"


def pages() -> dict[str, str]:
    """Return the pages by their addresses; none where the package is not there."""
    if find_spec(PACKAGE) is None:
        return {}
    return {
        "reference/commands.md": "\n".join(_command_lines()),
        "reference/python.md": "\n".join(_python_lines()),
    }


def _command_lines() -> Iterator[str]:
    import click

    main = importlib.import_module(f"{PACKAGE}.__main__").main
    yield "# Commands\n"
    yield "What `--help` says of each command.\n"
    yield from _helps(main, click.Context(main, info_name=PACKAGE), click)


def _helps(command: Any, context: Any, click: Any) -> Iterator[str]:
    yield f"## {context.command_path}\n"
    yield f"```text\n{command.get_help(context)}\n```\n"
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        inner = command.get_command(context, name)
        yield from _helps(inner, click.Context(inner, info_name=name, parent=context), click)


def _python_lines() -> Iterator[str]:
    package = importlib.import_module(PACKAGE)
    yield "# Python\n"
    yield f"{inspect.getdoc(package)}\n".replace("::\n", "", 1)
    for name in sorted(package.__all__):
        value = getattr(package, name)
        yield f"## ribbon.{name}\n"
        if not (inspect.isclass(value) and issubclass(value, Exception)):
            yield f"```python\n{name}{_signature(value)}\n```\n"
        yield f"{inspect.getdoc(value) or ''}\n"
        for member, function in inspect.getmembers(value, inspect.isfunction) if inspect.isclass(value) else ():
            if not member.startswith("_"):
                yield f"**`{member}{_signature(function)}`**\n\n{inspect.getdoc(function) or ''}\n"


def _signature(value: Any) -> str:
    """Return the signature of a class or function as it is written, without ``self`` and modules."""
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(value)))
    return text.replace("(self, ", "(").replace("(self)", "()")

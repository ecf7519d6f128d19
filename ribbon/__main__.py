"""Command line: ``ribbon``, or ``python -m ribbon``."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import click

from ribbon import commands
from ribbon.errors import RibbonError

EPILOG = """\b
Examples:
  echo "Kim moved to Hong Kong." | ribbon tag
  ribbon classify --file reviews.txt --jsonl > classes.jsonl
  ribbon translate --target es "I love this book."
  ribbon serve --port 8123
"""


class CommandFolder(click.Group):
    """Group of the commands in ``ribbon/commands``: each module has the command that it is named after. A module is
    imported when its command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(import_module(f"{commands.__name__}.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what the client raises ends with a message and the exit code 1."""
        try:
            return super().invoke(ctx)
        except RibbonError as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=CommandFolder,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="ribbon-nlp")
def main() -> None:
    """Tag, classify, translate, generate and score text with small recurrent networks.

    Commands run models in this process, from the folder --models; with --url they ask a running service.
    Exit codes: 0 it went well, 1 the service or a model failed, 2 the command was given wrongly.
    """


if __name__ == "__main__":
    main(prog_name="ribbon")

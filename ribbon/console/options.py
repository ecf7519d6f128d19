"""Options that several commands have: where the models are, and which texts are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ribbon.console.texts import Texts
from ribbon.variables import API_KEY, MODELS_DIR, URL

if TYPE_CHECKING:
    from ribbon.client import Client

BATCH_SIZE = 64  # texts of a request: few enough for the progress bar to move

Command = Callable[..., Any]

models_dir_option = click.option(
    "--models",
    "models_dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar=MODELS_DIR,
    show_envvar=True,
    default=Path("models"),
    show_default=True,
    help="Folder of bundles.",
)
url_option = click.option("--url", envvar=URL, show_envvar=True, help="Ask the service at this address.")
api_key_option = click.option("--api-key", envvar=API_KEY, show_envvar=True, help="Key for that service.")
deadline_option = click.option(
    "--deadline", type=click.FloatRange(min=0, min_open=True), help="Seconds that a request may take."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Place of the models: this process, or a service at a URL."""

    model: str | None
    models_dir: Path
    url: str | None
    api_key: str | None
    deadline: float | None

    @property
    def options(self) -> dict[str, Any]:
        """Options of every request."""
        chosen = {"model": self.model, "deadline_seconds": self.deadline}
        return {name: value for name, value in chosen.items() if value is not None}

    def open(self, task: str) -> Client:
        """Return a client for a task; the end of the command closes it. Raises RibbonError."""
        client = self._client(task)
        click.get_current_context().call_on_close(client.close)
        return client

    def _client(self, task: str) -> Client:
        if self.url is not None:
            from ribbon.client import Client

            return Client(self.url, api_key=self.api_key, batch_size=BATCH_SIZE)
        from ribbon.local import open_local

        return open_local(self.model, task=task, models_dir=self.models_dir, batch_size=BATCH_SIZE)


def connection_options(command: Command) -> Command:
    """Add the options that say where the models are; the command is given a ``connection``."""

    @click.option("--model", "-m", help="Name of the model, or name@version; else the task's default.")
    @models_dir_option
    @url_option
    @api_key_option
    @deadline_option
    @wraps(command)
    def wrapped(
        *,
        model: str | None,
        models_dir: Path,
        url: str | None,
        api_key: str | None,
        deadline: float | None,
        **others: Any,
    ) -> Any:
        connection = Connection(model=model, models_dir=models_dir, url=url, api_key=api_key, deadline=deadline)
        return command(connection=connection, **others)

    return wrapped


def text_options(command: Command) -> Command:
    """Add the argument and the option that say which texts are read; the command is given ``texts``."""

    @click.argument("arguments", metavar="[TEXT]...", nargs=-1)
    @click.option("--file", "-f", "file", type=click.File("rb"), help="Read this file, a text a line; - is stdin.")
    @wraps(command)
    def wrapped(*, arguments: tuple[str, ...], file: Any, **others: Any) -> Any:
        return command(texts=Texts.of(arguments, file), **others)

    return wrapped

"""Command ``ribbon serve``: the REST service."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

from ribbon.console.options import models_dir_option
from ribbon.variables import CLIENT_VARIABLES

EPILOG = """\b
Examples:
  ribbon serve
  ribbon serve --port 8123 --models models --workers 2
  RIBBON_LOG_FORMAT=text ribbon serve

Every setting of the service is an environment variable: python -m service.settings lists them.
"""


@click.command(epilog=EPILOG)
@models_dir_option
@click.option("--host", help="Address to listen on.  [env var: RIBBON_HOST; default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 picks one.  [env var: RIBBON_PORT; default: 8000]")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes.  [env var: RIBBON_WORKERS; default: 1]")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where models run.  [env var: RIBBON_DEVICE]"
)
def serve(models_dir: Path, host: str | None, port: int | None, workers: int | None, device: str | None) -> None:
    """Serve the models over HTTP, in place of this process."""
    chosen = {"MODELS_DIR": models_dir, "HOST": host, "PORT": port, "WORKERS": workers, "DEVICE": device}
    for name in CLIENT_VARIABLES:
        os.environ.pop(name, None)
    for name, value in chosen.items():
        if value is not None:
            os.environ[f"RIBBON_{name}"] = str(value)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it reloads models, and would end what does not heed it yet
    os.execv(sys.executable, [sys.executable, "-m", "service"])  # noqa: S606  # no shell; signals reach the service itself

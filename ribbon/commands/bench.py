"""Command ``ribbon bench``: throughput and latency of a running service."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

import click

from ribbon.console.options import api_key_option, text_options
from ribbon.console.texts import Texts
from ribbon.variables import URL

if TYPE_CHECKING:
    from ribbon.async_client import AsyncClient
    from ribbon.errors import ServiceError

Ask = Callable[[str], Awaitable[Any]]
QUANTILES = (0.5, 0.9, 0.99)
EPILOG = """\b
Examples:
  ribbon bench tag "Kim moved to Hong Kong."
  ribbon bench classify --file reviews.txt --concurrency 32 --seconds 30
  ribbon bench translate --target es "I love this book."

python -m bench measures more, beside the bare models and under overload.
"""


@dataclass(slots=True)
class Measurement:
    """Requests that ended in the window: seconds of each that was answered, and how the others ended."""

    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def quantile(self, share: float) -> float:
        """Return the latency in milliseconds that this share of the requests did not exceed (nearest rank)."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[ceil(share * len(ordered)) - 1]


@click.command(epilog=EPILOG)
@click.argument("task", type=click.Choice(["tag", "classify", "translate", "generate", "score"]))
@text_options
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, envvar=URL, help="The service.")
@api_key_option
@click.option("--model", "-m", help="Name of the model; else the task's default.")
@click.option("--target", "-t", default="es", show_default=True, help="Language of translations.")
@click.option("--concurrency", "-c", type=click.IntRange(min=1), default=8, show_default=True, help="Requests at once.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), default=10.0, show_default=True, help="Window.")
@click.option("--warm-up", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Seconds before it.")
def bench(
    task: str,
    texts: Texts,
    url: str,
    api_key: str | None,
    model: str | None,
    target: str,
    concurrency: int,
    seconds: float,
    warm_up: float,
) -> None:
    """Ask a running service as fast as it answers, one text a request, and print requests a second and latencies.

    Nothing is sent twice: refusals and failures are counted. The texts are read whole and sent in turn.
    """
    import asyncio

    from ribbon.async_client import AsyncClient
    from ribbon.retries import Retries

    sent = list(texts)
    if not sent:
        raise click.UsageError("no text")
    options: dict[str, Any] = ({"model": model} if model else {}) | ({"target": target} if task == "translate" else {})

    async def run() -> Measurement:
        async with AsyncClient(url, api_key=api_key, retries=Retries(max_retries=0)) as client:
            ask = asker(client, task, options)
            await ask(sent[0])  # what is wrong ends here, with its message
            return await measure(ask, sent, concurrency=concurrency, seconds=seconds, warm_up=warm_up)

    report(asyncio.run(run()), seconds=seconds, concurrency=concurrency)


def asker(client: AsyncClient, task: str, options: dict[str, Any]) -> Ask:
    """Return a function that sends one request."""
    method: Callable[..., Awaitable[Any]] = getattr(client, task)
    return lambda text: method(text, **options)


async def measure(ask: Ask, texts: Sequence[str], *, concurrency: int, seconds: float, warm_up: float) -> Measurement:
    """Keep so many requests on their way, and record those that end in the window behind the warm-up."""
    import asyncio

    measurement, begins_at = Measurement(), time.perf_counter() + warm_up
    ends_at = begins_at + seconds

    async def ask_on(first: int) -> None:
        number = first
        while (sent_at := time.perf_counter()) < ends_at:
            failure = await outcome_of(ask, texts[number % len(texts)])
            ended_at = time.perf_counter()
            if begins_at <= ended_at <= ends_at:
                if failure is None:
                    measurement.seconds.append(ended_at - sent_at)
                else:
                    measurement.failures[failure] += 1
            number += concurrency

    async with asyncio.TaskGroup() as group:
        for first in range(concurrency):
            group.create_task(ask_on(first))
    return measurement


async def outcome_of(ask: Ask, text: str) -> str | None:
    """Send a request; return how it failed, or None."""
    from ribbon.errors import ServiceError, UnreachableError

    try:
        await ask(text)
    except ServiceError as error:
        return name_of(error)
    except UnreachableError:
        return "no answer"
    return None


def name_of(error: ServiceError) -> str:
    """Return the status and kind of a failure."""
    return f"{error.status} {error.kind}"


def report(measurement: Measurement, *, seconds: float, concurrency: int) -> None:
    """Print the figures."""
    answered = len(measurement.seconds)
    click.echo(f"{answered / seconds:.1f} requests/s ({answered} in {seconds:g} s, {concurrency} at once)")
    if answered:
        click.echo(", ".join(f"p{100 * q:g} {measurement.quantile(q):.1f} ms" for q in QUANTILES))
    for failure, count in measurement.failures.most_common():
        click.echo(f"{count} x {failure}", err=True)
    if not answered:
        raise click.ClickException("nothing was answered")

"""Reload signals, and how the result of a reload is answered, logged and counted."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

from msgspec import Struct
from prometheus_client import Counter

from service.errors import ReloadFailedError, StartupError
from service.logs import error_fields
from service.metrics import Metrics
from service.models.cards import ModelCard
from service.models.loading import ReloadPlan

_log = logging.getLogger(__name__)


class ReloadResponse(Struct, frozen=True, kw_only=True):
    """Changes that a reload made; models by full name, as ``en-tagger@1.0.0``."""

    result: Literal["ok", "unchanged"]
    added: list[str]
    changed: list[str]
    removed: list[str]
    kept: list[str]
    seconds: float


class ReloadSignal:
    """Asks for a reload on SIGHUP or on a call, without waiting for it. A signal before anybody listens is kept;
    several while a reload waits count as one."""

    def __init__(self) -> None:
        self._listener: Callable[[], None] | None = None
        self._is_told = False

    def heed(self) -> None:
        """Install the handler of SIGHUP, and unblock a signal that was held back. Only the main thread may call
        this."""
        signal.signal(signal.SIGHUP, lambda *_: self.tell())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def tell(self) -> None:
        """Ask for a reload. May be called from any thread, and by a signal at any moment."""
        self._is_told = True
        if self._listener is not None:
            self._listener()

    async def obey(self, reload: Callable[[], Awaitable[object]]) -> None:
        """Reload whenever it is asked for, until cancelled."""
        heard = asyncio.Event()
        loop = asyncio.get_running_loop()

        def listen() -> None:
            loop.call_soon_threadsafe(heard.set)

        self._listener = listen
        if self._is_told:
            heard.set()
        try:
            while await heard.wait():
                heard.clear()
                self._is_told = False
                await _try(reload)
        finally:
            self._listener = None


async def _try(reload: Callable[[], Awaitable[object]]) -> None:
    """Reload and swallow failures, so that the next request to reload is still heard."""
    try:
        await reload()
    except ReloadFailedError:
        pass  # it has been written down
    except Exception as error:
        _log.error("models not reloaded: unexpected error", extra=error_fields(error))


def report(reloaded: ReloadPlan, *, seconds: float) -> ReloadResponse:
    return ReloadResponse(
        result="ok" if reloaded.added or reloaded.changed or reloaded.removed else "unchanged",
        added=list(reloaded.added),
        changed=list(reloaded.changed),
        removed=list(reloaded.removed),
        kept=list(reloaded.kept),
        seconds=round(seconds, 3),
    )


def write_down(response: ReloadResponse, reloads: Counter) -> None:
    reloads.labels(response.result).inc()
    names = {"added": response.added, "changed": response.changed, "removed": response.removed, "kept": response.kept}
    told = {what: ", ".join(models) for what, models in names.items() if models}
    _log.info("models reloaded", extra={"result": response.result, **told, "seconds": response.seconds})


def write_down_failure(error: Exception, reloads: Counter) -> ReloadFailedError:
    """Log and count a failed reload, and return the error for the caller. Only messages written for operators are
    passed on; a service that is about to end is no fault of any model."""
    if isinstance(error, ReloadFailedError):
        _log.info("models not looked for again: %s", error)
        return error
    reloads.labels("failed").inc()
    if isinstance(error, StartupError):
        _log.error("models not reloaded; those before are still served: %s", error)
        return ReloadFailedError(f"those before are still served: {error}")
    _log.error("models not reloaded; those before are still served: unexpected error", extra=error_fields(error))
    return ReloadFailedError("those before are still served: something unexpected happened; the log has more")


def write_down_models(cards: Iterable[ModelCard], gone: Iterable[ModelCard], metrics: Metrics) -> None:
    """Set the metrics of the models that are served from now on, and of those that are not any more."""
    for card in gone:
        metrics.model_info.labels(*_labels(card)).set(0)
    for card in cards:
        metrics.model_info.labels(*_labels(card)).set(1)
    metrics.models_loaded_at.set(time.time())


def _labels(card: ModelCard) -> tuple[str, ...]:
    return card.name, card.version, card.task, card.precision, card.checksum

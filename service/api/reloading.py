"""What came of looking for models again: for the caller, the log and the metrics."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Iterable

from prometheus_client import Counter

from service.api.cards import ModelCard
from service.api.loading import Reloaded
from service.api.logs import describe
from service.api.schemas import ReloadResponse
from service.errors import ReloadFailedError, StartupError
from service.metrics import Metrics

_log = logging.getLogger(__name__)


class Hangup:
    """SIGHUP, or whatever else asks for a reload without waiting for it. What comes before anybody listens is not lost;
    what comes while another one waits is the same."""

    def __init__(self) -> None:
        self._listener: Callable[[], None] | None = None
        self._is_told = False

    def heed(self) -> None:
        """From now on SIGHUP tells it, and one that was held back until now. Only the main thread may call this."""
        signal.signal(signal.SIGHUP, lambda *_: self.tell())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def tell(self) -> None:
        """May be called from any thread, and by a signal at any moment."""
        self._is_told = True
        if self._listener is not None:
            self._listener()

    async def obey(self, reload: Callable[[], Awaitable[object]]) -> None:
        """Until cancelled."""
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
    """The next one must still be heard."""
    try:
        await reload()
    except ReloadFailedError:
        pass  # it has been written down
    except Exception as error:
        _log.error("models not reloaded: unexpected error", extra=describe(error))


def report(reloaded: Reloaded, *, seconds: float) -> ReloadResponse:
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
    """What the caller gets. Only what is written for operators is told as it is; that the service is about to end is no
    fault of any model."""
    if isinstance(error, ReloadFailedError):
        _log.info("models not looked for again: %s", error)
        return error
    reloads.labels("failed").inc()
    if isinstance(error, StartupError):
        _log.error("models not reloaded; those before are still served: %s", error)
        return ReloadFailedError(f"those before are still served: {error}")
    _log.error("models not reloaded; those before are still served: unexpected error", extra=describe(error))
    return ReloadFailedError("those before are still served: something unexpected happened; the log has more")


def write_down_models(cards: Iterable[ModelCard], gone: Iterable[ModelCard], metrics: Metrics) -> None:
    """Those that are served from now on, and those that are not any more."""
    for card in gone:
        metrics.model_info.labels(*_labels(card)).set(0)
    for card in cards:
        metrics.model_info.labels(*_labels(card)).set(1)
    metrics.models_loaded_at.set(time.time())


def _labels(card: ModelCard) -> tuple[str, ...]:
    return card.name, card.version, card.task, card.precision, card.checksum

"""What came of looking for models again: for the caller, the log and the metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from service.api.loading import Reloaded
from service.api.logs import describe
from service.api.schemas import ModelCard, ReloadResponse
from service.errors import ReloadFailedError, StartupError
from service.metrics import Metrics

_log = logging.getLogger(__name__)


def report(reloaded: Reloaded, *, seconds: float) -> ReloadResponse:
    return ReloadResponse(
        result="ok" if reloaded.added or reloaded.changed or reloaded.removed else "unchanged",
        added=list(reloaded.added),
        changed=list(reloaded.changed),
        removed=list(reloaded.removed),
        kept=list(reloaded.kept),
        seconds=round(seconds, 3),
    )


def write_down(response: ReloadResponse, metrics: Metrics) -> None:
    metrics.reloads.labels(response.result).inc()
    names = {"added": response.added, "changed": response.changed, "removed": response.removed, "kept": response.kept}
    told = {what: ", ".join(models) for what, models in names.items() if models}
    _log.info("models reloaded", extra={"result": response.result, **told, "seconds": response.seconds})


def write_down_failure(error: Exception, metrics: Metrics) -> ReloadFailedError:
    """What the caller gets. Only what is written for operators is told as it is."""
    metrics.reloads.labels("failed").inc()
    if isinstance(error, StartupError | ReloadFailedError):
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

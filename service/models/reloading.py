"""Results of reloads, and how they are answered, logged and counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Literal, Self

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

    @classmethod
    def of(cls, plan: ReloadPlan, *, seconds: float) -> Self:
        return cls(
            result="ok" if plan.added or plan.changed or plan.removed else "unchanged",
            added=list(plan.added),
            changed=list(plan.changed),
            removed=list(plan.removed),
            kept=list(plan.kept),
            seconds=round(seconds, 3),
        )


def log_reload(response: ReloadResponse, reloads: Counter) -> None:
    """Log and count a reload."""
    reloads.labels(response.result).inc()
    names = {"added": response.added, "changed": response.changed, "removed": response.removed, "kept": response.kept}
    fields = {change: ", ".join(models) for change, models in names.items() if models}
    _log.info("models reloaded", extra={"result": response.result, **fields, "seconds": response.seconds})


def log_failure(error: Exception, reloads: Counter) -> ReloadFailedError:
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


def set_model_metrics(cards: Iterable[ModelCard], gone: Iterable[ModelCard], metrics: Metrics) -> None:
    """Set the metrics of the models that are served from now on, and of those that are not any more."""
    for card in gone:
        metrics.model_info.labels(*_labels(card)).set(0)
    for card in cards:
        metrics.model_info.labels(*_labels(card)).set(1)
    metrics.models_loaded_at.set(time.time())


def _labels(card: ModelCard) -> tuple[str, ...]:
    return card.name, card.version, card.task, card.precision, card.checksum

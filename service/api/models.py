"""GET /models: the models that are served."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from service.api.problems import problems
from service.models.cards import ModelsResponse
from service.models.registry import ModelRegistry


@get("/models", summary="Models that are served", responses=problems(401, 503), sync_to_thread=False)
def models(registry: NamedDependency[ModelRegistry]) -> ModelsResponse:
    """Name, version, task, labels, limits, licence and measured quality of every model."""
    return ModelsResponse(registry.cards())

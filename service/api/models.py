"""GET /models: what is served."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from service.api.cards import ModelsResponse
from service.api.catalogue import Catalogue
from service.api.problems import problems


@get("/models", summary="Models that are served", responses=problems(401, 503), sync_to_thread=False)
def models(catalogue: NamedDependency[Catalogue]) -> ModelsResponse:
    """Name, version, task, labels, limits, licence and measured quality of every model."""
    return ModelsResponse(catalogue.cards())

"""Health and metrics routes: liveness, readiness, and the Prometheus metrics."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency

from service.api.access import OPEN
from service.api.problems import problems
from service.api.schemas import Health
from service.lifecycle import Lifecycle
from service.metrics import CONTENT_TYPE, Metrics


@get("/health/live", summary="The process runs", opt=OPEN, sync_to_thread=False)
def live() -> Health:
    """Answer 200 as long as the process runs."""
    return Health("live")


@get("/health/ready", summary="Every model is loaded and warm", responses=problems(503), opt=OPEN, sync_to_thread=False)
def ready(lifecycle: NamedDependency[Lifecycle]) -> Health:
    """Answer 200 when requests will be answered; 503 before, and from the moment the process is told to stop."""
    lifecycle.check_ready()
    return Health(lifecycle.phase.value)


@get(
    "/metrics",
    summary="Prometheus metrics",
    responses=problems(401),
    sync_to_thread=False,
    media_type=CONTENT_TYPE,
)
def metrics(metrics_of_app: NamedDependency[Metrics]) -> Response[bytes]:
    """The Prometheus text format."""
    return Response(metrics_of_app.render(), media_type=CONTENT_TYPE)

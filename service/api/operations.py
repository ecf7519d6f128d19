"""Routes for operators: health, metrics, the models that are served, and their reload."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from litestar import MediaType, Response, post
from litestar.handlers import HTTPRouteHandler, route
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import Method

from service.api.access import OPEN
from service.api.browsers import refuse_cross_origin
from service.api.problems import PROBLEM_JSON, Problem, problems
from service.api.schemas import Health, ReloadAccepted
from service.errors import ReloadFailedError
from service.lifecycle import Lifecycle
from service.metrics import CONTENT_TYPE, Metrics
from service.models.loading import ReloadResponse
from service.models.registry import ModelRegistry, ModelsResponse

READ: list[Method] = ["GET", "HEAD"]
Reload = Callable[[], Awaitable[ReloadResponse | ReloadAccepted]]  # raises ReloadFailedError
read_route = partial(route, http_method=READ, sync_to_thread=False)


def reload_by_supervisor(supervisor: int, lifecycle: Lifecycle) -> Reload:
    """Return the function that asks the supervisor with this process id to reload, which tells all its workers."""

    async def ask() -> ReloadAccepted:
        if lifecycle.is_ending:
            raise ReloadFailedError(f"the service is {lifecycle.phase.value}")
        if os.getppid() != supervisor:
            raise ReloadFailedError("the supervisor of this worker has died")
        os.kill(supervisor, signal.SIGHUP)
        return ReloadAccepted("the supervisor is told; the log and ribbon_reloads_total tell what comes of it")

    return ask


ACCEPTED = ResponseSpec(
    ReloadAccepted, description="With several workers: the supervisor is told", generate_examples=False
)
DONE = ResponseSpec(ReloadResponse, description="What it changed; all of it is served", generate_examples=False)
FOREIGN = ResponseSpec(
    Problem,
    description="A browser sent it for a page of another origin",
    media_type=PROBLEM_JSON,
    generate_examples=False,
)


def operation_routes(lifecycle: Lifecycle, registry: ModelRegistry, measured: Metrics | None) -> list[HTTPRouteHandler]:
    """Make the routes that operators and probes ask; that of the metrics where they are given."""

    @read_route("/models", summary="Models that are served", responses=problems(401, 421, 503))
    def models() -> ModelsResponse:
        """Name, version, task, labels, limits, licence and measured quality of every model."""
        return ModelsResponse(registry.cards())

    @read_route("/health/live", summary="The process runs", responses=problems(503), opt=OPEN)
    def live() -> Health:
        """Answer 200 as long as the process runs; of several, as long as none stands still for a minute."""
        lifecycle.check_live()
        return Health("live")

    @read_route("/health/ready", summary="Every model is loaded and warm", responses=problems(503), opt=OPEN)
    def ready() -> Health:
        """Answer 200 when requests will be answered; 503 before, and from the moment the process is told to stop."""
        lifecycle.check_ready()
        return Health(lifecycle.phase.value)

    if measured is None:
        return [models, live, ready]

    @read_route("/metrics", summary="Prometheus metrics", responses=problems(401, 421), media_type=CONTENT_TYPE)
    def metrics() -> Response[bytes]:
        """The Prometheus text format."""
        return Response(measured.render(), media_type=CONTENT_TYPE)

    return [models, live, ready, metrics]


def reload_route(reload_models: Reload) -> HTTPRouteHandler:
    """Make the route of the reload, for the operators' own port."""

    @post(
        "/admin/reload",
        status_code=200,
        summary="Look for models again",
        before_request=refuse_cross_origin,
        responses={200: DONE, 202: ACCEPTED, 403: FOREIGN, **problems(409, 421)},
    )
    async def reload() -> Response[Any]:
        """Load what is new or changed, prove it, warm it up and switch to it; drop what is gone. Whatever is wrong, all
        stays as it was."""
        answer = await reload_models()
        status = 202 if isinstance(answer, ReloadAccepted) else 200
        return Response(msgspec.json.encode(answer), status_code=status, media_type=MediaType.JSON)

    return reload

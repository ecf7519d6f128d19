"""POST /admin/reload: the endpoint for operators, on a port of its own."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import MediaType, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from service.api.csrf import refuse_cross_origin
from service.api.problems import PROBLEM_JSON, Problem, problems
from service.api.schemas import ReloadAccepted
from service.errors import ReloadFailedError
from service.lifecycle import Lifecycle
from service.models.reloading import ReloadResponse


class Reload(ABC):
    """Base class of the ways to reload models from a request."""

    @abstractmethod
    async def __call__(self) -> ReloadResponse | ReloadAccepted:
        """Reload, or ask another process to. Raises ReloadFailedError."""


class ReloadHere(Reload):
    """Reloads in this process, which serves alone, and answers with the result."""

    def __init__(self, reload: Callable[[], Awaitable[ReloadResponse]]) -> None:
        self._reload = reload

    async def __call__(self) -> ReloadResponse:
        return await self._reload()


class AskSupervisor(Reload):
    """Asks the supervisor of several workers to reload: it loads first and then passes the signal to all of them."""

    def __init__(self, supervisor: int, lifecycle: Lifecycle) -> None:
        self._supervisor = supervisor  # its process id
        self._lifecycle = lifecycle

    async def __call__(self) -> ReloadAccepted:
        if self._lifecycle.is_ending:
            raise ReloadFailedError(f"the service is {self._lifecycle.phase.value}")
        if os.getppid() != self._supervisor:
            raise ReloadFailedError("the supervisor of this worker has died")
        os.kill(self._supervisor, signal.SIGHUP)
        return ReloadAccepted("the supervisor is told; the log and ribbon_reloads_total tell what comes of it")


ACCEPTED = ResponseSpec(ReloadAccepted, description="With several workers: told, not done", generate_examples=False)
DONE = ResponseSpec(ReloadResponse, description="What it changed; all of it is served", generate_examples=False)
FOREIGN = ResponseSpec(
    Problem,
    description="A browser sent it for a page of another origin",
    media_type=PROBLEM_JSON,
    generate_examples=False,
)


@post(
    "/admin/reload",
    status_code=200,
    summary="Look for models again",
    before_request=refuse_cross_origin,
    responses={200: DONE, 202: ACCEPTED, 403: FOREIGN, **problems(409)},
)
async def reload(reload_models: NamedDependency[Reload]) -> Response[Any]:
    """Load what is new or changed, prove it, warm it up and switch to it; drop what is gone. Whatever is wrong, all
    stays as it was."""
    answer = await reload_models()
    status = 202 if isinstance(answer, ReloadAccepted) else 200
    return Response(msgspec.json.encode(answer), status_code=status, media_type=MediaType.JSON)

"""Routes of the tasks, answered straight from ASGI: Litestar describes them and answers everything else.

Litestar's routing, request and response cost a short request more than reading it (ADR 18).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.response.base import ASGIResponse
from litestar.types import HTTPScope, Send

from service.api.access import AccessPolicy
from service.api.browsers import ANSWER_HEADERS, CLOSE_CONNECTION, with_headers
from service.api.classify import ClassifyEndpoint
from service.api.compression import GZIP, MIN_BYTES, VARY, compress_aside, takes_gzip
from service.api.context import RequestContext, context_of
from service.api.endpoint import TaskEndpoint, WholeAnswer
from service.api.generate import GenerateEndpoint
from service.api.problems import PROBLEMS, write_failure
from service.api.score import ScoreEndpoint
from service.api.tag import TagEndpoint
from service.api.translate import TranslateEndpoint
from service.lifecycle import Lifecycle

AnyEndpoint = TaskEndpoint[Any, Any, Any]
ENDPOINTS: Sequence[type[AnyEndpoint]] = (
    TagEndpoint,
    ClassifyEndpoint,
    TranslateEndpoint,
    GenerateEndpoint,
    ScoreEndpoint,
)


def task_route(
    endpoint: TaskEndpoint[Any, Any, Any], *, problems: Mapping[int, ResponseSpec] = PROBLEMS, **more: Any
) -> HTTPRouteHandler:
    """Make the route of an endpoint as Litestar describes and answers it; ``more`` are options of Litestar's."""

    async def handle(request: Request[Any, Any, Any]) -> ASGIResponse:
        context = context_of(request)
        answer = await endpoint.answer(await endpoint.read_body(context), context)
        return (
            ASGIResponse(body=answer.body, media_type=answer.media_type.partition(";")[0])
            if isinstance(answer, tuple)
            else answer
        )

    handle.__name__, handle.__doc__ = endpoint.path.rpartition("/")[2], endpoint.description
    ok = ResponseSpec(endpoint.response, description=endpoint.answer_description, generate_examples=False)
    make = post(endpoint.path, status_code=200, summary=endpoint.summary, responses={200: ok, **problems}, **more)
    return make(handle)


class TaskRoutes:
    """Answers requests to the paths of these endpoints.

    Litestar answers those from pages of other origins, where such pages are allowed (``allows_origins``): it has the
    headers for them.
    """

    def __init__(
        self,
        endpoints: Iterable[AnyEndpoint],
        *,
        access: AccessPolicy | None,
        lifecycle: Lifecycle,
        allows_origins: bool,
    ) -> None:
        self.endpoints = {each.path: each for each in endpoints}  # by path
        self._access = access
        self._lifecycle = lifecycle
        self.allows_origins = allows_origins

    async def answer(self, route: str, scope: HTTPScope, context: RequestContext, send: Send) -> None:
        """Read a request to an endpoint, answer it, and send the answer or the problem that prevents it."""
        endpoint, status = self.endpoints[route], 200
        more_headers: Sequence[tuple[bytes, bytes]] = ()
        try:
            if self._access is not None:
                self._access.check(context, "POST")
            data = await endpoint.read_body(context)
            answer = await endpoint.answer(data, context)
        except Exception as error:
            status, media_type, body, more_headers = write_failure(error, context, route)
        else:
            if not isinstance(answer, WholeAnswer):
                await answer(scope, context.receive, with_headers(send, context, "POST", self._lifecycle))
                return
            body, media_type = answer
        if len(body) >= MIN_BYTES and b"accept-encoding" in context.headers and takes_gzip(scope["headers"]):
            body = await compress_aside(body)
            more_headers = [*more_headers, GZIP]
        context.status = status
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", b"%d" % len(body)),
            VARY,
            *more_headers,
            *ANSWER_HEADERS,
            *context.answer_headers(),
        ]
        context.answer_bytes = len(body)
        if self._lifecycle.is_ending:
            headers.append(CLOSE_CONNECTION)
        if context.connection is not None and context.connection.answer(status, headers, body):
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

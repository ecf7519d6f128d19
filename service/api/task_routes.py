"""Routes of the tasks, answered straight from ASGI: Litestar describes them and answers everything else.

Litestar's routing, request and response cost a short request more than reading it (ADR 31).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from litestar.types import HTTPScope, Send

from service.api.access import AccessPolicy
from service.api.body import BodyReader
from service.api.compression import MIN_BYTES, compress_aside, headers_of, takes_gzip
from service.api.context import RequestContext
from service.api.endpoint import TaskEndpoint, WholeAnswer
from service.api.problems import write_failure
from service.api.sending import send_whole, with_headers
from service.lifecycle import Lifecycle

AnyEndpoint = TaskEndpoint[Any, Any, Any, Any, Any]


class TaskRoutes:
    """Answers requests to the paths of these endpoints.

    Litestar answers those from pages of other origins, where such pages are allowed (``allows_origins``): it has the
    headers for them.
    """

    def __init__(
        self,
        endpoints: Iterable[AnyEndpoint],
        *,
        reader: BodyReader,
        access: AccessPolicy | None,
        lifecycle: Lifecycle,
        allows_origins: bool,
    ) -> None:
        self._endpoints = {each.path: each for each in endpoints}
        self._reader = reader
        self._access = access
        self._lifecycle = lifecycle
        self._allows_origins = allows_origins

    def find(self, path: str, context: RequestContext) -> AnyEndpoint | None:
        """Return the endpoint that answers a POST to a path; None if Litestar does."""
        if self._allows_origins and b"origin" in context.headers:
            return None
        return self._endpoints.get(path)

    async def answer(self, endpoint: AnyEndpoint, scope: HTTPScope, context: RequestContext, send: Send) -> None:
        """Read a request, answer it, and send the answer or the problem that prevents it."""
        status = 200
        more_headers: Sequence[tuple[bytes, bytes]] = ()
        try:
            if self._access is not None:
                self._access.check(context, "POST")
            data = await self._reader.read_json(context, endpoint.request)
            answer = await endpoint.answer(data, context)
        except Exception as error:
            status, media_type, body, more_headers = write_failure(error, context, endpoint.path)
            answer = WholeAnswer(body, media_type)
        if not isinstance(answer, WholeAnswer):
            await answer(scope, context.receive, with_headers(send, context, "POST", self._lifecycle))
            return
        body, num_bytes = answer.body, None
        if len(body) >= MIN_BYTES and b"accept-encoding" in context.headers and takes_gzip(scope["headers"]):
            body = await compress_aside(body)
            num_bytes = len(body)
        headers = [(b"content-type", answer.media_type.encode()), (b"content-length", b"%d" % len(answer.body))]
        headers = headers_of([*headers, *more_headers], num_bytes=num_bytes)
        await send_whole(send, context, status, headers, body, lifecycle=self._lifecycle)

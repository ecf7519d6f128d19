"""Outermost middlewares: where a request behind a proxy comes from, its context, the limits that are checked before
anything is read, the headers of every answer, and what is recorded about it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Collection
from typing import Any, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from litestar.utils import normalize_path

from service.api.body import FREE_BYTES, BodyBudget
from service.api.browsers import AllowedHosts, with_headers
from service.api.context import RequestContext, RequestLog
from service.api.problems import send_problem
from service.api.task_routes import TaskRoutes
from service.errors import NotReadyError, OverloadedError, ServiceError
from service.lifecycle import Lifecycle
from service.metrics import Metrics

UNKNOWN_ROUTE = "unknown"  # every path that is no route shares this label
UNKNOWN_ADDRESS = "unknown"
_ADDRESS = re.compile(r"[0-9a-fA-F.:]{2,45}(%\w{1,16})?")
BEAT_SECONDS = 0.01  # between two looks at the event loop's lag
TOO_LATE = "the service is stopping and could not finish this in time"


class EventLoopLag:
    """Observes how late a timer of the event loop is. It runs only while there are requests: an idle service sleeps."""

    def __init__(self, metrics: Metrics) -> None:
        self.is_beating = False
        self._metrics = metrics
        self.is_needed = False  # set by every request that comes

    def beat(self, due: float | None = None) -> None:
        """Observe a timer that was due then, or begin to, and set the next one if a request has come meanwhile."""
        now = time.monotonic()
        if due is not None:
            self._metrics.loop_lag_seconds.observe(max(0.0, now - due))
        self.is_beating, self.is_needed = self.is_needed, False
        if self.is_beating:
            asyncio.get_running_loop().call_later(BEAT_SECONDS, self.beat, now + BEAT_SECONDS)


class ContextMiddleware:
    """Wraps every request, unknown paths and wrong methods included, so that all are counted alike.

    Requests for tasks go to their routes, at most ``max_in_flight`` at once, and all others to the application.
    Requests that the stopping server cancels get a problem document, and not a bug's 500.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        request_log: RequestLog,
        lifecycle: Lifecycle,
        bodies: BodyBudget,
        hosts: AllowedHosts,
        task_paths: Collection[str] = (),
        max_in_flight: int = 0,
        tasks: TaskRoutes | None = None,
    ) -> None:
        self._app = app
        self._tasks = tasks
        self._bodies = bodies
        self._request_log = request_log
        self._lifecycle = lifecycle
        self._hosts = hosts
        self._task_paths = task_paths
        self._max_in_flight = max_in_flight
        self._lag = EventLoopLag(request_log.metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:  # the server starts or stops
            await self._app(scope, receive, send)
            return
        tasks, lifecycle = self._tasks, self._lifecycle
        context, route = self._request_log.begin(scope, receive), None
        scope.setdefault("state", {})["context"] = context
        try:
            refusal: ServiceError | None = self._hosts.refusal(scope["path"], context.headers.get(b"host"))
            if refusal is None and (route := self._task_route(scope)) is not None:
                in_flight = lifecycle.in_flight - 1
                if in_flight >= self._max_in_flight:
                    refusal = OverloadedError(f"{in_flight} requests are being answered", retry_after_seconds=1)
            if refusal is not None:
                await self._refuse(refusal, scope, context, send)
            elif tasks and route in tasks.endpoints and not (tasks.allows_origins and b"origin" in context.headers):
                await tasks.answer(route, scope, context, send)
            else:
                await self._app(scope, receive, with_headers(send, context, scope["method"], lifecycle))
        except asyncio.CancelledError:
            if not lifecycle.is_ending:
                raise
            if not context.status:  # of an answer that has begun no other can be made
                await self._refuse(NotReadyError(TOO_LATE, retry_after_seconds=1), scope, context, send)
        finally:
            if context.held_bytes > FREE_BYTES:
                self._bodies.remove(context)
            template = cast("dict[str, Any]", scope).get("path_template")
            self._request_log.end(context, route or template or UNKNOWN_ROUTE)

    def _task_route(self, request: HTTPScope) -> str | None:
        """Return the path of the task that a request asks for, if it does. ``//tag/`` is answered like ``/tag``."""
        path = request["path"]
        if request["method"] != "POST":
            return None
        if path not in self._task_paths:
            path = normalize_path(path)
        if path not in self._task_paths:
            return None
        self._lag.is_needed = True
        if not self._lag.is_beating:
            self._lag.beat()
        return path

    async def _refuse(self, error: ServiceError, request: HTTPScope, context: RequestContext, send: Send) -> None:
        await send_problem(request, with_headers(send, context, request["method"], self._lifecycle), error)


def with_plain_addresses(app: ASGIApp) -> ASGIApp:
    """Wrap an application behind uvicorn's ProxyHeadersMiddleware, which takes any text of X-Forwarded-For for the
    caller's address: what is no address becomes ``unknown``, so that no text of a caller's is logged."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client and not _ADDRESS.fullmatch(client[0]):
            scope["client"] = (UNKNOWN_ADDRESS, 0)
        await app(scope, receive, send)

    return call


def with_root_path(app: ASGIApp, root_path: str) -> ASGIApp:
    """Wrap an application behind a proxy that has it under a prefix: paths with and without the prefix are the same."""
    prefix = root_path + "/"

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        request = cast("dict[str, Any]", scope)
        if request["type"] == "http" and f"{request['path']}/".startswith(prefix):
            request["path"] = request["path"][len(root_path) :] or "/"
            request["raw_path"] = request["path"].encode()
        await app(scope, receive, send)

    return call

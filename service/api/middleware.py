"""Outermost middleware: every request's context, the limits that are checked before anything is read, the headers of
every answer, and what is recorded about it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from litestar.utils import normalize_path

from service.api.body_budget import BodyBudget
from service.api.browsers import AllowedHosts
from service.api.context import RequestContext, RequestLog
from service.api.load_limits import LoadLimits
from service.api.loop_lag import EventLoopLag
from service.api.problems import send_problem
from service.api.sending import with_headers
from service.api.task_routes import TaskRoutes
from service.errors import NotReadyError, ServiceError
from service.lifecycle import Lifecycle

UNKNOWN_ROUTE = "unknown"  # every path that is no route shares this label
TOO_LATE = "the service is stopping and could not finish this in time"


class ContextMiddleware:
    """Wraps every request, unknown paths and wrong methods included, so that all are counted alike.

    Requests for tasks go to their routes, all others to the application. Requests that the stopping server cancels get
    a problem document, and not a bug's 500.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        request_log: RequestLog,
        lifecycle: Lifecycle,
        bodies: BodyBudget,
        hosts: AllowedHosts,
        load_limits: LoadLimits | None = None,
        tasks: TaskRoutes | None = None,
    ) -> None:
        self._app = app
        self._tasks = tasks
        self._bodies = bodies
        self._request_log = request_log
        self._lifecycle = lifecycle
        self._hosts = hosts
        self._load_limits = load_limits
        self._lag = EventLoopLag(request_log.metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = cast("HTTPScope", scope)
        method, path = request["method"], request["path"]
        limits, lifecycle = self._load_limits, self._lifecycle
        context, route = self._request_log.begin(request, receive), None
        request["state"] = {"context": context}
        try:
            refusal: ServiceError | None = self._hosts.refusal(path, context.headers.get(b"host"))
            if limits is not None and method == "POST" and refusal is None:
                if path not in limits.paths:  # ``//tag/`` is answered like ``/tag``
                    path = normalize_path(path)
                if path in limits.paths:
                    route = path
                    self._lag.watch()
                    refusal = limits.refusal(path, context, lifecycle.in_flight - 1)
            if refusal is not None:
                await self._refuse(refusal, request, context, send)
            elif route and self._tasks is not None and (endpoint := self._tasks.find(route, context)) is not None:
                await self._tasks.answer(endpoint, request, context, send)
            else:
                await self._app(scope, receive, with_headers(send, context, method, lifecycle))
        except asyncio.CancelledError:
            if not lifecycle.is_ending:
                raise
            if not context.status:  # of an answer that has begun no other can be made
                await self._refuse(NotReadyError(TOO_LATE, retry_after_seconds=1), request, context, send)
        finally:
            if context.held_bytes:
                self._bodies.remove(context)
            route = route or cast("dict[str, Any]", scope).get("path_template") or UNKNOWN_ROUTE
            self._request_log.end(context, route)

    async def _refuse(self, error: ServiceError, request: HTTPScope, context: RequestContext, send: Send) -> None:
        await send_problem(request, with_headers(send, context, request["method"], self._lifecycle), error)

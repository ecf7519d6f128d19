"""Outermost middleware: every request's context, the limits that are checked before anything is read, the headers of
every answer, and what is recorded about it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, cast

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from litestar.utils import normalize_path

from service.api.body_budget import BodyBudget
from service.api.context import TIMEOUT_HEADER, RequestContext, timeout_of
from service.api.problems import send_problem
from service.api.request_log import RequestLog
from service.api.security_headers import security_headers
from service.errors import InvalidRequestError, NotReadyError, OverloadedError
from service.lifecycle import Lifecycle
from service.metrics import Metrics
from service.scheduling.scheduler import SHARE_OF_DEADLINE, retry_seconds

UNKNOWN_ADDRESS = "unknown"
_ADDRESS = re.compile(r"[0-9a-fA-F.:]{2,45}(%\w{1,16})?")
UNKNOWN_ROUTE = "unknown"  # every path that is no route shares this label
CLOSE_CONNECTION = ((b"connection", b"close"),)  # the next request should go to another process
TOO_LATE = "the service is stopping and could not finish this in time"
BEAT_SECONDS = 0.01  # between two looks at the event loop's lag
_TIMEOUT = TIMEOUT_HEADER.lower().encode()


class LoadLimits:
    """Limits of what task requests may ask of a busy service, checked before their bodies are read.

    ``paths`` are the tasks', and of those ``row_paths`` wait for ``wait_seconds()`` at least: one whose deadline would
    not allow that is refused at once, for an event loop that reads what it then refuses answers less.
    """

    def __init__(
        self,
        *,
        paths: Collection[str],
        row_paths: Collection[str],
        max_in_flight: int,
        wait_seconds: Callable[[], float],
        default_timeout_ms: int,
        metrics: Metrics,
        needs_key: bool,
    ) -> None:
        self.in_flight = 0
        self._paths = paths
        self._row_paths = row_paths
        self._max_in_flight = max_in_flight
        self._wait_seconds = wait_seconds
        self._default_timeout_ms = default_timeout_ms
        self._needs_key = needs_key
        self._lag = EventLoopLag(metrics)

    def applies_to(self, path: str) -> bool:
        """Whether a path is a task's, however it is written: ``//tag/`` is answered like ``/tag``."""
        return path in self._paths or normalize_path(path) in self._paths

    def refusal(self, scope: HTTPScope, context: RequestContext) -> OverloadedError | None:
        """Return the error that refuses a task's request, or None. Who lacks a key is told that, and not how busy the
        service is."""
        self._lag.watch()
        if self.in_flight >= self._max_in_flight:
            return OverloadedError(f"{self.in_flight} requests are being answered", retry_after_seconds=1)
        wait = self._wait_seconds()
        if wait and scope["path"] in self._row_paths and not (self._needs_key and context.caller.key is None):
            with suppress(InvalidRequestError):  # which is told later
                value = next((value.decode("latin-1") for name, value in scope["headers"] if name == _TIMEOUT), None)
                allowed = SHARE_OF_DEADLINE * timeout_of(value, default_timeout_ms=self._default_timeout_ms)
                if wait > allowed:
                    return OverloadedError(
                        f"requests wait for {1000 * wait:.0f} ms here on average; with its deadline this one may find "
                        f"{1000 * allowed:.0f} ms at most",
                        retry_after_seconds=retry_seconds(wait - allowed),
                    )
        return None


class EventLoopLag:
    """Observes how late a timer of the event loop is. It runs only while there are requests: an idle service sleeps."""

    def __init__(self, metrics: Metrics) -> None:
        self.is_beating = False
        self._metrics = metrics
        self._is_needed = False
        self._due = 0.0

    def watch(self) -> None:
        """Keep observing, because a request came."""
        self._is_needed = True
        if not self.is_beating:
            self.is_beating = True
            self._sleep()

    def _sleep(self) -> None:
        self._due = time.monotonic() + BEAT_SECONDS
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        self._metrics.loop_lag_seconds.observe(max(0.0, time.monotonic() - self._due))
        if self._is_needed:
            self._is_needed = False
            self._sleep()
        else:
            self.is_beating = False


class ContextMiddleware:
    """Wraps every request, unknown paths and wrong methods included, so that all are counted alike.

    Requests that the stopping server cancels get a problem document, and not a bug's 500.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        request_log: RequestLog,
        lifecycle: Lifecycle,
        bodies: BodyBudget,
        load_limits: LoadLimits | None = None,
    ) -> None:
        self._app = app
        self._bodies = bodies
        self._request_log = request_log
        self._lifecycle = lifecycle
        self._load_limits = load_limits
        self._in_flight = request_log.metrics.in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = self._request_log.begin(scope)
        scope.setdefault("state", {})["context"] = context
        request = cast("HTTPScope", scope)
        method = request["method"]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status, headers = message["status"], message["headers"]
                closing = CLOSE_CONNECTION if self._lifecycle.is_ending else ()
                message["headers"] = [*headers, *security_headers(method, headers), *context.headers(), *closing]
            elif method != "HEAD":
                context.answer_bytes += len(cast("dict[str, Any]", message).get("body", b""))
            await send(message)

        async def receive_counted() -> Any:
            message = await receive()
            if body := cast("dict[str, Any]", message).get("body"):
                context.request_bytes += len(body)
                self._bodies.add(context, len(body))
            return message

        self._lifecycle.in_flight += 1
        self._in_flight.inc()
        try:
            if self._load_limits is not None and method == "POST" and self._load_limits.applies_to(request["path"]):
                await self._answer_task(self._load_limits, request, receive_counted, send_with_headers)
            else:
                await self._app(scope, receive_counted, send_with_headers)
        except asyncio.CancelledError:
            if not self._lifecycle.is_ending:
                raise
            if not context.status:  # of an answer that has begun no other can be made
                await send_problem(request, send_with_headers, NotReadyError(TOO_LATE, retry_after_seconds=1))
        finally:
            self._lifecycle.in_flight -= 1
            self._in_flight.dec()
            self._bodies.remove(context)
            self._request_log.record(context, cast("dict[str, Any]", scope).get("path_template") or UNKNOWN_ROUTE)

    async def _answer_task(self, limits: LoadLimits, request: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer a task's request, within the limits."""
        if (refusal := limits.refusal(request, cast("Any", request)["state"]["context"])) is not None:
            cast("dict[str, Any]", request)["path_template"] = normalize_path(request["path"])
            await send_problem(request, send, refusal)
            return
        limits.in_flight += 1
        try:
            await self._app(request, receive, send)
        finally:
            limits.in_flight -= 1


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
        if f"{request['path']}/".startswith(prefix):
            request["path"] = request["path"][len(root_path) :] or "/"
            request["raw_path"] = request["path"].encode()
        await app(scope, receive, send)

    return call

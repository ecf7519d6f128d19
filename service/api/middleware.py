"""Outermost middleware: every request's context, the limits that are checked before anything is read, the headers of
every answer, and what is recorded about it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from litestar.utils import normalize_path

from service.api.body_budget import BodyBudget
from service.api.browsers import AllowedHosts, security_headers
from service.api.context import TIMEOUT_HEADER, RequestContext, RequestLog, timeout_of
from service.api.problems import send_problem
from service.errors import InvalidRequestError, NotReadyError, OverloadedError, ServiceError
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadLimits:
    """Limits of what task requests may ask of a busy service, checked before their bodies are read.

    ``paths`` are the tasks', and of those ``row_paths`` wait for ``wait_seconds()`` at least: one whose deadline would
    not allow that is refused at once, for an event loop that reads what it then refuses answers less.
    """

    paths: Collection[str]
    row_paths: Collection[str]
    max_in_flight: int
    wait_seconds: Callable[[], float]
    default_timeout_ms: int
    needs_key: bool

    def refusal(self, request: HTTPScope, context: RequestContext, in_flight: int) -> OverloadedError | None:
        """Return the error that refuses a task's request, or None. Who lacks a key is told that, and not how busy the
        service is."""
        if in_flight >= self.max_in_flight:
            return OverloadedError(f"{in_flight} requests are being answered", retry_after_seconds=1)
        wait = self.wait_seconds()
        if wait and request["path"] in self.row_paths and not (self.needs_key and context.caller.key is None):
            with suppress(InvalidRequestError):  # which is told later
                value = next((value.decode("latin-1") for name, value in request["headers"] if name == _TIMEOUT), None)
                allowed = SHARE_OF_DEADLINE * timeout_of(value, default_timeout_ms=self.default_timeout_ms)
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

    def watch(self) -> None:
        """Keep observing, because a request came."""
        self._is_needed = True
        if not self.is_beating:
            self._beat(None)

    def _beat(self, due: float | None) -> None:
        """Observe a timer that was due then, and set the next one if a request has come meanwhile."""
        now = time.monotonic()
        if due is not None:
            self._metrics.loop_lag_seconds.observe(max(0.0, now - due))
        self.is_beating, self._is_needed = self._is_needed, False
        if self.is_beating:
            asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat, now + BEAT_SECONDS)


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
        hosts: AllowedHosts,
        load_limits: LoadLimits | None = None,
    ) -> None:
        self._app = app
        self._bodies = bodies
        self._request_log = request_log
        self._lifecycle = lifecycle
        self._hosts = hosts
        self._load_limits = load_limits
        self._lag = EventLoopLag(request_log.metrics)
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

        refusal = self._refusal(request, context)
        self._lifecycle.in_flight += 1
        self._in_flight.inc()
        try:
            if refusal is None:
                await self._app(scope, receive_counted, send_with_headers)
            else:
                await send_problem(request, send_with_headers, refusal)
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

    def _refusal(self, request: HTTPScope, context: RequestContext) -> ServiceError | None:
        """Return the error that refuses a request before anything of it is read, or None."""
        path, limits = request["path"], self._load_limits
        if (refusal := self._hosts.refusal(path, request["headers"])) is not None:
            return refusal
        if limits is None or request["method"] != "POST":
            return None
        if path not in limits.paths:  # ``//tag/`` is answered like ``/tag``
            path = normalize_path(path)
        if path not in limits.paths:
            return None
        self._lag.watch()
        overload = limits.refusal(request, context, self._lifecycle.in_flight)
        if overload is not None:
            cast("dict[str, Any]", request)["path_template"] = path
        return overload


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

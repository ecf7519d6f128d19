"""Builds every part of the service and joins them; the only file that knows all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.api.access import AccessPolicy
from service.api.body import BodyBudget, BodyReader, max_values_of
from service.api.browsers import AllowedHosts, cross_origin
from service.api.compression import CompressionMiddleware
from service.api.context import RequestLog
from service.api.endpoint import Services
from service.api.libretranslate import LibreTranslateEndpoint, detect, languages_route, libretranslate_route
from service.api.load_shedding import LoadShedder
from service.api.middleware import ContextMiddleware, with_plain_addresses, with_root_path
from service.api.openapi import describe_api
from service.api.operations import Reload, operation_routes, reload_route
from service.api.pages import playground_routes
from service.api.problems import HANDLERS
from service.api.side_thread import MemoryReturn, SideThread
from service.api.task_routes import ENDPOINTS, TaskRoutes, task_route
from service.lifecycle import Lifecycle
from service.metrics import Metrics
from service.models.engine import Engine
from service.models.loading import LoadedModel, OpenSession
from service.runtime.resources import FindObstacle, choose_device
from service.runtime.session import find_obstacle, open_session
from service.settings import Settings
from service.telemetry import Tracer, choose_tracer

ROW_PATHS = frozenset({"/tag", "/classify"})  # whose requests wait in the queues of rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class App:
    """The service as an ASGI application, with the parts that its server and the operators' application use."""

    litestar: Litestar
    requests: ASGIApp  # the same inside its middlewares
    engine: Engine
    request_log: RequestLog
    load_shedder: LoadShedder  # asked by connections before they hand on a request

    @property
    def lifecycle(self) -> Lifecycle:
        return self.engine.lifecycle

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request; start and stop with the server."""
        await self.requests(scope, receive, send)


def create_app(
    settings: Settings,
    *,
    open_session: OpenSession = open_session,
    find_obstacle: FindObstacle = find_obstacle,
    preloaded: Sequence[LoadedModel] = (),
    worker_metrics: Metrics | None = None,
    tracer: Tracer | None = None,
    reloads_on_sighup: bool = False,
) -> App:
    """Build the service as an ASGI application.

    Tests pass a session, a device and a tracer of their own, and processes that share memory the models that were
    loaded already, if there are any, and metrics that are shown together. The device is chosen here, once for the
    process. Raises DeviceError or SettingsError.
    """
    tracer = tracer or choose_tracer(settings.tracing)
    device = choose_device(settings.device, find_obstacle)
    settings = settings.model_copy(update={"device": device})
    access = AccessPolicy.of(settings)
    engine = Engine(
        settings,
        open_session,
        preloaded=preloaded,
        metrics=worker_metrics or Metrics(),
        reread_keys=access.reread_keys,
    )
    engine.metrics.device.labels(device).set(1)
    request_log = RequestLog(metrics=engine.metrics, keys=access.keys, tracer=tracer, lifecycle=engine.lifecycle)
    checks = access if access.is_needed else None
    bodies = BodyBudget(settings.max_bodies_bytes, MemoryReturn(engine.side_executor))
    services = services_of(engine, bodies, checks)
    endpoints = [each(services) for each in ENDPOINTS]
    tasks = [*map(task_route, endpoints), libretranslate_route(LibreTranslateEndpoint(services))]
    app = Litestar(
        route_handlers=[*tasks, *other_routes(engine)],
        exception_handlers=HANDLERS,
        lifespan=[engine.running, tracer.running, *([engine.reload_on_sighup] if reloads_on_sighup else [])],
        before_request=checks,
        cors_config=cross_origin(settings.cors_origins),
        request_max_body_size=settings.max_body_bytes,
        openapi_config=describe_api(settings, needs_key=access.keys is not None, root_path=settings.root_path),
        logging_config=None,
    )
    straight = TaskRoutes(
        endpoints, access=checks, lifecycle=engine.lifecycle, allows_origins=bool(settings.cors_origins)
    )
    hosts = AllowedHosts.of(settings, settings.host)
    middleware = ContextMiddleware(
        CompressionMiddleware(app),
        request_log=request_log,
        lifecycle=engine.lifecycle,
        bodies=bodies,
        hosts=hosts,
        task_paths=frozenset(path for task in tasks for path in task.paths),
        max_in_flight=settings.max_requests,
        tasks=straight,
    )
    requests = behind_proxies(middleware, settings)
    shedder = load_shedder_of(engine, request_log, hosts)
    return App(litestar=app, requests=requests, engine=engine, request_log=request_log, load_shedder=shedder)


def create_admin_app(app: App, reload_models: Reload) -> App:
    """Build the operators' application, for a port of its own in the same event loop. No key is asked for."""
    engine, settings = app.engine, app.engine.settings
    hosts = AllowedHosts.of(settings, settings.admin_host or settings.host)
    bodies = BodyBudget(settings.max_bodies_bytes, MemoryReturn(engine.side_executor))
    admin = Litestar(
        route_handlers=[
            *operation_routes(engine.lifecycle, engine.registry, engine.metrics),
            reload_route(reload_models),
        ],
        exception_handlers=HANDLERS,
        request_max_body_size=settings.max_body_bytes,
        openapi_config=describe_api(settings, needs_key=False),
        logging_config=None,
    )
    middleware = ContextMiddleware(
        CompressionMiddleware(admin),
        request_log=app.request_log,
        lifecycle=engine.lifecycle,
        bodies=bodies,
        hosts=hosts,
    )
    return App(
        litestar=admin,
        requests=behind_proxies(middleware, settings),
        engine=engine,
        request_log=app.request_log,
        load_shedder=app.load_shedder,
    )


def behind_proxies(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Wrap an application in what the settings say of proxies before it, from the inside to the outside."""
    wrapped: Any = app
    if settings.root_path:
        wrapped = with_root_path(wrapped, settings.root_path)
    if trusted := settings.trusted_proxies:
        inner: Any = with_plain_addresses(wrapped)
        wrapped = ProxyHeadersMiddleware(inner, trusted_hosts=[str(network) for network in trusted])
    return cast("ASGIApp", wrapped)


def other_routes(engine: Engine) -> list[HTTPRouteHandler]:
    """Make the routes of everybody's port that are no task's: languages, operation and the playground."""
    settings = engine.settings
    return [
        languages_route(engine.registry),
        detect,
        *operation_routes(engine.lifecycle, engine.registry, engine.metrics if settings.admin_port is None else None),
        *(playground_routes() if settings.playground else []),
    ]


def services_of(engine: Engine, bodies: BodyBudget, access: AccessPolicy | None) -> Services:
    """Make what the endpoints share; ``access`` is None where everybody may send as much as they like."""
    settings, executor = engine.settings, engine.side_executor
    return Services(
        registry=engine.registry,
        reader=BodyReader(settings=settings, max_values=max_values_of(settings), budget=bodies, executor=executor),
        settings=settings,
        side_thread=SideThread(executor),
        access=access,
    )


def load_shedder_of(engine: Engine, request_log: RequestLog, hosts: AllowedHosts) -> LoadShedder:
    prefixes = {"", engine.settings.root_path or ""}
    return LoadShedder(
        paths={f"{prefix}{path}".encode(): path for prefix in prefixes for path in ROW_PATHS},
        wait_seconds=engine.thread_pool.wait_seconds,
        default_timeout_ms=engine.settings.default_timeout_ms,
        request_log=request_log,
        lifecycle=engine.lifecycle,
        hosts=hosts,
    )

"""Builds every part of the service and joins them; the only file that knows all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler

from service.api.access import AccessPolicy, build_access_policy
from service.api.admin import Reload, reload
from service.api.body import requests_within
from service.api.classify import ClassifyEndpoint, classify
from service.api.concurrency_limit import ConcurrencyLimit
from service.api.endpoint import Services
from service.api.generate import GenerateEndpoint, generate
from service.api.health import live, metrics, ready
from service.api.middleware import ContextMiddleware
from service.api.models import models
from service.api.openapi import describe_api
from service.api.openapi_details import KEYS, NO_KEYS
from service.api.problems import HANDLERS
from service.api.request_log import RequestLog
from service.api.score import ScoreEndpoint, score
from service.api.security_headers import cross_origin
from service.api.shutdown import ShutdownMiddleware
from service.api.side_thread import SideThread
from service.api.tag import TagEndpoint, tag
from service.api.translate import TranslateEndpoint, translate
from service.metrics import Metrics
from service.models.cards import request_limits
from service.models.engine import Engine, create_engine
from service.models.loading import LoadedModel, OpenSession
from service.runtime.resources import FindObstacle, choose_device
from service.runtime.session import find_obstacle, open_session
from service.settings import Settings
from service.telemetry import Tracer, choose_tracer

_log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    *,
    open_session: OpenSession = open_session,
    find_obstacle: FindObstacle = find_obstacle,
    preloaded: Sequence[LoadedModel] = (),
    worker_metrics: Metrics | None = None,
    tracer: Tracer | None = None,
    reloads_on_sighup: bool = False,
) -> Litestar:
    """Build the service as an ASGI application.

    Tests pass a session, a device and a tracer of their own, and processes that share memory the models that were
    loaded already, if there are any, and metrics that are shown together. The device is chosen here, once for the
    process. Raises DeviceError or SettingsError.
    """
    tracer = tracer or choose_tracer(settings.tracing)
    device = choose_device(settings.device, find_obstacle)
    settings = settings.model_copy(update={"device": device})
    access = build_access_policy(settings)
    engine = create_engine(
        settings,
        open_session,
        preloaded,
        worker_metrics or Metrics(),
        access.reread_keys,
    )
    engine.metrics.device.labels(device).set(1)
    app = Litestar(
        route_handlers=[tag, classify, translate, generate, score, models, live, ready, *here_or_admin(settings)],
        dependencies=dependencies(engine, access),
        exception_handlers=HANDLERS,
        lifespan=[engine.running, tracer.running, *([engine.reload_on_sighup] if reloads_on_sighup else [])],
        before_request=access if access.is_needed else None,
        cors_config=cross_origin(settings.cors_origins),
        request_class=requests_within(settings.body_timeout_seconds),
        request_max_body_size=settings.max_body_bytes,
        openapi_config=describe_api(request_limits(settings), KEYS if access.keys else NO_KEYS),
        logging_config=None,
    )
    app.state.lifecycle = engine.lifecycle
    app.state.engine = engine
    app.state.access = access
    app.state.count_problem = engine.metrics.count_problem
    request_log = RequestLog(metrics=engine.metrics, callers=access.callers(settings), tracer=tracer)
    app.state.outermost = partial(ContextMiddleware, request_log=request_log, lifecycle=engine.lifecycle)
    app.asgi_handler = ConcurrencyLimit(app.asgi_handler, lag=engine.lag, max_in_flight=settings.max_requests)
    app.asgi_handler = app.state.outermost(ShutdownMiddleware(app.asgi_handler, lifecycle=engine.lifecycle))
    return app


def here_or_admin(settings: Settings) -> list[HTTPRouteHandler]:
    """Return the operators' routes for the main port; none if they have a port of their own."""
    return [metrics] if settings.admin_port is None else []


def create_admin_app(app: Litestar, reload_models: Reload) -> Litestar:
    """Build the operators' application, for a port of its own in the same event loop. No key is asked for."""
    engine: Engine = app.state.engine
    parts = {"reload_models": reload_models}
    admin = Litestar(
        route_handlers=[metrics, live, ready, models, reload],
        dependencies=dependencies(engine, app.state.access) | provided(parts),
        exception_handlers=HANDLERS,
        request_max_body_size=engine.settings.max_body_bytes,
        openapi_config=describe_api(request_limits(engine.settings), NO_KEYS),
        logging_config=None,
    )
    admin.state.count_problem = app.state.count_problem
    admin.asgi_handler = app.state.outermost(ShutdownMiddleware(admin.asgi_handler, lifecycle=engine.lifecycle))
    return admin


def dependencies(engine: Engine, access: AccessPolicy) -> dict[str, Provide]:
    """Return the objects that handlers ask for by name."""
    settings = engine.settings
    services = Services(
        registry=engine.registry,
        limits=request_limits(settings),
        side_thread=SideThread(engine.side_executor),
        default_timeout_ms=settings.default_timeout_ms,
        access=access,
    )
    parts = {
        "tag_endpoint": TagEndpoint(services),
        "classify_endpoint": ClassifyEndpoint(services),
        "translate_endpoint": TranslateEndpoint(services),
        "generate_endpoint": GenerateEndpoint(services),
        "score_endpoint": ScoreEndpoint(services),
        "registry": engine.registry,
        "lifecycle": engine.lifecycle,
        "metrics_of_app": engine.metrics,
    }
    return provided(parts)


def provided(parts: Mapping[str, object]) -> dict[str, Provide]:
    return {name: Provide(_giving(part), sync_to_thread=False) for name, part in parts.items()}


def _giving(part: object) -> Callable[[], object]:
    return lambda: part

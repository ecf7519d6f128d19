"""Builds every part and joins them; the only file that knows all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler

from service.api.admin import Reload, reload
from service.api.body import requests_within
from service.api.classify import ClassifyDesk, classify
from service.api.contract import KEYS, NO_KEYS
from service.api.desk import Means
from service.api.exchange_middleware import ExchangeMiddleware
from service.api.first_look import FirstLook
from service.api.giving_up import GivingUpMiddleware
from service.api.health import live, metrics, ready
from service.api.inside import InsideMiddleware
from service.api.ledger import Ledger
from service.api.loading import Loaded, OpenSession, request_limits
from service.api.models import models
from service.api.offload import Offload
from service.api.openapi import describe_api
from service.api.problems import HANDLERS
from service.api.protection import cross_origin
from service.api.relief import Relief
from service.api.reloading import Hangup
from service.api.tag import TagDesk, tag
from service.api.translate import TranslateDesk, translate
from service.engine import Engine, create_engine
from service.metrics import Metrics
from service.metrics_exposition import Exposition
from service.runtime.devices import FindObstacle, choose_device
from service.runtime.session import find_obstacle, open_session
from service.settings import Settings
from service.tracing.trace import Tracer, choose_tracer, tracing

_log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    *,
    open_session: OpenSession = open_session,
    find_obstacle: FindObstacle = find_obstacle,
    preloaded: Sequence[Loaded] = (),
    exposition: Exposition | None = None,
    tracer: Tracer | None = None,
    hangup: Hangup | None = None,
) -> Litestar:
    """The service as an ASGI application. Tests pass a session, a device and a tracer of their own, and processes that
    share memory the models that were loaded already, if there are any; workers show their metrics together.

    Where models run is decided here, once for the process. Raises DeviceError or SettingsError.
    """
    tracer = tracer or choose_tracer(settings.tracing)
    device = choose_device(settings.device, find_obstacle)
    settings = settings.model_copy(update={"device": device})
    engine = create_engine(settings, open_session, preloaded, Metrics(exposition), hangup or Hangup())
    engine.metrics.device.labels(device).set(1)
    app = Litestar(
        route_handlers=[tag, classify, translate, models, live, ready, *here_or_admin(settings)],
        dependencies=dependencies(engine),
        exception_handlers=HANDLERS,
        lifespan=[engine.running, partial(tracing, tracer)],
        before_request=engine.gate if engine.gate.is_needed else None,
        cors_config=cross_origin(settings.cors_origins),
        request_class=requests_within(settings.body_timeout_seconds),
        request_max_body_size=settings.max_body_bytes,
        openapi_config=describe_api(request_limits(settings), KEYS if engine.gate.keys else NO_KEYS),
        logging_config=None,
    )
    app.state.door = engine.door
    app.state.engine = engine
    app.state.count_problem = engine.metrics.count_problem
    relief = Relief(catalogue=engine.catalogue, default_timeout_ms=settings.default_timeout_ms)
    ledger = Ledger(metrics=engine.metrics, callers=engine.gate.callers(settings), tracer=tracer)
    app.state.first_look = FirstLook(
        relief=relief, ledger=ledger, lag=engine.lag, door=engine.door, needs_key=engine.gate.keys is not None
    )
    app.state.outermost = partial(ExchangeMiddleware, ledger=ledger, door=engine.door)
    app.asgi_handler = InsideMiddleware(
        app.asgi_handler, relief=relief, lag=engine.lag, max_inside=settings.max_requests
    )
    app.asgi_handler = app.state.outermost(GivingUpMiddleware(app.asgi_handler, door=engine.door))
    return app


def here_or_admin(settings: Settings) -> list[HTTPRouteHandler]:
    """What is on the main port unless there is another one for it."""
    return [metrics] if settings.admin_port is None else []


def create_admin_app(app: Litestar, reload_models: Reload) -> Litestar:
    """What operators see of an application, for a port of its own in the same event loop. No key is asked for."""
    engine: Engine = app.state.engine
    parts = {"reload_models": reload_models}
    admin = Litestar(
        route_handlers=[metrics, live, ready, models, reload],
        dependencies=dependencies(engine) | provided(parts),
        exception_handlers=HANDLERS,
        request_max_body_size=engine.settings.max_body_bytes,
        openapi_config=describe_api(request_limits(engine.settings), NO_KEYS),
        logging_config=None,
    )
    admin.state.count_problem = app.state.count_problem
    admin.state.first_look = None  # operators are never turned away
    admin.asgi_handler = app.state.outermost(GivingUpMiddleware(admin.asgi_handler, door=engine.door))
    return admin


def dependencies(engine: Engine) -> dict[str, Provide]:
    """What handlers ask for by name."""
    settings = engine.settings
    means = Means(
        catalogue=engine.catalogue,
        limits=request_limits(settings),
        offload=Offload(engine.aside),
        default_timeout_ms=settings.default_timeout_ms,
        gate=engine.gate,
    )
    parts = {
        "tag_desk": TagDesk(means),
        "classify_desk": ClassifyDesk(means),
        "translate_desk": TranslateDesk(means),
        "catalogue": engine.catalogue,
        "door": engine.door,
        "metrics_of_app": engine.metrics,
    }
    return provided(parts)


def provided(parts: Mapping[str, object]) -> dict[str, Provide]:
    return {name: Provide(_giving(part), sync_to_thread=False) for name, part in parts.items()}


def _giving(part: object) -> Callable[[], object]:
    return lambda: part

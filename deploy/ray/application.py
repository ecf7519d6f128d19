"""The service as a Ray Serve deployment: ``serve run deploy.ray.application:application`` from the repository's root.

Each replica is the whole ASGI application with every model, on one core; Ray starts and stops replicas by how many
requests each has under way. The settings are the service's own (``RIBBON_…`` in the environment of the replicas).
"""

from __future__ import annotations

import os
from typing import Any

from ray import serve

from service.app import create_app
from service.lifecycle import Lifecycle, Phase
from service.logs import configure_logging
from service.settings import Settings

# One that has so many requests under way has always the next batch, and its answers still come in time: see
# docs/results.md, where requests of one sentence on 64 connections saturate two cores.
REQUESTS_UNDER_WAY = 24


def build() -> Any:
    """One replica's application; made where the replica runs."""
    # Ray's proxy is asked under names that are not known here.
    settings = Settings.from_environment({"RIBBON_THREADS": "1", "RIBBON_ALLOWED_HOSTS": "*", **os.environ})
    configure_logging(level=settings.log_level, format=settings.log_format)
    app = create_app(settings)
    return ReadyFirst(app, app.lifecycle)


class ReadyFirst:
    """ASGI. Its start ends when the models are loaded and warm, so that no request comes before."""

    def __init__(self, app: Any, lifecycle: Lifecycle) -> None:
        self._app = app
        self._lifecycle = lifecycle

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_when_ready(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete" and await self._lifecycle.decided() is not Phase.READY:
                message = {"type": "lifespan.startup.failed", "message": "no models; the log says why"}
            await send(message)

        await self._app(scope, receive, send_when_ready if scope["type"] == "lifespan" else send)


@serve.deployment(
    ray_actor_options={"num_cpus": 1},
    max_ongoing_requests=4 * REQUESTS_UNDER_WAY,
    autoscaling_config={
        "min_replicas": 1,
        "max_replicas": 8,
        "target_ongoing_requests": REQUESTS_UNDER_WAY,
        "upscale_delay_s": 5,
        "downscale_delay_s": 120,
    },
    health_check_period_s=5,
    graceful_shutdown_timeout_s=40,  # more than RIBBON_DRAIN_TIMEOUT_SECONDS
)
@serve.ingress(build)
class Ribbon:
    """A replica."""


application = Ribbon.bind()

"""``python -m service``: one process, one port, one line when it is ready."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from math import ceil
from types import FrameType
from typing import Any

import uvicorn

from service.api.logs import configure_logging
from service.app import create_app
from service.errors import StartupError
from service.scheduling.admission import Door, Phase
from service.settings import Settings

DRAIN_TICK_SECONDS = 0.02
SWITCH_SECONDS = 0.001  # the event loop gets the interpreter's lock back sooner from a thread with long work
KEEP_ALIVE_SECONDS = 75  # longer than the 60 s of common proxies, or they would write to a closed connection
_log = logging.getLogger("service")


class Server(uvicorn.Server):
    """uvicorn, but it says when the models are ready, ends if they cannot be, and drains before it closes."""

    def __init__(self, app: Any, settings: Settings, *, started_at: float) -> None:
        super().__init__(_config(app, settings))
        self.door: Door = app.state.door
        self._settings = settings
        self._started_at = started_at

    async def main_loop(self) -> None:
        """Serve until told to stop; then keep listening until what is inside is done."""
        announcing = asyncio.create_task(self._announce())
        await super().main_loop()
        await self._drain()
        await announcing

    async def _announce(self) -> None:
        phase = await self.door.decided()
        if phase is Phase.READY:
            seconds = round(time.monotonic() - self._started_at, 2)
            _log.info("ready", extra={"url": self._url(), "seconds": seconds})
        self.should_exit |= phase is Phase.FAILED

    async def _drain(self) -> None:
        """Not ready from now on, which a balancer needs a moment to see. A second signal cuts it short."""
        self.door.close()
        earliest = time.monotonic() + self._settings.drain_seconds
        latest = earliest + self._settings.drain_timeout_seconds
        while time.monotonic() < (latest if self.door.inside else earliest):
            if self.force_exit:
                return
            await asyncio.sleep(DRAIN_TICK_SECONDS)
        # What is left is for connections that are slow to send or to read; without it uvicorn waits for them for ever.
        self.config.timeout_graceful_shutdown = max(1, ceil(latest - time.monotonic()))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Unlike uvicorn's, the signal is not raised again at the end: a service told to stop ends with 0."""
        self.force_exit = self.should_exit
        self.should_exit = True

    def _url(self) -> str:
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def main() -> int:
    """0 after a drain, 1 if it could not start."""
    started_at = time.monotonic()
    try:
        settings = Settings.from_environment(os.environ)
    except StartupError as error:
        print(f"ribbon: {error}", file=sys.stderr)
        return 1
    configure_logging(level=settings.log_level, format=settings.log_format)
    sys.setswitchinterval(SWITCH_SECONDS)
    server = Server(create_app(settings), settings, started_at=started_at)
    server.run()
    return 1 if server.door.phase is Phase.FAILED else 0


def _config(app: Any, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        access_log=False,
        log_config=None,
        server_header=False,
        ws="none",
    )


if __name__ == "__main__":
    sys.exit(main())

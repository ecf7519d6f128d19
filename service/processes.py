"""One process that does everything, or a supervisor and workers: who binds, loads and serves."""

from __future__ import annotations

import logging
import signal
import time

from service.api.connections import ConnectionLimits, connections_within
from service.api.logs import configure_logging
from service.app import create_app
from service.errors import StartupError
from service.server import Listener, Patience, Server
from service.settings import Settings
from service.sockets import bind, listen, url_of
from service.stopping import Stop

_log = logging.getLogger("service")


def serve(settings: Settings, stop: Stop, *, started_at: float) -> int:
    """The exit status."""
    configure_logging(level=settings.log_level, format=settings.log_format)
    try:
        return serve_alone(settings, stop, started_at=started_at)
    except StartupError as error:
        _log.critical("%s", error)
        return 1


def serve_alone(settings: Settings, stop: Stop, *, started_at: float) -> int:
    """Raises AddressError; everything else that is wrong is logged. Listens while it loads."""
    signal.signal(signal.SIGHUP, _ignore_reload)
    sockets = bind(settings.host, settings.port)
    app = create_app(settings)
    listen(sockets)
    connections = connections_within(ConnectionLimits.of(settings), app.state.count_problem)
    server = Server(
        [Listener(app=app, sockets=sockets, connections=connections)],
        door=app.state.door,
        patience=patience_of(settings),
        stop=stop,
    )
    url = url_of(sockets)
    return server.run(
        lambda: _log.info("ready", extra={"url": url, "seconds": round(time.monotonic() - started_at, 2)})
    )


def patience_of(settings: Settings) -> Patience:
    return Patience(lame_duck_seconds=settings.drain_seconds, grace_seconds=settings.drain_timeout_seconds)


def _ignore_reload(*_: object) -> None:
    _log.warning("SIGHUP is ignored: models are read at the start only")

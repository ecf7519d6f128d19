"""One process that does everything, or a supervisor and its workers: who binds, loads and serves."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any, Self

from prometheus_client import Counter

from service.api.admin import Reload, ReloadHere, TellSupervisor
from service.api.connection_limits import ConnectionLimits
from service.api.connections import connections_within
from service.api.gate import build_gate
from service.api.loading import Loaded, load_models, reload_models
from service.api.logs import configure_logging, name_worker
from service.api.reloading import Hangup, write_down_failure
from service.app import create_admin_app, create_app
from service.errors import StartupError
from service.metrics import count_reloads
from service.metrics_exposition import SharedExposition, forget_worker, make_folder
from service.runtime.devices import choose_device
from service.runtime.memory import release_free_memory
from service.runtime.session import find_obstacle, has_cuda, open_session
from service.serving.accepting import Loads, take_turns
from service.serving.forking import Seat, num_threads, share_memory
from service.serving.server import Accept, Listener, Patience, Server, WorkerServer, accept_all
from service.serving.sockets import bind, listen, url_of
from service.serving.stopping import Stop, end_at_once
from service.serving.supervisor import Duties, Supervisor
from service.settings import Settings
from service.tracing.trace import choose_tracer

SUPERVISOR = 0  # among those who count; workers begin with 1

_log = logging.getLogger("service")
Sockets = Sequence[socket.socket]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ports:
    """Where callers and operators come in."""

    main: Sockets
    admin: Sockets = ()  # none where there is no port for them

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Bound, and nobody can connect yet. Raises AddressError."""
        main = bind(settings.host, settings.port)
        if settings.admin_port is None:
            return cls(main=main)
        return cls(main=main, admin=bind(settings.admin_host or settings.host, settings.admin_port))

    @property
    def all(self) -> Sockets:
        return [*self.main, *self.admin]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shared:
    """What a supervisor and its workers have in common."""

    loaded: list[Loaded]  # none where each loads for itself
    loads: Loads
    metrics: Path  # a folder
    reloads: Counter  # those that came to nothing before a worker heard of them

    def forget(self, number: int) -> None:
        """The worker with this number is dead."""
        self.loads.leave(number)
        forget_worker(self.metrics, number)


def serve(settings: Settings, stop: Stop, *, started_at: float) -> int:
    """The exit status. SIGHUP is held back already, until somebody heeds it."""
    configure_logging(level=settings.log_level, format=settings.log_format)
    serve_here = serve_alone if settings.workers == 1 else supervise
    try:
        return serve_here(settings, Ports.of(settings), stop, started_at=started_at)
    except StartupError as error:
        _log.critical("%s", error)
        return 1


def serve_alone(settings: Settings, ports: Ports, stop: Stop, *, started_at: float) -> int:
    """Listens while it loads. Raises AddressError; everything else that is wrong is logged."""
    hangup = Hangup()
    hangup.heed()
    app = create_app(settings, hangup=hangup)
    listen(ports.all)
    listeners = listeners_of(app, settings, ports, accept_all, ReloadHere(app.state.engine.reload))
    server = Server(listeners, door=app.state.door, patience=patience_of(settings), stop=stop)
    return server.run(ready_line(ports, started_at, workers=1))


def supervise(settings: Settings, ports: Ports, stop: Stop, *, started_at: float) -> int:
    """Loads before it listens. Raises StartupError."""
    build_gate(settings)  # for its complaint: each worker reads the keys itself, and would only end again and again
    settings = settle_device(settings)
    choose_tracer(settings.tracing)  # what is missing for it is said once, and loaded once
    loaded = load_to_share(settings)
    if stop.is_told:
        return 0
    listen(ports.all)
    with (folder := make_folder()):
        shared = Shared(
            loaded=loaded,
            loads=Loads(settings.workers),
            metrics=Path(folder.name),
            reloads=count_reloads(SharedExposition(Path(folder.name), worker=SUPERVISOR).registry),
        )
        supervisor = Supervisor(
            partial(serve_as_worker, settings, ports, shared),
            num_workers=settings.workers,
            sockets=ports.all,
            stop=stop,
            way_out_seconds=patience_of(settings).seconds,
            duties=Duties(
                on_ready=ready_line(ports, started_at, workers=settings.workers),
                on_death=shared.forget,
                reload=partial(reload_to_share, settings, shared),
            ),
        )
        stop.again = partial(kill_all, supervisor, folder)
        return supervisor.run()


def serve_as_worker(settings: Settings, ports: Ports, shared: Shared, seat: Seat) -> int:
    """In a process of its own, with the models that its supervisor has loaded, if it has."""
    hangup = Hangup()
    hangup.heed()
    name_worker(seat.number)
    exposition = SharedExposition(shared.metrics, worker=seat.number)
    app = create_app(settings, preloaded=shared.loaded, exposition=exposition, hangup=hangup)
    shared.loaded.clear()  # what is held twice is freed by no reload
    accept = partial(take_turns, loads=shared.loads, number=seat.number)
    listeners = listeners_of(app, settings, ports, accept, TellSupervisor(seat.supervisor, app.state.door))
    server = WorkerServer(listeners, door=app.state.door, patience=patience_of(settings), stop=seat.stop)
    status = server.run(seat.say_ready, lines=[seat.line])
    if seat.is_orphan:
        rmtree(shared.metrics, ignore_errors=True)  # nobody else will
    return status


def settle_device(settings: Settings) -> Settings:
    """Decided here for all workers if there can be no GPU. Where one may be each must see for itself: one that was
    used before a fork cannot be used after it. Raises DeviceError."""
    if has_cuda():
        return settings
    return settings.model_copy(update={"device": choose_device(settings.device, find_obstacle)})


def load_to_share(settings: Settings) -> list[Loaded]:
    """Models whose memory the workers will share; none where they must load them themselves: on a GPU, and beside a
    second thread, which may hold a lock at the moment of the fork."""
    if settings.device != "cpu":
        return []
    loaded = load_models(settings, open_session)
    if num_threads() > 1:
        _log.warning("each worker loads the models itself: loading has left a thread behind")
        return []
    share_memory()
    return loaded


def reload_to_share(settings: Settings, shared: Shared) -> bool:
    """Whether the workers are to load too: where what is new is not sound they are not told of it, and where they
    have loaded for themselves they must see for themselves. Workers that start from now on share what was loaded."""
    if not shared.loaded:
        return True
    try:
        build_gate(settings)  # for its complaint about the keys
        reloaded = reload_models(settings, open_session, shared.loaded)
    except Exception as error:  # whatever it is, workers must still be watched
        write_down_failure(error, shared.reloads)
        return False
    shared.loaded[:] = reloaded.models
    if num_threads() > 1:
        _log.warning("workers that start from now on load the models themselves: loading has left a thread behind")
        shared.loaded.clear()
    share_memory()
    release_free_memory()  # of what is gone, and of loading: every worker to come would share it
    return True


def listeners_of(app: Any, settings: Settings, ports: Ports, accept: Accept, reload: Reload) -> list[Listener]:
    """What is served where. Operators are few: whichever worker is first may have them."""
    listeners = [listener_of(app, settings, ports.main, accept)]
    if ports.admin:
        listeners.append(listener_of(create_admin_app(app, reload), settings, ports.admin, accept_all))
    return listeners


def listener_of(app: Any, settings: Settings, sockets: Sockets, accept: Accept) -> Listener:
    connections = connections_within(ConnectionLimits.of(settings), app.state.count_problem, app.state.first_look)
    return Listener(app=app, sockets=sockets, accept=accept, connections=connections)


def patience_of(settings: Settings) -> Patience:
    return Patience(lame_duck_seconds=settings.drain_seconds, grace_seconds=settings.drain_timeout_seconds)


def ready_line(ports: Ports, started_at: float, *, workers: int) -> Callable[[], None]:
    urls = {"url": url_of(ports.main)} | ({"admin": url_of(ports.admin)} if ports.admin else {})

    def say() -> None:
        seconds = round(time.monotonic() - started_at, 2)
        _log.info("ready", extra={**urls, "workers": workers, "seconds": seconds})

    return say


def kill_all(supervisor: Supervisor, folder: TemporaryDirectory[str], signum: int) -> None:
    """Told to stop a second time."""
    supervisor.kill()
    folder.cleanup()
    end_at_once(signum)

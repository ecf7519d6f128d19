"""Serves in one process, or in a supervisor and its workers: binds, loads and starts them."""

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
from typing import Self

from prometheus_client import Counter

from service.api.access import build_access_policy
from service.api.connection_limits import ConnectionLimits
from service.api.connections import connections_within
from service.api.operations import AskSupervisor, Reload, ReloadHere
from service.app import App, create_admin_app, create_app
from service.errors import StartupError
from service.logs import configure_logging, name_worker
from service.metrics import count_reloads
from service.metrics_exposition import SharedExposition, forget_worker, make_folder
from service.models.loading import LoadedModel, load_models, reload_models
from service.models.reloading import ReloadSignal, write_down_failure
from service.runtime.devices import choose_device
from service.runtime.memory import release_free_memory
from service.runtime.session import find_obstacle, has_cuda, open_session
from service.serving.accepting import Loads, take_turns
from service.serving.forking import WorkerContext, num_threads, share_memory
from service.serving.server import Accept, DrainTimeouts, Listener, Server, WorkerServer, accept_all
from service.serving.sockets import bind, listen, url_of
from service.serving.stopping import StopSignal, end_at_once
from service.serving.supervisor import Duties, Supervisor
from service.settings import Settings
from service.tracing.trace import choose_tracer

SUPERVISOR = 0  # its number among the workers, which begin with 1

_log = logging.getLogger("service")
Sockets = Sequence[socket.socket]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ports:
    """Sockets of the main port and of the operators' port."""

    main: Sockets
    admin: Sockets = ()  # none where there is no port for them

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Bind the sockets, which do not listen yet. Raises AddressError."""
        main = bind(settings.host, settings.port)
        if settings.admin_port is None:
            return cls(main=main)
        return cls(main=main, admin=bind(settings.admin_host or settings.host, settings.admin_port))

    @property
    def all(self) -> Sockets:
        return [*self.main, *self.admin]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shared:
    """State that a supervisor shares with its workers."""

    loaded: list[LoadedModel]  # none where each loads for itself
    loads: Loads
    metrics: Path  # a folder
    reloads: Counter  # those that came to nothing before a worker heard of them

    def forget(self, number: int) -> None:
        """Forget the worker with this number, which is dead."""
        self.loads.leave(number)
        forget_worker(self.metrics, number)


def serve(settings: Settings, stop: StopSignal, *, started_at: float) -> int:
    """Serve until told to stop; returns the exit status. SIGHUP is blocked until its handler is installed."""
    configure_logging(level=settings.log_level, format=settings.log_format)
    serve_here = serve_alone if settings.workers == 1 else supervise
    try:
        return serve_here(settings, Ports.of(settings), stop, started_at=started_at)
    except StartupError as error:
        _log.critical("%s", error)
        return 1


def serve_alone(settings: Settings, ports: Ports, stop: StopSignal, *, started_at: float) -> int:
    """Serve in this process, listening while it loads. Raises AddressError; all other errors are logged."""
    reload_signal = ReloadSignal()
    reload_signal.heed()
    app = create_app(settings, reload_signal=reload_signal)
    listen(ports.all)
    listeners = listeners_of(app, settings, ports, accept_all, ReloadHere(app.engine.reload))
    server = Server(listeners, lifecycle=app.lifecycle, drain_timeouts=drain_timeouts_of(settings), stop=stop)
    return server.run(ready_line(ports, started_at, workers=1))


def supervise(settings: Settings, ports: Ports, stop: StopSignal, *, started_at: float) -> int:
    """Serve in several workers, loading before they listen. Raises StartupError."""
    build_access_policy(settings)  # for its errors: each worker reads the keys itself, and would end again and again
    settings = settle_device(settings)
    choose_tracer(settings.tracing)  # so that missing packages are reported once
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
            way_out_seconds=drain_timeouts_of(settings).seconds,
            duties=Duties(
                on_ready=ready_line(ports, started_at, workers=settings.workers),
                on_death=shared.forget,
                reload=partial(reload_to_share, settings, shared),
            ),
        )
        stop.again = partial(kill_all, supervisor, folder)
        return supervisor.run()


def serve_as_worker(settings: Settings, ports: Ports, shared: Shared, context: WorkerContext) -> int:
    """Serve in a worker process, with the models that its supervisor has loaded, if it has."""
    reload_signal = ReloadSignal()
    reload_signal.heed()
    name_worker(context.number)
    exposition = SharedExposition(shared.metrics, worker=context.number)
    app = create_app(settings, preloaded=shared.loaded, exposition=exposition, reload_signal=reload_signal)
    shared.loaded.clear()  # a model that is held twice would be freed by no reload
    accept = partial(take_turns, loads=shared.loads, number=context.number)
    listeners = listeners_of(app, settings, ports, accept, AskSupervisor(context.supervisor, app.lifecycle))
    server = WorkerServer(
        listeners, lifecycle=app.lifecycle, drain_timeouts=drain_timeouts_of(settings), stop=context.stop
    )
    status = server.run(context.say_ready, pipes=[context.pipe])
    if context.is_orphan:
        rmtree(shared.metrics, ignore_errors=True)  # the supervisor cannot any more
    return status


def settle_device(settings: Settings) -> Settings:
    """Choose the device for all workers if there can be no GPU. Otherwise each worker chooses: a GPU that was used
    before a fork cannot be used after it. Raises DeviceError."""
    if has_cuda():
        return settings
    return settings.model_copy(update={"device": choose_device(settings.device, find_obstacle)})


def load_to_share(settings: Settings) -> list[LoadedModel]:
    """Load models whose memory the workers will share; none where they must load for themselves: on a GPU, and beside a
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
    """Reload the shared models; returns whether the workers are to reload too.

    They are not told of models that are not sound. Where they have loaded for themselves, they must check for
    themselves. Workers that start from now on share what was loaded.
    """
    if not shared.loaded:
        return True
    try:
        build_access_policy(settings)  # for its errors about the keys
        reloaded = reload_models(settings, open_session, shared.loaded)
    except Exception as error:  # whatever it is, workers must still be watched
        write_down_failure(error, shared.reloads)
        return False
    shared.loaded[:] = reloaded.models
    if num_threads() > 1:
        _log.warning("workers that start from now on load the models themselves: loading has left a thread behind")
        shared.loaded.clear()
    share_memory()
    release_free_memory()  # or every worker to come would share the memory of old models and of loading
    return True


def listeners_of(app: App, settings: Settings, ports: Ports, accept: Accept, reload: Reload) -> list[Listener]:
    """Return the applications and their sockets. Operators are few, so any worker may accept their connections."""
    listeners = [listener_of(app, settings, ports.main, accept)]
    if ports.admin:
        listeners.append(listener_of(create_admin_app(app, reload), settings, ports.admin, accept_all))
    return listeners


def listener_of(app: App, settings: Settings, sockets: Sockets, accept: Accept) -> Listener:
    connections = connections_within(ConnectionLimits.of(settings), app.engine.metrics.count_problem, app.first_look)
    return Listener(app=app, sockets=sockets, accept=accept, connections=connections)


def drain_timeouts_of(settings: Settings) -> DrainTimeouts:
    return DrainTimeouts(lame_duck_seconds=settings.drain_seconds, grace_seconds=settings.drain_timeout_seconds)


def ready_line(ports: Ports, started_at: float, *, workers: int) -> Callable[[], None]:
    urls = {"url": url_of(ports.main)} | ({"admin": url_of(ports.admin)} if ports.admin else {})

    def say() -> None:
        seconds = round(time.monotonic() - started_at, 2)
        _log.info("ready", extra={**urls, "workers": workers, "seconds": seconds})

    return say


def kill_all(supervisor: Supervisor, folder: TemporaryDirectory[str], signum: int) -> None:
    """Kill all workers and end at once, when told to stop a second time."""
    supervisor.kill()
    folder.cleanup()
    end_at_once(signum)

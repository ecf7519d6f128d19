"""Serves in one process, or in a supervisor and its workers: binds, loads and starts them."""

from __future__ import annotations

import gc
import logging
import mmap
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Self

from prometheus_client import CollectorRegistry, Counter

from service.api.access import AccessPolicy
from service.api.operations import Reload, reload_by_supervisor
from service.app import App, create_admin_app, create_app
from service.errors import StartupError
from service.logs import BackgroundHandler, configure_logging, name_worker
from service.metrics import count_lost_log_lines, count_reloads, count_worker_restarts
from service.metrics_multiprocess import WorkerMetrics, forget_worker, make_folder, supervisor_registry
from service.models.loading import LoadedModel, load_models, log_failure, reload_models
from service.runtime.resources import available_cores, choose_device, release_free_memory
from service.runtime.session import find_obstacle, has_cuda, open_session, release_arena
from service.serving.limits import ConnectionLimits
from service.serving.server import DrainTimeouts, Listener, Server, WorkerServer
from service.serving.signals import StopSignal, exit_at_once
from service.serving.sockets import Sockets, bind, listen, url_of
from service.serving.supervisor import Supervisor, SupervisorCallbacks, WorkerContext
from service.settings import Settings
from service.settings_types import AUTO, MAX_WORKERS
from service.telemetry import choose_tracer

OWN_THREADS = 2  # the main one, and the log's, of which a forked process takes nothing along
# Longer than a supervisor takes to notice and replace a worker, or to load models anew: whatever lasts longer than this
# it cannot mend, or it stands still itself.
MAX_AGE_SECONDS = 60.0
_PULSE = struct.Struct("d")
_log = logging.getLogger("service")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoundSockets:
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


class Pulse:
    """Moment at which all workers were last known to beat, in memory that they share with their supervisor."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._shared = mmap.mmap(-1, _PULSE.size)
        self.beat()

    def beat(self) -> None:
        """Record that every worker beats or is being replaced."""
        _PULSE.pack_into(self._shared, 0, self._clock())

    def is_fresh(self) -> bool:
        """Return whether the last beat was not too long ago."""
        (beat_at,) = _PULSE.unpack_from(self._shared)
        return bool(self._clock() - beat_at <= MAX_AGE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedState:
    """State that a supervisor shares with its workers."""

    loaded: list[LoadedModel]  # none where each loads for itself
    metrics: Path  # a folder
    pulse: Pulse
    reloads: Counter  # those that came to nothing before a worker heard of them


def serve(settings: Settings, stop: StopSignal, *, started_at: float) -> int:
    """Serve until asked to stop; returns the exit status. SIGHUP is blocked until its handler is installed."""
    log = configure_logging(level=settings.log_level, format=settings.log_format)
    settings = settle_workers(settings)
    serve_here = serve_alone if settings.workers == 1 else supervise
    try:
        return serve_here(settings, BoundSockets.of(settings), stop, log, started_at=started_at)
    except StartupError as error:
        _log.critical("%s", error)
        return 1


def serve_alone(
    settings: Settings, sockets: BoundSockets, stop: StopSignal, log: BackgroundHandler, *, started_at: float
) -> int:
    """Serve in this process, listening while it loads. Raises AddressError; all other errors are logged."""
    app = create_app(settings, reloads_on_sighup=True)
    log.on_lost = app.engine.metrics.lost_log_lines.inc
    listen(sockets.all)
    server = Server(
        listeners_of(app, settings, sockets, app.engine.reload),
        lifecycle=app.lifecycle,
        drain_timeouts=drain_timeouts_of(settings),
        stop=stop,
    )
    return server.run(partial(log_ready, settings, sockets, started_at))


def supervise(
    settings: Settings, sockets: BoundSockets, stop: StopSignal, log: BackgroundHandler, *, started_at: float
) -> int:
    """Serve in several workers, loading before they listen. Raises StartupError."""
    AccessPolicy.of(settings)  # for its errors: each worker reads the keys itself, and would end again and again
    settings = settle_device(settings)
    choose_tracer(settings.tracing)  # so that missing packages are reported once
    loaded = load_to_share(settings)
    if stop.is_requested:
        return 0
    listen(sockets.all)
    with (folder := make_folder(num_workers=settings.workers)):
        metrics = Path(folder.name)
        registry = supervisor_registry(metrics)
        log.on_lost = count_lost_log_lines(registry).inc
        shared = SharedState(loaded=loaded, metrics=metrics, pulse=Pulse(), reloads=count_reloads(registry))
        supervisor = Supervisor(
            partial(serve_as_worker, settings, sockets, shared, log),
            num_workers=settings.workers,
            sockets=sockets.all,
            stop=stop,
            drain_seconds=drain_timeouts_of(settings).seconds,
            callbacks=callbacks_of(settings, shared, registry, partial(log_ready, settings, sockets, started_at)),
        )
        stop.on_second_signal = partial(kill_all, supervisor, folder)
        return supervisor.run()


def callbacks_of(
    settings: Settings, shared: SharedState, registry: CollectorRegistry, on_ready: Callable[[], None]
) -> SupervisorCallbacks:
    restarts = count_worker_restarts(registry)
    return SupervisorCallbacks(
        on_ready=on_ready,
        on_death=partial(forget_worker, shared.metrics),
        on_replace=lambda reason: restarts.labels(reason).inc(),
        on_beat=shared.pulse.beat,
        reload=partial(reload_to_share, settings, shared),
    )


def serve_as_worker(
    settings: Settings, sockets: BoundSockets, shared: SharedState, log: BackgroundHandler, context: WorkerContext
) -> int:
    """Serve in a worker process, with the models that its supervisor has loaded, if it has."""
    name_worker(context.number)
    metrics = WorkerMetrics(shared.metrics, worker=context.number)
    log.on_lost = metrics.lost_log_lines.inc
    app = create_app(settings, preloaded=shared.loaded, worker_metrics=metrics, reloads_on_sighup=True)
    app.lifecycle.is_live = shared.pulse.is_fresh
    shared.loaded.clear()  # a model that is held twice would be freed by no reload
    server = WorkerServer(
        listeners_of(app, settings, sockets, reload_by_supervisor(context.supervisor, app.lifecycle)),
        lifecycle=app.lifecycle,
        drain_timeouts=drain_timeouts_of(settings),
        context=context,
    )
    status = server.run(context.report_ready)
    if context.is_orphan:
        rmtree(shared.metrics, ignore_errors=True)  # the supervisor cannot any more
    return status


def settle_workers(settings: Settings) -> Settings:
    """Choose the number of workers where that is left to the service: the cores, or one where a GPU may be used, the
    memory of which would hold the models of each."""
    if settings.workers != AUTO:
        return settings
    on_gpu = settings.device == "cuda" or (settings.device == "auto" and has_cuda())
    return settings.model_copy(update={"workers": 1 if on_gpu else min(MAX_WORKERS, available_cores())})


def settle_device(settings: Settings) -> Settings:
    """Choose the device for all workers if there can be no GPU. Otherwise each worker chooses: a GPU that was used
    before a fork cannot be used after it. Raises DeviceError."""
    if has_cuda():
        return settings
    return settings.model_copy(update={"device": choose_device(settings.device, find_obstacle)})


def load_to_share(settings: Settings) -> list[LoadedModel]:
    """Load models whose memory the workers will share; none where they must load for themselves: on a GPU, and beside a
    thread of a library, which may hold a lock at the moment of the fork."""
    if settings.device != "cpu":
        return []
    loaded = load_models(settings, open_session)
    if num_threads() > OWN_THREADS:
        _log.warning("each worker loads the models itself: loading has left a thread behind")
        return []
    create_app(settings)  # what it imports and caches is then shared too
    share_memory()
    return loaded


def reload_to_share(settings: Settings, shared: SharedState) -> bool:
    """Reload the shared models; returns whether the workers are to reload too.

    They are not told of models that are not sound. Where they have loaded for themselves, they must check for
    themselves. Workers that start from now on share what was loaded.
    """
    if not shared.loaded:
        return True
    try:
        AccessPolicy.of(settings)  # for its errors about the keys
        reloaded = reload_models(settings, open_session, shared.loaded)
    except Exception as error:  # whatever it is, workers must still be watched
        log_failure(error, shared.reloads)
        return False
    shared.loaded[:] = reloaded.models
    if num_threads() > OWN_THREADS:
        _log.warning("workers that start from now on load the models themselves: loading has left a thread behind")
        shared.loaded.clear()
    share_memory()
    return True


def num_threads() -> int:
    """Return the number of threads of this process; 1 where the system does not tell."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return 1


def share_memory() -> None:
    """Prepare the memory of this process for workers that share it: free what only loading and old models needed, and
    freeze all objects out of the garbage collector, whose collections would copy their pages into every worker."""
    gc.collect()
    gc.freeze()
    release_arena()
    release_free_memory()


def listeners_of(app: App, settings: Settings, sockets: BoundSockets, reload: Reload) -> list[Listener]:
    """Return the applications and their sockets, that of the operators too if they have a port."""
    limits, count = ConnectionLimits.of(settings), app.engine.metrics.count_problem
    refuse = app.load_shedder.refuse
    listeners = [Listener(app=app.requests, sockets=sockets.main, limits=limits, count=count, refuse=refuse)]
    if sockets.admin:
        admin_app = create_admin_app(app, reload)
        listeners.append(Listener(app=admin_app.requests, sockets=sockets.admin, limits=limits, count=count))
    return listeners


def drain_timeouts_of(settings: Settings) -> DrainTimeouts:
    return DrainTimeouts(lame_duck_seconds=settings.drain_seconds, grace_seconds=settings.drain_timeout_seconds)


def log_ready(settings: Settings, sockets: BoundSockets, started_at: float) -> None:
    urls = {"url": url_of(sockets.main)} | ({"admin": url_of(sockets.admin)} if sockets.admin else {})
    seconds = round(time.monotonic() - started_at, 2)
    _log.info("ready", extra={**urls, "workers": settings.workers, "seconds": seconds})


def kill_all(supervisor: Supervisor, folder: TemporaryDirectory[str], signum: int) -> None:
    """Kill all workers and end at once, when asked to stop a second time."""
    supervisor.kill()
    folder.cleanup()
    exit_at_once(signum)

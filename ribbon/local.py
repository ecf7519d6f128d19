"""The service in this process, without a server: its application behind httpx's transport.

A client of it is an ordinary client, and answers are the service's own, to the byte.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

import anyio
import httpx
from anyio.from_thread import BlockingPortal

from ribbon.client import Client
from ribbon.errors import ModelError
from ribbon.variables import CLIENT_VARIABLES, MODELS_DIR

if TYPE_CHECKING:
    from service.app import App
    from service.bundle import Bundle
    from service.models.loading import LoadedModel, OpenSession
    from service.settings import Settings

URL = "http://localhost"
LONGEST_MS = 3_600_000  # nobody else waits here
MAX_BATCH_CELLS = 512  # shorter runs than a server's: less to warm up

Message = dict[str, Any]


def open_local(
    model: str | None = None,
    *,
    task: str | None = None,
    models_dir: Path | None = None,
    batch_size: int | None = None,
    open_session: OpenSession | None = None,
) -> Client:
    """Load a model, or the default one of a task, and return a client of it.

    Bundles are looked for in ``models_dir``, or where ``RIBBON_MODELS_DIR`` says, or in ``models``; the other variables
    of the service that concern models, such as ``RIBBON_DEVICE``, hold too. Raises ModelError.
    """
    from service.app import create_app
    from service.errors import StartupError
    from service.runtime.session import open_session as open_onnx

    try:
        settings = local_settings(os.environ, models_dir)
        loaded = load_chosen(settings, model, task, open_session or open_onnx)
        app = create_app(settings, preloaded=loaded)
        return Client(URL, batch_size=batch_size, transport=LocalTransport(app))
    except StartupError as error:
        raise ModelError(str(error)) from error


def local_settings(environment: Mapping[str, str], models_dir: Path | None) -> Settings:
    """Return the service's settings without those that concern callers. Raises StartupError."""
    from service.runtime.resources import choose_device
    from service.runtime.session import find_obstacle
    from service.settings import Settings

    named = {name: value for name, value in environment.items() if name not in CLIENT_VARIABLES}
    settings = Settings.from_environment(named)
    return Settings(
        models_dir=models_dir or settings.models_dir,
        default_tagger=settings.default_tagger,
        default_classifier=settings.default_classifier,
        default_translator=settings.default_translator,
        default_language_model=settings.default_language_model,
        device=choose_device(settings.device, find_obstacle),
        precision=settings.precision,
        threads=settings.threads,
        max_batch_cells=MAX_BATCH_CELLS,
        default_timeout_ms=LONGEST_MS,
    )


def load_chosen(
    settings: Settings, model: str | None, task: str | None, open_session: OpenSession
) -> list[LoadedModel]:
    """Load and prove the bundles that were asked for: one by its name, or the default of a task; of translators all,
    because their languages differ. Raises StartupError or ModelError."""
    from service.models.loading import LoadedModel, open_predictor
    from service.models.registry import card_of

    bundles = bundles_in(settings.models_dir)
    chosen = (
        bundles_for_task(bundles, task, settings)
        if model is None
        else [bundle_named(bundles, model, settings.models_dir)]
    )
    return [
        LoadedModel(
            card=card_of(bundle, settings, is_default=bundle is chosen[0]),
            predictor=open_predictor(bundle, settings, open_session),
        )
        for bundle in chosen
    ]


def bundles_in(models_dir: Path) -> list[Bundle]:
    """Return the bundles of a folder, by name and the highest version of each first. Raises ModelError."""
    from service.errors import BundleError
    from service.models.loading import find_versions

    try:
        return find_versions(models_dir)
    except BundleError as error:
        raise ModelError(f"{error}; --models or {MODELS_DIR} names another folder") from error


def bundle_named(bundles: Sequence[Bundle], name: str, models_dir: Path) -> Bundle:
    """Return the bundle called ``name``, the highest version of it, or ``name@version``. Raises ModelError."""
    from service.models.registry import full_name

    for bundle in bundles:  # the highest version of each name first
        if name in (bundle.manifest.name, full_name(bundle.manifest)):
            return bundle
    known = ", ".join(dict.fromkeys(bundle.manifest.name for bundle in bundles))
    raise ModelError(f"{models_dir}: no model named {name!r}; known: {known}")


def bundles_for_task(bundles: Sequence[Bundle], task: str | None, settings: Settings) -> list[Bundle]:
    """Return the bundle that answers for a task, or all translators, the default first. Raises ModelError."""
    from service.models.loading import OPENERS, default_of
    from service.models.registry import full_name

    asked = next((each for each in OPENERS if each == task), None)
    default = asked and default_of(asked, bundles, settings)
    if not default:
        raise ModelError(f"{settings.models_dir}: no model answers /{task}")
    of_task = [bundle for bundle in bundles if bundle.manifest.task == task]
    ranked = sorted(of_task, key=lambda bundle: full_name(bundle.manifest) != default)
    return ranked if task == "translate" else ranked[:1]


class LocalTransport(httpx.BaseTransport):
    """Transport that passes requests to the application, whose event loop runs in a thread of its own. Raises
    ModelError if the application cannot start."""

    def __init__(self, app: App) -> None:
        from service.lifecycle import Phase

        self._app = app
        self._open: set[LocalRequest] = set()
        thresholds = gc.get_threshold()
        with ExitStack() as stack:
            self._portal = start_event_loop(stack)
            stack.enter_context(self._portal.wrap_async_context_manager(app.litestar.lifespan()))
            phase = self._portal.call(app.lifecycle.decided)
            # The service tunes the collector for a process of its own; this one is another program's.
            gc.unfreeze()
            gc.set_threshold(*thresholds)
            if phase is not Phase.READY:
                raise ModelError("the model cannot run; the reason was logged")
            self._stack = stack.pop_all()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass on a request; the response's body is read as it is made."""
        local = LocalRequest(request, self._portal)
        self._open.add(local)
        self._portal.start_task_soon(local.run, self._app).add_done_callback(lambda _: self._open.discard(local))
        start = local.next_message()
        return httpx.Response(start["status"], headers=start["headers"], stream=local)

    def close(self) -> None:
        """Stop the application and its threads; what is still being answered is given up."""
        for local in list(self._open):
            local.close()
        self._stack.close()


def start_event_loop(stack: ExitStack) -> BlockingPortal:
    """Run an event loop in a thread until the stack is closed. It is a daemon, unlike that of anyio's
    ``start_blocking_portal``: a program that never closes its models ends all the same."""
    started: SimpleQueue[BlockingPortal] = SimpleQueue()

    async def serve() -> None:
        async with BlockingPortal() as portal:
            started.put(portal)
            await portal.sleep_until_stopped()

    thread = Thread(target=anyio.run, args=(serve,), name="ribbon", daemon=True)
    thread.start()
    portal = started.get()
    stack.callback(thread.join)
    stack.callback(lambda: portal.call(portal.stop))
    return portal


class LocalRequest(httpx.SyncByteStream):
    """A request on its way through the application, and the body of its answer as a stream."""

    def __init__(self, request: httpx.Request, portal: BlockingPortal) -> None:
        self._request = request
        self._body: bytes | None = request.read()
        self._portal = portal
        self._left = asyncio.Event()
        self._messages: SimpleQueue[Message | Exception] = SimpleQueue()
        self._has_ended = False

    def next_message(self) -> Message:
        """Wait for the application's next message. Raises what the application raised."""
        message = self._messages.get()
        if isinstance(message, Exception):
            raise message
        self._has_ended = is_last(message)
        return message

    def __iter__(self) -> Iterator[bytes]:
        while not self._has_ended:
            yield self.next_message().get("body", b"")

    def close(self) -> None:
        """Tell the application that nobody reads on."""
        if not self._has_ended:
            with suppress(RuntimeError):  # the application has been stopped
                self._portal.call(self._left.set)

    async def run(self, app: App) -> None:
        """Run the application, in its event loop."""
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception as error:
            self._messages.put(error)

    def _scope(self) -> Message:
        url = self._request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path,
            "root_path": "",
            "query_string": url.query,
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "client": None,
            "server": (url.host, url.port),
            "state": {},
        }

    async def _receive(self) -> Message:
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self._messages.put(message)
        if is_last(message):
            self._left.set()  # as a server does: the application may wait for it


def is_last(message: Message) -> bool:
    """Whether a message of the application is the end of its answer."""
    return message["type"] == "http.response.body" and not message.get("more_body", False)

"""Engine: loads the models, runs them on their threads, reloads them, and stops at the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from msgspec import structs

from service.decoding.beam_search import BeamSearch
from service.decoding.decoder import Decoder
from service.decoding.sampler import Sampler
from service.decoding.strategy import DecodeStrategy
from service.decoding.worker import PendingSentence
from service.errors import ReloadFailedError, StartupError
from service.lifecycle import Lifecycle, Phase
from service.logs import error_fields
from service.metrics import Metrics
from service.models.loading import (
    AnyPredictor,
    LoadedModel,
    OpenSession,
    ReloadPlan,
    ReloadResponse,
    load_models,
    log_failure,
    log_reload,
    reload_models,
    set_model_metrics,
)
from service.models.registry import AnyModel, ModelRegistry, ServedModel
from service.predictors.language_model import LanguageModel
from service.predictors.predictor import Bounds, RowPredictor
from service.predictors.translator import Translator
from service.runtime.resources import available_cores, release_free_memory, when_gone
from service.scheduling.batcher import Batcher
from service.scheduling.scheduler import BaseScheduler
from service.scheduling.thread_pool import ThreadPool
from service.settings import Settings

# Nearly all objects of a request go by themselves. To look for the others as often as Python does by itself, with
# (700, 10, 10), holds the event loop up for tens of milliseconds once a second where much is asked.
COLLECTIONS = (700, 200, 1000)
RereadKeys = Callable[[], Callable[[], None]]  # reads the key file, and returns what puts the keys in force
_log = logging.getLogger(__name__)


class Engine:
    """The served models and the threads that run them, from loading to the last answer."""

    def __init__(
        self,
        settings: Settings,
        open_session: OpenSession,
        *,
        preloaded: Sequence[LoadedModel],
        metrics: Metrics,
        reread_keys: RereadKeys,
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self.lifecycle = lifecycle = Lifecycle()
        self.registry = ModelRegistry(lifecycle)
        self.num_threads = settings.threads or max(1, available_cores() // max(1, settings.workers))
        self.runs = ThreadPoolExecutor(self.num_threads, thread_name_prefix="run")  # runs the models
        self.thread_pool = ThreadPool(self.runs, num_threads=self.num_threads, max_cells=settings.max_batch_cells)
        # For the first loading, and requests too long for the event loop.
        self.side_executor = ThreadPoolExecutor(1, thread_name_prefix="side")
        self._bounds = Bounds(cells=settings.max_batch_cells, decoder_rows=settings.max_decoder_rows)
        self._open_session = open_session
        self._reread_keys = reread_keys
        self._reloading = asyncio.Lock()
        self._preloaded = list(preloaded)  # until they are served
        metrics.num_in_flight = lambda: lifecycle.in_flight

    @contextlib.asynccontextmanager
    async def running(self, _: object) -> AsyncIterator[None]:
        """Load while the server already listens, so that /health/ready can report it; leave no thread behind."""
        loading = asyncio.create_task(self._load())
        showing = asyncio.create_task(self.metrics.keep_fresh())
        try:
            yield
        finally:
            self.lifecycle.close()
            showing.cancel()
            await loading
            async with self._reloading:  # one that is under way ends without having changed anything
                self.runs.shutdown()
            self.side_executor.shutdown()

    @contextlib.asynccontextmanager
    async def reload_on_sighup(self, _: object) -> AsyncIterator[None]:
        """Reload at every SIGHUP while the application runs. Only an event loop in the main thread can do this. A
        signal that was blocked until now is acted on; several while a reload waits count as one."""
        requested = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, requested.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        reloading = asyncio.create_task(self._reload_whenever(requested))
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # without a handler it would end the process
            async with self._reloading:  # one that is under way ends first
                reloading.cancel()
            await asyncio.wait([reloading])

    async def _reload_whenever(self, requested: asyncio.Event) -> None:
        while await requested.wait():
            requested.clear()
            try:
                await self.reload()
            except ReloadFailedError:
                pass  # it has been logged
            except Exception as error:  # the next request must still be heard
                _log.error("models not reloaded: unexpected error", extra=error_fields(error))

    async def _load(self) -> None:
        """Load the models; ends with the service ready, or failed and the reason logged."""
        try:
            # Nothing else may keep what was preloaded: a model that is held twice would be freed by no reload.
            loaded, self._preloaded = self._preloaded, []
            loaded = loaded or await asyncio.get_running_loop().run_in_executor(
                self.side_executor, load_models, self.settings, self._open_session
            )
            await self._warm_up(loaded)
        except StartupError as error:
            _log.critical("%s", error)
            self.lifecycle.fail()
        except Exception as error:  # a bug, but one that must not leave a process that is never ready
            _log.critical("cannot start: unexpected error", exc_info=error)
            self.lifecycle.fail()
        else:
            self.serve(loaded)
            gc.collect()
            gc.freeze()  # loaded models nearly always stay: no collection need look at them again
            gc.set_threshold(*COLLECTIONS)
            release_free_memory()  # of loading
            self.lifecycle.open()

    async def _warm_up(self, loaded: Sequence[LoadedModel]) -> None:
        """Run the largest batches on every thread at once: before the service is ready, memory is at its bound."""
        loop = asyncio.get_running_loop()
        for each in loaded:
            if self.lifecycle.is_ending:
                return  # asked to stop meanwhile: it will never open
            warm_up = partial(each.predictor.warm_up, self._bounds)
            runs = [loop.run_in_executor(self.runs, warm_up) for _ in range(self.num_threads)]
            self.metrics.longest_run_seconds.labels(each.full_name).set(max(await asyncio.gather(*runs)))

    async def reload(self) -> ReloadResponse:
        """Serve the models that are in the folder now, and accept the keys that are in the key file now. Requests that
        found a model before keep it until they are answered. A second reload waits for one that is under way. Raises
        ReloadFailedError if anything of the folder or the file is not sound: then nothing is changed."""
        await self.lifecycle.decided()
        async with self._reloading:
            began_at = time.monotonic()
            try:
                adopt_keys = self._reread_keys()
                reloaded = await self._load_again()
                self._check_open()
            except Exception as error:
                raise log_failure(error, self.metrics.reloads) from error
            adopt_keys()
            self.serve(reloaded.models)
            response = structs.replace(reloaded.changes, seconds=round(time.monotonic() - began_at, 3))
            log_reload(response, self.metrics.reloads)
            return response

    async def _load_again(self) -> ReloadPlan:
        """Load on a thread of its own, as long texts need the side thread, and warm up on one thread of the pool."""
        self._check_open()
        loop = asyncio.get_running_loop()
        current = [LoadedModel(card=each.card, predictor=each.predictor) for each in self.registry.models]
        thread = ThreadPoolExecutor(1, thread_name_prefix="reload")
        try:
            reloaded = await loop.run_in_executor(thread, reload_models, self.settings, self._open_session, current)
        finally:
            thread.shutdown(wait=False)
        for each in reloaded.fresh:
            seconds = await loop.run_in_executor(self.runs, each.predictor.warm_up, self._bounds)
            self.metrics.longest_run_seconds.labels(each.full_name).set(seconds)
        return reloaded

    def _check_open(self) -> None:
        """Raise ReloadFailedError unless the service is ready."""
        if self.lifecycle.phase is not Phase.READY:
            raise ReloadFailedError(f"the service is {self.lifecycle.phase.value}")

    def serve(self, models: Sequence[LoadedModel]) -> None:
        """Serve these models from now on; a predictor that is served already keeps its scheduler."""
        before = {id(each.predictor): each for each in self.registry.models}
        now = [self._served(each, before.get(id(each.predictor))) for each in models]
        kept = {id(each.predictor) for each in now}
        gone = [each for key, each in before.items() if key not in kept]
        self.registry.switch(now)
        set_model_metrics([each.card for each in now], [each.card for each in gone], self.metrics)
        for name in {each.full_name for each in gone} - {each.full_name for each in now}:
            self.metrics.longest_run_seconds.labels(name).set(0)
        for each in gone:
            each.close()
            when_gone(each.predictor, self._release_memory)

    def _release_memory(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.side_executor.submit(release_free_memory)

    def _served(self, loaded: LoadedModel, before: AnyModel | None) -> AnyModel:
        """Make the served model; one that was served before keeps its schedulers."""
        predictor = loaded.predictor
        if before is not None:
            scorer = before.scorer and replace(before.scorer, card=loaded.card)
            return replace(before, card=loaded.card, scorer=scorer)  # it keeps what it has learned
        scorer = None
        if isinstance(predictor, LanguageModel):
            scorer = ServedModel(card=loaded.card, predictor=predictor, scheduler=self._batcher(predictor))
        return ServedModel(card=loaded.card, predictor=predictor, scheduler=self._schedule(predictor), scorer=scorer)

    def _schedule(self, predictor: AnyPredictor) -> BaseScheduler[Any]:
        """Make a predictor's scheduler: a decoder for translators and language models, a batcher for all others."""
        max_rows = self.settings.max_decoder_rows
        new_strategy: Callable[[], DecodeStrategy[PendingSentence]]
        if isinstance(predictor, Translator):
            new_strategy = partial(BeamSearch, predictor.graphs, max_rows=max_rows)
        elif isinstance(predictor, LanguageModel):
            new_strategy = partial(Sampler, predictor.graphs, max_rows=max_rows)
        else:
            return self._batcher(predictor)
        queued = self.settings.max_queued_cells
        return Decoder(new_strategy, thread_pool=self.thread_pool, max_queued_cells=queued, metrics=self.metrics)

    def _batcher(self, predictor: RowPredictor[Any, Any]) -> BaseScheduler[Any]:
        queued = self.settings.max_queued_cells
        return Batcher(predictor.run, thread_pool=self.thread_pool, max_queued_cells=queued, metrics=self.metrics)

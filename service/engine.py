"""The models and the threads that run them: loaded, warmed up, served, reloaded, and given up at the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
import weakref
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from service.api.catalogue import Catalogue, Scheduler, Served
from service.api.gate import Gate, build_gate
from service.api.loading import AnyPredictor, Loaded, OpenSession, Reloaded, load_models, reload_models
from service.api.reloading import Hangup, report, write_down, write_down_failure, write_down_models
from service.api.schemas import ReloadResponse
from service.errors import ReloadFailedError, StartupError
from service.metrics import Metrics
from service.predictors.predictor import Bounds
from service.predictors.translator import Translator
from service.runtime.cores import available_cores
from service.runtime.memory import release_free_memory, when_gone
from service.runtime.priority import give_way
from service.scheduling.admission import Door, Phase
from service.scheduling.batcher import Batcher
from service.scheduling.decoder import Decoder
from service.scheduling.lag import LoopLag
from service.scheduling.prediction import WarmUp
from service.scheduling.slots import Slots
from service.settings import Settings

# Nearly all objects of a request go by themselves. To look for the others as often as Python does by itself, with
# (700, 10, 10), holds the event loop up for tens of milliseconds once a second where much is asked.
COLLECTIONS = (700, 200, 1000)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Engine:
    """The models and the threads that run them, from loading to the last answer."""

    settings: Settings
    open_session: OpenSession
    metrics: Metrics
    door: Door
    gate: Gate
    catalogue: Catalogue
    lag: LoopLag
    num_slots: int
    runs: ThreadPoolExecutor  # a thread a slot
    slots: Slots  # shared by all models
    aside: ThreadPoolExecutor  # the first loading, and requests too long for the event loop
    reloading: asyncio.Lock
    hangup: Hangup
    preloaded: list[Loaded]  # until they are served
    warm_ups: weakref.WeakKeyDictionary[AnyPredictor, WarmUp] = field(default_factory=weakref.WeakKeyDictionary)

    @contextlib.asynccontextmanager
    async def running(self, _: object) -> AsyncIterator[None]:
        """Load while the server already listens, so that /health/ready can say so; leave no thread behind."""
        loading = asyncio.create_task(self._load())
        showing = asyncio.create_task(self.metrics.keep_fresh())
        obeying = asyncio.create_task(self.hangup.obey(self.reload))
        try:
            yield
        finally:
            self.door.close()
            showing.cancel()
            await loading
            async with self.reloading:  # one that is under way ends without having changed anything
                obeying.cancel()
            await asyncio.wait([obeying])
            self.runs.shutdown()
            self.aside.shutdown()

    async def _load(self) -> None:
        """Ends with the door open, or failed and the reason logged."""
        try:
            loaded = self._take_preloaded() or await self._load_first()
            await self._warm_up(loaded)
        except StartupError as error:
            _log.critical("%s", error)
            self.door.fail()
        except Exception as error:  # a bug, but one that must not leave a process that is never ready
            _log.critical("cannot start: unexpected error", exc_info=error)
            self.door.fail()
        else:
            self.serve(loaded)
            gc.collect()
            gc.freeze()  # what was loaded stays, nearly always: no collection need look at it again
            gc.set_threshold(*COLLECTIONS)
            self.door.open()

    def _take_preloaded(self) -> list[Loaded]:
        """What is held twice is freed by no reload."""
        preloaded = list(self.preloaded)
        self.preloaded.clear()
        return preloaded

    async def _load_first(self) -> list[Loaded]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.aside, load_models, self.settings, self.open_session)

    async def _warm_up(self, loaded: Sequence[Loaded]) -> None:
        """The largest batches on every slot at once, so that memory has reached its bound before the door opens."""
        loop, settings = asyncio.get_running_loop(), self.settings
        bounds = Bounds(cells=settings.max_batch_cells, decoder_rows=settings.max_decoder_rows)
        for each in loaded:
            if self.door.is_ending:
                return  # told to stop meanwhile: it will never open
            runs = [loop.run_in_executor(self.runs, each.predictor.warm_up, bounds) for _ in range(self.num_slots)]
            self._learn(each, max(await asyncio.gather(*runs), key=lambda run: run.longest_seconds))

    def _learn(self, loaded: Loaded, warm_up: WarmUp) -> None:
        self.warm_ups[loaded.predictor] = warm_up
        self.metrics.longest_run_seconds.labels(loaded.full_name).set(warm_up.longest_seconds)

    async def reload(self) -> ReloadResponse:
        """Serve what is in the models' folder now, and what was served until then for as long as requests that found
        it are under way; let in whom the file of keys names now. Where another reload is under way, after that one.
        Raises ReloadFailedError if anything of the folder or the file is not sound: then all is as it was."""
        await self.door.decided()
        async with self.reloading:
            began_at = time.monotonic()
            try:
                adopt_keys = self.gate.reread_keys()
                reloaded = await self._load_again()
                self._check_open()
            except Exception as error:
                raise write_down_failure(error, self.metrics.reloads) from error
            adopt_keys()
            self.serve(reloaded.models)
            response = report(reloaded, seconds=time.monotonic() - began_at)
            write_down(response, self.metrics.reloads)
            return response

    async def _load_again(self) -> Reloaded:
        """On a thread of its own, because requests with long texts would wait for it on the one aside. Each model is
        warmed up on one slot only, so that the others go on."""
        self._check_open()
        loop = asyncio.get_running_loop()
        current = [Loaded(card=each.card, predictor=each.predictor) for each in self.catalogue.models]
        thread = ThreadPoolExecutor(1, thread_name_prefix="reload")
        try:
            reloaded = await loop.run_in_executor(thread, reload_models, self.settings, self.open_session, current)
        finally:
            thread.shutdown(wait=False)
        bounds = Bounds(cells=self.settings.max_batch_cells, decoder_rows=self.settings.max_decoder_rows)
        for each in reloaded.fresh:
            self._learn(each, await loop.run_in_executor(self.runs, each.predictor.warm_up, bounds))
        return reloaded

    def _check_open(self) -> None:
        """Raises ReloadFailedError."""
        if self.door.phase is not Phase.READY:
            raise ReloadFailedError(f"the service is {self.door.phase.value}")

    def serve(self, models: Sequence[Loaded]) -> None:
        """From now on requests find these; a predictor that is served already keeps its scheduler."""
        before = {id(each.predictor): each for each in self.catalogue.models}
        now = [self._served(each, before.get(id(each.predictor))) for each in models]
        kept = {id(each.predictor) for each in now}
        gone = [each for key, each in before.items() if key not in kept]
        self.catalogue.switch(now)
        write_down_models([each.card for each in now], [each.card for each in gone], self.metrics)
        for name in {each.full_name for each in gone} - {each.full_name for each in now}:
            self.metrics.longest_run_seconds.labels(name).set(0)
        for each in gone:
            each.scheduler.close()
            when_gone(each.predictor, self._release_memory)

    def _release_memory(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.aside.submit(release_free_memory)

    def _served(self, loaded: Loaded, before: Served[Any, Any, Any] | None) -> Served[Any, Any, Any]:
        scheduler = self._schedule(loaded.predictor) if before is None else before.scheduler
        return Served(card=loaded.card, predictor=loaded.predictor, scheduler=scheduler)

    def _schedule(self, predictor: AnyPredictor) -> Scheduler[Any, Any]:
        """What is translated is decoded step by step; everything else is answered by one run."""
        settings, warm_up = self.settings, self.warm_ups.get(predictor)
        if isinstance(predictor, Translator):
            return Decoder(
                predictor.graphs,
                slots=self.slots,
                max_rows=settings.max_decoder_rows,
                max_queued_cells=settings.max_queued_cells,
                metrics=self.metrics,
                warm_up=warm_up,
            )
        return Batcher(
            predictor.run,
            slots=self.slots,
            max_queued_cells=settings.max_queued_cells,
            metrics=self.metrics,
            warm_up=warm_up,
        )


def create_engine(
    settings: Settings,
    open_session: OpenSession,
    preloaded: Sequence[Loaded],
    metrics: Metrics,
    hangup: Hangup,
) -> Engine:
    door = Door()
    num_slots = settings.threads or max(1, available_cores() // settings.workers)
    runs = ThreadPoolExecutor(num_slots, thread_name_prefix="run", initializer=give_way)
    lag = LoopLag(metrics=metrics)
    return Engine(
        settings=settings,
        open_session=open_session,
        metrics=metrics,
        lag=lag,
        door=door,
        gate=build_gate(settings),
        catalogue=Catalogue(door),
        num_slots=num_slots,
        runs=runs,
        slots=Slots(runs, num_slots=num_slots, max_cells=settings.max_batch_cells, lag=lag),
        aside=ThreadPoolExecutor(1, thread_name_prefix="aside"),
        reloading=asyncio.Lock(),
        hangup=hangup,
        preloaded=list(preloaded),
    )

"""Sentences of many requests share every decoder step; they join and leave at any one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from service.errors import CallerLeftError, DeadlineExceededError
from service.metrics import Metrics
from service.scheduling.admission import Admission as Gate
from service.scheduling.admission import Outlook
from service.scheduling.beams import Admission, AtEveryStep, Beams
from service.scheduling.failures import failure_of
from service.scheduling.forecast import Asked, Forecast
from service.scheduling.job import Done, Job, Work
from service.scheduling.prediction import WarmUp
from service.scheduling.search import Hypotheses, Search, StepModel
from service.scheduling.sentence import Finished
from service.scheduling.slots import Slots
from service.scheduling.stay import Stay, no_work
from service.scheduling.table import News, Table, share_of
from service.scheduling.turns import TURN_SECONDS, TurnLine
from service.scheduling.virtual_time import Priority
from service.scheduling.waiting import Sought, Tell, Waiting, row_steps_of

# While rows of other models wait each of their runs, of as many tokens as a batch may have, comes between two turns.
RUNS_PER_TURN = 3.0


class Decoder(Stay):
    """Decodes one model's sentences on ``slots``, off the event loop, iteration by iteration.

    A table for each slot shares one queue. A table that has its slot goes on until it is empty or, if somebody else
    wants the slot, for TURN_SECONDS; those who wait join it at its next step, up to ``max_rows`` rows. Who leaves or
    is too late is gone before the next step. A run that fails fails the sentences of its table and no others. The same
    doors as a Batcher's; all methods belong to the event loop's thread.
    """

    def __init__(
        self,
        model: StepModel,
        *,
        slots: Slots,
        max_rows: int,
        max_queued_cells: int,
        metrics: Metrics,
        admission: Admission = AtEveryStep(),
        warm_up: WarmUp | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._slots = slots
        self._gate = Gate(max_queued_cells=max_queued_cells)
        self._metrics = metrics
        self._clock = clock
        self._waiting = Waiting()
        self._forecast = Forecast(num_tables=slots.num_slots, warm_up=warm_up)
        beams = (Beams[Sought](model, max_rows=max_rows, admission=admission) for _ in range(slots.num_slots))
        self._tables = [Table(each, metrics=metrics, clock=clock) for each in beams]
        self._line = TurnLine(tables=self._tables, waiting=self._waiting, work=no_work)
        self._come()

    @property
    def live_rows(self) -> int:
        """Places of all beams that are being decoded."""
        return sum(table.live_rows for table in self._tables)

    @property
    def queued_rows(self) -> int:
        """Sentences that wait."""
        return len(self._waiting)

    @property
    def queued_cells(self) -> int:
        """Their source tokens."""
        return self._waiting.cells

    @property
    def oldest_age_seconds(self) -> float:
        oldest = self._waiting.oldest()
        return 0.0 if oldest is None else self._clock() - oldest.submitted_at

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        """Raises what ``enqueue`` would for searches of so many row steps: a look before the work of making them."""
        self._check(Asked.about(tokens, priority), deadline=deadline)

    def enqueue(
        self,
        searches: Sequence[Search],
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
        tell: Tell | None = None,
    ) -> Job[Hypotheses]:
        """Let sentences in; await the job's ``done``. ``tell`` is called on the event loop for each sentence as soon
        as it is finished, in the order in which they finish and before anybody who awaits ``done`` goes on.

        ``deadline`` is a reading of the clock. Raises OverloadedError or DeadlineExceededError at the door;
        ``done`` raises DeadlineExceededError, ModelFailedError or CallerLeftError.
        """
        done: asyncio.Future[Done[Hypotheses]] = asyncio.get_running_loop().create_future()
        job = Job(
            ids=[each.ids for each in searches],
            done=done,
            submitted_at=self._clock(),
            deadline=deadline,
            priority=priority,
            costs=[row_steps_of(each) for each in searches],
        )
        if not searches:
            done.set_result(Done(answers=()))
            return job
        sentences = [Sought(row=row, search=search, tell=tell) for row, search in zip(job.rows, searches, strict=True)]
        asked = Asked.of(sentences, priority)
        job.promise = self._forecast.promise(self._check(asked, deadline=deadline))
        self._forecast.let_in(asked, now=self._clock())
        self._job_came()
        done.add_done_callback(lambda _: self._forget(job, sentences))
        self._waiting.push(sentences)
        self._slots.arrived(self._line, tokens=sum(each.row.length for each in sentences))
        return job

    async def submit(
        self,
        searches: Sequence[Search],
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
        tell: Tell | None = None,
    ) -> Done[Hypotheses]:
        """Enqueue and wait. To cancel it is to withdraw the sentences."""
        return await self.enqueue(searches, deadline=deadline, priority=priority, tell=tell).done

    def withdraw(self, job: Job[Hypotheses]) -> None:
        """The caller left: what waits is dropped, what is being decoded leaves before its next step."""
        job.fail(CallerLeftError("the connection closed before the answer was ready"))

    def _check(self, asked: Asked, *, deadline: float) -> float:
        """The seconds that it will probably take."""
        seconds = self._completion_seconds(asked)
        outlook = Outlook(
            queued_cells=self._waiting.cells,
            own_cells=asked.cells,
            seconds=self._forecast.margin.factor * seconds + self._slots.overhead_seconds,
            best_seconds=self._forecast.best_seconds(asked),
            is_idle=not len(self._waiting) and not self.live_rows and self._slots.is_idle,
        )
        self._gate.check(outlook, deadline=deadline, now=self._clock())
        return seconds

    def _completion_seconds(self, asked: Asked) -> float:
        """Of its own decoding, and what others' rows take meanwhile."""
        seconds = self._forecast.seconds(asked, self._waiting, live_rows=self.live_rows, now=self._clock())
        return seconds + min(self._slots.wait_seconds(is_long=False), RUNS_PER_TURN * seconds)

    def _forget(self, job: Job[Hypotheses], sentences: list[Sought]) -> None:
        """A job that ended early takes those of its sentences along that wait; the others are seen to be closed."""
        if job.remaining:
            self._waiting.drop(sentences)
            reason = _reason(job)
            if reason is not None:
                self._metrics.decoder_cancelled.labels(reason).inc(job.remaining)
        job.settle(self._clock())
        job.rows.clear()  # they name the job: without this only the garbage collector would free both
        sentences.clear()
        self._job_went()

    def _enter(self) -> None:
        self._line = replace(self._line, work=self._work)
        self._slots.add(self._line)
        self._metrics.watch(self)
        self._metrics.watch_decoder(self)

    def _leave(self) -> None:
        self._slots.remove(self._line)
        self._line = replace(self._line, work=no_work)
        self._metrics.unwatch(self)
        self._metrics.unwatch_decoder(self)

    def _work(self, line: TurnLine, tables: Sequence[Table], loop: asyncio.AbstractEventLoop) -> None:
        """On a worker thread: one table's turn."""
        (table,) = tables
        began_at = self._clock()
        news = News(since=began_at)
        try:
            while True:
                table.advance(self._waiting, share=self._share(table), news=news)
                if self._is_over(table, began_at):
                    break
                if news.is_urgent:
                    loop.call_soon_threadsafe(self._hear, news, self._clock())
                    news = News(since=self._clock())
        except Exception as error:  # any bug of a model must end here, or its slot would never be free again
            loop.call_soon_threadsafe(self._fail, table.clear(), error)
        loop.call_soon_threadsafe(self._rest, table, news, self._clock())

    def _share(self, table: Table) -> int:
        return share_of(table, self._line.running, waiting_rows=self._waiting.rows, num_idle=self._slots.num_idle)

    def _is_over(self, table: Table, began_at: float) -> bool:
        if not table.live_rows and not len(self._waiting):
            return True
        return self._slots.is_wanted and self._clock() - began_at >= TURN_SECONDS

    def _rest(self, table: Table, news: News, now: float) -> None:
        table.is_running, table.paused_at = False, now
        self._slots.release(self._line)  # first of all: the slot is idle
        self._hear(news, now)

    def _hear(self, news: News, now: float) -> None:
        """What a thread has to tell, on the event loop."""
        self._forecast.learn(row_steps=news.row_steps, num_steps=news.num_steps, seconds=now - news.since)
        for late in news.late:
            late.row.job.fail(DeadlineExceededError("the deadline passed before the translation was finished"))
        for each in news.finished:
            self._put(each, now)

    def _put(self, finished: Finished[Sought], now: float) -> None:
        sought, hypotheses = finished.ticket, finished.hypotheses
        job, index = sought.row.job, sought.row.index
        if job.is_open and sought.tell is not None:
            asyncio.get_running_loop().call_soon(sought.tell, index, hypotheses)  # should it raise, nobody else suffers
        self._metrics.decoder_target_tokens.inc(len(hypotheses[0].ids))
        sizes = {"sentences": 1, "steps": finished.num_steps, "target_tokens": len(hypotheses[0].ids)}
        job.put(index, hypotheses, Work(stage="decode", began_at=sought.started_at, ended_at=now, sizes=sizes))

    def _fail(self, sentences: Sequence[Sought], error: Exception) -> None:
        failure = failure_of(error)
        for each in sentences:
            each.row.job.fail(failure)


def _reason(job: Job[Hypotheses]) -> str | None:
    """Why nobody wants the rest of it; None if the model failed."""
    error: BaseException | None = CallerLeftError("") if job.done.cancelled() else job.done.exception()
    if isinstance(error, CallerLeftError):
        return "cancelled"
    return "expired" if isinstance(error, DeadlineExceededError) else None

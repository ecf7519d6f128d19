"""The decoder: its threads, its doors, its turns. That its answers are right is test_beams' matter."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.errors import CallerLeftError, DeadlineExceededError, ModelFailedError, OverloadedError
from service.metrics import Metrics
from service.scheduling.batcher import Batcher
from service.scheduling.decoder import Decoder
from service.scheduling.search import Encoded, Hypotheses, StepInputs, StepOutputs
from service.scheduling.slots import Slots
from service.scheduling.turns import TURN_SECONDS
from service.text.batch import Batch
from tests.fakes import FakeClock
from tests.scheduling import reference
from tests.scheduling.invented import BOS, EOS, InventedModel, search
from tests.scheduling.test_beams import any_search, assert_equal

FOREVER = 1e12
BROKEN = 97  # a source that holds it breaks the step it is in


@dataclass(eq=False)
class PacedModel:
    """The invented model, one step at a time: while it is held each step waits for its permit."""

    model: InventedModel = field(default_factory=lambda: InventedModel(eos_bonus=-9.0))
    clock: FakeClock = field(default_factory=FakeClock)
    is_held: bool = False
    permits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))  # at a step
    rows: list[int] = field(default_factory=list)  # of each step
    bos_id: int = BOS
    eos_id: int = EOS

    def encode(self, batch: Batch) -> Encoded:
        return self.model.encode(batch)

    def step(self, inputs: StepInputs) -> StepOutputs:
        self.rows.append(len(inputs.tokens))
        self.arrived.release()
        if self.is_held:
            assert self.permits.acquire(timeout=20)
        self.clock.now += 0.001
        if (inputs.memories["source"] == BROKEN).any():
            raise RuntimeError("a secret text")
        return self.model.step(inputs)

    def surface(self, ids: Sequence[int]) -> str:
        return self.model.surface(ids)


@dataclass(eq=False)
class Bench:
    model: PacedModel
    decoder: Decoder
    batcher: Batcher[int]
    metrics: Metrics
    clock: FakeClock
    tagged: list[float] = field(default_factory=list)  # readings of the clock

    async def at_step(self) -> None:
        """Until the model is about to make one."""
        async with asyncio.timeout(20):
            await asyncio.to_thread(self.model.arrived.acquire)

    async def next_step(self) -> None:
        """Let one step be made, and wait for the one after it."""
        self.model.permits.release()
        await self.at_step()

    def let_go(self) -> None:
        self.model.is_held = False
        self.model.permits.release(1000)

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@contextmanager
def bench(*, num_slots: int = 1, max_rows: int = 64, max_queued_cells: int = 10_000) -> Iterator[Bench]:
    model, metrics = PacedModel(), Metrics()
    with ThreadPoolExecutor(num_slots) as executor:
        slots = Slots(executor, num_slots=num_slots, max_cells=64, clock=model.clock)
        decoder = Decoder(
            model,
            slots=slots,
            max_rows=max_rows,
            max_queued_cells=max_queued_cells,
            metrics=metrics,
            clock=model.clock,
        )

        def run(batch: Batch) -> list[int]:
            each.tagged.append(model.clock.now)
            return batch.ids[:, 0].tolist()

        batcher = Batcher(run, slots=slots, max_queued_cells=10_000, metrics=metrics, clock=model.clock)
        each = Bench(model, decoder, batcher, metrics, model.clock)
        yield each
        each.let_go()


def run(scenario: Callable[[Bench], Awaitable[None]], **options: int) -> None:
    async def main(each: Bench) -> None:
        await asyncio.wait_for(scenario(each), timeout=20)
        await asyncio.sleep(0.01)
        assert (each.decoder.queued_rows, each.decoder.queued_cells, each.decoder.oldest_age_seconds) == (0, 0, 0)
        assert each.decoder.live_rows == 0

    with bench(**options) as each:
        asyncio.run(main(each))


SHORT = search(5, 6, max_tokens=3)
LONG = search(7, 8, 9, beam_size=2, max_tokens=30)
ENDLESS = search(7, 8, 9, max_tokens=500)


@examples(max_examples=10)
@given(st.integers(0, 1000), st.integers(1, 3), st.lists(st.booleans(), min_size=1, max_size=12))
def test_every_sentence_of_every_request_gets_its_own_answer(seed: int, num_slots: int, pauses: list[bool]) -> None:
    chance = random.Random(seed)
    requests = [[any_search(chance) for _ in range(chance.randrange(4))] for _ in pauses]

    async def scenario(each: Bench) -> None:
        tasks = []
        for searches, pause in zip(requests, pauses, strict=True):
            tasks.append(asyncio.create_task(each.decoder.submit(searches, deadline=FOREVER)))
            await asyncio.sleep(0.002 * pause)
        for searches, done in zip(requests, await asyncio.gather(*tasks), strict=True):
            for one, answer in zip(searches, done.answers, strict=True):
                assert_equal(answer, reference.decode(each.model.model, one))
        assert max(each.model.rows, default=0) <= 20
        assert each.value("ribbon_decoder_admitted_total") == sum(map(len, requests))
        assert each.value("ribbon_decoder_steps_total") == len(each.model.rows)
        assert each.value("ribbon_decoder_step_rows_sum") == sum(each.model.rows)

    run(scenario, num_slots=num_slots, max_rows=20)


def test_a_sentence_joins_those_under_way_and_may_be_done_before_them() -> None:
    async def scenario(each: Bench) -> None:
        each.model.is_held = True
        long = each.decoder.enqueue([LONG], deadline=FOREVER)
        await each.at_step()
        short = each.decoder.enqueue([SHORT], deadline=FOREVER)
        assert each.decoder.queued_rows == 1
        assert each.decoder.live_rows == 2
        await each.next_step()
        assert (each.decoder.queued_rows, each.model.rows) == (0, [1, 3])
        for _ in range(3):
            await each.next_step()
        await short.done
        assert long.is_open
        assert each.value("ribbon_decoder_live_rows") == 2
        each.let_go()
        done = await long.done
        assert done.queue_seconds == 0
        assert done.model_seconds == pytest.approx(0.03)
        assert each.value("ribbon_decoder_target_tokens_total") == 33

    run(scenario)


def test_each_sentence_is_told_as_soon_as_it_is_finished() -> None:
    async def scenario(each: Bench) -> None:
        told: list[tuple[int, Hypotheses]] = []
        each.model.is_held = True
        job = each.decoder.enqueue([LONG, SHORT], deadline=FOREVER, tell=lambda *answer: told.append(answer))
        await each.at_step()
        for _ in range(3):
            await each.next_step()
        await asyncio.sleep(0.01)
        assert [place for place, _ in told] == [1]
        assert job.is_open
        each.let_go()
        answers = (await job.done).answers
        assert [place for place, _ in told] == [1, 0]
        assert [answer for _, answer in told] == [answers[1], answers[0]]

    run(scenario)


def test_nothing_to_decode_is_answered_at_once() -> None:
    async def scenario(each: Bench) -> None:
        assert list((await each.decoder.submit([], deadline=FOREVER)).answers) == []
        assert each.model.rows == []

    run(scenario)


def test_who_leaves_is_gone_within_a_step() -> None:
    async def scenario(each: Bench) -> None:
        each.model.is_held = True
        leaving = each.decoder.enqueue([LONG, LONG], deadline=FOREVER)
        staying = each.decoder.enqueue([SHORT], deadline=FOREVER)
        await each.at_step()
        await each.next_step()
        assert each.model.rows == [3, 5]
        waiting = each.decoder.enqueue([LONG], deadline=FOREVER)
        each.decoder.withdraw(leaving)
        each.decoder.withdraw(waiting)
        await asyncio.sleep(0)
        assert each.decoder.queued_rows == 0
        await each.next_step()
        assert each.model.rows == [3, 5, 1]
        each.let_go()
        await staying.done
        with pytest.raises(CallerLeftError):
            await leaving.done
        assert each.value("ribbon_decoder_cancelled_total", reason="cancelled") == 3

    run(scenario)


def test_to_cancel_the_waiter_is_to_leave() -> None:
    async def scenario(each: Bench) -> None:
        each.model.is_held = True
        task = asyncio.create_task(each.decoder.submit([ENDLESS], deadline=FOREVER))
        await each.at_step()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        each.model.permits.release()
        await asyncio.sleep(0.05)
        assert each.model.rows == [1]
        assert each.value("ribbon_decoder_cancelled_total", reason="cancelled") == 1

    run(scenario)


def test_who_is_too_late_is_gone_within_a_step() -> None:
    async def scenario(each: Bench) -> None:
        each.model.is_held = True
        late = each.decoder.enqueue([ENDLESS, LONG], deadline=each.clock.now + 0.0015)
        await each.at_step()
        await each.next_step()
        each.model.permits.release()
        with pytest.raises(DeadlineExceededError):
            await late.done
        await asyncio.sleep(0.01)
        assert each.model.rows == [2, 3]
        assert each.value("ribbon_decoder_cancelled_total", reason="expired") == 2
        with pytest.raises(DeadlineExceededError):
            each.decoder.check(deadline=each.clock.now)

    run(scenario)


def test_a_failing_step_fails_its_table_and_leaves_it_usable(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(each: Bench) -> None:
        each.model.is_held = True
        with_broken = each.decoder.enqueue([search(BROKEN, 4)], deadline=FOREVER)
        beside = each.decoder.enqueue([SHORT], deadline=FOREVER)
        await each.at_step()
        each.let_go()
        for job in (with_broken, beside):
            with pytest.raises(ModelFailedError):
                await job.done
        (answer,) = (await each.decoder.submit([SHORT], deadline=FOREVER)).answers
        assert_equal(answer, reference.decode(each.model.model, SHORT))

    run(scenario)
    assert "a model run failed" in caplog.text
    assert "secret" not in caplog.text


def test_a_full_queue_refuses() -> None:
    async def scenario(each: Bench) -> None:
        each.model.is_held = True
        first = each.decoder.enqueue([LONG], deadline=FOREVER)
        await each.at_step()
        second = each.decoder.enqueue([search(*range(4, 24))], deadline=FOREVER)
        assert each.decoder.queued_cells == 20
        with pytest.raises(OverloadedError):
            each.decoder.check(deadline=FOREVER)
        each.let_go()
        await asyncio.gather(first.done, second.done)

    run(scenario, max_queued_cells=20)


def test_what_would_be_too_late_is_refused() -> None:
    async def scenario(each: Bench) -> None:
        await each.decoder.submit([ENDLESS], deadline=FOREVER)
        each.model.is_held = True
        first = each.decoder.enqueue([LONG], deadline=FOREVER)
        await each.at_step()
        second = each.decoder.enqueue([LONG], deadline=FOREVER)
        with pytest.raises(OverloadedError):
            each.decoder.check(deadline=each.clock.now + 0.004)
        each.decoder.check(deadline=each.clock.now + 0.1)
        each.let_go()
        await asyncio.gather(first.done, second.done)

    run(scenario)


def test_a_tagger_waits_no_longer_than_a_turn_of_a_long_translation() -> None:
    async def scenario(each: Bench) -> None:
        each.model.is_held = True
        long = each.decoder.enqueue([ENDLESS], deadline=FOREVER)
        await each.at_step()
        asked_at = each.clock.now
        tagged = each.batcher.enqueue([np.array([4], np.int32)], deadline=FOREVER)
        await asyncio.sleep(0.01)
        each.let_go()
        await tagged.done
        await long.done
        assert each.tagged[0] - asked_at == pytest.approx(TURN_SECONDS, abs=0.0011)

    run(scenario)


def test_a_translation_takes_turns_with_a_backlog_of_the_tagger() -> None:
    async def scenario(each: Bench) -> None:
        rows = [np.full(64, 4, np.int32) for _ in range(200)]  # each a batch of its own
        tagged = each.batcher.enqueue(rows, deadline=FOREVER)
        long = each.decoder.enqueue([ENDLESS], deadline=FOREVER)
        await long.done
        assert tagged.is_open
        assert len(each.tagged) <= 500 * 0.001 / TURN_SECONDS + 4
        await tagged.done

    run(scenario)


def test_a_crowd_is_shared_by_the_slots() -> None:
    async def scenario(each: Bench) -> None:
        each.model.is_held = True
        job = each.decoder.enqueue([SHORT] * 16, deadline=FOREVER)
        await each.at_step()
        await each.at_step()
        assert sum(each.model.rows) == 16
        assert max(each.model.rows) <= 10
        each.let_go()
        await job.done

    run(scenario, num_slots=2)


def test_two_decoders_take_turns() -> None:
    async def main() -> None:
        model, metrics = PacedModel(), Metrics()
        with ThreadPoolExecutor(1) as executor:
            slots = Slots(executor, num_slots=1, max_cells=64, clock=model.clock)
            one, other = (
                Decoder(model, slots=slots, max_rows=8, max_queued_cells=99, metrics=metrics, clock=model.clock)
                for _ in range(2)
            )
            long = one.enqueue([ENDLESS], deadline=FOREVER)
            await asyncio.sleep(0)
            await other.submit([SHORT], deadline=FOREVER)
            assert long.is_open
            await long.done

    asyncio.run(asyncio.wait_for(main(), timeout=20))

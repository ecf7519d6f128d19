"""The decoder: its threads, its doors, its turns. That its answers are right is test_beams' matter."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.decoding.beam_search import BeamSearch
from service.decoding.decoder import Decoder
from service.decoding.search import Hypotheses
from service.decoding.worker import TURN_SECONDS
from service.errors import CallerLeftError, DeadlineExceededError, ModelFailedError, OverloadedError
from service.metrics import Metrics
from service.scheduling.thread_pool import ThreadPool
from tests.decoding import reference_search
from tests.decoding.invented_model import search
from tests.decoding.paced_model import BROKEN, FOREVER, Bench, PacedModel, run
from tests.decoding.test_beam_search import any_search, assert_equal

SHORT = search(5, 6, max_tokens=3)
LONG = search(7, 8, 9, beam_size=2, max_tokens=30)
ENDLESS = search(7, 8, 9, max_tokens=500)


@examples(max_examples=10)
@given(st.integers(0, 1000), st.integers(1, 3), st.lists(st.booleans(), min_size=1, max_size=12))
def test_every_sentence_of_every_request_gets_its_own_answer(seed: int, num_threads: int, pauses: list[bool]) -> None:
    chance = random.Random(seed)
    requests = [[any_search(chance) for _ in range(chance.randrange(4))] for _ in pauses]

    async def scenario(each: Bench) -> None:
        jobs = []
        for searches, pause in zip(requests, pauses, strict=True):
            jobs.append(each.decoder.enqueue(searches, deadline=FOREVER))
            await asyncio.sleep(0.002 * pause)
        for searches, done in zip(requests, await asyncio.gather(*(job.done for job in jobs)), strict=True):
            for one, answer in zip(searches, done.answers, strict=True):
                assert_equal(answer, reference_search.decode(each.model.model, one))
        assert max(each.model.rows, default=0) <= 20
        assert each.value("ribbon_decoder_admitted_total") == sum(map(len, requests))
        assert each.value("ribbon_decoder_steps_total") == len(each.model.rows)
        assert each.value("ribbon_decoder_step_rows_sum") == sum(each.model.rows)

    run(scenario, num_threads=num_threads, max_rows=20)


def test_a_sentence_joins_those_under_way_and_may_be_done_before_them() -> None:
    async def scenario(each: Bench) -> None:
        long = await each.hold(LONG)
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
        job = each.decoder.enqueue([LONG, SHORT], deadline=FOREVER, on_finished=lambda *answer: told.append(answer))
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
        assert list((await each.decoder.enqueue([], deadline=FOREVER).done).answers) == []
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
        job = each.decoder.enqueue([ENDLESS], deadline=FOREVER)
        await each.at_step()
        job.done.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job.done
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
        (answer,) = (await each.decoder.enqueue([SHORT], deadline=FOREVER).done).answers
        assert_equal(answer, reference_search.decode(each.model.model, SHORT))

    run(scenario)
    assert "a model run failed" in caplog.text
    assert "secret" not in caplog.text


def test_a_full_queue_refuses() -> None:
    async def scenario(each: Bench) -> None:
        first = await each.hold(LONG)
        second = each.decoder.enqueue([search(*range(4, 24))], deadline=FOREVER)
        assert each.decoder.queued_cells == 20
        with pytest.raises(OverloadedError):
            each.decoder.check(deadline=FOREVER)
        with pytest.raises(OverloadedError):
            each.decoder.enqueue([search(4)], deadline=FOREVER)
        further = each.decoder.enqueue([search(4)], deadline=FOREVER, accepted=True)
        each.let_go()
        await asyncio.gather(first.done, second.done, further.done)

    run(scenario, max_queued_cells=20)


def test_what_would_be_too_late_is_refused() -> None:
    async def scenario(each: Bench) -> None:
        await each.decoder.enqueue([ENDLESS], deadline=FOREVER).done
        first = await each.hold(LONG)
        second = each.decoder.enqueue([LONG], deadline=FOREVER)
        with pytest.raises(OverloadedError):
            each.decoder.check(deadline=each.clock.now + 0.004)
        each.decoder.check(deadline=each.clock.now + 0.1)
        each.let_go()
        await asyncio.gather(first.done, second.done)

    run(scenario)


def test_a_tagger_waits_no_longer_than_a_turn_of_a_long_translation() -> None:
    async def scenario(each: Bench) -> None:
        long = await each.hold(ENDLESS)
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

    run(scenario, num_threads=2)


def test_two_decoders_take_turns() -> None:
    async def main() -> None:
        model, metrics = PacedModel(), Metrics()
        with ThreadPoolExecutor(1) as executor:
            thread_pool = ThreadPool(executor, num_threads=1, max_cells=64, clock=model.clock)
            one, other = (
                Decoder(
                    lambda: BeamSearch(model, max_rows=8),
                    thread_pool=thread_pool,
                    max_queued_cells=99,
                    metrics=metrics,
                    clock=model.clock,
                )
                for _ in range(2)
            )
            long = one.enqueue([ENDLESS], deadline=FOREVER)
            await asyncio.sleep(0)
            await other.enqueue([SHORT], deadline=FOREVER).done
            assert long.is_open
            await long.done

    asyncio.run(asyncio.wait_for(main(), timeout=20))

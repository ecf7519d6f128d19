"""A decoder asks for as many threads as it has sentences for."""

from __future__ import annotations

from service.decoding.beam_search import BeamSearch
from service.decoding.worker import DecodeQueue, DecodeSource, DecodeWorker, PendingSentence, StepReport
from service.metrics import Metrics
from service.scheduling.scheduler import no_run
from tests.decoding.invented_model import InventedModel, search
from tests.decoding.test_decode_queue import pending
from tests.fakes import FakeClock


def test_each_sentence_that_waits_asks_for_one_thread() -> None:
    queue, metrics, clock = DecodeQueue(), Metrics(), FakeClock()
    clock.now = 0.0  # before the deadline
    workers = [
        DecodeWorker(
            BeamSearch[PendingSentence](InventedModel(eos_bonus=-9.0), max_rows=8), metrics=metrics, clock=clock
        )
        for _ in range(2)
    ]
    source = DecodeSource(workers=workers, queue=queue, work=no_run)
    assert (source.num_waiting, source.rank, source.take(64, now=0.0)) == (0, None, [])
    queue.push(pending([search(5, 6)]))
    assert source.num_waiting == 1
    (first,) = source.take(64, now=0.0)
    assert (source.num_waiting, source.rank, source.take(64, now=0.0)) == (0, None, [])  # the first will take it
    queue.push(pending([search(7, 8)]))
    (second,) = source.take(64, now=0.0)
    assert {first, second} == set(workers)
    assert source.num_waiting == 0
    first.advance(queue, share=1, report=StepReport(since=0.0))
    assert (first.live_rows, queue.num_waiting) == (1, 1)
    first.is_running, first.paused_at = False, clock.now
    assert (source.num_waiting, source.needs_thread, source.take(64, now=0.0)) == (1, True, [first])

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from service.decoding.queue import DecodeQueue
from tests.scheduling.invented import search
from tests.scheduling.test_virtual_time import sought, take_one


@contextmanager
def between_lines(look: Callable[[], object]) -> Iterator[None]:
    """What another thread might do: before every line that runs within, anywhere."""

    def trace(frame: FrameType, event: str, arg: object) -> Callable[..., object]:
        if event == "line":
            look()
        return trace

    usual = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(usual)


def test_how_many_wait_may_be_asked_at_any_moment() -> None:
    waiting = DecodeQueue()
    counts = []
    with between_lines(lambda: counts.append((len(waiting), waiting.rows, waiting.cells))):
        for _ in range(3):
            waiting.push(sought([search(5, 6, beam_size=2), search(7)]))
            while len(waiting):
                take_one(waiting)
    assert {number for number, _, _ in counts} == {0, 1, 2}
    assert all(rows >= 0 and cells >= 0 for _, rows, cells in counts)
    assert (len(waiting), waiting.rows, waiting.cells) == (0, 0, 0)

"""Liveness of several workers: that of the whole, which a supervisor or worker that stands still for long ends."""

from __future__ import annotations

import os

from service.serving.processes import MAX_AGE_SECONDS, Pulse
from tests.fakes import FakeClock


def test_a_pulse_ages_until_the_next_beat() -> None:
    clock = FakeClock()
    pulse = Pulse(clock)
    clock.now += MAX_AGE_SECONDS
    assert pulse.is_fresh()
    clock.now += 1
    assert not pulse.is_fresh()
    pulse.beat()
    assert pulse.is_fresh()


def test_a_forked_process_sees_the_beats_of_its_parent() -> None:
    clock = FakeClock()
    pulse = Pulse(clock)
    clock.now += MAX_AGE_SECONDS + 1
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(reading, 1)
        os._exit(0 if pulse.is_fresh() else 1)
    pulse.beat()
    os.write(writing, b".")
    assert os.waitpid(pid, 0)[1] == 0
    os.close(reading)
    os.close(writing)

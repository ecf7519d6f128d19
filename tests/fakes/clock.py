"""Time that a test sets by hand."""

from __future__ import annotations


class FakeClock:
    """Seconds, when told to pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

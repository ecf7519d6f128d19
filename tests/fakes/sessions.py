"""Sessions that look words up, where the real ones run a network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from service.runtime.resources import Device
from service.runtime.session import Arrays, Session
from tests.fakes import letters
from tests.fakes.bundles import ENCODER, MULTI_LABEL_GRAPH, READER, STEP, UNIT_STEP
from tests.fakes.language import language_reader, language_step
from tests.fakes.words import multi_weights, tables, weights


class Gate(threading.Event):
    """An event that is set until a test clears it, and remembers that one did."""

    def __init__(self) -> None:
        super().__init__()
        self.was_cleared = False
        self.set()

    def clear(self) -> None:
        self.was_cleared = True
        super().clear()


class FakeSession:
    """A tagger's graph if rows have features, a classifier's if not; a translator's encoder or step as a part of it.
    Can be slow, stopped, or broken, and remembers the shapes it was given, a step's by its rows alone."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.error: Exception | None = None
        self.ends = True  # whether translations do
        self.loops_from: int | None = None  # tokens of sources whose translations go round in circles
        self.most_encoded: int | None = None  # runs of a translator's encoder; further ones fail
        self.gate = Gate()
        self.shapes: list[tuple[int, ...]] = []
        self.num_ended = 0  # runs that passed the gate or failed at it
        self._tables = tables()

    @property
    def is_untouched(self) -> bool:
        """Whether it still runs as it did when it was made; a service that was held up remembers how slow it was."""
        is_kind = self.error is None and self.ends and self.loops_from is None and self.most_encoded is None
        return is_kind and not self.seconds and not self.gate.was_cleared

    def run(self, inputs: Arrays) -> Arrays:
        self.pass_through(inputs["ids"].shape)
        return self._classify(inputs) if inputs["ids"].ndim == 2 else self._tag(inputs)

    def pass_through(self, shape: tuple[int, ...]) -> None:
        """What every run goes through, whatever the graph."""
        self.shapes.append(shape)
        time.sleep(self.seconds)
        opened = self.gate.wait(timeout=20)
        self.num_ended += 1
        if not opened:
            raise TimeoutError("the test left the gate shut")
        if self.error is not None:
            raise self.error

    def _tag(self, inputs: Arrays) -> Arrays:
        words = inputs["ids"][:, :, 0]  # (batch, time)
        return {name: table[words] for name, table in self._tables.items()}

    def _classify(self, inputs: Arrays) -> Arrays:
        logits = weights()[inputs["ids"]].sum(axis=1)  # (batch,)
        return {"log_probabilities": -np.logaddexp(0, np.stack([logits, -logits], axis=1))}


class FakeEncoder:
    """A translator's encoder behind a session's doors."""

    def __init__(self, session: FakeSession) -> None:
        self._session = session

    def run(self, inputs: Arrays) -> Arrays:
        self._session.pass_through(inputs["ids"].shape)
        num_encoded = sum(len(shape) == 2 for shape in self._session.shapes)
        if self._session.most_encoded is not None and num_encoded > self._session.most_encoded:
            raise RuntimeError("it has run too often")
        return letters.encode(inputs)


class FakeStep:
    """A translator's step behind a session's doors."""

    def __init__(self, session: FakeSession) -> None:
        self._session = session

    def run(self, inputs: Arrays) -> Arrays:
        self._session.pass_through(inputs["tokens"].shape)
        return letters.step(inputs, ends=self._session.ends, loops_from=self._session.loops_from)


class FakeMultiLabel:
    """A multi-label classifier's graph behind a session's doors."""

    def __init__(self, session: FakeSession) -> None:
        self._session = session

    def run(self, inputs: Arrays) -> Arrays:
        self._session.pass_through(inputs["ids"].shape)
        logits = multi_weights()[inputs["ids"]].sum(axis=1)  # (batch, label)
        return {"log_probabilities": -np.logaddexp(0, -logits)}


class FakeReader:
    """A language model's reading graph behind a session's doors."""

    def __init__(self, session: FakeSession) -> None:
        self._session = session

    def run(self, inputs: Arrays) -> Arrays:
        self._session.pass_through(inputs["ids"].shape)
        return language_reader(inputs)


class FakeUnitStep:
    """A language model's step behind a session's doors."""

    def __init__(self, session: FakeSession) -> None:
        self._session = session

    def run(self, inputs: Arrays) -> Arrays:
        self._session.pass_through(inputs["tokens"].shape)
        return language_step(inputs)


class OpenFake:
    """Opens one fake session for every graph."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, path: Path, *, device: Device) -> Session:
        assert path.is_file()
        if path.name in PARTS and isinstance(self.session, FakeSession):
            return PARTS[path.name](self.session)
        return self.session


PARTS: Mapping[str, Callable[[FakeSession], Session]] = {
    ENCODER: FakeEncoder,
    STEP: FakeStep,
    MULTI_LABEL_GRAPH: FakeMultiLabel,
    READER: FakeReader,
    UNIT_STEP: FakeUnitStep,
}

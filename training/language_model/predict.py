"""A language model's bundle as training measures it: scores of texts, next units, continuations.

The service's own predictor answers requests; here whole sets of texts are read, many at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.bundle import SUBWORDS, Bundle, load_bundle
from service.runtime.session import OnnxSession
from service.text.pipeline import Batch, Ids
from service.text.subwords import EOS_ID, PAD_ID, Subwords
from training.language_model.export import LanguageModelSessions, read, run_step
from training.language_model.graphs import NEXT_STATE

CELLS_PER_RUN = 512
Floats = npt.NDArray[np.float32]
Choose = Callable[[Floats], int]  # log-probabilities of all units to the one that is taken


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Continuation:
    """Units that a model writes, and how likely each of its units was; the last may be the end."""

    ids: tuple[int, ...]
    scores: tuple[float, ...]
    margins: tuple[float, ...]  # of the likeliest unit over the next one, at every step


class LanguageModelBundle:
    """The graphs of one precision and the units of a bundle."""

    def __init__(self, bundle: Bundle, precision: str | None = None) -> None:
        self.manifest = bundle.manifest
        self.subwords = Subwords.load(bundle.path(SUBWORDS), symbols=())
        self._sessions = LanguageModelSessions(
            reader=OnnxSession(bundle.encoder(precision)), step=OnnxSession(bundle.graph(precision))
        )
        self._state_size = next(int(each.shape[1]) for each in bundle.manifest.inputs if each.name == "state")

    @classmethod
    def open(cls, folder: Path, precision: str | None = None) -> LanguageModelBundle:
        return cls(load_bundle(folder), precision)

    def encode(self, text: str) -> Ids:
        return np.array(self.subwords.encode(text), dtype=np.int32)

    def text_of(self, ids: Sequence[int]) -> str:
        """Return the text that units spell, spaces at the edges included; an end is nothing."""
        return "".join(self.subwords.spell(ids))

    def log_likelihoods(self, texts: Sequence[Ids]) -> list[npt.NDArray[np.float64]]:
        """Return for each text the log-probability of every unit, that of the end last."""
        found: list[npt.NDArray[np.float64]] = [np.zeros(0)] * len(texts)
        for rows in _runs(texts):
            batch = _batch([np.concatenate([[EOS_ID], texts[row]]) for row in rows])
            real = np.arange(batch.ids.shape[1]) < batch.lengths[:, None]
            targets = np.concatenate([[*texts[row], EOS_ID] for row in rows]).astype(np.int32)
            outputs = read(
                self._sessions.reader, batch, self.zeros(len(rows)), positions=np.flatnonzero(real), targets=targets
            )
            values = np.split(outputs["log_probabilities"].astype(np.float64), np.cumsum(batch.lengths)[:-1])
            for row, value in zip(rows, values, strict=True):
                found[row] = value
        return found

    def zeros(self, rows: int) -> Floats:
        """The states before texts begin."""
        return np.zeros((rows, self._state_size), np.float32)

    def state_after(self, text: str) -> tuple[int, Floats]:
        """The last unit of a text, not read yet, and the state before it (1, state)."""
        ids = np.array([EOS_ID, *self.encode(text)], np.int32)
        if len(ids) == 1:
            return EOS_ID, self.zeros(1)
        nothing = np.zeros(0, np.int32)
        outputs = read(self._sessions.reader, _batch([ids[:-1]]), self.zeros(1), positions=nothing, targets=nothing)
        return int(ids[-1]), outputs[NEXT_STATE]

    def step(self, tokens: npt.NDArray[np.generic], state: Floats) -> tuple[Floats, Floats]:
        """One step: log-probabilities (row, unit) of what comes behind ``tokens`` (row,), and the state with them."""
        outputs = run_step(self._sessions.step, tokens.astype(np.int32), state, num_candidates=1)
        return outputs["log_probabilities"], outputs[NEXT_STATE]

    def step_behind(self, text: str) -> tuple[Floats, Floats]:
        """The log-probabilities of all units behind a text (1, unit), and the state with it."""
        token, state = self.state_after(text)
        return self.step(np.array([token]), state)

    def greedy(self, text: str, num_units: int) -> Continuation:
        """The likeliest next unit, again and again, to the end or ``num_units``."""
        return self._write(text, num_units, lambda scores: int(scores.argmax()))

    def sample(
        self, text: str, num_units: int, *, temperature: float, rng: np.random.Generator, top_p: float = 1.0
    ) -> Continuation:
        """Units drawn by their probabilities at a temperature, of the fewest that have a share ``top_p`` together
        (Holtzman et al. 2020)."""

        def draw(scores: Floats) -> int:
            weights = np.exp((scores - scores.max()).astype(np.float64) / temperature)
            weights /= weights.sum()
            order = np.argsort(-weights)
            kept = order[: 1 + int(np.searchsorted(weights[order].cumsum(), top_p))]
            return int(rng.choice(kept, p=weights[kept] / weights[kept].sum()))

        return self._write(text, num_units, draw)

    def _write(self, text: str, num_units: int, choose: Choose) -> Continuation:
        token, state = self.state_after(text)
        ids: list[int] = []
        scores: list[float] = []
        margins: list[float] = []
        while len(ids) < num_units and (not ids or token != EOS_ID):
            found, state = self.step(np.array([token]), state)
            token = choose(found[0])
            ids.append(token)
            scores.append(float(found[0, token]))
            second, best = np.partition(found[0], -2)[-2:]
            margins.append(float(best - second))
        return Continuation(ids=tuple(ids), scores=tuple(scores), margins=tuple(margins))


def _runs(texts: Sequence[Ids]) -> Iterator[list[int]]:
    """The places of texts of like lengths that are read together."""
    batch: list[int] = []
    for place in sorted(range(len(texts)), key=lambda i: len(texts[i])):
        if batch and (len(batch) + 1) * (len(texts[place]) + 1) > CELLS_PER_RUN:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _batch(rows: Sequence[Ids]) -> Batch:
    lengths = np.array([len(row) for row in rows], np.int32)
    ids = np.full((len(rows), int(lengths.max())), PAD_ID, np.int32)
    for target, row in zip(ids, rows, strict=True):
        target[: len(row)] = row
    return Batch(ids=ids, lengths=lengths)

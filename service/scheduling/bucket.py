"""The sources of about one length and their live hypotheses: one run of the step graph, and what is made of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np
import numpy.typing as npt

from service.scheduling.rows import Offer, Rows, Taken
from service.scheduling.search import Encoded, Floats, StepInputs, StepModel, StepOutputs
from service.scheduling.selection import Indices, num_candidates
from service.scheduling.sentence import Finished, Sentence, T
from service.scheduling.slabs import Slab
from service.scheduling.trail import Attentions
from service.text.batch import Ids

NEVER = np.iinfo(np.int64).max
_SLOT = np.dtype(
    [
        ("wanted", np.int32),  # places of the beam that have not ended
        ("age", np.int32),  # tokens of each live hypothesis
        ("cap", np.int32),  # tokens it may have
        ("start", np.int64),  # the step that gave the first token; NEVER if nobody wants to know
        ("power", np.float64),  # what a sum is divided by at the cap: nothing that comes of it will score higher
        ("bar", np.float64),  # the score that has to be beaten
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run(Generic[T]):
    """One step of one bucket."""

    num_rows: int
    model_seconds: float
    finished: Sequence[Finished[T]]


class Bucket(Generic[T]):
    """The slot table of sources of up to ``time`` tokens. Not thread-safe."""

    def __init__(self, model: StepModel, time: int, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._model = model
        self._clock = clock
        self._slab = Slab(time)
        self._sentences: list[Sentence[T]] = []  # by slot
        self._slots = np.zeros(0, _SLOT)
        self._rows = Rows.first(slots=np.zeros(0, np.int32), bos_id=0, state=np.zeros((0, 0), np.float32))
        self._attentions = Attentions()

    def __len__(self) -> int:
        return len(self._sentences)

    @property
    def tickets(self) -> Iterator[T]:
        """By slot."""
        return (sentence.ticket for sentence in self._sentences)

    @property
    def wanted_rows(self) -> int:
        """How many rows the next step may have, at most."""
        return int(self._slots["wanted"].sum())

    def admit(self, tickets: Sequence[T], lengths: Ids, encoded: Encoded) -> None:
        """Sentences whose sources (batch,) are encoded take the next slots, and go along from the next step."""
        slots = np.arange(len(self), len(self) + len(tickets), dtype=np.int32)
        rows = Rows.first(slots=slots, bos_id=self._model.bos_id, state=encoded.state)
        self._slab.append(lengths, encoded.memories)
        self._rows = self._rows.joined(rows) if self._sentences else rows
        self._slots = self._with(tickets)
        self._sentences += map(Sentence, tickets)

    def step(self) -> Run[T]:
        """Every hypothesis gets one token more, or ends, or is left behind by better ones."""
        rows = self._rows
        inputs = StepInputs(
            tokens=rows.tokens,
            state=rows.state,
            sources=rows.slots,
            lengths=self._slab.lengths,
            memories=self._slab.memories,
            num_candidates=num_candidates(int(self._slots["wanted"].max())),
        )
        started_at = self._clock()
        outputs = self._model.step(inputs)
        seconds = self._clock() - started_at
        return Run(num_rows=len(rows.tokens), model_seconds=seconds, finished=self._go_on(outputs))

    def drop(self, slots: Sequence[int]) -> None:
        """Nobody wants these sentences any more; the slots are in order."""
        if slots:
            moved = self._leave(slots)[self._rows.slots]
            self._rows = replace(self._rows, slots=moved).only(moved >= 0)
        self._keep_attention()

    def _with(self, tickets: Sequence[T]) -> npt.NDArray[np.void]:
        """The slots and these new ones."""
        now, first = self._attentions.num_steps, len(self)
        slots = np.empty(first + len(tickets), _SLOT)  # to concatenate structures takes five times as long
        slots[:first] = self._slots
        for slot, search in enumerate((ticket.search for ticket in tickets), first):
            start = now if search.wants_attention else NEVER
            power = search.max_tokens**search.length_penalty
            slots[slot] = (search.beam_size, 0, search.max_tokens, start, power, -np.inf)
        return slots

    def _go_on(self, outputs: StepOutputs) -> list[Finished[T]]:
        """From what the graph offers to the next rows; the sentences that are done."""
        slots = self._slots
        self._attentions.add(outputs.attention)
        offer = Offer.of(self._rows, outputs, slots["wanted"])
        taken = offer.taken(self._end(offer, offer.ranking.best(slots["wanted"])))
        lengths = slots["age"][taken.slots]
        slots["age"] += 1
        is_done = self._is_done(taken)
        done: list[int] = np.flatnonzero(is_done).tolist()
        finished = [self._finish(slot, offer, taken) for slot in done]
        if done:
            lives = ~is_done[taken.slots]
            taken, lengths = taken.only(lives), lengths[lives]
            taken = replace(taken, slots=self._leave(done)[taken.slots])
        self._rows = offer.rows_of(taken, lengths)
        self._keep_attention()
        return finished

    def _end(self, offer: Offer, best: Indices) -> Indices:
        """The numbers of those continuations that live on. The others end here, and where one spells only what its
        sentence has already, the next best takes its place."""
        ends = offer.tokens[best] == self._model.eos_id
        if not ends.any():
            return best
        wanted = self._slots["wanted"].copy()
        missing: dict[int, int] = {}
        for number in best[ends].tolist():
            slot = self._end_one(offer, number)
            if slot is not None:
                missing[slot] = missing.get(slot, 0) + 1
        more = [n for slot, count in missing.items() for n in self._refill(offer, slot, int(wanted[slot]), count)]
        return np.concatenate((best[~ends], np.array(more, np.intp)))

    def _refill(self, offer: Offer, slot: int, wanted: int, missing: int) -> Iterator[int]:
        """The next best continuations of a sentence that are worth so many places; those that live on."""
        eos_id = self._model.eos_id
        for number in offer.ranking.after(slot, wanted):
            if missing == 0:
                return
            if offer.tokens[number] != eos_id:
                missing -= 1
                yield number
            elif self._end_one(offer, number) is None:
                missing -= 1

    def _end_one(self, offer: Offer, number: int) -> int | None:
        """Its sentence's slot, if it was dropped as one that spells what an earlier one does."""
        row = number // offer.width
        slot = int(offer.rows.slots[row])
        sentence = self._sentences[slot]
        ids, places = offer.rows.trail.of(row, int(self._slots["age"][slot]))
        if not sentence.end(ids, places, float(offer.ranking.totals[number]), surface=self._model.surface):
            return slot
        self._slots["wanted"][slot] = sentence.num_open
        self._slots["bar"][slot] = sentence.bar
        return None

    def _is_done(self, taken: Taken) -> npt.NDArray[np.bool_]:
        """(slot,): at the cap, or with nothing alive that can still get into the answer."""
        slots = self._slots
        best = np.full(len(slots), -np.inf)
        best[taken.slots[::-1]] = taken.totals[::-1]  # the last one written stays, and that is the first
        done: npt.NDArray[np.bool_] = (best / slots["power"] <= slots["bar"]) | (slots["age"] >= slots["cap"])
        return done

    def _finish(self, slot: int, offer: Offer, taken: Taken) -> Finished[T]:
        """If the answer is not full, what lives on ends as it is."""
        sentence, length = self._sentences[slot], int(self._slots["age"][slot]) - 1
        if not sentence.is_answered:
            for row in np.flatnonzero(taken.slots == slot).tolist():
                parent = int(taken.parents[row])
                ids, places = offer.rows.trail.of(parent, length)
                sentence.cut(
                    [*ids, int(taken.tokens[row])],
                    [*places, parent],
                    float(taken.totals[row]),
                    surface=self._model.surface,
                )
        return sentence.answer(self._attend(slot), num_steps=int(self._slots["age"][slot]))

    def _attend(self, slot: int) -> Callable[[list[int]], Floats]:
        start, num_tokens = int(self._slots["start"][slot]), int(self._slab.lengths[slot])
        return lambda places: self._attentions.of(start=start, places=places, num_tokens=num_tokens)

    def _keep_attention(self) -> None:
        self._attentions.forget(int(self._slots["start"].min(initial=NEVER)))

    def _leave(self, slots: Sequence[int]) -> Ids:
        """These slots are free, and the last ones move into them. Where each is now (slot,), -1 if it is gone."""
        names = list(range(len(self)))
        for slot in reversed(slots):
            self._slab.remove(slot)
            self._sentences[slot], self._slots[slot], names[slot] = self._sentences[-1], self._slots[-1], names[-1]
            del self._sentences[-1], names[-1]
            self._slots = self._slots[:-1]
        places = np.full(len(names) + len(slots), -1, np.int32)
        places[names] = np.arange(len(names), dtype=np.int32)
        return places

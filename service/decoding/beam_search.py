"""Iteration-level beam search: sentences of any beam size and length share one decoder step after another.

Sources of about one length are a length bucket, whose live hypotheses share one run of the step graph.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace
from typing import Generic

import numpy as np
import numpy.typing as npt

from service.decoding.hypotheses import (
    Attentions,
    Continuations,
    Indices,
    LiveHypotheses,
    Selected,
    num_candidates,
)
from service.decoding.search import EncoderOutputs, Floats, Hypotheses, Search, StepInputs, StepModel, StepOutputs
from service.decoding.sentence_search import EncoderMemory, SentenceSearch
from service.decoding.strategy import MAX_ROWS, DecodeStrategy, Finished, NumberedSearch, StepResult, T, decode_all
from service.text.pipeline import Ids, pad

_SLOT = np.dtype(
    [
        ("wanted", np.int32),  # places of the beam that have not ended
        ("age", np.int32),  # tokens of each live hypothesis
        ("cap", np.int32),  # tokens it may have
        ("start", np.int64),  # the step that gave the first token
        ("power", np.float64),  # divisor of a sum at the cap: no continuation will score higher than the quotient
        ("bar", np.float64),  # the score that has to be beaten
    ]
)


class LengthBucket(Generic[T]):
    """Slots of sources of up to ``length`` tokens that are decoded together. Not thread-safe."""

    def __init__(self, model: StepModel, length: int) -> None:
        self._model = model
        self._encoder_memory = EncoderMemory(length)
        self._sentences: list[SentenceSearch[T]] = []  # by slot
        self._slots = np.zeros(0, _SLOT)
        self._rows = LiveHypotheses.first(slots=np.zeros(0, np.int32), bos_id=0, state=np.zeros((0, 0), np.float32))
        self._attentions = Attentions()

    def __len__(self) -> int:
        return len(self._sentences)

    @property
    def items(self) -> Iterator[T]:
        """Items of the sentences, by slot."""
        return (sentence.item for sentence in self._sentences)

    @property
    def wanted_rows(self) -> int:
        """Return the most rows that the next step may have."""
        return int(self._slots["wanted"].sum())

    def admit(self, items: Sequence[T], lengths: Ids, encoded: EncoderOutputs) -> None:
        """Add sentences whose sources (batch,) are encoded; they take the next slots and join from the next step on."""
        slots = np.arange(len(self), len(self) + len(items), dtype=np.int32)
        rows = LiveHypotheses.first(slots=slots, bos_id=self._model.bos_id, state=encoded.state)
        self._encoder_memory.append(lengths, encoded.memories)
        self._rows = self._rows.joined(rows) if self._sentences else rows
        self._slots = self._with(items)
        self._sentences += (SentenceSearch(item, self._model.surface) for item in items)

    def step(self) -> StepResult[T]:
        """Make one step: every hypothesis gets one token more, or ends, or is dropped for better ones."""
        rows = self._rows
        inputs = StepInputs(
            tokens=rows.tokens,
            state=rows.state,
            sources=rows.slots,
            lengths=self._encoder_memory.lengths,
            memories=self._encoder_memory.memories,
            num_candidates=num_candidates(int(self._slots["wanted"].max())),
        )
        started_at = time.perf_counter()
        outputs = self._model.step(inputs)
        seconds = time.perf_counter() - started_at
        return StepResult(num_rows=len(rows.tokens), model_seconds=seconds, finished=self._go_on(outputs))

    def drop(self, slots: Sequence[int]) -> None:
        """Drop the sentences in these slots, which are in order."""
        if slots:
            moved = self._leave(slots)[self._rows.slots]
            self._rows = replace(self._rows, slots=moved).only(moved >= 0)
        self._keep_attention()

    def _with(self, items: Sequence[T]) -> npt.NDArray[np.void]:
        """Return the slots with those of new sentences appended."""
        now, first = self._attentions.num_steps, len(self)
        slots = np.empty(first + len(items), _SLOT)  # to concatenate structures takes five times as long
        slots[:first] = self._slots
        for slot, search in enumerate((item.search for item in items), first):
            power = search.max_tokens**search.length_penalty
            slots[slot] = (search.beam_size, 0, search.max_tokens, now, power, -np.inf)
        return slots

    def _go_on(self, outputs: StepOutputs) -> list[Finished[T]]:
        """Select the next hypotheses from the graph's outputs, and return the sentences that are done."""
        slots = self._slots
        self._attentions.add(outputs.attention)
        continuations = Continuations.of(self._rows, outputs, slots["wanted"])
        selected = continuations.selected(self._end(continuations, continuations.best(slots["wanted"])))
        lengths = slots["age"][selected.slots]
        slots["age"] += 1
        is_done = self._is_done(selected)
        done: list[int] = np.flatnonzero(is_done).tolist()
        finished = [self._finish(slot, continuations, selected) for slot in done]
        if done:
            lives = ~is_done[selected.slots]
            selected, lengths = selected.only(lives), lengths[lives]
            selected = replace(selected, slots=self._leave(done)[selected.slots])
        self._rows = continuations.rows_of(selected, lengths)
        self._keep_attention()
        return finished

    def _end(self, continuations: Continuations, best: Indices) -> Indices:
        """End the hypotheses that came to </s> and return the numbers of the continuations that live on. Where an ended
        one spells only what its sentence has already, the next best takes its place."""
        ends = continuations.tokens[best] == self._model.eos_id
        if not ends.any():
            return best
        wanted = self._slots["wanted"].copy()
        missing: dict[int, int] = {}
        for number in best[ends].tolist():
            slot = self._end_one(continuations, number)
            if slot is not None:
                missing[slot] = missing.get(slot, 0) + 1
        more = [
            n for slot, count in missing.items() for n in self._refill(continuations, slot, int(wanted[slot]), count)
        ]
        return np.concatenate((best[~ends], np.array(more, np.intp)))

    def _refill(self, continuations: Continuations, slot: int, wanted: int, missing: int) -> Iterator[int]:
        """Yield the next best continuations of a sentence that live on, for so many places."""
        eos_id = self._model.eos_id
        for number in continuations.after(slot, wanted):
            if missing == 0:
                return
            if continuations.tokens[number] != eos_id:
                missing -= 1
                yield number
            elif self._end_one(continuations, number) is None:
                missing -= 1

    def _end_one(self, continuations: Continuations, number: int) -> int | None:
        """End one hypothesis; returns its slot if it spells what an earlier one does and is dropped."""
        row = number // continuations.width
        slot = int(continuations.rows.slots[row])
        sentence = self._sentences[slot]
        ids, places = continuations.rows.back_pointers.of(row, int(self._slots["age"][slot]))
        if not sentence.end(ids, places, float(continuations.totals[number]), is_complete=True):
            return slot
        self._slots["wanted"][slot] = sentence.num_open
        self._slots["bar"][slot] = sentence.bar
        return None

    def _is_done(self, selected: Selected) -> npt.NDArray[np.bool_]:
        """Return (slot,) whether a sentence is at its length limit, or no hypothesis can still get into the answer."""
        slots = self._slots
        best = np.full(len(slots), -np.inf)
        best[selected.slots[::-1]] = selected.totals[::-1]  # the last one written stays, and that is the first
        done: npt.NDArray[np.bool_] = (best / slots["power"] <= slots["bar"]) | (slots["age"] >= slots["cap"])
        return done

    def _finish(self, slot: int, continuations: Continuations, selected: Selected) -> Finished[T]:
        """Finish a sentence. If its answer is not full, its live hypotheses end as they are."""
        sentence, length = self._sentences[slot], int(self._slots["age"][slot]) - 1
        if not sentence.is_answered:
            for row in np.flatnonzero(selected.slots == slot).tolist():
                parent = int(selected.parents[row])
                ids, places = continuations.rows.back_pointers.of(parent, length)
                ids, places = [*ids, int(selected.tokens[row])], [*places, parent]
                sentence.end(ids, places, float(selected.totals[row]), is_complete=False)
        return sentence.answer(self._attend(slot), num_steps=int(self._slots["age"][slot]))

    def _attend(self, slot: int) -> Callable[[list[int]], Floats]:
        start, num_tokens = int(self._slots["start"][slot]), int(self._encoder_memory.lengths[slot])
        return lambda places: self._attentions.of(start=start, places=places, num_tokens=num_tokens)

    def _keep_attention(self) -> None:
        self._attentions.forget(int(self._slots["start"].min(initial=self._attentions.num_steps)))

    def _leave(self, slots: Sequence[int]) -> Ids:
        """Free these slots and move the last ones into them. Returns the new slot of each (slot,), -1 if it is gone."""
        names = list(range(len(self)))
        for slot in reversed(slots):
            self._encoder_memory.remove(slot)
            self._sentences[slot], self._slots[slot], names[slot] = self._sentences[-1], self._slots[-1], names[-1]
            del self._sentences[-1], names[-1]
            self._slots = self._slots[:-1]
        places = np.full(len(names) + len(slots), -1, np.int32)
        places[names] = np.arange(len(names), dtype=np.int32)
        return places


# Tokens of the sources in the first bucket; each next one's are twice as long. Most sentences share the first: a run
# and its bookkeeping for each of three buckets costs more than to look at some padding.
SHORTEST = 64
ENCODED_TOGETHER = 8  # sources are padded to a multiple of so many tokens, and those of one multiple share a run
# Sources and tokens of one run of the encoder. More at once are no faster for each, but take memory: of each source
# the columns of its shortlist.
MAX_ENCODED_SOURCES, MAX_ENCODED_CELLS = 8, 1024


class BeamSearch(DecodeStrategy[T]):
    """Decodes sentences with the step graph, run once a step for each length bucket in use."""

    def __init__(self, model: StepModel, *, max_rows: int) -> None:
        super().__init__(max_rows=max_rows)
        self._model = model
        self._buckets: dict[int, LengthBucket[T]] = {}  # by length

    @property
    def live_rows(self) -> int:
        """Number of places of all beams that have not ended."""
        return sum(bucket.wanted_rows for bucket in self._occupied())

    def admit(self, items: Sequence[T]) -> float:
        """Encode these sentences, which join from the next step on. Returns the seconds the encoder took."""
        self._items.update(dict.fromkeys(items))
        by_length: dict[int, list[T]] = {}
        for item in items:
            # The length that a source is padded to depends on it alone, so that others do not change its results.
            length = -(-len(item.search.ids) // ENCODED_TOGETHER) * ENCODED_TOGETHER
            by_length.setdefault(length, []).append(item)
        return sum(
            self._encode(together[first : first + encoded_at_once(length)], length)
            for length, together in by_length.items()
            for first in range(0, len(together), encoded_at_once(length))
        )

    def step(self) -> Iterator[StepResult[T]]:
        """Make one step of each bucket in use, each when its result is asked for."""
        for bucket in self._occupied():
            result = bucket.step()
            for each in result.finished:
                del self._items[each.item]
            yield result

    def _drop(self, gone: Set[T]) -> None:
        for bucket in self._occupied():
            bucket.drop([slot for slot, item in enumerate(bucket.items) if item in gone])

    def _clear(self) -> None:
        self._buckets = {}

    def _occupied(self) -> list[LengthBucket[T]]:
        return [bucket for bucket in self._buckets.values() if len(bucket)]

    def _encode(self, items: Sequence[T], length: int) -> float:
        batch = pad([item.search.ids for item in items], length=length)
        started_at = time.perf_counter()
        encoded = self._model.encode(batch)
        seconds = time.perf_counter() - started_at
        size = max(SHORTEST, 1 << (length - 1).bit_length())
        if size not in self._buckets:
            self._buckets[size] = LengthBucket(self._model, size)
        self._buckets[size].admit(items, batch.lengths, encoded)
        return seconds


def search_all(model: StepModel, searches: Sequence[Search], *, max_rows: int = MAX_ROWS) -> list[Hypotheses]:
    """Search on the calling thread and return the hypotheses of each search, in order."""
    return decode_all(BeamSearch[NumberedSearch](model, max_rows=max_rows), searches)


def encoded_at_once(length: int) -> int:
    """Return the most sources of a length that one run of the encoder may have."""
    return max(1, min(MAX_ENCODED_SOURCES, MAX_ENCODED_CELLS // length))

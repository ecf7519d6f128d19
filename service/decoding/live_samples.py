"""Live samples: texts that are being written, as rows of a step and as text, and the choice of their next tokens by
temperature, top-k, top-p and repetition penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self

import numpy as np
import numpy.typing as npt

from service.decoding.search import (
    MAX_CANDIDATES,
    NUM_RECENT,
    Alternative,
    FinishReason,
    Floats,
    LanguageState,
    NewTokens,
    NextTokens,
    Sample,
    SampledToken,
    SamplingOptions,
)
from service.decoding.strategy import Rows, T
from service.text.pipeline import Ids
from service.text.subwords import TextStream

NUM_FORBIDDEN = 3  # tokens that are no text, which may be among the best: padding, unknown, begin
COLDEST = 1e-6  # least temperature that is divided by
NO_TOKEN = -1  # fills up the recent tokens of a short text

Columns = npt.NDArray[np.intp]
Weights = npt.NDArray[np.float64]


def num_candidates(options: SamplingOptions) -> int:
    """Return how many of the likeliest tokens a choice is made from, whatever other samples there are."""
    if options.repetition_penalty != 1.0:
        return MAX_CANDIDATES
    return min(MAX_CANDIDATES, (1 if options.temperature == 0 else options.top_k) + NUM_FORBIDDEN)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChoiceParameters(Rows):
    """Parameters of the samples as arrays (row,)."""

    temperature: Weights
    top_k: Ids
    top_p: Weights
    penalty: Weights
    num_candidates: Ids

    @classmethod
    def of(cls, options: Sequence[SamplingOptions]) -> Self:
        return cls(
            temperature=np.array([each.temperature for each in options]),
            top_k=np.array([1 if each.temperature == 0 else each.top_k for each in options], np.int32),
            top_p=np.array([each.top_p for each in options]),
            penalty=np.array([each.repetition_penalty for each in options]),
            num_candidates=np.array(list(map(num_candidates, options)), np.int32),
        )


def choose(
    scores: Floats, candidates: Ids, parameters: ChoiceParameters, *, is_text: npt.NDArray[np.bool_], recent: Ids,
    draws: Weights,
) -> Columns:  # fmt: skip
    """Return the chosen column (row,) of ``scores`` and ``candidates``, both (row, candidate).

    First the log-probabilities of ``recent`` tokens (row, token) are multiplied by the penalty (Keskar et al. 2019, for
    logits), then the ``top_k`` best are kept, then of the distribution at the temperature the fewest that have a share
    of ``top_p`` (Holtzman et al. 2020). ``draws`` (row,) are uniform from 0 to 1. Sums are taken from left to right, so
    that a row's choice does not depend on how many columns other rows need. Raises ValueError if a row has no score.
    """
    places = np.arange(scores.shape[1])
    weights = scores.astype(np.float64)
    weights[~is_text[candidates] | (places >= parameters.num_candidates[:, None])] = -np.inf
    _penalise(weights, candidates, parameters.penalty, recent, num_tokens=len(is_text))
    order = np.argsort(-weights, axis=1, kind="stable")
    weights = np.take_along_axis(weights, order, axis=1)
    if not np.isfinite(weights[:, 0]).all():
        raise ValueError("no token has a score")
    weights[places >= parameters.top_k[:, None]] = -np.inf
    heat = np.maximum(parameters.temperature, COLDEST)[:, None]
    shares = np.exp((weights - weights[:, :1]) / heat)
    sums = shares.cumsum(axis=1)
    kept = (sums - shares < parameters.top_p[:, None] * sums[:, -1:]).sum(axis=1)  # of the best; at least one
    rows = np.arange(len(order))
    thresholds = draws * sums[rows, kept - 1]
    chosen = np.minimum((sums <= thresholds[:, None]).sum(axis=1), kept - 1)
    found: Columns = order[rows, chosen]
    return found


def _penalise(weights: Weights, candidates: Ids, penalty: Weights, recent: Ids, *, num_tokens: int) -> None:
    rows = np.flatnonzero(penalty != 1.0)
    if len(rows):
        places = np.arange(len(rows))[:, None]
        is_recent = np.zeros((len(rows), num_tokens + 1), np.bool_)  # NO_TOKEN is the last
        is_recent[places, recent[rows]] = True
        weights[rows] *= np.where(is_recent[places, candidates[rows]], penalty[rows, None], 1.0)


@dataclass(slots=True, kw_only=True, eq=False)
class LiveSample(Generic[T]):
    """One sample: its text so far, and its random numbers."""

    item: T
    number: int  # among the samples of its prompt
    random: np.random.Generator
    stream: TextStream
    logprobs: list[float] = field(default_factory=list)
    alternatives: list[tuple[Alternative, ...]] = field(default_factory=list)
    num_steps: int = 0
    num_told: int = 0
    finish_reason: FinishReason | None = None

    @classmethod
    def first(cls, item: T, number: int, spelling: Sequence[str]) -> Self:
        """Make a sample without a token. Its random numbers are those of its seed and number, from its position on, so
        that neither other samples nor where a text was interrupted change them."""
        prompt = item.search
        bits = np.random.PCG64(np.random.SeedSequence((prompt.seed, prompt.before.sample + number)))
        return cls(
            item=item,
            number=number,
            random=np.random.Generator(bits.advance(prompt.before.position)),
            stream=TextStream(
                spelling,
                stop=prompt.options.stop,
                before=[*prompt.before.recent.tolist(), *prompt.ids[1:].tolist()],
                strips_space=prompt.strips_space,
            ),
        )

    def add(self, token: int, logprob: float, alternatives: tuple[Alternative, ...], *, is_end: bool) -> None:
        """Append a token, or end with it."""
        self.num_steps += 1
        if is_end:
            self.finish_reason = "end"
            return
        self.stream.add(token)
        self.logprobs.append(logprob)
        self.alternatives.append(alternatives)
        if self.stream.is_stopped:
            self.finish_reason = "stop"
        elif self.num_steps == self.item.search.options.max_tokens:
            self.finish_reason = "length"

    def new_tokens(self, finished: Sample | None) -> NewTokens | None:
        """Return the tokens that may be sent now and were not told before; None without any, or if nobody listens."""
        if not self.item.search.is_streamed:
            return None
        first = self.num_told
        self.num_told = self.stream.num_ready if finished is None else len(self.stream.pieces)
        found = self._tokens(first, self.num_told)
        return NewTokens(sample=self.number, tokens=found, finished=finished) if found or finished else None

    def finished(self, state: LanguageState) -> Sample:
        assert self.finish_reason is not None  # noqa: S101  # it has ended
        return Sample(
            text=self.stream.text,
            tokens=self._tokens(0, len(self.stream.pieces)),
            num_steps=self.num_steps,
            finish_reason=self.finish_reason,
            state=state,
        )

    def _tokens(self, first: int, end: int) -> list[SampledToken]:
        return [
            SampledToken(text=text, logprob=logprob, alternatives=alternatives)
            for text, logprob, alternatives in zip(
                self.stream.pieces[first:end], self.logprobs[first:end], self.alternatives[first:end], strict=True
            )
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveSamples(Rows):
    """Samples as rows of the next step."""

    samples: npt.NDArray[np.object_]  # (row,), each a LiveSample
    tokens: Ids  # (row,), the last of each, which is read next
    state: Floats  # (row, state), before that token
    recent: Ids  # (row, NUM_RECENT), newest last, filled up with NO_TOKEN
    parameters: ChoiceParameters

    @classmethod
    def none(cls) -> Self:
        return cls.of([], np.zeros((0, 0), np.float32))

    @classmethod
    def of(cls, samples: Sequence[LiveSample[Any]], state: Floats) -> Self:
        """Make the rows of samples without a token; ``state`` (row, state) precedes their prompts' last tokens."""
        recent = np.full((len(samples), NUM_RECENT), NO_TOKEN, np.int32)
        for row, each in enumerate(samples):
            prompt = each.item.search
            last = np.concatenate((prompt.before.recent, prompt.ids[1:]))[-NUM_RECENT:]
            recent[row, NUM_RECENT - len(last) :] = last
        return cls(
            samples=np.fromiter(samples, np.object_, len(samples)),
            tokens=recent[:, -1].copy(),
            state=state,
            recent=recent,
            parameters=ChoiceParameters.of([each.item.search.options for each in samples]),
        )

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def num_candidates(self) -> int:
        """Return how many next tokens to ask for of each row."""
        told = max(each.item.search.options.num_alternatives for each in self.samples)
        return max(int(self.parameters.num_candidates.max()), told + NUM_FORBIDDEN if told else 0)

    def after(self, outputs: NextTokens, *, eos_id: int, is_text: npt.NDArray[np.bool_]) -> Self:
        """Choose the next token of every sample; those that have ended are still among the rows."""
        draws = np.fromiter((each.random.random() for each in self.samples), np.float64, len(self))
        columns = choose(
            outputs.scores, outputs.candidates, self.parameters, is_text=is_text, recent=self.recent, draws=draws
        )
        rows = np.arange(len(self))
        tokens, logprobs = outputs.candidates[rows, columns], outputs.scores[rows, columns]
        for row, (each, token, logprob) in enumerate(
            zip(self.samples, tokens.tolist(), logprobs.tolist(), strict=True)
        ):
            wanted = each.item.search.options.num_alternatives
            alternatives = _alternatives(outputs, row, wanted, is_text) if wanted else ()
            each.add(token, logprob, alternatives, is_end=token == eos_id)
        recent = np.concatenate((self.recent[:, 1:], tokens[:, None]), axis=1)
        return replace(self, tokens=tokens, state=outputs.state, recent=recent)

    def finished(self, row: int) -> Sample | None:
        """Return the sample of a row that has ended; None if it has not."""
        live, recent = self.samples[row], self.recent[row]
        if live.finish_reason is None:
            return None
        before = live.item.search.before
        state = LanguageState(  # behind the sample; its last token has not been read
            vector=self.state[row].copy(),
            recent=recent[recent != NO_TOKEN],
            position=before.position + live.num_steps,
            sample=before.sample + live.number,
        )
        return live.finished(state)  # type: ignore[no-any-return]


def _alternatives(
    outputs: NextTokens, row: int, wanted: int, is_text: npt.NDArray[np.bool_]
) -> tuple[Alternative, ...]:
    candidates, scores = outputs.candidates[row], outputs.scores[row]
    kept = np.flatnonzero(is_text[candidates])[:wanted]
    return tuple(map(Alternative, candidates[kept].tolist(), scores[kept].tolist()))

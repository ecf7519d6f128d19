"""Language model: prompts to be continued, texts to be scored, and the log-probability of every token."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from service.bundle import MANIFEST, SUBWORDS, Bundle, Manifest
from service.decoding.sampler import sample_all
from service.decoding.search import MAX_CANDIDATES, LanguageState, Prompt, Sample, SamplingOptions
from service.decoding.worker import TURN_SECONDS
from service.errors import NoWordsError
from service.predictors.graphs import STATE, LanguageGraphs
from service.predictors.language_state import dump_state, load_state
from service.predictors.predictor import Bounds, drift, largest_batches, longest_run, reading, too_long
from service.runtime.session import Session
from service.text.pipeline import Batch, Ids, pad
from service.text.subwords import EOS_ID, Subwords, TextPieces


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextScoring:
    """Ids of a text that is to be scored, and the place of each token in it, in code points."""

    ids: Ids  # (time,), begins with the token before the text
    starts: Sequence[int]
    ends: Sequence[int]
    truncated: bool = False  # whether it is the beginning only

    @property
    def num_tokens(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredText:
    """Log-probability of each token of a text, given those before it."""

    logprobs: tuple[float, ...]

    @property
    def logprob(self) -> float:
        """Log-probability of the text."""
        return sum(self.logprobs)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedPrompt:
    """A prompt as the sampler takes it."""

    search: Prompt
    truncated: bool = False

    @property
    def rows(self) -> tuple[Prompt]:
        """The one row."""
        return (self.search,)

    @property
    def num_tokens(self) -> int:
        return len(self.search.ids) - 1


class LanguageExample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text, its log-probability, and the tokens that are the likeliest to follow, when the bundle was made."""

    prompt: str
    log_probability: float
    continuation: str
    scores: list[float]  # of the continuation's tokens, an end too


LanguageAnswer = tuple[tuple[float, ...], Sample]  # to an example: the scores of its prompt, and the continuation


class LanguageModel:
    """Scores and continues texts with a bundle; ``graphs`` is its network. May be called by several threads at once.
    Raises BundleError if manifest or subwords are not those of a language model."""

    example_decoder = msgspec.json.Decoder(list[LanguageExample])

    def __init__(self, bundle: Bundle, *, reader: Session, step: Session) -> None:
        manifest, path = bundle.manifest, bundle.path(SUBWORDS)
        with reading(path, "the subwords of a language model"):
            subwords = Subwords.load(path, symbols=())
        with reading(bundle.path(MANIFEST), "the manifest of a language model"):
            self.max_tokens = manifest.limits["max_tokens"]  # of a text or a prompt
            self.max_new_tokens = manifest.limits["max_target_tokens"]  # of a sample
            state_size = _state_size_of(manifest)
        self.pieces = TextPieces(subwords)
        self.graphs = LanguageGraphs(reader=reader, step=step, pieces=self.pieces, state_size=state_size)
        self._checksum = bundle.checksum

    def first_state(self) -> LanguageState:
        """Return the state before any text."""
        return LanguageState(vector=self.graphs.first_state(1)[0], recent=np.array([EOS_ID], np.int32))

    def load_state(self, text: str) -> LanguageState:
        """Read a state that this model has answered. Raises InvalidRequestError that says what is wrong."""
        return load_state(
            text,
            model_checksum=self._checksum,
            state_size=self.graphs.state_size,
            vocabulary_size=len(self.pieces.subwords),
        )

    def dump_state(self, state: LanguageState) -> str:
        """Write a state for a caller to keep."""
        return dump_state(state, model_checksum=self._checksum)

    def encode_prompt(
        self,
        text: str,
        options: SamplingOptions,
        *,
        before: LanguageState,
        seed: int,
        num_samples: int = 1,
        is_streamed: bool = False,
        truncate: bool = False,
    ) -> EncodedPrompt:
        """Encode a text that follows a state. Raises InputTooLongError, unless truncated: then its end is read."""
        continued = self.pieces.encode_prompt(text, last=int(before.recent[-1]))
        most = self.max_tokens
        if len(continued.ids) > most and not truncate:
            raise too_long("text", len(continued.ids), most)
        prompt = Prompt(
            before=before,
            ids=np.concatenate((before.recent[-1:], continued.ids[-most:])),
            num_samples=num_samples,
            seed=seed,
            options=options,
            strips_space=continued.strips_space,
            is_streamed=is_streamed,
        )
        return EncodedPrompt(search=prompt, truncated=len(continued.ids) > most)

    def encode(self, text: str) -> TextScoring:
        """Encode a text to be scored. Raises InputTooLongError, and NoWordsError if there is nothing in it."""
        whole = self._encode_whole(text)
        if whole.num_tokens > self.max_tokens:
            raise too_long("text", whole.num_tokens, self.max_tokens)
        return whole

    def encode_beginning(self, text: str) -> TextScoring:
        """Encode as much of a text as the limit allows. Raises NoWordsError if there is nothing in it."""
        whole, most = self._encode_whole(text), self.max_tokens
        return replace(
            whole,
            ids=whole.ids[: most + 1],
            starts=whole.starts[:most],
            ends=whole.ends[:most],
            truncated=whole.num_tokens > most,
        )

    def _encode_whole(self, text: str) -> TextScoring:
        ids, places = self.pieces.subwords.encode_with_offsets(text)
        if not ids or text.isspace():
            raise NoWordsError("holds no word")
        starts, ends = [start for start, _ in places], [end for _, end in places]
        return TextScoring(ids=np.array([EOS_ID, *ids], np.int32), starts=starts, ends=ends)

    def run(self, batch: Batch) -> list[ScoredText]:
        """Score each row as if it had been run alone."""
        return [ScoredText(logprobs=tuple(row.tolist())) for row in self.graphs.score(batch)]

    def answer(self, examples: Sequence[LanguageExample]) -> list[LanguageAnswer]:
        """Answer examples together. Raises InvalidRequestError."""
        prompts = [self._prompt_of(example) for example in examples]
        rows = [each.ids for each in prompts if len(each.ids) > 1]
        scored = iter(self.run(pad(rows)) if rows else ())
        logprobs = [next(scored).logprobs if len(each.ids) > 1 else () for each in prompts]
        samples = sample_all(self.graphs, prompts)
        return [(each, continued) for each, (continued,) in zip(logprobs, samples, strict=True)]

    def _prompt_of(self, example: LanguageExample) -> Prompt:
        options = SamplingOptions(temperature=0.0, max_tokens=len(example.scores))
        prompt = self.encode_prompt(example.prompt, options, before=self.first_state(), seed=0).search
        return replace(prompt, strips_space=False)

    def difference(self, example: LanguageExample, answer: LanguageAnswer, max_drift: float) -> str:
        """Describe how the answer differs from the example's; empty if it does not. Of the prompt's log-probability the
        mean over tokens counts."""
        logprobs, sample = answer
        num_tokens = max(1, len(logprobs))
        if (sample.text, sample.num_steps) != (example.continuation, len(example.scores)):
            return f"continuation is {sample.text!r}, expected {example.continuation!r}"
        expected = [example.log_probability / num_tokens, *example.scores[: len(sample.tokens)]]
        found = [sum(logprobs) / num_tokens, *(each.logprob for each in sample.tokens)]
        return drift(expected, found, max_drift)

    def warm_up(self, bounds: Bounds) -> float:
        """Read the largest batches there will be, and make the largest step."""
        batches = largest_batches(cells=bounds.cells, max_tokens=self.max_tokens)
        longer = (Batch(ids=np.pad(each.ids, ((0, 0), (1, 0))), lengths=each.lengths + 1) for each in batches)
        reading = longest_run(self.run, longer)
        began_at = time.perf_counter()
        tokens = np.full(bounds.decoder_rows, EOS_ID, np.int32)
        self.graphs.step(tokens, self.graphs.first_state(bounds.decoder_rows), MAX_CANDIDATES)
        return TURN_SECONDS + reading + time.perf_counter() - began_at


def _state_size_of(manifest: Manifest) -> int:
    """Return the size of a state, which only the manifest says. Raises ValueError if it does not."""
    for each in manifest.inputs:
        if each.name == STATE and isinstance(each.shape[-1], int):
            return each.shape[-1]
    raise ValueError("its inputs have no state of a fixed size")

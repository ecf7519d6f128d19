"""POST /generate: continuations of prompts, all at once or streamed token by token."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import cast

from msgspec import UNSET, UnsetType

from service.api.answers import EVENT_STREAM, SCORE_DIGITS, error_event, event, event_stream, refused_events
from service.api.context import RequestContext
from service.api.endpoint import AdmittedRequest, Refusal, TaskAnswer, TaskEndpoint
from service.api.language_schemas import (
    DEFAULT_MAX_TOKENS,
    MAX_SEED,
    AlternativeAnswer,
    GeneratedToken,
    GenerateRequest,
    GenerateResponse,
    GenerateResult,
    SampleAnswer,
    SampleEvent,
    TokenEvent,
)
from service.api.schemas import DoneEvent
from service.api.validation import InputItem, check_at_most, read_texts
from service.decoding.decoder import Decoder
from service.decoding.search import NewTokens, Sample, SampledToken, Samples, SamplingOptions
from service.errors import CallerLeftError, InvalidRequestError
from service.models.registry import ServedModel
from service.predictors.language_model import EncodedPrompt, LanguageModel
from service.scheduling.job import Done, Job
from service.settings import Settings

MAX_ANSWER_TOKENS = 2**18  # of all samples of a request, alternatives included: some 9 MB of JSON
ESTIMATED = 0.9  # of the tokens that are asked for: what a request writes at least as a rule
ServedLanguageModel = ServedModel[LanguageModel]
AdmittedPrompts = AdmittedRequest[LanguageModel, EncodedPrompt]


class GenerateEndpoint(TaskEndpoint[GenerateRequest, LanguageModel, EncodedPrompt]):
    """Endpoint of language models that continue prompts: one row per prompt."""

    task = "generate"
    path = "/generate"
    summary = "Text that goes on from a prompt"
    description = "Continue prompts, token by token, as a language model finds likely."
    request = GenerateRequest
    response = GenerateResponse
    answer_description = f"One result per prompt, in order; with stream, {EVENT_STREAM}: an event per token"

    def find(self, data: GenerateRequest) -> ServedLanguageModel:
        """Return the model that will answer. Raises InvalidRequestError if more is asked for than it writes."""
        served: ServedLanguageModel = super().find(data)
        if data.max_tokens is not None:
            check_at_most(data.max_tokens, served.predictor.max_new_tokens, "max_tokens", "this model's limit")
        return served

    def estimated_cost(self, data: GenerateRequest, items: Sequence[InputItem], served: ServedLanguageModel) -> int:
        """Return what the request costs at least as a rule: what it writes, whatever it reads."""
        max_tokens = _max_tokens(data, served.predictor)
        return max(1, int(ESTIMATED * len(items) * data.num_samples * max_tokens))

    def read(self, data: GenerateRequest, limits: Settings) -> list[InputItem]:
        items = read_texts(data.prompt, limits, path="prompt")
        if (asked := len(items) * _answer_tokens(data)) > MAX_ANSWER_TOKENS:
            message = (
                f"prompts x num_samples x max_tokens x (1 + logprobs) are {asked}, the limit is {MAX_ANSWER_TOKENS}: "
                "send fewer at once"
            )
            raise InvalidRequestError.at("max_tokens", message)
        return items

    def answer_work(self, data: GenerateRequest, admitted: AdmittedPrompts) -> int:
        """Return what writing the answer costs: a token about as much as a character of a tagger's text."""
        return len(admitted.items) * _answer_tokens(data)

    def encode(self, item: InputItem, data: GenerateRequest, model: LanguageModel) -> EncodedPrompt:
        return model.encode_prompt(
            item.text,
            _options_of(data, model),
            before=model.first_state() if data.state is None else model.load_state(data.state),
            seed=random.randint(0, MAX_SEED) if data.seed is None else data.seed,  # noqa: S311  # it is no secret
            num_samples=data.num_samples,
            is_streamed=data.stream,
            truncate=data.truncate,
        )

    def decode(
        self, model: LanguageModel, data: GenerateRequest, items: Sequence[EncodedPrompt], answers: Sequence[Samples]
    ) -> list[GenerateResult]:
        return [
            GenerateResult(samples=[sample_answer(each, data, model) for each in samples], truncated=item.truncated)
            for item, samples in zip(items, answers, strict=True)
        ]

    def refuse(self, refusal: Refusal, data: GenerateRequest) -> GenerateResult:
        return GenerateResult(samples=[], truncated=False, reason=refusal.reason, detail=refusal.detail)

    async def answer(self, data: GenerateRequest, context: RequestContext) -> TaskAnswer:
        """Answer at once or with a stream of events. Errors that refuse the request come before the first event."""
        if not data.stream:
            return await super().answer(data, context)
        stream = SampleStream(await self.admit(data, context), data)
        return event_stream(stream.events(context))


def _answer_tokens(data: GenerateRequest) -> int:
    """Return the tokens that the answer to one prompt holds at most, alternatives included."""
    return data.num_samples * (data.max_tokens or DEFAULT_MAX_TOKENS) * (1 + data.logprobs)


def _max_tokens(data: GenerateRequest, model: LanguageModel) -> int:
    """Return the most tokens of a sample: as asked for, else the default or the model's limit if that is smaller."""
    return data.max_tokens or min(DEFAULT_MAX_TOKENS, model.max_new_tokens)


def _options_of(data: GenerateRequest, model: LanguageModel) -> SamplingOptions:
    return SamplingOptions(
        max_tokens=_max_tokens(data, model),
        temperature=data.temperature,
        top_k=data.top_k,
        top_p=data.top_p,
        repetition_penalty=data.repetition_penalty,
        stop=tuple(data.stop),
        num_alternatives=data.logprobs,
    )


def sample_answer(sample: Sample, data: GenerateRequest, model: LanguageModel) -> SampleAnswer:
    """Make the answer of a finished sample."""
    return SampleAnswer(
        text=sample.text,
        finish_reason=sample.finish_reason,
        tokens=[
            GeneratedToken(text=each.text, logprob=logprob_of(each.logprob), top=_alternatives(each, model))
            for each in sample.tokens
        ]
        if data.logprobs
        else UNSET,
        state=_state_of(sample, data, model),
    )


def logprob_of(value: float) -> float:
    """Round a log-probability as answers do; the sum of its exponentials may be a little over 1, it never is."""
    return min(0.0, round(value, SCORE_DIGITS))


class SampleStream:
    """The prompts of one request on their way through the decoder, told token by token."""

    def __init__(self, admitted: AdmittedPrompts, data: GenerateRequest) -> None:
        """Queue the prompts of a request. Raises OverloadedError or DeadlineExceededError."""
        self.admitted, self.data = admitted, data
        # New tokens, each with the place of their prompt among those that are continued; and in the end the job's.
        self._arrived = asyncio.Queue[tuple[int, NewTokens] | Done[Samples] | BaseException]()
        self.job: Job[Samples] = cast("Decoder", admitted.served.scheduler).enqueue(
            admitted.rows,
            deadline=admitted.deadline,
            priority=admitted.priority,
            on_progress=lambda prompt, new: self._arrived.put_nowait((prompt, new)),
        )
        self.job.done.add_done_callback(self._end)

    async def events(self, context: RequestContext) -> AsyncIterator[bytes]:
        """Yield the events, and withdraw the job if the caller disconnects, which cancels this generator."""
        try:
            for refused in refused_events(self.admitted.refused):
                yield refused
            while isinstance(arrived := await self._arrived.get(), tuple):
                for each in self._events_of(*arrived):
                    yield each
            if isinstance(arrived, Exception):
                raise arrived
            self.admitted.record(context, cast("Done[Samples]", arrived))
            yield event("done", DoneEvent(self.admitted.served.name))
        except Exception as error:
            yield error_event(error, context)
        finally:
            if not self.job.done.done():
                context.kind = CallerLeftError.kind
                self.admitted.served.scheduler.withdraw(self.job)

    def _end(self, done: asyncio.Future[Done[Samples]]) -> None:
        """Pass on the job's end. A failure then counts as seen, whether or not the stream is still read."""
        if not done.cancelled():
            self._arrived.put_nowait(done.exception() or done.result())

    def _events_of(self, prompt: int, new: NewTokens) -> Iterator[bytes]:
        place, model = self.admitted.places[prompt], self.admitted.served.predictor
        for each in new.tokens:
            top = _alternatives(each, model) if self.data.logprobs else UNSET
            yield event("token", TokenEvent(place, new.sample, each.text, logprob_of(each.logprob), top))
        if new.finished is not None:
            yield event(
                "sample",
                SampleEvent(
                    item=place,
                    sample=new.sample,
                    finish_reason=new.finished.finish_reason,
                    truncated=self.admitted.items[prompt].truncated,
                    state=_state_of(new.finished, self.data, model),
                ),
            )


def _alternatives(token: SampledToken, model: LanguageModel) -> list[AlternativeAnswer]:
    names = model.pieces.names
    return [AlternativeAnswer(names[each.id], logprob_of(each.logprob)) for each in token.alternatives]


def _state_of(sample: Sample, data: GenerateRequest, model: LanguageModel) -> str | UnsetType:
    return model.dump_state(sample.state) if data.return_state else UNSET

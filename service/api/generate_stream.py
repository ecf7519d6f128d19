"""Events of POST /generate with ``stream``: every token as soon as it is certain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Self, cast

import msgspec
from litestar import Request
from msgspec import UNSET, UnsetType

from service.api.answers import SCORE_DIGITS
from service.api.context import RequestContext, context_of
from service.api.endpoint import AdmittedRequest
from service.api.language_schemas import (
    AlternativeAnswer,
    GeneratedToken,
    GenerateRequest,
    SampleAnswer,
    SampleEvent,
    TokenEvent,
)
from service.api.problems import problem_event
from service.api.request_log import record_work
from service.api.schemas import DoneEvent, RefusedEvent
from service.decoding.decoder import Decoder
from service.decoding.sampling import NewTokens, Prompt, Sample, SampledToken, Samples
from service.errors import CallerLeftError
from service.models.registry import ServedModel
from service.predictors.language_model import EncodedPrompt, LanguageModel
from service.scheduling.job import Done, Job

ServedLanguageModel = ServedModel[LanguageModel, Prompt, Samples]
AdmittedPrompts = AdmittedRequest[LanguageModel, EncodedPrompt, Prompt, Samples]


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _New:
    """Tokens of a sample of a prompt."""

    prompt: int  # among those that are continued
    new: NewTokens


@dataclass(slots=True, kw_only=True, eq=False)
class SampleStream:
    """The prompts of one request on their way through the decoder, told token by token."""

    admitted: AdmittedPrompts
    data: GenerateRequest
    job: Job[Samples] = field(init=False)
    _arrived: asyncio.Queue[_New | Done[Samples] | BaseException] = field(default_factory=asyncio.Queue)

    @classmethod
    def start(cls, admitted: AdmittedPrompts, data: GenerateRequest) -> Self:
        """Queue the prompts of a request. Raises OverloadedError or DeadlineExceededError."""
        stream = cls(admitted=admitted, data=data)
        decoder = cast("Decoder", admitted.served.scheduler)
        stream.job = decoder.enqueue(
            admitted.rows,
            deadline=admitted.deadline,
            priority=admitted.priority,
            on_progress=lambda prompt, new: stream._arrived.put_nowait(_New(prompt=prompt, new=new)),
        )
        stream.job.done.add_done_callback(stream._end)
        return stream

    async def events(self, request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
        """Yield the events, and withdraw the job if the caller disconnects, which cancels this generator."""
        try:
            for place, refusal in self.admitted.refused.items():
                yield _event("refused", RefusedEvent(place, refusal.reason, refusal.detail))
            while isinstance(arrived := await self._arrived.get(), _New):
                for event in self._events_of(arrived):
                    yield event
            if isinstance(arrived, Exception):
                raise arrived
            self._record(context_of(request), cast("Done[Samples]", arrived))
            yield _event("done", DoneEvent(self.admitted.served.name))
        except Exception as error:  # the status is sent: all that can be done is to say it
            yield b"event: error\ndata: %b\n\n" % problem_event(error, context_of(request))
        finally:
            if not self.job.done.done():
                context_of(request).kind = CallerLeftError.kind
                self.admitted.served.scheduler.withdraw(self.job)

    def _record(self, context: RequestContext, done: Done[Samples]) -> None:
        admitted = self.admitted
        record_work(context, admitted.served.name, done, items=admitted.num_items, tokens=admitted.num_tokens)

    def _end(self, done: asyncio.Future[Done[Samples]]) -> None:
        """Pass on the job's end. A failure then counts as seen, whether or not the stream is still read."""
        if not done.cancelled():
            self._arrived.put_nowait(done.exception() or done.result())

    def _events_of(self, arrived: _New) -> Iterator[bytes]:
        place, new, model = self.admitted.places[arrived.prompt], arrived.new, self.admitted.served.predictor
        for each in new.tokens:
            top = _alternatives(each, model) if self.data.logprobs else UNSET
            yield _event("token", TokenEvent(place, new.sample, each.text, logprob_of(each.logprob), top))
        if new.finished is not None:
            yield _event(
                "sample",
                SampleEvent(
                    item=place,
                    sample=new.sample,
                    finish_reason=new.finished.finish_reason,
                    truncated=self.admitted.items[arrived.prompt].truncated,
                    state=_state_of(new.finished, self.data, model),
                ),
            )


def _alternatives(token: SampledToken, model: LanguageModel) -> list[AlternativeAnswer]:
    names = model.pieces.names
    return [AlternativeAnswer(names[each.id], logprob_of(each.logprob)) for each in token.alternatives]


def _state_of(sample: Sample, data: GenerateRequest, model: LanguageModel) -> str | UnsetType:
    return model.dump_state(sample.state) if data.return_state else UNSET


def _event(name: str, data: msgspec.Struct) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))

"""POST /generate: continuations of prompts, all at once or streamed token by token."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from litestar.response.base import ASGIResponse

from service.api.answers import EVENT_STREAM, event_stream
from service.api.endpoint import Refusal, TaskEndpoint
from service.api.generate_stream import AdmittedPrompts, SampleStream, ServedLanguageModel, sample_answer
from service.api.language_schemas import (
    DEFAULT_MAX_TOKENS,
    MAX_SEED,
    GenerateRequest,
    GenerateResponse,
    GenerateResult,
)
from service.api.problems import PROBLEMS
from service.api.validation import InputItem, check_at_most, read_texts
from service.decoding.sampling import Prompt, Samples, SamplingOptions
from service.errors import FieldError, InvalidRequestError
from service.models.cards import Limits
from service.predictors.language_model import EncodedPrompt, GenerateOptions, LanguageModel

MAX_ANSWER_TOKENS = 2**18  # of all samples of a request, alternatives included: some 9 MB of JSON
ANSWER = ResponseSpec(
    GenerateResponse,
    description=f"One result per prompt, in order; with stream, {EVENT_STREAM}: an event per token",
    generate_examples=False,
)

ESTIMATED = 0.9  # of the tokens that are asked for: what a request writes at least as a rule


class GenerateEndpoint(TaskEndpoint[GenerateRequest, LanguageModel, EncodedPrompt, Prompt, Samples]):
    """Endpoint of language models that continue prompts: one row per prompt."""

    task = "generate"
    response = GenerateResponse

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

    def read(self, data: GenerateRequest, limits: Limits) -> list[InputItem]:
        items = read_texts(data.prompt, limits, path="prompt")
        if (asked := len(items) * _answer_tokens(data)) > MAX_ANSWER_TOKENS:
            message = (
                f"prompts x num_samples x max_tokens x (1 + logprobs) are {asked}, the limit is {MAX_ANSWER_TOKENS}: "
                "send fewer at once"
            )
            raise InvalidRequestError(message, errors=[FieldError(path="max_tokens", message=message)])
        return items

    def answer_work(self, data: GenerateRequest, admitted: AdmittedPrompts) -> int:
        """Return what writing the answer costs: a token about as much as a character of a tagger's text."""
        return len(admitted.items) * _answer_tokens(data)

    def encode(self, item: InputItem, data: GenerateRequest, model: LanguageModel) -> EncodedPrompt:
        before = model.first_state() if data.state is None else model.load_state(data.state)
        return model.encode_prompt(item.text, _options_of(data, model), before=before)

    def decode(
        self,
        served: ServedLanguageModel,
        data: GenerateRequest,
        items: Sequence[EncodedPrompt],
        answers: Sequence[Samples],
    ) -> list[GenerateResult]:
        return [
            GenerateResult(
                samples=[sample_answer(each, data, served.predictor) for each in samples], truncated=item.truncated
            )
            for item, samples in zip(items, answers, strict=True)
        ]

    def refuse(self, refusal: Refusal, data: GenerateRequest) -> GenerateResult:
        return GenerateResult(samples=[], truncated=False, reason=refusal.reason, detail=refusal.detail)

    async def stream(self, data: GenerateRequest, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Answer with a stream of events. Errors that refuse the request are raised here, before the first event."""
        stream = SampleStream.start(await self.admit(data, request), data)
        return event_stream(stream.events(request))


def generate_route(endpoint: GenerateEndpoint) -> HTTPRouteHandler:
    """Make the route of the endpoint."""

    @post("/generate", status_code=200, summary="Text that goes on from a prompt", responses={200: ANSWER, **PROBLEMS})
    async def generate(data: JSONBody[GenerateRequest], request: Request[Any, Any, Any]) -> ASGIResponse:
        """Continue prompts, token by token, as a language model finds likely."""
        return await (endpoint.stream(data, request) if data.stream else endpoint.answer(data, request))

    return generate


def _answer_tokens(data: GenerateRequest) -> int:
    """Return the tokens that the answer to one prompt holds at most, alternatives included."""
    return data.num_samples * (data.max_tokens or DEFAULT_MAX_TOKENS) * (1 + data.logprobs)


def _max_tokens(data: GenerateRequest, model: LanguageModel) -> int:
    """Return the most tokens of a sample: as asked for, else the default or the model's limit if that is smaller."""
    return data.max_tokens or min(DEFAULT_MAX_TOKENS, model.max_new_tokens)


def _options_of(data: GenerateRequest, model: LanguageModel) -> GenerateOptions:
    sampling = SamplingOptions(
        max_tokens=_max_tokens(data, model),
        temperature=data.temperature,
        top_k=data.top_k,
        top_p=data.top_p,
        repetition_penalty=data.repetition_penalty,
        stop=tuple(data.stop),
        num_alternatives=data.logprobs,
    )
    return GenerateOptions(
        sampling=sampling,
        seed=random.randint(0, MAX_SEED) if data.seed is None else data.seed,  # noqa: S311  # it is no secret
        num_samples=data.num_samples,
        is_streamed=data.stream,
        truncate=data.truncate,
    )

"""POST /score: how likely texts are, token by token, and which choice fits a gap best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp

import numpy as np

from service.api.answers import PARTS, SCORE_DIGITS, apportion
from service.api.endpoint import Refusal, TaskEndpoint
from service.api.generate import logprob_of
from service.api.language_schemas import GAP, ScoredChoice, ScoredToken, ScoreRequest, ScoreResponse, ScoreResult
from service.api.validation import InputItem, check_lengths, read_texts
from service.errors import FieldError, InputTooLongError, InvalidRequestError
from service.models.registry import ServedModel
from service.predictors.language_model import LanguageModel, ScoredText, TextScoring
from service.settings import Settings
from service.text.pipeline import Ids
from service.text.spans import offset_table

MAX_CHOICES = 4096  # in all texts of a request: each is a row for the network
MOST_NATS = 700.0  # a token, in a perplexity: a float holds no more


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredItem:
    """A text, or one text for each choice, and the rows for the network."""

    text: str
    scorings: Sequence[TextScoring]

    @property
    def rows(self) -> list[Ids]:
        return [each.ids for each in self.scorings]

    @property
    def num_tokens(self) -> int:
        return sum(each.num_tokens for each in self.scorings)

    @property
    def truncated(self) -> bool:
        return any(each.truncated for each in self.scorings)


class ScoreEndpoint(TaskEndpoint[ScoreRequest, LanguageModel, ScoredItem]):
    """Endpoint of language models that score texts: one row per text, or per choice."""

    task = "generate"
    path = "/score"
    summary = "How likely a text is"
    description = "Say how likely a language model finds each text and each of its tokens, or each choice for a gap."
    request = ScoreRequest
    response = ScoreResponse

    def find(self, data: ScoreRequest) -> ServedModel[LanguageModel]:
        """Return the model that will answer, as it scores texts. Raises NotReadyError or UnknownModelError."""
        scorer = super().find(data).scorer
        assert scorer is not None  # noqa: S101  # every language model has one
        return scorer

    def work(self, data: ScoreRequest, length: int) -> int:
        return length * len(data.choices or "_")

    def cost_factor(self, data: ScoreRequest) -> float:
        return len(data.choices or "_")

    def read(self, data: ScoreRequest, limits: Settings) -> list[InputItem]:
        items = read_texts(data.text, limits)
        if data.choices is not None:
            if (rows := len(items) * len(data.choices)) > MAX_CHOICES:
                message = f"texts x choices are {rows}, the limit is {MAX_CHOICES}: send fewer at once"
                raise InvalidRequestError.at("choices", message)
            _check_gaps(items)
            read_texts(data.choices, limits, path="choices")  # for its errors
            sizes = [len(choice) - len(GAP) for choice in data.choices]
            longest = [replace(item, length=item.length + max(sizes)) for item in items]
            total = len(sizes) * sum([item.length for item in items]) + len(items) * sum(sizes)
            check_lengths(longest, limits, total=total)
        return items

    def encode(self, item: InputItem, data: ScoreRequest, model: LanguageModel) -> ScoredItem:
        texts = [item.text.replace(GAP, choice) for choice in data.choices or (GAP,)]
        encode = model.encode_beginning if data.truncate else model.encode
        scored = ScoredItem(text=item.text, scorings=list(map(encode, texts)))
        if data.choices is not None and scored.truncated:
            raise InputTooLongError("a text with a choice in it is over the model's limit: its gap may be cut off")
        return scored

    def decode(
        self, model: LanguageModel, data: ScoreRequest, items: Sequence[ScoredItem], answers: Sequence[ScoredText]
    ) -> list[ScoreResult]:
        if data.choices is None:
            return [_text_result(item, row, data) for item, row in zip(items, answers, strict=True)]
        size = len(data.choices)
        rows = [answers[first : first + size] for first in range(0, len(answers), size)]
        return [_choice_result(item, scored, data.choices) for item, scored in zip(items, rows, strict=True)]

    def refuse(self, refusal: Refusal, data: ScoreRequest) -> ScoreResult:
        if data.choices is not None:
            return ScoreResult(choices=[], truncated=False, reason=refusal.reason, detail=refusal.detail)
        return ScoreResult(
            logprob=None,
            perplexity=None,
            num_tokens=0,
            tokens=[],
            truncated=False,
            reason=refusal.reason,
            detail=refusal.detail,
        )


def _check_gaps(items: Sequence[InputItem]) -> None:
    """Raise InvalidRequestError unless each text has one gap."""
    wrong = [
        FieldError(path=item.path, message=f"must hold the gap {GAP} once, holds it {item.text.count(GAP)} times")
        for item in items
        if item.text.count(GAP) != 1
    ]
    if wrong:
        raise InvalidRequestError.of(wrong)


def _text_result(item: ScoredItem, row: ScoredText, data: ScoreRequest) -> ScoreResult:
    (scoring,) = item.scorings
    table = offset_table(item.text, data.offset_unit)
    starts, ends = scoring.starts, scoring.ends
    counted = (starts, ends) if table is None else (table[starts].tolist(), table[ends].tolist())
    texts = [item.text[start:end] for start, end in zip(starts, ends, strict=True)]
    return ScoreResult(
        logprob=logprob_of(row.logprob),
        perplexity=round(exp(min(MOST_NATS, -row.logprob / len(row.logprobs))), SCORE_DIGITS),
        num_tokens=len(row.logprobs),
        tokens=list(map(ScoredToken, texts, *counted, map(logprob_of, row.logprobs))),
        truncated=scoring.truncated,
    )


def _choice_result(item: ScoredItem, rows: Sequence[ScoredText], choices: Sequence[str]) -> ScoreResult:
    """Make the result of a gap: the texts' probabilities, divided by their sum."""
    logprobs = np.array([row.logprob for row in rows])
    shares = np.exp(logprobs - logprobs.max())
    parts = apportion((shares / shares.sum()).tolist(), PARTS)
    scored = zip(choices, parts, logprobs.tolist(), strict=True)
    return ScoreResult(
        choices=[ScoredChoice(text, part / PARTS, logprob_of(logprob)) for text, part, logprob in scored],
        truncated=item.truncated,
    )

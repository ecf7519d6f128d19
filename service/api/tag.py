"""POST /tag: parts of speech and entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from service.api.answers import TaggedItem, tag_results
from service.api.context import RequestContext
from service.api.endpoint import Refusal, TaskAnswer, TaskEndpoint, WholeAnswer
from service.api.schemas import EntityAnswer, TagRequest, TagResponse, TagResult
from service.api.tag_formats import (
    MEDIA_TYPES,
    SpacyDoc,
    refused_doc,
    spacy_doc,
    with_format,
    write_results,
)
from service.api.validation import InputItem, read_texts, read_tokens
from service.models.cards import Limits, ModelName
from service.predictors.tagger import TaggedRow, Tagger
from service.text.tokenizer import Sentence, join_words, split_sentences

_encoder = msgspec.json.Encoder()


class TagEndpoint(TaskEndpoint[TagRequest, Tagger, TaggedItem]):
    """Endpoint of taggers: one row per sentence."""

    task = "tag"
    path = "/tag"
    summary = "Parts of speech and entities"
    description = "Split text into sentences and tokens and say what each one is."
    request = TagRequest
    response = TagResponse

    async def answer(self, data: TagRequest, context: RequestContext) -> TaskAnswer:
        if data.format is not None or b"accept" in context.headers:
            data = with_format(data, context.headers)
        return await super().answer(data, context)

    def read(self, data: TagRequest, limits: Limits) -> list[InputItem]:
        if data.tokens is None and data.text is not None:
            return read_texts(data.text, limits)
        return read_tokens(text=data.text, tokens=data.tokens, limits=limits)

    def encode(self, item: InputItem, data: TagRequest, model: Tagger) -> TaggedItem:
        text, sentences = (item.text, split_sentences(item.text)) if item.tokens is None else joined(item.tokens)
        kept = [model.shorten(sentence) for sentence in sentences] if data.truncate else sentences
        return TaggedItem.of(text, list(map(model.encode, kept)), truncated=kept != sentences)

    def decode(
        self, model: Tagger, data: TagRequest, items: Sequence[TaggedItem], answers: Sequence[TaggedRow]
    ) -> list[TagResult] | list[SpacyDoc]:
        results = tag_results(items, answers, data)
        if data.format == "spacy":
            pos = "pos" in data.tasks
            return [spacy_doc(item.text, result, pos=pos) for item, result in zip(items, results, strict=True)]
        return results

    def refuse(self, refusal: Refusal, data: TagRequest) -> TagResult | SpacyDoc:
        entities: list[EntityAnswer] | UnsetType = [] if "ner" in data.tasks else UNSET
        result = TagResult([], entities, reason=refusal.reason, detail=refusal.detail)
        return refused_doc(result) if data.format == "spacy" else result

    def write(self, data: TagRequest, model: ModelName, results: Sequence[Any]) -> WholeAnswer:
        if data.format is None:  # as a rule
            return WholeAnswer(_encoder.encode(TagResponse(model, list(results))), "application/json")
        return WholeAnswer(write_results(data.format, model, results), MEDIA_TYPES[data.format])


def joined(tokens: Sequence[str]) -> tuple[str, list[Sentence]]:
    """Return the text that the offsets of tokens index, and its sentences: one, or none without tokens."""
    if not tokens:
        return "", []
    text, sentence = join_words(tokens)
    return text, [sentence]

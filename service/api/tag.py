"""POST /tag: parts of speech and entities, as JSON, as CoNLL-U, or as the JSON that spaCy's ``Doc.to_json`` writes.

A request chooses a format by its field ``format`` or, without that, by its Accept header. The two beside JSON count
offsets in Unicode code points.

CoNLL-U: https://universaldependencies.org/format.html. The names in MISC (``start_char``, ``end_char``, ``ner``) are
those that Stanza reads and writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import msgspec
from litestar import MediaType
from litestar.datastructures.headers import Accept
from msgspec import UNSET, Struct, UnsetType

from service.api.answers import TaggedItem, tag_results
from service.api.context import RequestContext
from service.api.endpoint import Refusal, TaskAnswer, TaskEndpoint, WholeAnswer
from service.api.schemas import (
    Detail,
    EntityAnswer,
    Reason,
    SentenceAnswer,
    TagFormat,
    TagRequest,
    TagResponse,
    TagResult,
    TokenAnswer,
)
from service.api.validation import InputItem, read_texts, read_tokens
from service.errors import InvalidRequestError
from service.models.registry import ModelName, full_name
from service.predictors.tagger import TaggedRow, Tagger
from service.settings import Settings
from service.text.tokenizer import Sentence, join_words, split_sentences

CONLLU, SPACY_JSON = "text/x-conllu", "application/x-spacy+json"
FORMATS: Mapping[str, TagFormat] = {MediaType.JSON: "json", CONLLU: "conllu", SPACY_JSON: "spacy"}
MEDIA_TYPES = {"json": MediaType.JSON.value, "conllu": f"{CONLLU}; charset=utf-8", "spacy": SPACY_JSON}
_ASKS_FOR_FORMAT = re.compile(f"{re.escape(CONLLU)}|{re.escape(SPACY_JSON)}".encode())
EMPTY = "_"  # a column of CoNLL-U without a value
SPACE_TAG, SPACE_POS = "_SP", "SPACE"  # of spaCy's tokens that are white space


class SpacyToken(Struct, frozen=True, gc=False):
    """A token as spaCy has them: white space other than the one space after a word is a token too."""

    id: int
    start: int
    end: int
    tag: str | UnsetType = UNSET
    pos: str | UnsetType = UNSET


class SpacySpan(Struct, frozen=True, gc=False):
    """Place of a sentence, the white space after it included."""

    start: int
    end: int


class SpacyEntity(Struct, frozen=True, gc=False):
    """Place and label of an entity."""

    start: int
    end: int
    label: str


class SpacyDoc(Struct, frozen=True, kw_only=True):
    """Answer to one text in the shape of spaCy's ``Doc.to_json``; one that is refused has a reason and no text."""

    text: str | UnsetType = UNSET
    ents: list[SpacyEntity] | UnsetType = UNSET
    sents: list[SpacySpan]
    tokens: list[SpacyToken]
    truncated: bool | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET
    detail: Detail | UnsetType = UNSET


class SpacyResponse(Struct, frozen=True):
    """Results of all texts, in order."""

    model: ModelName
    results: list[SpacyDoc]


def with_format(data: TagRequest, headers: Mapping[bytes, bytes]) -> TagRequest:
    """Return the request with the format that its Accept header asks for, if it names none itself. Raises
    InvalidRequestError if the format counts in code points and the request asks for another unit."""
    accept = headers.get(b"accept")
    if data.format is None and accept is not None and _ASKS_FOR_FORMAT.search(accept):
        data = msgspec.structs.replace(data, format=_accepted(accept.decode("latin-1")))
    if data.format in ("conllu", "spacy") and data.offset_unit != "codepoint":
        raise InvalidRequestError.at("offset_unit", f"must be codepoint with the format {data.format}")
    return data


def spacy_doc(text: str, result: TagResult, *, pos: bool) -> SpacyDoc:
    """Convert a result, with offsets in code points, to spaCy's shape; ``text`` is what its offsets index. Text between
    two tokens that is more than one space becomes a token, so that the tokens and the spaces after them are the text.
    """
    tokens: list[SpacyToken] = []
    firsts: list[int] = []  # index of the first token of each sentence
    end = 0  # of the last token, the one space after it included

    def add_gap(until: int) -> None:
        if until > end:
            tag, kind = (SPACE_TAG, SPACE_POS) if text[end:until].isspace() else ("", "")
            tokens.append(SpacyToken(len(tokens), end, until, *((tag, kind) if pos else ())))

    for sentence in result.sentences:
        for number, token in enumerate(sentence.tokens):
            add_gap(token.start)
            if number == 0:
                firsts.append(len(tokens) if firsts else 0)
            tokens.append(SpacyToken(len(tokens), token.start, token.end, token.xpos, token.upos))
            end = token.end + text.startswith(" ", token.end)
    add_gap(len(text))
    borders = pairwise([*firsts, len(tokens)])
    return SpacyDoc(
        text=text,
        ents=spacy_entities(result),
        sents=[SpacySpan(tokens[first].start, tokens[next_first - 1].end) for first, next_first in borders],
        tokens=tokens,
        truncated=result.truncated,
        reason=result.reason,
        detail=result.detail,
    )


def spacy_entities(result: TagResult) -> list[SpacyEntity] | UnsetType:
    """Return the entities of a result in spaCy's shape; unset where none were asked for."""
    if result.entities is UNSET:
        return UNSET
    return [SpacyEntity(each.start, each.end, each.label) for each in result.entities]


def _accepted(header: str) -> TagFormat:
    """Return the format that an Accept header prefers."""
    with suppress(OverflowError):  # which Litestar raises for q=inf
        best = Accept(header).best_match(list(FORMATS))
        return FORMATS.get(best or "", "json")
    return "json"


def _conllu_lines(response: TagResponse) -> Iterator[str]:
    yield f"# generator = {full_name(response.model)}\n"
    for place, result in enumerate(response.results):
        yield f"# newdoc id = {place}\n"
        if result.truncated is True:
            yield "# truncated = true\n"
        if result.reason is not UNSET:
            yield f"# reason = {result.reason}\n"
        if result.detail is not UNSET:
            yield f"# detail = {result.detail}\n"
        if not result.sentences:
            yield "\n"
        for number, sentence in enumerate(result.sentences):
            following = result.sentences[number + 1].start if number + 1 < len(result.sentences) else None
            yield f"# sent_id = {place}-{number}\n"
            yield from _conllu_sentence(sentence, following)


def _conllu_sentence(sentence: SentenceAnswer, following: int | None) -> Iterator[str]:
    """Yield the lines of a sentence; ``following`` is where the next one begins."""
    starts = [token.start for token in sentence.tokens[1:]]
    glued = [token.end == start for token, start in zip(sentence.tokens, [*starts, following], strict=True)]
    spaced = [token.text + ("" if is_glued else " ") for token, is_glued in zip(sentence.tokens, glued, strict=True)]
    yield f"# text = {''.join(spaced).rstrip()}\n"
    for number, (token, is_glued) in enumerate(zip(sentence.tokens, glued, strict=True), start=1):
        columns = [str(number), token.text, EMPTY, _column(token.upos), _column(token.xpos), *[EMPTY] * 4]
        yield "\t".join([*columns, "|".join(_misc(token, is_glued=is_glued))]) + "\n"
    yield "\n"


def _column(value: str | UnsetType) -> str:
    return EMPTY if value is UNSET else value


def _misc(token: TokenAnswer, *, is_glued: bool) -> Iterator[str]:
    yield f"start_char={token.start}"
    yield f"end_char={token.end}"
    if token.entity is not UNSET:
        yield f"ner={token.entity}"
    if is_glued:
        yield "SpaceAfter=No"


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

    def read(self, data: TagRequest, limits: Settings) -> list[InputItem]:
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
        if data.format != "spacy":
            return result
        return SpacyDoc(ents=spacy_entities(result), sents=[], tokens=[], reason=result.reason, detail=result.detail)

    def write(self, data: TagRequest, model: ModelName, results: Sequence[Any]) -> WholeAnswer:
        if data.format == "conllu":
            body = "".join(_conllu_lines(TagResponse(model, list(results)))).encode()
        else:
            response = SpacyResponse if data.format == "spacy" else TagResponse
            body = _encoder.encode(response(model, list(results)))
        return WholeAnswer(body, MEDIA_TYPES[data.format or "json"])


def joined(tokens: Sequence[str]) -> tuple[str, list[Sentence]]:
    """Return the text that the offsets of tokens index, and its sentences: one, or none without tokens."""
    if not tokens:
        return "", []
    text, sentence = join_words(tokens)
    return text, [sentence]

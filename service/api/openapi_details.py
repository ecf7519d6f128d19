"""Details of the API's description that Litestar does not read from the handlers.

Litestar writes down the paths. msgspec, which reads every request and writes every answer, writes down their types, so
that the description cannot drift from what is done. The rest is here: the limits an operator set, the headers, the
problems that belong to each status, the events of a stream, and examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import msgspec

from service.api.context import MAX_TIMEOUT_MS
from service.api.language_schemas import (
    GenerateRequest,
    GenerateResponse,
    SampleEvent,
    ScoreRequest,
    ScoreResponse,
    TokenEvent,
)
from service.api.problems import PROBLEM_JSON, Problem
from service.api.schemas import (
    ClassifyRequest,
    ClassifyResponse,
    DoneEvent,
    Health,
    RefusedEvent,
    SentenceEvent,
    TagRequest,
    TagResponse,
    TranslateRequest,
    TranslateResponse,
)
from service.errors import ServiceError
from service.models.cards import Limits, ModelsResponse
from service.scheduling.job import Priority

Json = dict[str, Any]
REF = "#/components/schemas/{name}"
EVENT_STREAM = "text/event-stream"
TYPES = (
    TagRequest,
    TagResponse,
    ClassifyRequest,
    ClassifyResponse,
    TranslateRequest,
    TranslateResponse,
    SentenceEvent,
    RefusedEvent,
    DoneEvent,
    GenerateRequest,
    GenerateResponse,
    TokenEvent,
    SampleEvent,
    ScoreRequest,
    ScoreResponse,
    ModelsResponse,
    Health,
    Problem,
)
ENDS = {"refused": "RefusedEvent", "done": "DoneEvent", "error": "Problem"}
# Types of the events of each stream.
STREAMS: Mapping[str, Mapping[str, str]] = {
    "/translate": {"sentence": "SentenceEvent", **ENDS},
    "/generate": {"token": "TokenEvent", "sample": "SampleEvent", **ENDS},
}
NO_NUL = r"^[^\u0000]*$"
# The characters that Python takes for white space: JavaScript's \s alone has fewer.
NO_SPACE = r"^[^\s\u0000\u001c-\u001f\u0085]+$"
NO_TEXT = {"type": "null"}

EXAMPLES: Mapping[str, Mapping[str, Json]] = {
    "/tag": {
        "text": {"text": "Alice moved to Hong Kong."},
        "tokens": {"tokens": [["Alice", "plays", "well"], ["Bob", "too"]], "tasks": ["pos"]},
        "several": {"text": ["Alice moved to Hong Kong.", ""], "truncate": True, "offset_unit": "utf16"},
    },
    "/classify": {"text": {"text": "It was not bad at all."}, "several": {"text": ["It was good.", "It was not."]}},
    "/translate": {
        "text": {"text": "I love this book.", "target": "es"},
        "several": {"text": ["I love this book. It was cheap.", "Where is it?"], "target": "es", "beam_size": 1},
        "hypotheses": {"text": "I love this book.", "target": "es", "num_hypotheses": 4, "attention": True},
        "stream": {"text": "I love this book. It was cheap.", "target": "es", "stream": True},
        "region": {"text": "Where is the station?", "source": "en-GB", "target": "es-MX"},
    },
    "/generate": {
        "prompt": {"prompt": "Thank you for your message. I"},
        "likeliest": {"prompt": ["The students opened their", ""], "temperature": 0, "max_tokens": 5, "logprobs": 3},
        "samples": {"prompt": "The report", "num_samples": 3, "top_p": 0.9, "seed": 7, "stop": ["\n", "."]},
        "stream": {"prompt": "The report", "stream": True},
        "state": {"prompt": "My name is Alice.", "max_tokens": 8, "return_state": True},
    },
    "/score": {
        "text": {"text": "The report is ready."},
        "several": {"text": ["The keys are here.", "The keys is here."], "offset_unit": "utf16"},
        "choices": {"text": "The keys on the table ___ here.", "choices": ["are", "is"]},
    },
}

REQUEST_HEADERS: Mapping[str, Json] = {
    "RequestId": {
        "name": "X-Request-ID",
        "description": "Echoed if it has at most 128 plain characters (letters, digits, ._~:/+=-); else one is made",
        "schema": {"type": "string"},
    },
    "RequestTimeout": {
        "name": "X-Request-Timeout-Ms",
        "description": "How long the caller waits, in milliseconds. What cannot be done by then is refused or dropped",
        "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_TIMEOUT_MS},
    },
    "Priority": {
        "name": "X-Priority",
        "description": "bulk work has a quarter of the share of what is interactive while both wait",
        "schema": {"type": "string", "enum": [each.value for each in Priority], "default": Priority.INTERACTIVE.value},
    },
}
ANSWER_HEADERS: Mapping[str, Json] = {
    "X-Request-ID": {
        "description": "The same id as in the logs",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._~:/+=-]{1,128}$"},
    },
    "Server-Timing": {
        "description": "Milliseconds: queue, model, total",
        "schema": {"type": "string", "pattern": r"^queue;dur=[\d.]+, model;dur=[\d.]+, total;dur=[\d.]+$"},
    },
    "Retry-After": {
        "description": "Seconds until it is worth another try",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"description": "How to send a key", "schema": {"type": "string", "const": "Bearer"}},
    "RateLimit": {
        "required": False,
        "description": "Items left, and seconds until all are; where this caller has a limit",
        "schema": {"type": "string", "pattern": r'^"items";r=\d+;t=\d+$'},
    },
    "RateLimit-Policy": {
        "required": False,
        "description": "Items, and the seconds in which so many may come (draft-ietf-httpapi-ratelimit-headers-10)",
        "schema": {"type": "string", "pattern": r'^"items";q=\d+;w=\d+$'},
    },
}
KEYS: Mapping[str, Json] = {
    "Bearer": {"type": "http", "scheme": "bearer"},
    "Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
NO_KEYS: Mapping[str, Json] = {}
OPEN = re.compile("/health/.*")
EVERY_ANSWER = ("X-Request-ID", "Server-Timing")
ONLY_WITH: Mapping[str, Sequence[str]] = {
    "401": ("WWW-Authenticate",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}
EVERY_REQUEST, EVERY_TASK = ("RequestId",), ("RequestTimeout", "Priority")
EVERY_TASK_ANSWER = ("RateLimit", "RateLimit-Policy")


def complete(generated: Json, limits: Limits, keys: Mapping[str, Json]) -> Json:
    """Complete the description that Litestar made. ``keys`` are the ways to send a key, if one is needed."""
    document = deepcopy(generated)
    parts = document.setdefault("components", {})
    parts["schemas"] = {**parts.get("schemas", {}), **schemas(limits)}
    parts["parameters"] = {name: {"in": "header", **header} for name, header in REQUEST_HEADERS.items()}
    parts["headers"] = {name: {"required": True, **header} for name, header in ANSWER_HEADERS.items()}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete_operation(path, operation)
        if "get" in operations:
            operations["head"] = _head(operations["get"])
    if keys:
        _lock(document, keys)
    return document


def schemas(limits: Limits) -> Json:
    """Return the schema of every type by name; those of requests with the limits that hold here."""
    _, types = msgspec.json.schema_components(TYPES, ref_template=REF)
    texts = _list_of({"type": "string", "maxLength": limits.max_text_length, "pattern": NO_NUL}, limits)
    tokens = _list_of({"type": "array", "items": {"type": "string", "pattern": NO_SPACE}}, limits)
    for name in ("TagRequest", "ClassifyRequest", "TranslateRequest", "ScoreRequest"):
        types[name]["properties"]["text"]["anyOf"] = [texts["items"], texts]
    types["GenerateRequest"]["properties"]["prompt"]["anyOf"] = [texts["items"], texts]
    tagged = types["TagRequest"]
    tagged["properties"]["text"]["anyOf"].append(NO_TEXT)
    tagged["properties"]["tokens"]["anyOf"] = [tokens, NO_TEXT]
    tagged["oneOf"] = [
        {"required": ["text"], "properties": {"text": {"type": ["string", "array"]}, "tokens": NO_TEXT}},
        {"required": ["tokens"], "properties": {"tokens": {"type": "array"}, "text": NO_TEXT}},
    ]
    types["Problem"]["properties"]["kind"]["enum"] = sorted({error.kind for error in _errors()})
    return types


def _list_of(item: Json, limits: Limits) -> Json:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": limits.max_items}


def _complete_operation(path: str, operation: Json) -> None:
    named = [*EVERY_REQUEST, *(EVERY_TASK if path in EXAMPLES else ())]
    operation.setdefault("parameters", []).extend({"$ref": f"#/components/parameters/{name}"} for name in named)
    if path in EXAMPLES:
        content = operation["requestBody"]["content"]["application/json"]
        content["examples"] = {name: {"value": value} for name, value in EXAMPLES[path].items()}
    if path in STREAMS:
        operation["responses"]["200"]["content"][EVENT_STREAM] = _stream(STREAMS[path])
    for status, response in operation["responses"].items():
        headers = (*EVERY_ANSWER, *ONLY_WITH.get(status, ()), *(EVERY_TASK_ANSWER if path in EXAMPLES else ()))
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
        if PROBLEM_JSON in response.get("content", {}):
            response["content"][PROBLEM_JSON]["schema"] = _problem(int(status))


def _head(operation: Json) -> Json:
    """Describe HEAD: the same as GET without the bodies."""
    responses = {
        status: {name: part for name, part in response.items() if name != "content"}
        for status, response in operation["responses"].items()
    }
    name = operation["operationId"]
    return {**operation, "operationId": f"Head{name}", "responses": responses}


def _lock(document: Json, keys: Mapping[str, Json]) -> None:
    """Require one of the keys on every path but the probes."""
    document["components"]["securitySchemes"] = dict(keys)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["security"] = [] if OPEN.fullmatch(path) else [{name: []} for name in keys]


def _problem(status: int) -> Json:
    """Describe a problem of this status, which has one of the kinds that belong to it."""
    kinds = sorted({error.kind for error in _errors() if error.status == status})
    return {
        "allOf": [
            {"$ref": REF.format(name="Problem")},
            {"properties": {"status": {"const": status}, "kind": {"enum": kinds}}},
        ]
    }


def _stream(events: Mapping[str, str]) -> Json:
    """Describe one event of a stream: OpenAPI 3.2 will call it ``itemSchema``, which 3.1 does not know."""
    return {
        "schema": {
            "description": "One server-sent event; data is JSON of the type that belongs to the event",
            "type": "object",
            "required": ["event", "data"],
            "properties": {"event": {"enum": list(events)}, "data": {"type": "string"}},
            "allOf": [_event(name, schema) for name, schema in events.items()],
        }
    }


def _event(name: str, schema: str) -> Json:
    data = {"contentMediaType": "application/json", "contentSchema": {"$ref": REF.format(name=schema)}}
    return {"if": {"properties": {"event": {"const": name}}}, "then": {"properties": {"data": data}}}


def _errors(root: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    """Yield every class of the error tree."""
    yield root
    for branch in root.__subclasses__():
        yield from _errors(branch)

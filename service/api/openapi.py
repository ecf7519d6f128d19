"""GET /schema: the API's description, OpenAPI 3.1 as JSON and YAML, and a page to read it on and try it.

Litestar writes down the paths; msgspec, which reads every request and writes every answer, their types, so that the
description cannot drift from what is done. Added here are the limits that an operator set, the headers, the problems of
each status, the events of a stream, and examples. Nothing is fetched from elsewhere: the page's script is served too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Server
from litestar.types import Method

from service.api import language_schemas, libretranslate, schemas, tag
from service.api.answers import EVENT_STREAM
from service.api.context import MAX_TIMEOUT_MS
from service.api.libretranslate import FORM
from service.api.pages import RENDERERS, DescriptionFiles, PagePlugin, description_router
from service.api.problems import LIBRETRANSLATE, PROBLEM_JSON, LibreTranslateError, Problem
from service.api.task_routes import ENDPOINTS
from service.errors import ServiceError
from service.models.registry import ModelsResponse
from service.scheduling.job import Priority
from service.settings import Settings

Json = dict[str, Any]
VERSION = "0.1.0"
REF = "#/components/schemas/{name}"
LIBRETRANSLATE_PATH = f"{LIBRETRANSLATE}translate"
TASKS: Mapping[str, type[Any]] = {
    **{each.path: each.request for each in ENDPOINTS},
    LIBRETRANSLATE_PATH: libretranslate.LibreTranslateRequest,
}
TEXT_FIELDS = {"/generate": "prompt", LIBRETRANSLATE_PATH: "q"}  # of other tasks it is "text"
ENDS: Mapping[str, type[Any]] = {"refused": schemas.RefusedEvent, "done": schemas.DoneEvent, "error": Problem}
STREAMS: Mapping[str, Mapping[str, type[Any]]] = {
    "/translate": {"sentence": schemas.SentenceEvent, **ENDS},
    "/generate": {"token": language_schemas.TokenEvent, "sample": language_schemas.SampleEvent, **ENDS},
}
OTHER_ANSWERS: Mapping[str, Mapping[str, Json]] = {
    "/tag": {
        tag.SPACY_JSON: {"$ref": REF.format(name=tag.SpacyResponse.__name__)},
        tag.CONLLU: {
            "type": "string",
            "description": "CoNLL-U: a document (newdoc) for each text, its id the text's place from 0. A text without "
            "an answer is a document without sentences, with its reason as a comment",
        },
    }
}
ANSWERS = (
    schemas.TagResponse,
    tag.SpacyResponse,
    libretranslate.LibreTranslateAnswer,
    libretranslate.LibreTranslateLanguage,
    LibreTranslateError,
    schemas.ClassifyResponse,
    schemas.TranslateResponse,
    language_schemas.GenerateResponse,
    language_schemas.ScoreResponse,
    schemas.Health,
    ModelsResponse,
)
# Examples of requests by route and name. A test sends every one.
EXAMPLES: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "/tag": {
        "text": {"text": "Alice moved to Hong Kong."},
        "tokens": {"tokens": [["Alice", "plays", "well"], ["Bob", "too"]], "tasks": ["pos"]},
        "several": {"text": ["Alice moved to Hong Kong.", ""], "truncate": True, "offset_unit": "utf16"},
        "conllu": {"text": ["Alice moved to Hong Kong.", "She likes it."], "format": "conllu"},
        "spacy": {"text": "Alice moved to Hong Kong.", "format": "spacy"},
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
    LIBRETRANSLATE_PATH: {
        "text": {"q": "I love this book.", "source": "en", "target": "es"},
        "several": {"q": ["I love this book.", "Where is it?"], "source": "auto", "target": "es", "format": "html"},
        "alternatives": {"q": "I love this book.", "source": "en", "target": "es", "alternatives": 3},
    },
}
NO_NUL = r"^[^\u0000]*$"
NO_SPACE = r"^[^\s\u0000\u001c-\u001f\u0085]+$"  # Python takes more for white space than JavaScript's \s
NO_TEXT = {"type": "null"}


def _header(description: str, *, required: bool = True, **schema: Any) -> Json:
    return {"required": required, "description": description, "schema": {"type": "string"} | schema}


_PRIORITIES = {"enum": [each.value for each in Priority], "default": Priority.INTERACTIVE.value}
REQUEST_HEADERS = {
    "RequestId": {"name": "X-Request-ID"}
    | _header(
        "Echoed if it has at most 128 plain characters (letters, digits, ._~:/+=-); else one is made", required=False
    ),
    "RequestTimeout": {"name": "X-Request-Timeout-Ms"}
    | _header(
        "How long the caller waits, in milliseconds. What cannot be done by then is refused or dropped",
        required=False,
        type="number",
        exclusiveMinimum=0,
        maximum=MAX_TIMEOUT_MS,
    ),
    "Priority": {"name": "X-Priority"}
    | _header(
        "bulk work has a quarter of the share of what is interactive while both wait", required=False, **_PRIORITIES
    ),
}
ANSWER_HEADERS = {
    "X-Request-ID": _header("The same id as in the logs", pattern="^[A-Za-z0-9._~:/+=-]{1,128}$"),
    "Server-Timing": _header(
        "Milliseconds: queue, model, total", pattern=r"^queue;dur=[\d.]+, model;dur=[\d.]+, total;dur=[\d.]+$"
    ),
    "Retry-After": _header("Seconds until it is worth another try", type="integer", minimum=1),
    "WWW-Authenticate": _header("How to send a key", const="Bearer"),
    "RateLimit": _header(
        "Items left, and seconds until all are; where this caller has a limit",
        required=False,
        pattern=r'^"items";r=\d+;t=\d+$',
    ),
    "RateLimit-Policy": _header(
        "Items, and the seconds in which so many may come (draft-ietf-httpapi-ratelimit-headers-10)",
        required=False,
        pattern=r'^"items";q=\d+;w=\d+$',
    ),
}
HEADERS_OF_STATUS = {"401": ["WWW-Authenticate"], "429": ["Retry-After"], "503": ["Retry-After"]}
WITHOUT_KEY = {"/health/live", "/health/ready", f"{LIBRETRANSLATE}languages", LIBRETRANSLATE_PATH}  # or in the body
KEYS: Mapping[str, Json] = {
    "Bearer": {"type": "http", "scheme": "bearer"},
    "Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def describe_api(limits: Settings, *, needs_key: bool, root_path: str | None = None) -> OpenAPIConfig:
    """Configure the API's description, with the limits and the prefix of paths that hold here."""
    files = DescriptionFiles(partial(complete, limits=limits, needs_key=needs_key))
    return OpenAPIConfig(
        title="Ribbon",
        version=VERSION,
        servers=[Server(url=root_path or "/")],
        description="Small recurrent networks for language. Failures are problem documents (RFC 9457).",
        render_plugins=[PagePlugin(), *RENDERERS],
        openapi_router=description_router(files),
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
    )


def _operation_id(handler: HTTPRouteHandler, method: Method, path: Sequence[object]) -> str:
    """Name an operation by its path and handler; that of HEAD is named after GET's."""
    name = "".join(str(part).title() for part in (*path, handler.handler_name))
    return f"Head{name}" if method == "HEAD" else name


def complete(document: Json, limits: Settings, *, needs_key: bool) -> None:
    """Complete the description that Litestar made, in place."""
    parts = document["components"]
    parts["schemas"] = parts.get("schemas", {}) | types(limits)
    parts["parameters"] = {name: {"in": "header", **header} for name, header in REQUEST_HEADERS.items()}
    parts["headers"] = ANSWER_HEADERS
    if needs_key:
        parts["securitySchemes"] = dict(KEYS)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete_operation(path, operation, has_content=method != "head")
            if needs_key:
                operation["security"] = [] if path in WITHOUT_KEY else [{name: []} for name in KEYS]


def types(limits: Settings) -> Json:
    """Return the schema of every type by name; those of requests with the limits that hold here."""
    events = [data for stream in STREAMS.values() for data in stream.values()]
    every = (*TASKS.values(), *ANSWERS, *events)
    _, found = msgspec.json.schema_components(every, ref_template=REF)
    many = {"type": "array", "minItems": 1, "maxItems": limits.max_items}
    text = {"type": "string", "maxLength": limits.max_text_length, "pattern": NO_NUL}
    tokens = many | {"items": {"type": "array", "items": {"type": "string", "pattern": NO_SPACE}}}
    for path, request in TASKS.items():
        field = TEXT_FIELDS.get(path, "text")
        found[request.__name__]["properties"][field]["anyOf"] = [text, many | {"items": text}]
    tagged = found["TagRequest"]
    tagged["properties"]["text"]["anyOf"].append(NO_TEXT)
    tagged["properties"]["tokens"]["anyOf"] = [tokens, NO_TEXT]
    tagged["oneOf"] = [
        {"required": ["text"], "properties": {"text": {"type": ["string", "array"]}, "tokens": NO_TEXT}},
        {"required": ["tokens"], "properties": {"tokens": {"type": "array"}, "text": NO_TEXT}},
    ]
    found["Problem"]["properties"]["kind"]["enum"] = sorted({error.kind for error in _errors()})
    return found


def _complete_operation(path: str, operation: Json, *, has_content: bool) -> None:
    is_task = path in TASKS
    named = ["RequestId", "RequestTimeout", "Priority"] if is_task else ["RequestId"]
    operation.setdefault("parameters", []).extend({"$ref": f"#/components/parameters/{name}"} for name in named)
    if is_task:
        schema = {"$ref": REF.format(name=TASKS[path].__name__)}
        examples = {name: {"value": value} for name, value in EXAMPLES[path].items()}
        content: Json = {"application/json": {"schema": schema, "examples": examples}}
        if path == LIBRETRANSLATE_PATH:
            content[FORM] = {"schema": schema}
        operation["requestBody"] = {"content": content, "required": True}
    for media_type, schema in OTHER_ANSWERS.get(path, {}).items():
        operation["responses"]["200"]["content"][media_type] = {"schema": schema}
    if path in STREAMS:
        operation["responses"]["200"]["content"][EVENT_STREAM] = {"schema": _event_schema(STREAMS[path])}
    for status, response in operation["responses"].items():
        headers = ["X-Request-ID", "Server-Timing", *HEADERS_OF_STATUS.get(status, ())]
        headers += ["RateLimit", "RateLimit-Policy"] if is_task else []
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
        if PROBLEM_JSON in response.get("content", {}):
            response["content"][PROBLEM_JSON]["schema"] = _problem_schema(int(status))
        if not has_content:
            response.pop("content", None)


def _problem_schema(status: int) -> Json:
    """Describe a problem of this status, which has one of the kinds that belong to it."""
    kinds = sorted({error.kind for error in _errors() if error.status == status})
    properties = {"status": {"const": status}, "kind": {"enum": kinds}}
    return {"allOf": [{"$ref": REF.format(name="Problem")}, {"properties": properties}]}


def _event_schema(events: Mapping[str, type[Any]]) -> Json:
    """Describe one event of a stream: OpenAPI 3.2 will call it ``itemSchema``, which 3.1 does not know."""
    return {
        "description": "One server-sent event; data is JSON of the type that belongs to the event",
        "type": "object",
        "required": ["event", "data"],
        "properties": {"event": {"enum": list(events)}, "data": {"type": "string"}},
        "allOf": [
            {"if": {"properties": {"event": {"const": name}}}, "then": {"properties": {"data": _data_schema(data)}}}
            for name, data in events.items()
        ],
    }


def _data_schema(data: type[Any]) -> Json:
    return {"contentMediaType": "application/json", "contentSchema": {"$ref": REF.format(name=data.__name__)}}


def _errors(root: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    """Yield every class of the error tree."""
    yield root
    for branch in root.__subclasses__():
        yield from _errors(branch)

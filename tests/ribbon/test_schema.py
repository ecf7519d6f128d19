"""The client's types and the service's description of itself: neither has a field that the other lacks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from litestar.testing import TestClient

from ribbon import answers, language_answers, options
from service.app import create_app
from tests.fakes import FakeSession, OpenFake, settings_for

Json = dict[str, Any]

# What the service calls it -> the client's type.
TYPES: Mapping[str, Any] = {
    "ModelName": answers.ModelName,
    "TagResponse": answers.Answer[answers.Doc],
    "TagResult": answers.Doc,
    "SentenceAnswer": answers.Sentence,
    "TokenAnswer": answers.Token,
    "EntityAnswer": answers.Entity,
    "ClassifyResponse": answers.Answer[answers.Classification],
    "ClassifyResult": answers.Classification,
    "TranslateResponse": answers.Answer[answers.Translation],
    "TranslateResult": answers.Translation,
    "TranslatedSentence": answers.TranslatedSentence,
    "SourceSpan": answers.Span,
    "AttentionAnswer": answers.Attention,
    "HypothesisAnswer": answers.Hypothesis,
    "SentenceEvent": answers.SentenceEvent,
    "RefusedEvent": answers.RefusedEvent,
    "DoneEvent": answers.DoneEvent,
    "GenerateResponse": answers.Answer[language_answers.Generation],
    "GenerateResult": language_answers.Generation,
    "SampleAnswer": language_answers.Sample,
    "GeneratedToken": language_answers.GeneratedToken,
    "AlternativeAnswer": language_answers.Alternative,
    "TokenEvent": language_answers.TokenEvent,
    "SampleEvent": language_answers.SampleEvent,
    "ScoreResponse": answers.Answer[language_answers.Score],
    "ScoreResult": language_answers.Score,
    "ScoredToken": language_answers.ScoredToken,
    "ScoredChoice": language_answers.Choice,
    "ModelsResponse": answers.Models,
    "ModelCard": answers.ModelInfo,
    "PairCard": answers.Pair,
    "ConfidenceCard": answers.ConfidenceInfo,
    "Problem": answers.Problem,
    "FieldProblem": answers.FieldProblem,
}
OPTIONS: Mapping[str, Any] = {
    "TagRequest": options.TagOptions,
    "ClassifyRequest": options.ClassifyOptions,
    "TranslateRequest": options.TranslateOptions,
    "GenerateRequest": options.GenerateOptions,
    "ScoreRequest": options.ScoreOptions,
}
HEADERS = {"deadline_seconds", "priority"}
GIVEN = {"text", "tokens", "prompt", "stream"}  # by the method
# The client always asks for the service's own JSON; the other formats of /tag are for other programs.
FORMAT = "format"
OTHER_FORMATS = {"SpacyResponse", "SpacyDoc", "SpacyToken", "SpacySpan", "SpacyEntity"}
PATHS = ("/tag", "/classify", "/translate", "/generate", "/score", "/models")  # that the client asks


@cache
def document() -> Json:
    """The service's OpenAPI description."""
    app = create_app(settings_for(Path("models")), open_session=OpenFake(FakeSession()))
    found: Json = TestClient(app).get("/schema/openapi.json").json()  # type: ignore[arg-type]
    return found


@cache
def described() -> Json:
    """The schemas that the client's requests and their answers are made of."""
    schemas, reached = document()["components"]["schemas"], dict[str, Json]()
    waiting = [name for path in PATHS for name in named_in(document()["paths"][path])]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = schemas[name]
            waiting += named_in(schemas[name])
    return reached


def named_in(part: Any) -> list[str]:
    """The names of the schemas that a part of the description refers to."""
    return re.findall(r'"#/components/schemas/(\w+)"', json.dumps(part))


@cache
def ours() -> Json:
    """The same of the client's types, by the service's names."""
    schemas, components = msgspec.json.schema_components(list(TYPES.values()), ref_template="{name}")
    named = {name: components[schema["$ref"]] for name, schema in zip(TYPES, schemas, strict=True)}
    renamed = {schema["$ref"]: name for name, schema in zip(TYPES, schemas, strict=True)}
    return {name: plain(schema, renamed) for name, schema in named.items()}


def plain(schema: Any, renamed: Mapping[str, str]) -> Any:
    """A schema's structure: kinds and names, without what is said for people or limits a value."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return renamed.get(name, name)
    if "properties" in schema:
        required = set(schema.get("required", ()))
        return {
            field: (field in required, kinds(value, renamed) - (set() if field in required else {"null"}))
            for field, value in schema["properties"].items()
        }
    if "items" in schema:
        return f"list of {plain(schema['items'], renamed)}"
    if isinstance(schema.get("additionalProperties"), dict) and schema["additionalProperties"]:
        return f"dict of {plain(schema['additionalProperties'], renamed)}"
    if "enum" in schema:
        return "string"
    return schema.get("type", "any")


def kinds(schema: Any, renamed: Mapping[str, str]) -> set[Any]:
    """The kinds of value that a field may have."""
    return {plain(each, renamed) for each in schema.get("anyOf", [schema])}


@pytest.mark.parametrize("name", TYPES)
def test_an_answer_has_the_same_fields_on_both_sides(name: str) -> None:
    assert ours()[name] == plain(described()[name], {})


def test_no_type_of_the_service_is_missing() -> None:
    requests = {name for name in described() if name.endswith("Request")}
    assert requests == set(OPTIONS)
    assert set(described()) - requests - OTHER_FORMATS == set(TYPES)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_call_takes_every_field_of_its_request(name: str) -> None:
    request = described()[name]
    given = GIVEN | ({FORMAT} if name == "TagRequest" else set())
    assert set(get_type_hints(OPTIONS[name])) - HEADERS == set(request["properties"]) - given
    assert set(OPTIONS[name].__required_keys__) == set(request.get("required", ())) - GIVEN


def test_a_field_too_many_is_seen() -> None:
    class Span(msgspec.Struct):
        start: int
        end: int
        unit: str

    (schema,), components = msgspec.json.schema_components([Span], ref_template="{name}")
    assert plain(components[schema["$ref"]], {}) != plain(described()["SourceSpan"], {})

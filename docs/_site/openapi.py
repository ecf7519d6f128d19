"""The description of the HTTP API, as the service gives it of itself, as a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from litestar.testing import TestClient

from service.app import create_app
from service.settings import Settings

Json = dict[str, Any]
PREFIX = "#/components/schemas/"


def document() -> Json:
    """Return the OpenAPI document of a service with the default settings; no model is loaded for it."""
    settings = Settings(device="cpu")
    return TestClient(create_app(settings), base_url="http://localhost").get("/schema/openapi.json").json()  # type: ignore[no-any-return]


def lines(document: Json) -> Iterator[str]:
    """Yield the page."""
    yield "# OpenAPI\n"
    yield (
        "Made of the description that every service gives of itself at `/schema` (a page to try it on) and "
        "`/schema/openapi.json`; with the default settings it is [this one](openapi.json). "
        "[The HTTP API](../api.md) explains it.\n"
    )
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method != "head":
                yield from _operation(f"{method.upper()} {path}", operation)
    yield "## Types\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"### {name}\n"
        yield from _type(schema)


def _operation(title: str, operation: Json) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{operation['summary']}. {operation.get('description', '')}\n"
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Request, `{media_type}`: {_named(content['schema'])}\n"
        for name, example in content.get("examples", {}).items():
            yield f"Example, {name}:\n\n```json\n{json.dumps(example['value'], ensure_ascii=False)}\n```\n"
    yield "| Status | Media type | Answer | |\n| --- | --- | --- | --- |"
    for status, answer in operation["responses"].items():
        for media_type, content in (answer.get("content") or {"": {"schema": {}}}).items():
            yield f"| {status} | `{media_type}` | {_named(content['schema'])} | {answer['description']} |"
    yield ""


def _type(schema: Json) -> Iterator[str]:
    if description := schema.get("description"):
        yield f"{' '.join(description.split())}\n"
    if properties := schema.get("properties"):
        yield "| Field | Type | Default | |\n| --- | --- | --- | --- |"
        for name, field in properties.items():
            default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
            needed = "needed" if name in schema.get("required", ()) else default
            yield f"| `{name}` | {_named(field)} | {needed} | {field.get('description', '')} |"
        yield ""


def _named(schema: Json) -> str:
    """Return a type in words, with links to the types that have a name."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(PREFIX)
        return f"[{name}](#{name.lower()})"
    if several := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return " or ".join(dict.fromkeys(filter(None, map(_named, several))))
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    kind = schema.get("type", "")
    if kind == "array":
        return f"list of {_named(schema.get('items', {})) or 'values'}"
    return str(kind)

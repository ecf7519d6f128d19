"""Holds every answer against the description that the service gives of itself at /schema/openapi.json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from httpx import Response
from jsonschema import Draft202012Validator

Json = dict[str, Any]
PROBLEM_JSON = "application/problem+json"
EVENT_STREAM = "text/event-stream"
LIBRETRANSLATE = "/compat/libretranslate/"  # below it failures are written as LibreTranslate writes them
# The description itself, and the page for people.
NOT_DESCRIBED = re.compile(r"/schema(/|/openapi.(json|yaml|yml)|/rapidoc-min.js)?|/|/playground/[\w.]+")


class Contract:
    """The description, and whether answers keep to it."""

    def __init__(self, document: Json) -> None:
        self.document = closed(document)
        self._validator = cache(self._make_validator)
        self._root_path = document["servers"][0]["url"].rstrip("/")

    def check(self, response: Response) -> None:
        """An httpx event hook. Raises AssertionError that says which promise is broken."""
        response.read()
        path = response.request.url.path.removeprefix(self._root_path).rstrip("/") or "/"
        method = response.request.method.lower()
        operations = self.document["paths"].get(path)
        if method == "options":
            assert response.status_code in (204, 400, 404), response.text  # 400: a page of another origin
        elif operations is None:
            if not NOT_DESCRIBED.fullmatch(path) or response.status_code not in (200, 304):
                self._check_refusal(response, {404: "not_found", 405: "method_not_allowed"})
        elif method not in operations:
            self._check_refusal(response, {405: "method_not_allowed"})
            assert response.headers["allow"]
        else:
            self._check_answer(response, operations[method]["responses"], f"{method} {path}")

    def _check_answer(self, response: Response, described: Json, where: str) -> None:
        status = str(response.status_code)
        assert status in described, f"{where} does not describe {status}: {response.text[:500]}"
        self._check_headers(response, described[status]["headers"])
        if "content" not in described[status]:
            assert not response.content, where
            return
        content = {media_type_of(name): body for name, body in described[status]["content"].items()}
        media_type = media_type_of(response.headers["content-type"])
        assert media_type in content, f"{where} {status} does not describe {media_type}"
        if media_type == EVENT_STREAM:
            self._check_events(response.text, content[media_type]["schema"])
        elif media_type.endswith("json"):
            self.validate(response.json(), content[media_type]["schema"])

    def _check_refusal(self, response: Response, kinds: Mapping[int, str]) -> None:
        """What is no operation at all gets a problem document nonetheless."""
        assert response.status_code in kinds, f"{response.request.url}: {response.status_code}"
        self._check_headers(response, {name: self._header(name) for name in ("X-Request-ID", "Server-Timing")})
        if response.request.url.path.startswith(LIBRETRANSLATE):
            self.validate(response.json(), {"$ref": "#/components/schemas/LibreTranslateError"})
            return
        assert response.headers["content-type"] == PROBLEM_JSON
        if response.request.method != "HEAD":
            self.validate(response.json(), {"$ref": "#/components/schemas/Problem"})
            assert response.json()["kind"] == kinds[response.status_code]

    def _check_headers(self, response: Response, described: Json) -> None:
        for name, header in described.items():
            header = self._resolved(header)
            assert name in response.headers or not header.get("required"), f"no {name}: {response.headers}"
            if name in response.headers:
                value, schema = response.headers[name], header["schema"]
                self.validate(json.loads(value) if schema["type"] in ("integer", "number") else value, schema)

    def _check_events(self, text: str, described: Json) -> None:
        found = list(events(text))
        for event, data in found:
            self.validate({"event": event, "data": data}, described)
            [schema] = [
                part["then"] for part in described["allOf"] if part["if"]["properties"]["event"]["const"] == event
            ]
            self.validate(json.loads(data), schema["properties"]["data"]["contentSchema"])
        last = [event in ("done", "error") for event, _ in found]
        assert last == [False] * (len(found) - 1) + [True], found

    def validate(self, value: Any, schema: Json) -> None:
        problem = next(self._validator(json.dumps(schema)).iter_errors(value), None)
        assert problem is None, f"{problem.json_path if problem else ''}: {problem and problem.message[:500]}"

    def _make_validator(self, schema: str) -> Draft202012Validator:
        return Draft202012Validator({**json.loads(schema), "components": self.document["components"]})

    def _header(self, name: str) -> Json:
        return {"$ref": f"#/components/headers/{name}"}

    def _resolved(self, part: Json) -> Json:
        if "$ref" not in part:
            return part
        found: Any = self.document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return dict(found)


def closed(document: Json) -> Json:
    """The same, but a field of an answer that is not described is a mistake too."""
    document = deepcopy(document)
    for schema in document["components"]["schemas"].values():
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return document


def media_type_of(value: str) -> str:
    return value.partition(";")[0].strip().lower()


def events(text: str) -> Iterator[tuple[str, str]]:
    """Name and data of each server-sent event."""
    for event in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in event.splitlines())
        yield fields["event"], fields["data"]

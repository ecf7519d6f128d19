"""The service's description of itself is true, complete and readable offline. Every other test here holds answers
against it (see ``client_of`` in conftest)."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

from service.api.openapi import EXAMPLES
from service.errors import CallerLeftError, CrossOriginError, ReloadFailedError, ServiceError
from tests.application import Serve, Served
from tests.contract import EVENT_STREAM, Contract, events


def document_of(served: Served) -> Any:
    return served.client.get("/schema/openapi.json").json()


@pytest.fixture
def contract(served: Served) -> Contract:
    return Contract(document_of(served))


def answer(status: int, body: Any, *, method: str = "POST", path: str = "/classify", **headers: str) -> httpx.Response:
    """A response as the client would see it. Text is sent as it is."""
    found = {"x-request-id": "a", "server-timing": "queue;dur=0.0, model;dur=0.0, total;dur=0.1"}
    found |= {"content-type": "application/json"}
    found |= {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(
        status,
        text=body if isinstance(body, str) else json.dumps(body),
        headers={name: value for name, value in found.items() if value},
        request=httpx.Request(method, f"http://test{path}"),
    )


GOOD = {
    "model": {"name": "a", "version": "1"},
    "results": [{"label": "a", "score": 1.0, "scores": {"a": 1.0}, "truncated": False}],
}
PROBLEM = {"type": "a", "title": "b", "status": 429, "detail": "c", "kind": "overloaded", "request_id": "d"}
AS_PROBLEM = {"content_type": "application/problem+json"}


def test_what_keeps_to_the_description_passes(contract: Contract) -> None:
    contract.check(answer(200, GOOD))
    contract.check(answer(429, PROBLEM, retry_after="1", **AS_PROBLEM))
    contract.check(answer(404, {**PROBLEM, "kind": "not_found"}, path="/nope", **AS_PROBLEM))


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (answer(201, GOOD), "does not describe 201"),
        (answer(499, PROBLEM, **AS_PROBLEM), "does not describe 499"),
        (answer(200, GOOD, content_type="text/html"), "does not describe text/html"),
        (answer(200, GOOD, x_request_id=""), "no X-Request-ID"),
        (answer(200, GOOD, server_timing="fast"), "'fast' does not match"),
        (answer(200, {"model": GOOD["model"]}), "'results' is a required property"),
        (answer(200, {**GOOD, "more": 1}), "'more' was unexpected"),
        (answer(200, {**GOOD, "results": [{"label": 5}]}), "5 is not valid under any"),
        (answer(429, PROBLEM, **AS_PROBLEM), "no Retry-After"),
        (answer(429, PROBLEM, retry_after="0", **AS_PROBLEM), "less than the minimum"),
        (answer(422, PROBLEM, **AS_PROBLEM), "422 was expected"),
        (answer(429, {**PROBLEM, "kind": "busy"}, retry_after="1", **AS_PROBLEM), "'busy' is not one of"),
        (answer(200, GOOD, path="/nope"), "/nope: 200"),
        (answer(200, GOOD, method="GET"), "/classify: 200"),
    ],
)
def test_what_breaks_it_is_found(contract: Contract, response: httpx.Response, said: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(said)):
        contract.check(response)


@pytest.mark.parametrize("names", [["sentence"], ["done", "done"], ["done", "sentence"]])
def test_a_stream_ends_once_and_at_its_end(contract: Contract, served: Served, names: list[str]) -> None:
    body = served.post("/translate", text="a", stream=True).text
    stream = partial(answer, 200, path="/translate", content_type="text/event-stream")
    contract.check(stream(body))
    parts = {name: f"{part}\n\n" for name, part in zip(["sentence", "done"], body.split("\n\n"), strict=False)}
    with pytest.raises(AssertionError):
        contract.check(stream("".join(parts[name] for name in names)))


def test_it_is_sound(served: Served) -> None:
    document = document_of(served)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    used = set(re.findall(r'"\$ref": ?"#/components/([^"]+)"', served.client.get("/schema/openapi.json").text))
    found = {f"{kind}/{name}" for kind, parts in document["components"].items() for name in parts}
    assert used <= found
    assert found - used == set(), "described and never used"


def test_limits_are_those_that_hold(serve: Serve) -> None:
    schemas = document_of(serve(max_items=3, max_text_length=77))["components"]["schemas"]
    for name in ("TagRequest", "ClassifyRequest", "TranslateRequest"):
        one, several, *_ = schemas[name]["properties"]["text"]["anyOf"]
        assert (one["maxLength"], several["items"], several["maxItems"]) == (77, one, 3)
    assert schemas["TagRequest"]["properties"]["tokens"]["anyOf"][0]["maxItems"] == 3


@pytest.mark.parametrize(("route", "name"), [(route, name) for route in EXAMPLES for name in EXAMPLES[route]])
def test_examples_are_answered(served: Served, route: str, name: str) -> None:
    content = document_of(served)["paths"][route]["post"]["requestBody"]["content"]["application/json"]
    request = content["examples"][name]["value"]
    response = served.client.post(route, json=request)
    assert response.status_code == 200, response.text
    is_stream = response.headers["content-type"].startswith(EVENT_STREAM)
    assert is_stream == bool(request.get("stream"))
    assert not is_stream or list(events(response.text))


def test_every_problem_is_described_where_it_may_come(served: Served) -> None:
    responses = document_of(served)["paths"]["/translate"]["post"]["responses"]
    told = {
        kind
        for response in responses.values()
        for part in response["content"].get("application/problem+json", {}).get("schema", {}).get("allOf", ())
        for kind in part.get("properties", {}).get("kind", {}).get("enum", ())
    }
    kinds = {error.kind for error in tree(ServiceError)}
    nobody_to_tell = {error.kind for error in tree(CallerLeftError)}
    elsewhere = {"method_not_allowed", ReloadFailedError.kind, CrossOriginError.kind}
    assert kinds - told == nobody_to_tell | elsewhere, "no operation, an operators' one, or nobody to tell"


def tree(root: type[ServiceError]) -> list[type[ServiceError]]:
    return [root, *(each for branch in root.__subclasses__() for each in tree(branch))]


def test_yaml_says_the_same(served: Served) -> None:
    for path in ("/schema/openapi.yaml", "/schema/openapi.yml"):
        assert yaml.safe_load(served.client.get(path).text) == document_of(served)


def test_the_page_needs_nothing_from_elsewhere(served: Served) -> None:
    page = served.client.get("/schema").text
    assert "://" not in page
    paths = re.findall(r'(?:src|href|spec-url)="(schema/[^"]+)"', page)
    assert len(paths) >= 3
    for path in paths:
        assert served.client.get(f"/{path}").status_code == 200
    script = served.client.get("/schema/rapidoc-min.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "rapi-doc" in script.text


def test_the_schema_is_openapi_3_1_and_has_a_page(served: Served) -> None:
    schema = served.client.get("/schema/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    assert set(schema["paths"]) == {
        "/tag",
        "/classify",
        "/translate",
        "/generate",
        "/score",
        "/compat/libretranslate/translate",
        "/compat/libretranslate/languages",
        "/models",
        "/health/live",
        "/health/ready",
        "/metrics",
    }
    for path in ("/tag", "/classify", "/translate", "/generate", "/score"):
        responses = schema["paths"][path]["post"]["responses"]
        assert set(responses) >= {"200", "400", "404", "413", "415", "422", "429", "503", "504"}
        assert "application/problem+json" in responses["422"]["content"]
    parts = schema["components"]["schemas"]
    assert set(parts["TokenAnswer"]["required"]) == {"text", "start", "end"}
    common = {"text", "model", "truncate", "strict"}
    assert set(parts["TagRequest"]["properties"]) == {*common, "tokens", "tasks", "offset_unit", "format"}
    assert set(parts["ClassifyRequest"]["properties"]) == common
    assert parts["ClassifyRequest"]["required"] == ["text"]
    assert set(parts["TranslateRequest"]["required"]) == {"text", "target"}
    assert parts["TranslateRequest"]["properties"]["beam_size"]["maximum"] == 16
    page = served.client.get("/schema")
    assert page.headers["content-type"].startswith("text/html")

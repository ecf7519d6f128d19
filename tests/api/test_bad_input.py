"""Whatever is sent, the answer is a problem document of the right status that says what is wrong and where."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.application import JSON, NEEDED, Serve, Served, every_route, problem_of
from tests.fakes import CLASSIFIER, MAX_TOKENS, NAME, TRANSLATOR, VERSION


@every_route
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"text": "x"} {}',
        b"{'text': 'x'}",
        b'{"text": NaN}',
        b'{"text": -Infinity}',
        b'{"text": "a\x00b"}',
        b'{"text": "\xff"}',
        b"\xff\xfe",
        '{"text": "x"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"text":' + b"[" * 100_000,
        b'{"x":' * 50_000,
        b'{"text": "\\ud8"}',
    ],
)
def test_malformed_json(served: Served, route: str, body: bytes) -> None:
    problem_of(served.send(body, route), 400, "malformed_json")


ANYWHERE = [
    ("null", "", "object"),
    ("[]", "", "object"),
    ('"text"', "", "object"),
    ('{"text": 5}', "text", "str"),
    ('{"text": {}}', "text", "str"),
    ('{"text": %s}' % ("1" * 5000), "text", "Number out of range"),
    ('{"text": ["a", 5]}', "text[1]", "str"),
    ('{"text": ["a", null]}', "text[1]", "str"),
    ('{"text": [["a"]]}', "text[0]", "str"),
    ('{"text": "a", "model": 1}', "model", "str"),
    ('{"text": "a", "truncate": 1}', "truncate", "bool"),
    ('{"text": "a", "colour": 1}', "colour", "unknown field"),
    ('{"text": "a", "Text": "b"}', "Text", "unknown field"),
    ('{"text": []}', "text", "1 to 128 items, got 0"),
    ('{"text": "a\\u0000b"}', "text", "NUL at position 1"),
    ('{"text": ["a", "bc\\u0000"]}', "text[1]", "NUL at position 2"),
    ('{"text": "\\ud800"}', "text", "lone surrogate"),
    ('{"text": ["a", "b", "c", "d\\udfff"]}', "text[3]", "lone surrogate"),
    ('{"text": "a", "model": "\\ud800"}', "model", "lone surrogate"),
    ('{"text": "a", "\\ud800": 1}', "\\ud800", "unknown field"),
]
TAG_ONLY = [
    ("{}", "text", "either"),
    ('{"text": null}', "text", "either"),
    ('{"text": "a", "tokens": [["a"]]}', "text", "either"),
    ('{"tokens": ["a"]}', "tokens[0]", "array"),
    ('{"tokens": [["a", 1]]}', "tokens[0][1]", "str"),
    ('{"text": "a", "tasks": "pos"}', "tasks", "array"),
    ('{"text": "a", "tasks": []}', "tasks", "length"),
    ('{"text": "a", "tasks": ["pos", "dep"]}', "tasks[1]", "known are ner, pos"),
    ('{"text": "a", "offset_unit": "word"}', "offset_unit", "known are byte, codepoint, utf16"),
    ('{"tokens": []}', "tokens", "1 to 128 items, got 0"),
    ('{"tokens": [["a"], ["b", "c", ""]]}', "tokens[1][2]", "empty"),
    ('{"tokens": [["a b"]]}', "tokens[0][0]", "white space"),
    ('{"tokens": [["a\\u00a0b"]]}', "tokens[0][0]", "white space"),
    ('{"tokens": [["a\\u0000b"]]}', "tokens[0][0]", "NUL at position 1"),
    ('{"tokens": [["a"], ["b", "\\ud83d"]]}', "tokens[1][1]", "lone surrogate"),
]
CLASSIFY_ONLY = [
    ("{}", "text", "required"),
    ('{"text": null}', "text", "str"),
    ('{"text": "a", "tokens": [["a"]]}', "tokens", "unknown field"),
    ('{"text": "a", "offset_unit": "byte"}', "offset_unit", "unknown field"),
    ('{"text": ["a", ""], "strict": true}', "text[1]", "no word"),
    ('{"text": "a", "strict": "yes"}', "strict", "bool"),
]
TRANSLATE_ONLY = [
    ('{"target": "es"}', "text", "required"),
    ('{"text": "a", "target": null}', "target", "str"),
    ('{"text": "a", "target": "xx"}', "target", "known pairs: en-de, en-es"),
    ('{"text": "a", "target": "en"}', "target", "known pairs: en-de, en-es"),
    ('{"text": "a", "source": "es", "target": "en"}', "source", "known pairs: en-de, en-es"),
    ('{"text": "a", "source": null}', "source", "str"),
    ('{"text": "a", "beam_size": 0}', "beam_size", ">= 1"),
    ('{"text": "a", "beam_size": 17}', "beam_size", "<= 16"),
    ('{"text": "a", "beam_size": 2.5}', "beam_size", "int"),
    ('{"text": "a", "num_hypotheses": 0}', "num_hypotheses", ">= 1"),
    ('{"text": "a", "num_hypotheses": 5}', "num_hypotheses", "is 5, more than beam_size of 4"),
    ('{"text": "a", "length_penalty": -1}', "length_penalty", ">= 0"),
    ('{"text": "a", "length_penalty": 1e9}', "length_penalty", "<= 4"),
    ('{"text": "a", "max_length": 0}', "max_length", ">= 1"),
    ('{"text": "a", "max_length": 81}', "max_length", "is 81, more than this model's limit of 80"),
    ('{"text": "a", "attention": 1}', "attention", "bool"),
    ('{"text": "a", "stream": "yes"}', "stream", "bool"),
    ('{"text": ["a", "\\ud800"], "stream": true}', "text[1]", "lone surrogate"),
    ('{"text": "a", "tokens": [["a"]]}', "tokens", "unknown field"),
]


def with_needed(route: str, body: str) -> str:
    """The body, an object's missing fields added that the route always needs."""
    fields = "".join(f', "{name}": "{value}"' for name, value in NEEDED[route].items() if f'"{name}"' not in body)
    return body.removesuffix("}") + fields + "}" if fields and body.startswith("{") and body != "{}" else body


@pytest.mark.parametrize(
    ("route", "body", "path", "message"),
    [
        *(("/tag", *case) for case in [*ANYWHERE, *TAG_ONLY]),
        *(("/classify", *case) for case in [*ANYWHERE, *CLASSIFY_ONLY]),
        *(("/translate", *case) for case in [*ANYWHERE, *TRANSLATE_ONLY]),
    ],
)
def test_a_wrong_field_is_named(served: Served, route: str, body: str, path: str, message: str) -> None:
    document = problem_of(served.send(with_needed(route, body), route), 422, "invalid_request")
    [error] = document["errors"]
    assert error["path"] == path
    assert message in error["message"]
    assert path in document["detail"]


def test_a_pair_of_surrogates_is_a_character(served: Served) -> None:
    assert served.send('{"text": "\\ud83d\\ude00"}').json()["results"][0]["sentences"][0]["end"] == 1


@pytest.mark.parametrize(("route", "text"), [*((route, "\0") for route in NEEDED), ("/classify", "")])
def test_every_wrong_item_is_named_up_to_a_number(served: Served, route: str, text: str) -> None:
    document = problem_of(served.post(route, text=[text] * 100, strict=True), 422, "invalid_request")
    assert [error["path"] for error in document["errors"]] == [f"text[{i}]" for i in range(20)]


@every_route
def test_too_many_items(served: Served, route: str) -> None:
    document = problem_of(served.post(route, text=["a"] * 200), 422, "invalid_request")
    assert "200" in document["detail"]
    assert "128" in document["detail"]


@pytest.mark.parametrize(
    ("route", "request_body", "path", "message"),
    [
        ("/tag", {"text": ["a", "b" * 11]}, "text[1]", "has 11 characters, the limit is 10"),
        ("/tag", {"tokens": [["b" * 5, "c" * 5]]}, "tokens[0]", "has 11 characters, the limit is 10"),
        ("/tag", {"text": ["a" * 8, "b" * 8]}, "text", "has 16 characters in all, the limit is 15"),
        ("/classify", {"text": ["a", "b" * 11], "truncate": True}, "text[1]", "has 11 characters, the limit is 10"),
        ("/classify", {"text": ["a" * 8, "b" * 8]}, "text", "has 16 characters in all, the limit is 15"),
        ("/translate", {"text": ["a", "b" * 11], "stream": True}, "text[1]", "has 11 characters, the limit is 10"),
        ("/translate", {"text": ["a" * 8, "b" * 8]}, "text", "has 16 characters in all, the limit is 15"),
    ],
)
def test_too_long_a_text_is_told_the_limit_and_its_length(
    serve: Serve, route: str, request_body: Any, path: str, message: str
) -> None:
    served = serve(max_text_length=10, max_request_length=15)
    document = problem_of(served.post(route, **request_body), 422, "input_too_long")
    assert document["errors"] == [{"path": path, "message": message}]


def test_too_long_a_sentence_is_told_the_limit_and_its_length(served: Served) -> None:
    words = ["well"] * (MAX_TOKENS + 1)
    for route, field, items in (
        ("/tag", "tokens", [["a"], words]),
        ("/tag", "text", ["a", " ".join(words)]),
        ("/classify", "text", ["a", " ".join(words)]),
    ):
        response = served.client.post(route, json={field: items, "strict": True})
        [error] = problem_of(response, 422, "input_too_long")["errors"]
        assert error["path"] == f"{field}[1]"
        assert f" of {MAX_TOKENS + 1} tokens" in error["message"]
        assert f"at most {MAX_TOKENS}" in error["message"]
    assert served.session.shapes == []
    assert len(served.tag(tokens=[words[1:]])["results"]) == 1


def test_too_large_a_body_announced_or_not(serve: Serve) -> None:
    small, usual = serve(max_body_bytes=2048), serve()
    body = json.dumps({"text": "x" * 5000}).encode()
    for route in NEEDED:
        problem_of(small.send(body, route), 413, "body_too_large")
        problem_of(small.client.post(route, content=iter([body]), headers=JSON), 413, "body_too_large")
        problem_of(usual.send(body * 1000, route), 413, "body_too_large")


@pytest.mark.parametrize(("route", "known"), [("/tag", NAME), ("/classify", CLASSIFIER), ("/translate", TRANSLATOR)])
def test_an_unknown_model_lists_the_known(served: Served, route: str, known: str) -> None:
    document = problem_of(served.post(route, text="a", model="nope\0"), 404, "unknown_model")
    assert document["detail"].endswith(f"known: {known}@{VERSION}")


@pytest.mark.parametrize("path", ["/nope", "/tag/", "/tags", "/%00", "/schema/nope"])
def test_an_unknown_path(served: Served, path: str) -> None:
    if path == "/tag/":  # Litestar reads it as /tag
        assert served.client.post(path, json={"text": "a"}).status_code == 200
        return
    problem_of(served.client.get(path), 404, "not_found")


@every_route
def test_a_wrong_method_says_which_are_right(served: Served, route: str) -> None:
    response = served.client.get(route)
    problem_of(response, 405, "method_not_allowed")
    assert "POST" in response.headers["allow"]
    problem_of(served.client.delete("/models"), 405, "method_not_allowed")


@every_route
@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_a_wrong_media_type(served: Served, route: str, media_type: str) -> None:
    response = served.client.post(route, content=b'{"text": "a"}', headers={"content-type": media_type})
    problem_of(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ('{"text": "a", "model": "%s"}', 404, "unknown_model"),
        ('{"text": "a", "%s": 1}', 422, "invalid_request"),
        ('{"text": "a", "tasks": ["%s"]}', 422, "invalid_request"),
    ],
)
def test_what_was_sent_is_not_sent_back_at_length(served: Served, body: str, status: int, kind: str) -> None:
    response = served.send(body % ("x" * 100_000))
    problem = problem_of(response, status, kind)
    assert len(response.content) < 5000
    assert "; known" in problem["detail"]


def test_a_bug_is_a_problem_document_too(fresh: Served, caplog: pytest.LogCaptureFixture) -> None:
    for route in NEEDED:
        fresh.session.error = RuntimeError("a very private text")
        document = problem_of(fresh.post(route, text="a"), 500, "model_failed")
        assert "private" not in json.dumps(document) + caplog.text
        fresh.session.error = None
        assert fresh.ask(route, text="a")


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["text", "tokens", "model", "tasks", "truncate", "offset_unit", "target", "beam_size", "max_length", "stream", "x"]
)
BODIES = st.binary(max_size=40) | JSON_VALUES.map(json.dumps).map(str.encode)
REQUESTS = st.dictionaries(FIELDS, JSON_VALUES, max_size=4).map(json.dumps).map(str.encode)


@every_route
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(BODIES | REQUESTS)
def test_nothing_that_is_sent_is_a_bug(served: Served, route: str, body: bytes) -> None:
    response = served.send(body, route)
    assert response.status_code in {200, 400, 404, 422}, response.text
    if response.status_code != 200:
        problem_of(response, response.status_code, response.json()["kind"])

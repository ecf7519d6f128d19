"""The one line of each request: these fields and no others, whatever was asked for."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from service.logs import JsonFormatter
from tests.application import KEY, Serve, Served
from tests.fakes import CLASSIFIER, NAME, TRANSLATOR, VERSION

ALWAYS = {
    "time": str,
    "level": str,
    "message": str,
    "request_id": str,
    "method": str,
    "route": str,
    "status": int,
    "request_bytes": int,
    "answer_bytes": int,
    "items": int,
    "tokens": int,
    "queue_ms": float,
    "model_ms": float,
    "total_ms": float,
}
SECRET = "Alice knows Hong Kong"


@pytest.fixture
def lines(served: Served, caplog: pytest.LogCaptureFixture) -> Any:
    """Those of a call, as they would be written."""
    caplog.set_level(logging.INFO, "service.requests")

    def ask(path: str, *, method: str = "POST", **options: Any) -> tuple[Any, Any]:
        caplog.clear()
        response = served.client.request(method, path, **options)
        [record] = [each for each in caplog.records if each.name == "service.requests"]
        return response, json.loads(JsonFormatter().format(record))

    return ask


@pytest.mark.parametrize(
    ("path", "request_", "model"),
    [
        ("/tag", {"text": ["Alice plays", "well"]}, NAME),
        ("/classify", {"text": ["a good plot", "bad"]}, CLASSIFIER),
        ("/translate", {"text": ["Me too.", "And you."], "target": "es"}, TRANSLATOR),
    ],
)
def test_an_answer_has_its_sizes_its_times_and_its_model(
    lines: Any, path: str, request_: dict[str, Any], model: str
) -> None:
    response, line = lines(path, json=request_)
    assert response.status_code == 200
    assert {name: type(value) for name, value in line.items()} == {**ALWAYS, "model": str}
    assert (line["method"], line["route"], line["status"], line["items"]) == ("POST", path, 200, 2)
    assert line["model"] == f"{model}@{VERSION}"
    assert line["request_bytes"] == len(response.request.content)
    assert line["answer_bytes"] == len(response.content)
    assert line["tokens"] > 0
    assert 0 <= line["queue_ms"] + line["model_ms"] <= line["total_ms"] + 0.01


def test_a_stream_is_counted_to_its_last_event(lines: Any) -> None:
    response, line = lines("/translate", json={"text": "Me too. And you.", "target": "es", "stream": True})
    assert line["answer_bytes"] == len(response.content)
    assert line["items"] == 1


@pytest.mark.parametrize(
    ("path", "method", "body", "status", "kind", "more"),
    [
        ("/tag", "POST", b'{"text": 1}', 422, "invalid_request", set()),
        ("/tag", "POST", b'{"text": "a", "model": "%b"}' % SECRET.encode(), 404, "unknown_model", set()),
        ("/tag", "POST", b'{"text": "\\u0000"}', 422, "invalid_request", {"model"}),
        ("/tag", "GET", b"", 405, "method_not_allowed", set()),
        (f"/{SECRET}?{SECRET}={SECRET}", "POST", b"", 404, "not_found", set()),
    ],
)
def test_a_refusal_has_its_kind_and_nothing_of_what_was_sent(
    lines: Any, path: str, method: str, body: bytes, status: int, kind: str, more: set[str]
) -> None:
    response, line = lines(path, method=method, content=body, headers={"content-type": "application/json"})
    assert response.status_code == status
    assert set(line) == {*ALWAYS, "kind", *more}
    assert (line["kind"], line["status"]) == (kind, status)
    assert line["answer_bytes"] == len(response.content)
    assert not [word for word in SECRET.split() if word in json.dumps(line)]


def test_a_caller_with_a_key_is_known_by_its_name_and_one_without_by_the_address(
    serve: Serve, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "service.requests")
    served = serve(api_keys_file=keys)
    served.post("/tag", text="a", headers={"X-API-Key": KEY})
    served.post("/tag", text="a", headers={"X-API-Key": "rbn_guessed"})
    known, unknown = [json.loads(JsonFormatter().format(each)) for each in caplog.records[-2:]]
    assert set(known) == {*ALWAYS, "model", "key"}
    assert known["key"] == "shop"
    assert set(unknown) == {*ALWAYS, "kind", "address"}
    assert "rbn_" not in json.dumps([known, unknown])


def test_a_made_up_method_is_not_repeated(lines: Any) -> None:
    _, line = lines("/tag", method="ALICE")
    assert line["method"] == "_OTHER"


def test_a_body_over_the_limit_is_counted_as_far_as_it_was_read(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "service.requests")
    client = serve(max_body_bytes=1024).client
    caplog.clear()
    assert client.post("/tag", content=iter([b"x" * 700] * 4)).status_code == 413
    assert 1024 < caplog.records[-1].__dict__["request_bytes"] <= 2800

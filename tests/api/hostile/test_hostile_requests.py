"""Whatever is sent, there is a valid answer, a problem document or a closed connection in time, never a bug, and the
service goes on as before. One service for all of it; raw sockets where a client would mend what it sends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.process import ROOT, ServiceProcess
from tests.api.hostile.bodies import BOMB, CODINGS, FIELDS, GOOD, MEANT_MEDIA_TYPES, MEDIA_TYPES, VALUES, WHOLE
from tests.api.hostile.raw_requests import CHUNK, CHUNKED, END, HEAD, HEADERS, LENGTHS, METHODS, NOT_HTTP, TARGETS
from tests.api.hostile.raw_requests import WHOLE as REQUEST
from tests.api.hostile.texts import ENDLESS, STRANGE
from tests.api.hostile.wire import Reply, exchange
from tests.contract import Contract

SECONDS = 20  # within which there is an answer or an end, on a machine that is busy with other tests
NEEDED: Mapping[str, Mapping[str, Any]] = {
    "/tag": {"truncate": True},
    "/classify": {"truncate": True},
    "/translate": {"target": "es", "beam_size": 1, "max_length": 4, "truncate": True},
}
BODY_SECONDS = 1
CALM = {503, 504}  # of the 5xx, those that the contract knows
GROWTH = 1.5  # of resident memory, at most; it would be thousands with one bomb that went off


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A service and its own word on what it answers."""

    service: ServiceProcess
    client: httpx.Client
    contract: Contract

    def post(self, route: str, body: bytes, **headers: str) -> httpx.Response:
        """Held against the contract by the client's hook."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.client.post(route, content=body, headers={"content-type": "application/json", **named})
        assert response.status_code < 500 or response.status_code in CALM, response.text
        return response

    def send(self, content: bytes) -> Reply | None:
        reply = exchange(self.service.address.port, content, seconds=SECONDS)
        if reply is not None:
            self._check(reply)
        return reply

    def send_all(self, named: Mapping[str, bytes]) -> dict[str, int]:
        """What came of each, 0 for a connection that was closed: several at a time, for some wait to be given up."""
        with ThreadPoolExecutor(8) as pool:
            replies = pool.map(self.send, named.values())
            return {name: reply.status if reply else 0 for name, reply in zip(named, replies, strict=True)}

    def _check(self, reply: Reply) -> None:
        assert reply.status < 500 or reply.status in CALM, reply
        if reply.headers.get("content-type") == "application/problem+json" and reply.body:
            document = json.loads(reply.body)
            self.contract.validate(document, {"$ref": "#/components/schemas/Problem"})
            assert document["status"] == reply.status
        elif reply.status >= 400 and reply.body:  # uvicorn's word for what is no HTTP
            assert (reply.status, reply.body) == (400, b"Invalid HTTP request received."), reply

    def check_health(self) -> None:
        """It answers as before, nothing was a bug, and memory is where it was."""
        assert self.client.post("/tag", json={"text": "Alice"}).status_code == 200
        counts = self.client.get("/metrics").text
        assert 'status="500"' not in counts
        assert 'kind="internal_error"' not in counts
        assert 'kind="model_failed"' not in counts


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    variables = {"RIBBON_BODY_TIMEOUT_SECONDS": str(BODY_SECONDS), "RIBBON_THREADS": "1", "RIBBON_DEVICE": "cpu"}
    variables["RIBBON_ALLOWED_HOSTS"] = "*"
    with (
        ServiceProcess(models_dir=ROOT / "models", variables=variables) as service,
        httpx.Client(base_url=service.url, trust_env=False, timeout=SECONDS) as client,
    ):
        contract = Contract(client.get("/schema/openapi.json").json())
        client.event_hooks["response"].append(contract.check)
        resident = service.resident_megabytes
        target = Target(service=service, client=client, contract=contract)
        yield target
        target.check_health()
        assert service.resident_megabytes < GROWTH * resident


every_route = pytest.mark.parametrize("route", list(NEEDED))


def body_of(route: str, texts: Iterable[str]) -> bytes:
    return json.dumps({**NEEDED[route], "text": list(texts)}).encode()


@every_route
def test_strange_texts_are_texts(target: Target, route: str) -> None:
    for name, text in STRANGE.items():
        response = target.post(route, body_of(route, [text]))
        assert response.status_code == 200, name


def test_offsets_fit_strange_texts(target: Target) -> None:
    for name, text in STRANGE.items():
        [result] = target.post("/tag", body_of("/tag", [text])).json()["results"]
        tokens = [token for sentence in result["sentences"] for token in sentence["tokens"]]
        assert all(text[token["start"] : token["end"]] == token["text"] for token in tokens), name


@every_route
def test_texts_without_end_end_in_time(target: Target, route: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        bodies = [body_of(route, [text]) for text in ENDLESS.values()]
        statuses = [response.status_code for response in pool.map(partial(target.post, route), bodies)]
    assert set(statuses) <= {200, 429}, dict(zip(ENDLESS, statuses, strict=True))


@pytest.mark.parametrize(("route", "field"), [(route, field) for route in FIELDS for field in FIELDS[route]])
def test_fields_may_hold_anything(target: Target, route: str, field: str) -> None:
    """Good ones beside it, so that it is read."""
    others = {name: value for name, value in {"text": "a", **NEEDED[route]}.items() if name != field}
    head = json.dumps(others).encode().removesuffix(b"}")
    for name, value in VALUES.items():
        response = target.post(route, head + b', "%b": %b}' % (field.encode(), value))
        assert response.status_code in (200, 400, 404, 413, 422), (name, response.text)


@every_route
def test_bodies_may_be_anything(target: Target, route: str) -> None:
    for name, body in [*WHOLE.items(), *VALUES.items()]:
        response = target.post(route, body)
        assert response.status_code in (400, 413, 422), (name, response.text)


@every_route
def test_what_is_compressed_is_opened_within_bounds_or_never(target: Target, route: str) -> None:
    before = target.service.peak_megabytes
    for _ in range(5):
        assert target.post(route, BOMB, content_encoding="gzip").status_code == 413
    for coding, body in CODINGS.items():
        assert target.post(route, body, content_encoding=coding).status_code == 415
    assert target.service.peak_megabytes - before < 16


@every_route
def test_only_json_is_json(target: Target, route: str) -> None:
    for media_type in MEDIA_TYPES:
        content = {"content-type": media_type.encode("latin-1")}
        response = target.client.post(route, content=GOOD, headers=content)
        assert response.status_code == 415, media_type
    for media_type in MEANT_MEDIA_TYPES:
        content = {"content-type": media_type.encode("latin-1")}
        response = target.client.post(route, content=body_of(route, ["a"]), headers=content)
        assert response.status_code == 200, media_type


@pytest.mark.parametrize("named", [TARGETS, METHODS, HEADERS, LENGTHS, NOT_HTTP])
def test_whatever_comes_over_the_wire_ends(target: Target, named: Mapping[str, bytes]) -> None:
    outcomes = target.send_all(named)
    assert len(outcomes) == len(named)
    target.check_health()


def test_where_a_body_ends_is_never_guessed(target: Target) -> None:
    """Two readers who disagree about it could be made to see two requests."""
    ambiguous = (
        "two lengths",
        "a list of lengths",
        "a negative length",
        "a length with a sign",
        "a hexadecimal length",
    )
    ambiguous += ("length and chunks", "chunks and length", "chunked twice", "chunked, then not", "not quite chunked")
    ambiguous += ("compressed chunks", "trailers")
    outcomes = target.send_all({name: LENGTHS[name] for name in ambiguous})
    assert {name: status for name, status in outcomes.items() if status == 200} == {}


def test_good_chunks_are_read(target: Target) -> None:
    outcomes = target.send_all({name: LENGTHS[name] for name in ("chunks", "a chunk a byte", "many trailers")})
    assert set(outcomes.values()) == {200}


PIECES = (
    HEAD,
    REQUEST,
    CHUNKED,
    CHUNK,
    END,
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b"\xff",
    b":",
    b" ",
    b"{",
    b"]",
    b'"',
    b"HTTP/1.1",
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good request with some of its bytes replaced, left out or said twice."""
    request = draw(st.sampled_from([REQUEST, HEAD + CHUNKED + b"\r\n" + CHUNK + END, *list(HEADERS.values())[2:3]]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(request)))
        end = min(len(request), start + draw(st.integers(0, 20)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=4) | st.just(request[start:end] * 2))
        request = request[:start] + piece + request[end:]
    return request


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(mutated(), min_size=1, max_size=8))
def test_requests_with_a_few_wrong_bytes_end(target: Target, requests: list[bytes]) -> None:
    target.send_all({str(place): request for place, request in enumerate(requests)})

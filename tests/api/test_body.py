"""Bodies that cannot be decoded are explained in bounded memory and time, beside the event loop if they are large."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.body import LARGE, decode
from service.api.body_errors import MAX_KEY_LENGTH, MAX_LEVELS
from service.api.schemas import TagRequest, TranslateRequest
from service.errors import MAX_REPORTED, InvalidRequestError, MalformedRequestError, RequestError
from service.models.cards import request_limits
from service.settings import Settings
from tests.api.conftest import NEEDED, Serve, Served
from tests.api.test_bad_input import JSON, JSON_VALUES, every_route, post, problem_of

SIZE = 1024 * 1024  # bytes
SLACK = 8_000_000
MAX_VALUES = request_limits(Settings()).max_values
MEMBERS = [b'""', b'"a"', b'"ab"', b"[]", b'["a"]', b"{}", b'{"":0}', b'{"a":{}}', b"1", b"1.5", b"null", rb'"\ud800"']
SURROGATE = rb'"\ud800"'


def refused(body: bytes, form: type = TagRequest) -> RequestError:
    with pytest.raises((InvalidRequestError, MalformedRequestError)) as raised:
        decode(body, form, MAX_VALUES)
    return raised.value


def peak_of(body: bytes) -> int:
    """Bytes that refusing a body takes at most, beside the body itself."""
    tracemalloc.start()
    try:
        refused(body)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def repeated(member: bytes, size: int = SIZE) -> bytes:
    return b",".join([member] * (size // (len(member) + 1)))


def hostile() -> Iterator[bytes]:
    """Bodies that would take many times their size if they were parsed into objects."""
    for member in MEMBERS:
        for last in (b"5", SURROGATE):
            yield b'{"tokens": [%b, %b]}' % (repeated(member, SIZE // 4), last)
    yield b'{"tokens": [[%b, 5]]}' % repeated(b'"a"', SIZE)
    yield b'{"tokens": [%b]}' % repeated(b"[]", SIZE)
    yield b"{%b}" % repeated(b'"":0', SIZE)
    yield b"[" * SIZE
    yield b'{"x":' * (SIZE // 5)
    yield b'{"x":' * (SIZE // 5) + SURROGATE
    yield b"[" * (SIZE // 2) + repeated(SURROGATE, SIZE // 2)
    yield b'{"text": "%b", "x": 1}' % (b"a" * SIZE)
    yield ('{"text": "' + "a" * SIZE + '😀", "x": 1}').encode()
    yield b'{"text": "%b"}' % (rb"\ud800" * (SIZE // 6))
    yield b'{"text": "%b"}' % (rb"\n" * (SIZE // 2) + rb"\ud800")
    yield b'{"text": "%b"}' % (b"\\" * (SIZE - 1))
    yield b'{"%b": 1}' % (b"k" * SIZE)
    yield b'{"%b": %b}' % (b"k" * SIZE, SURROGATE)
    yield b'{"text": %b}' % (b"1" * SIZE)
    yield b"\xff" * SIZE
    yield b'{"text": "' + "é".encode() * (SIZE // 2) + b'\xc3"}'


def test_refusing_a_body_takes_at_most_four_times_its_size() -> None:
    for body in hostile():
        assert peak_of(body) <= 4 * len(body) + SLACK, f"{body[:40]!r} … {body[-40:]!r}"


def test_a_path_through_long_keys_is_shortened_and_no_other_is_made() -> None:
    depth, key = 900, b"k" * 4600
    body = b'{"text": ' + b'{"%b": ' % key * depth + SURROGATE + b"}" * (depth + 1)
    assert peak_of(body) <= 2 * len(body)
    [error] = refused(body).errors
    assert error.message == "holds a lone surrogate, which no text can"
    assert error.path.startswith("text.kkk")
    assert "…" in error.path
    assert len(error.path) <= MAX_LEVELS * (MAX_KEY_LENGTH + 2)


@given(JSON_VALUES)
def test_every_string_with_a_lone_surrogate_is_named(value: object) -> None:
    body = json.dumps({"text": "a", "x": value}).encode()
    wanted = list(surrogates(json.loads(body)))
    if wanted:
        assert [error.path for error in refused(body).errors] == wanted[:20]


def surrogates(value: object, path: str = "") -> Iterator[str]:
    """The paths of strings and keys that hold a lone surrogate, in the order in which they are written."""
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            yield path
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from surrogates(each, f"{path}[{place}]")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from surrogates(key, f"{path}.{key}".removeprefix("."))
            yield from surrogates(each, f"{path}.{key}".removeprefix("."))


@pytest.mark.parametrize("key", [b"a\0b", b"a\nb", b"\\x", b"\\u12"])
def test_a_key_that_is_no_json_is_shown_as_it_is_where_the_syntax_is_not_checked(key: bytes) -> None:
    """The syntax of a body with as many lone surrogates as are named is not checked."""
    error = refused(b'{"%b": [%b]}' % (key, b", ".join([SURROGATE] * MAX_REPORTED)))
    assert error.errors[-1].path == f"{key.decode()}[{len(error.errors) - 1}]"


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_explained(body: bytes) -> None:
    for form in (TagRequest, TranslateRequest):
        with suppress(RequestError):
            decode(body, form, MAX_VALUES)


@pytest.mark.parametrize("size", [10, LARGE, LARGE + 100])
def test_what_is_not_utf8_is_told_by_its_byte(size: int) -> None:
    body = b'{"text": "' + "é".encode() * size + b'\xff"}'
    assert refused(body).detail == f"the body is not UTF-8 at byte {10 + 2 * size}"


@every_route
def test_a_byte_order_mark_is_skipped(served: Served, route: str) -> None:
    body = json.dumps({"text": "a", **NEEDED[route]}).encode()
    assert post(served, b"\xef\xbb\xbf" + body, route).json() == post(served, body, route).json()
    problem_of(post(served, b"\xef\xbb\xbf{", route), 400, "malformed_json")


@pytest.mark.parametrize(("first", "last"), [('{"text": "nobody", "text": "a"}', '{"text": "a"}')])
def test_of_repeated_keys_the_last_counts(served: Served, first: str, last: str) -> None:
    assert post(served, first).json() == post(served, last).json()


@pytest.mark.parametrize(
    ("written", "status"), [("4.0", 200), ("4e0", 200), ("40e-1", 200), ("4.5", 422), ("1e300", 422)]
)
def test_a_whole_number_may_be_written_with_a_point(served: Served, written: str, status: int) -> None:
    body = f'{{"text": "a", "target": "es", "num_hypotheses": 1.0, "beam_size": {written}}}'
    response = post(served, body, "/translate")
    assert response.status_code == status
    if status == 422:
        assert problem_of(response, 422, "invalid_request")["errors"][0]["path"] == "beam_size"


def test_more_values_than_any_request_may_have_are_refused_before_they_are_decoded(serve: Serve) -> None:
    served = serve(max_request_length=1000, max_items=10)
    detail = problem_of(post(served, b'{"text": [%b]}' % repeated(b'"a"', 2 * LARGE)), 422, "invalid_request")["detail"]
    assert detail.startswith("the body holds more than 536 texts, tokens and lists")
    assert post(served, b'{"text": "%b"}' % (b",[" * LARGE)).json()["kind"] == "input_too_long"


@pytest.mark.parametrize("size", [LARGE - 100, LARGE + 100])
def test_bodies_of_any_size_are_read_and_explained_alike(serve: Serve, size: int) -> None:
    served = serve(max_text_length=2 * LARGE, max_request_length=2 * LARGE)
    padding = " " * size
    assert post(served, f'{{"text": "plays well"{padding}}}').status_code == 200
    document = problem_of(post(served, f'{{"text": ["a", 5]{padding}}}'), 422, "invalid_request")
    assert document["errors"] == [{"path": "text[1]", "message": "Expected `str`, got `int`"}]


def test_a_large_bad_body_does_not_hold_up_others(serve: Serve) -> None:
    """While the side thread is busy, a bad body that is large waits for it, and a small one is answered."""
    served, gate = serve(), threading.Event()
    assert served.app is not None
    busy: Future[bool] = served.app.engine.side_executor.submit(gate.wait, 20)
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(served.client.post, "/tag", content=b"{" + b" " * LARGE, headers=JSON)
        problem_of(post(served, b"{"), 400, "malformed_json")
        assert served.client.get("/health/live").status_code == 200
        assert not large.done()
        gate.set()
        problem_of(large.result(), 400, "malformed_json")
    assert busy.result()

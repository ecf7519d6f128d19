"""Answers compressed for those who take it, and bodies that come compressed."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import httpx
import pytest

from service.api import compression
from service.api.compression import LARGE, MIN_BYTES, headers_of, takes_gzip
from tests.application import Serve, Served

WORDY = "plays well with others. " * 40
JSON = {"content-type": "application/json"}


def ask(served: Served, accept: str, path: str = "/tag", **fields: Any) -> httpx.Response:
    """An answer, which httpx has decompressed."""
    return served.client.post(path, json=fields, headers={"accept-encoding": accept})


@pytest.mark.parametrize("repeated", [1, 30])
def test_a_long_answer_is_compressed(served: Served, repeated: int) -> None:
    plain = ask(served, "identity", text=[WORDY] * repeated)
    response = ask(served, "gzip", text=[WORDY] * repeated)
    assert (len(plain.content) > LARGE) == (repeated > 1)
    assert (response.status_code, response.headers["content-encoding"]) == (200, "gzip")
    assert response.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert response.content == plain.content
    assert 3 * int(response.headers["content-length"]) < int(plain.headers["content-length"]) == len(plain.content)


def test_a_short_answer_is_not(served: Served) -> None:
    response = ask(served, "gzip", text="well")
    assert len(response.content) < MIN_BYTES
    assert "content-encoding" not in response.headers
    assert response.headers["vary"] == "Accept-Encoding"


def test_a_stream_is_sent_as_it_is(served: Served) -> None:
    response = ask(served, "gzip", "/translate", text=WORDY, target="es", stream=True)
    assert len(response.content) > MIN_BYTES
    assert not {"content-encoding", "vary"} & set(response.headers)
    assert "event: done" in response.text


def test_what_is_read_is_compressed_too_and_a_head_has_no_body(served: Served) -> None:
    for path in ("/schema/openapi.json", "/models", "/metrics"):
        response = served.client.get(path, headers={"accept-encoding": "gzip"})
        assert response.headers["content-encoding"] == "gzip", path
        assert response.content
    assert "content-encoding" not in served.client.head("/models", headers={"accept-encoding": "gzip"}).headers


@pytest.mark.parametrize(
    ("accept", "is_taken"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0.001", True),
        ("identity, gzip", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity;q=0.8", False),
        ("gzip;q=x", False),
        ("gzip;q=2", False),
        ("gzipped", False),
        (",;q=gzip,=,;;", False),
    ],
)
def test_who_takes_gzip(accept: str, is_taken: bool) -> None:
    assert takes_gzip([(b"accept-encoding", accept.encode())]) == is_taken


def test_an_entity_tag_of_other_bytes_is_weak() -> None:
    headers = [(b"etag", b'"a"'), (b"content-length", b"9")]
    assert (b"etag", b'W/"a"') in headers_of(headers, num_bytes=5)
    assert (b"etag", b'"a"') in headers_of(headers, num_bytes=None)


def post(served: Served, body: bytes, coding: str = "gzip") -> Any:
    return served.client.post("/tag", content=body, headers={**JSON, "content-encoding": coding})


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
@pytest.mark.parametrize("padding", [0, 100_000])
def test_a_body_may_come_compressed(served: Served, coding: str, padding: int) -> None:
    body = b" " * padding + json.dumps({"text": "Alice"}).encode()
    response = post(served, gzip.compress(body), coding)
    assert response.status_code == 200, response.text
    assert response.json() == served.tag(text="Alice")


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd", "gzip, gzip", "gzip, identity", "nonsense"])
def test_another_coding_is_refused_and_told_which_is_taken(served: Served, coding: str) -> None:
    response = post(served, gzip.compress(b'{"text": "Alice"}'), coding)
    assert (response.status_code, response.json()["kind"]) == (415, "unsupported_media_type")
    assert response.headers["accept-encoding"] == "gzip"


WHOLE = gzip.compress(b'{"text": "Alice"}', mtime=0)  # a time would give each process other test names


@pytest.mark.parametrize("body", [WHOLE[:-1], WHOLE + b"x", WHOLE * 2, WHOLE[10:], b"{}", zlib.compress(b"{}")])
def test_what_is_not_one_gzip_file_is_refused(served: Served, body: bytes) -> None:
    response = post(served, body)
    assert (response.status_code, response.json()["kind"]) == (400, "malformed_json")


def test_a_compressed_body_is_held_to_the_limit_of_a_plain_one(serve: Serve) -> None:
    served = serve(max_request_length=5000, max_text_length=5000, max_body_bytes=20_000)
    assert post(served, gzip.compress(b'{"text": "Alice"}'.ljust(20_000))).status_code == 200
    response = post(served, gzip.compress(b'{"text": "Alice"}'.ljust(20_001)))
    assert (response.status_code, response.json()["kind"]) == (413, "body_too_large")


def test_a_bomb_is_refused_in_little_memory() -> None:
    bomb, limit = gzip.compress(b" " * 200_000_000), 4_000_000
    tracemalloc.start()
    try:
        with pytest.raises(compression.BodyTooLargeError):
            compression.decompress(bomb, limit)
        assert tracemalloc.get_traced_memory()[1] < 3 * limit
    finally:
        tracemalloc.stop()

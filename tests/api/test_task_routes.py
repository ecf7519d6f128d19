"""The tasks' routes answer the same with and without Litestar, which answers pages of other origins."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from httpx import Response

from tests.application import Serve, Served

ORIGIN = "https://app.example.com"
OWN = {"x-request-id", "server-timing", "date"}  # headers that differ from one request to the next
BODIES: Mapping[str, bytes] = {
    "/tag": b'{"text": ["Alice met Bob.", ""]}',
    "/classify": b'{"text": "not bad"}',
    "/translate": b'{"text": "a b", "target": "es"}',
    "/generate": b'{"prompt": "a", "seed": 1, "max_tokens": 3}',
    "/score": b'{"text": "a b"}',
}
BAD: Mapping[str, bytes] = {
    "not JSON": b"{",
    "wrong field": b'{"texts": "a"}',
    "empty": b"",
    "a NUL": b'{"text": "\\u0000"}',
}


def ask(served: Served, path: str, body: bytes, **headers: str) -> Response:
    return served.client.post(path, content=body, headers={"content-type": "application/json", **headers})


def compared(response: Response) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer, without what is its own."""
    headers = {name: value for name, value in response.headers.items() if name not in OWN}
    body = response.content
    if response.status_code >= 400:
        body = json.dumps({**response.json(), "request_id": ""}).encode()
    return response.status_code, headers, body


@pytest.mark.parametrize("path", BODIES)
def test_a_page_of_another_origin_is_answered_alike(serve: Serve, path: str) -> None:
    served = serve(cors_origins=ORIGIN)
    status, headers, body = compared(ask(served, path, BODIES[path], origin=ORIGIN))
    assert headers["access-control-allow-origin"] == ORIGIN
    own = {name: value for name, value in headers.items() if not name.startswith("access-control-")}
    own["vary"] = "Accept-Encoding"  # and Origin
    assert compared(ask(served, path, BODIES[path])) == (status, own, body)
    assert status == 200


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_bad_bodies_are_refused_alike(serve: Serve, body: bytes) -> None:
    served = serve(cors_origins=ORIGIN)
    through_litestar, straight = ask(served, "/tag", body, origin=ORIGIN), ask(served, "/tag", body)
    assert through_litestar.status_code == straight.status_code >= 400
    assert compared(through_litestar)[2] == compared(straight)[2]


def test_the_path_may_have_slashes_too_many(fresh: Served) -> None:
    assert ask(fresh, "/tag//", BODIES["/tag"]).status_code == 200
    assert fresh.metric("ribbon_requests_total", route="/tag", status="200") == 1


def test_other_methods_of_the_path_are_told_which_one_it_takes(served: Served) -> None:
    response = served.client.get("/tag")
    assert response.status_code == 405
    assert response.headers["allow"] == "OPTIONS, POST"

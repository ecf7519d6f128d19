"""Headers for browsers, pages of other origins, and HEAD."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.application import KEY, Serve, Served, bearer, every_route, problem_of

PAGE = "https://app.example.com"
GETS = ["/models", "/health/live", "/health/ready", "/metrics"]


def test_every_answer_tells_browsers_what_not_to_do(served: Served) -> None:
    answers = [served.client.get(path) for path in [*GETS, "/schema", "/schema/openapi.json", "/nope"]]
    answers += [served.post("/tag", text="a"), served.client.post("/tag", content=b"{"), served.client.get("/tag")]
    for response in answers:
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert "server" not in response.headers


@every_route
def test_what_is_made_of_somebodys_text_is_not_stored(served: Served, route: str) -> None:
    for response in (served.post(route, text="a"), served.post(route)):
        assert response.headers["cache-control"] == "no-store"
    stream = served.post("/translate", text="a", stream=True)
    assert stream.headers["cache-control"] == "no-store"
    assert stream.headers["x-accel-buffering"] == "no"


def test_data_may_do_nothing_and_the_schemas_page_what_it_needs(served: Served) -> None:
    data = served.client.get("/models").headers["content-security-policy"]
    assert data == "default-src 'none'; frame-ancestors 'none'"
    page = served.client.get("/schema")
    assert page.headers["x-frame-options"] == "DENY"
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert "<style>" in page.text
    assert "'unsafe-inline'" in policy["style-src"]
    assert re.search(r"<script(?![^>]* src=)|\son\w+=", page.text) is None, "inline scripts are not run"


@pytest.mark.parametrize("path", GETS)
def test_head_is_get_without_a_body(served: Served, path: str) -> None:
    whole, head = served.client.get(path), served.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]
    if path != "/metrics":  # whose body changes
        assert head.headers["content-length"] == str(len(whole.content))


def test_head_is_no_more_than_that(fresh: Served) -> None:
    assert fresh.client.head("/nope").status_code == 404
    refused = fresh.client.head("/tag")
    assert (refused.status_code, refused.headers["allow"]) == (405, "OPTIONS, POST")
    assert fresh.metric("ribbon_requests_total", route="unknown", status="405") == 1


def test_allow_names_head_where_it_works(served: Served) -> None:
    wrong = served.client.put("/models")
    assert problem_of(wrong, 405, "method_not_allowed")["detail"] == "this path takes GET, HEAD, OPTIONS"
    assert wrong.headers["allow"] == "GET, HEAD, OPTIONS"
    assert served.client.options("/models").headers["allow"] == "GET, HEAD, OPTIONS"
    assert served.client.options("/tag").headers["allow"] == "OPTIONS, POST"


def test_the_schema_knows_head(served: Served) -> None:
    paths = served.client.get("/schema/openapi.json").json()["paths"]
    for path, item in paths.items():
        assert ("head" in item) == ("get" in item)
        if "head" in item:
            assert path not in item["head"]["operationId"]
            assert item["head"]["operationId"] != item["get"]["operationId"]
            assert set(item["head"]["responses"]) == set(item["get"]["responses"])
            assert all("content" not in response for response in item["head"]["responses"].values())


def preflight(served: Served, origin: str, header: str = "authorization,content-type") -> Any:
    return served.client.options(
        "/tag",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": header,
        },
    )


def test_no_other_origin_is_let_in_by_default(served: Served) -> None:
    response = served.post("/tag", text="a", headers={"Origin": PAGE})
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_pages_of_origins_that_are_named_may_call(serve: Serve, keys: Path) -> None:
    served = serve(cors_origins=f"{PAGE}, https://*.example.org", api_keys_file=keys)
    for origin in (PAGE, "https://a.example.org"):
        allowed = preflight(served, origin)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, origin)
    refused = preflight(served, "https://evil.example")
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers
    assert preflight(served, PAGE, header="x-unknown").status_code == 400
    answer = served.post("/tag", text="a", headers={"Origin": PAGE, **bearer(KEY)})
    assert answer.headers["access-control-allow-origin"] == PAGE
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"X-Request-ID", "Server-Timing", "Retry-After"} <= set(exposed)
    unauthorized = served.post("/tag", text="a", headers={"Origin": PAGE})
    problem_of(unauthorized, 401, "unauthorized")
    assert unauthorized.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-credentials" not in answer.headers

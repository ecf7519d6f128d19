"""The service under a prefix of a proxy's: its paths, and the links of its pages."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest

from tests.api.conftest import Serve


@pytest.mark.parametrize("prefix", ["", "/nlp"])
def test_every_path_is_answered_with_the_prefix_and_without(serve: Serve, prefix: str) -> None:
    served = serve(root_path="/nlp")
    assert served.client.get(f"{prefix}/health/ready").status_code == 200
    assert served.client.post(f"{prefix}/tag", json={"text": "Alice"}).status_code == 200
    assert served.metric("ribbon_requests_total", route="/tag", status="200") == 1


@pytest.mark.parametrize("path", ["/nlp2/tag", "/nl/tag", "/tag/nlp", "/nlp/nlp/tag"])
def test_another_prefix_is_unknown(serve: Serve, path: str) -> None:
    assert serve(root_path="/nlp").client.post(path, json={"text": "Alice"}).status_code == 404


@pytest.mark.parametrize("page", ["/schema", "/schema/"])
@pytest.mark.parametrize("prefix", ["", "/nlp", "/a/b"])
def test_the_links_of_the_schema_page_lead_below_the_prefix(serve: Serve, prefix: str, page: str) -> None:
    served = serve(root_path=prefix or None)
    address = prefix + page
    links = re.findall(r'(?:src|href|spec-url)="([^"]+)"', served.client.get(address).text)
    paths = {urljoin(address, link) for link in links if not link.startswith("data:")}
    files = ("rapidoc-min.js", "openapi.json", "openapi.yaml")
    assert paths == {f"{prefix}/schema/{name}" for name in files}
    assert all(served.client.get(path).status_code == 200 for path in paths)


def test_the_description_says_where_the_service_is(serve: Serve) -> None:
    assert serve(root_path="/nlp").client.get("/nlp/schema/openapi.json").json()["servers"] == [{"url": "/nlp"}]
    assert serve().client.get("/schema/openapi.json").json()["servers"] == [{"url": "/"}]

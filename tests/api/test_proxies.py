"""Behind a proxy: where a request comes from, the peer or what a proxy that is trusted says, and a prefix of its
own."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient

from service.api.context import Caller, network_of
from service.app import create_app
from tests.application import ComingFrom, Serve, is_ready, wait_until
from tests.fakes import FakeSession, OpenFake, settings_for, write_bundle

PROXY, OTHER_PROXY, CLIENT, INVENTED = "10.0.0.1", "10.0.0.2", "203.0.113.9", "198.51.100.1"
AddressOf = Callable[..., str | None]


@pytest.fixture
def address_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[AddressOf]:
    """``address_of(peer, *X-Forwarded-For)``: the address that the log has of a caller who is refused."""
    caplog.set_level(logging.INFO, "service.requests")
    keys = tmp_path / "keys"
    keys.write_text(f"shop:{'0' * 64}")
    write_bundle(tmp_path / "models")
    with ExitStack() as stack:

        def ask(peer: str, *values: str, trusted: str | None = "10.0.0.0/8,fd00::/8") -> str | None:
            choices = {"api_keys_file": keys, "trusted_proxies": trusted}
            app = create_app(settings_for(tmp_path / "models", **choices), open_session=OpenFake(FakeSession()))
            client = stack.enter_context(TestClient(ComingFrom(peer, app)))
            wait_until(lambda: is_ready(client))
            headers = [(b"X-Forwarded-For", value.encode("latin-1")) for value in values]
            assert client.get("/models", headers=headers).status_code == 401  # type: ignore[arg-type]
            address: str | None = caplog.records[-1].__dict__["address"]
            return address

        yield ask


def test_headers_are_believed_from_nobody_by_default(address_of: AddressOf) -> None:
    assert address_of(PROXY, CLIENT, trusted=None) == PROXY


def test_nor_from_who_is_no_proxy(address_of: AddressOf) -> None:
    assert address_of(CLIENT, INVENTED) == CLIENT


@pytest.mark.parametrize(
    ("values", "origin"),
    [
        ([], PROXY),
        ([CLIENT], CLIENT),
        ([f"{INVENTED}, {CLIENT}"], CLIENT),
        ([INVENTED, f"{CLIENT},{OTHER_PROXY}"], CLIENT),
        ([f"{OTHER_PROXY}, {PROXY}"], OTHER_PROXY),
        ([f"{CLIENT}:8080"], CLIENT),
        (["[2001:db8::1]:8080"], "2001:db8::1"),
        (["2001:db8::1, fd00::5"], "2001:db8::1"),
    ],
)
def test_the_nearest_hop_that_is_no_proxy_counts(address_of: AddressOf, values: list[str], origin: str) -> None:
    assert address_of(PROXY, *values) == origin


@given(st.text())
def test_any_address_has_a_bucket_of_bounded_size(text: str) -> None:
    assert len(Caller(text).bucket) <= 64


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::1", "::2", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
    ],
)
def test_an_ipv6_network_is_one_caller(one: str, other: str, same: bool) -> None:
    assert (Caller(one).bucket == Caller(other).bucket) is same
    assert network_of("no address") == "no address"


def test_every_path_is_answered_with_the_prefix_and_without_and_no_other(serve: Serve) -> None:
    served = serve(root_path="/nlp")
    for prefix in ("", "/nlp"):
        assert served.client.get(f"{prefix}/health/ready").status_code == 200
        assert served.client.post(f"{prefix}/tag", json={"text": "Alice"}).status_code == 200
    assert served.metric("ribbon_requests_total", route="/tag", status="200") == 2
    for path in ("/nlp2/tag", "/nl/tag", "/tag/nlp", "/nlp/nlp/tag"):
        assert served.client.post(path, json={"text": "Alice"}).status_code == 404


@pytest.mark.parametrize("prefix", ["", "/nlp", "/a/b"])
def test_the_links_of_the_schema_page_lead_below_the_prefix(serve: Serve, prefix: str) -> None:
    served = serve(root_path=prefix or None)
    for address in (f"{prefix}/schema", f"{prefix}/schema/"):
        links = re.findall(r'(?:src|href|spec-url)="([^"]+)"', served.client.get(address).text)
        paths = {urljoin(address, link) for link in links if not link.startswith("data:")}
        files = ("rapidoc-min.js", "openapi.json", "openapi.yaml")
        assert paths == {f"{prefix}/schema/{name}" for name in files}
        assert all(served.client.get(path).status_code == 200 for path in paths)


def test_the_description_says_where_the_service_is(serve: Serve) -> None:
    assert serve(root_path="/nlp").client.get("/nlp/schema/openapi.json").json()["servers"] == [{"url": "/nlp"}]
    assert serve().client.get("/schema/openapi.json").json()["servers"] == [{"url": "/"}]

"""Where a request comes from: the peer, or what a proxy that is trusted says."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.callers import Caller, Callers, household_of

PROXY, OTHER_PROXY, CLIENT, INVENTED = "10.0.0.1", "10.0.0.2", "203.0.113.9", "198.51.100.1"
TRUSTING = Callers(trusted=[ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
Headers = Sequence[tuple[bytes, bytes]]


def scope(peer: str | None, headers: Headers = ()) -> dict[str, Any]:
    return {"client": (peer, 4711) if peer else None, "headers": list(headers)}


def address(peer: str | None, headers: Headers = (), callers: Callers = TRUSTING) -> str | None:
    return callers.of(scope(peer, headers)).address


def x_forwarded_for(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", value.encode("latin-1")) for value in values]


def forwarded(value: str) -> list[tuple[bytes, bytes]]:
    return [(b"forwarded", value.encode("latin-1"))]


def test_headers_are_believed_from_nobody_by_default() -> None:
    assert address(PROXY, x_forwarded_for(CLIENT), Callers()) == PROXY


def test_nor_from_who_is_no_proxy() -> None:
    assert address(CLIENT, x_forwarded_for(INVENTED)) == CLIENT


def test_a_unix_socket_has_no_address() -> None:
    assert address(None, x_forwarded_for(CLIENT)) is None


@pytest.mark.parametrize(
    ("values", "origin"),
    [
        ([CLIENT], CLIENT),
        ([f"{INVENTED}, {CLIENT}"], CLIENT),
        ([INVENTED, f"{CLIENT},{OTHER_PROXY}"], CLIENT),
        ([f"{OTHER_PROXY}, {PROXY}"], OTHER_PROXY),
        ([f"{CLIENT}:8080"], CLIENT),
        (["2001:db8::1"], "2001:db8::1"),
        (["[2001:db8::1]:8080"], "2001:db8::1"),
        (["2001:DB8:0::1, fd00::5"], "2001:db8::1"),
        ([f"::ffff:{CLIENT}"], CLIENT),
        ([""], PROXY),
        (["unknown"], PROXY),
        ([f"{CLIENT}, unknown, {OTHER_PROXY}"], OTHER_PROXY),
        (["999.1.1.1"], PROXY),
        (["\xff" * 300], PROXY),
        ([",".join([CLIENT] * 3000)], CLIENT),
    ],
)
def test_the_nearest_hop_that_is_no_proxy_counts(values: list[str], origin: str) -> None:
    assert address(PROXY, x_forwarded_for(*values)) == origin


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        (f"for={CLIENT}", CLIENT),
        (f"For={CLIENT};proto=https;by={PROXY}, proto=http;for={OTHER_PROXY}", CLIENT),
        ('for="[2001:db8::1]:4711"', "2001:db8::1"),
        (f"for={INVENTED}, for=_hidden", PROXY),
        (f"for={INVENTED}, proto=http", PROXY),
        ("for", PROXY),
        (";;,=,", PROXY),
    ],
)
def test_forwarded_says_it_in_other_words(value: str, origin: str) -> None:
    assert address(PROXY, forwarded(value)) == origin


def test_where_the_two_headers_disagree_one_is_invented_and_neither_is_believed() -> None:
    agreeing = [*x_forwarded_for(CLIENT), *forwarded(f"for={CLIENT}")]
    assert address(PROXY, agreeing) == CLIENT
    disagreeing = [*x_forwarded_for(CLIENT), *forwarded(f"for={INVENTED}")]
    assert address(PROXY, disagreeing) == PROXY


@given(st.sampled_from([b"forwarded", b"x-forwarded-for"]), st.binary(max_size=200))
def test_nothing_in_a_header_breaks_it(name: bytes, value: bytes) -> None:
    assert address(PROXY, [(name, value)])


@given(st.text(max_size=60))
def test_nor_does_any_peer(peer: str) -> None:
    assert Callers(trusted=[ip_network("::/0")]).of(scope(peer)).bucket is not None


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
def test_an_ipv6_household_is_one_caller(one: str, other: str, same: bool) -> None:
    assert (Caller(one).bucket == Caller(other).bucket) is same
    assert household_of("no address") == "no address"

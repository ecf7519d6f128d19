"""How many items a caller may send, by a clock set by hand, and at the door."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient

from service.api.access import AccessPolicy, Allowance, RateLimiter
from service.app import create_app
from service.errors import InvalidRequestError, RateLimitedError
from service.settings import Settings
from tests.application import ComingFrom, Serve, Served, every_route, is_ready, problem_of, wait_until
from tests.fakes import MAX_TOKENS, FakeClock, FakeSession, OpenFake, settings_for, write_bundle

TEN = Allowance(items_per_second=10, burst=20)


def passes(take: Callable[[], Any]) -> bool:
    try:
        take()
    except RateLimitedError:
        return False
    return True


def test_a_burst_passes_then_the_rate() -> None:
    clock = FakeClock()
    rates = RateLimiter(clock=clock)
    assert rates.take("a", TEN, 20).remaining == 0
    with pytest.raises(RateLimitedError) as raised:
        rates.take("a", TEN, 5)
    assert raised.value.retry_after_seconds == pytest.approx(0.5)
    clock.now += 0.49
    assert not passes(lambda: rates.take("a", TEN, 5))
    clock.now += 0.01
    assert rates.take("a", TEN, 5).remaining == 0
    clock.now += 100
    assert rates.take("a", TEN, 1).remaining == 19


def test_callers_do_not_share() -> None:
    rates = RateLimiter(clock=FakeClock())
    rates.take("a", TEN, 20)
    assert rates.take("b", TEN, 20)


def test_what_is_refused_costs_nothing() -> None:
    rates = RateLimiter(clock=FakeClock())
    rates.take("a", TEN, 15)
    assert not passes(lambda: rates.take("a", TEN, 6))
    assert rates.take("a", TEN, 5)


def test_an_empty_bucket_is_seen_before_items_are_counted() -> None:
    clock = FakeClock()
    rates = RateLimiter(clock=clock)
    rates.check("a", TEN)
    rates.take("a", TEN, 20)
    assert not passes(lambda: rates.check("a", TEN))
    clock.now += 0.1
    rates.check("a", TEN)
    rates.check("a", TEN)  # counts nothing itself


def test_more_than_ever_fits_is_the_callers_mistake() -> None:
    with pytest.raises(InvalidRequestError, match="21 items; the rate limit never lets more than 20 through"):
        RateLimiter().take("a", TEN, 21)


def test_memory_is_bounded_and_the_longest_unseen_is_forgotten() -> None:
    rates = RateLimiter(max_callers=3, clock=FakeClock())
    for bucket in "abcad":
        rates.take(bucket, TEN, 1)
    assert len(rates) == 3
    assert [rates.standing(bucket, TEN).remaining for bucket in "abcd"] == [18, 20, 19, 19]


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 20)), max_size=60),
    st.floats(0.1, 100),
    st.integers(20, 200),
)
def test_no_more_than_burst_and_rate_ever_pass(asked: list[tuple[float, int]], rate: float, burst: int) -> None:
    clock, allowance = FakeClock(), Allowance(items_per_second=rate, burst=burst)
    rates, began, passed = RateLimiter(clock=clock), clock.now, 0
    for pause, items in asked:
        clock.now += pause
        standing = rates.standing("a", allowance)
        if passes(lambda items=items: rates.take("a", allowance, items)):  # type: ignore[misc]
            passed += items
            assert items <= standing.remaining + 1
        else:
            assert items >= standing.remaining
        assert passed <= burst + rate * (clock.now - began) + 0.01


def test_workers_share_the_rate_and_a_legal_request_always_fits_the_burst() -> None:
    def allowance(rate: float, burst: int | None) -> Allowance | None:
        settings = Settings(workers=4, max_items=128, rate_limit_items=rate, rate_limit_burst=burst)
        return AccessPolicy.of(settings).allowance(None)

    assert allowance(100, None) == Allowance(items_per_second=25, burst=128)
    assert allowance(1000, None) == Allowance(items_per_second=250, burst=1000)
    assert allowance(100, 7) == Allowance(items_per_second=25, burst=7)


@every_route
def test_too_many_items_are_refused_and_told_when_to_come_back(serve: Serve, route: str) -> None:
    served = serve(rate_limit_items=0.01, rate_limit_burst=3)
    never = problem_of(served.post(route, text=["a"] * 4), 422, "invalid_request")
    assert "never lets more than 3 through" in never["detail"]
    first = served.post(route, text=["a", "b"])
    assert first.status_code == 200
    assert first.headers["ratelimit-policy"] == '"items";q=3;w=300'
    assert re.fullmatch(r'"items";r=1;t=(200|199)', first.headers["ratelimit"])
    refused = served.post(route, text=["a", "b"])
    problem_of(refused, 429, "rate_limited")
    assert 98 <= int(refused.headers["retry-after"]) <= 100
    assert refused.headers["ratelimit"].startswith('"items";r=1;')
    assert served.post(route, text="a").status_code == 200
    assert served.metric("ribbon_errors_total", kind="rate_limited") == 1
    assert served.client.get("/health/ready").status_code == 200
    assert served.client.get("/models").status_code == 200


def test_an_empty_bucket_refuses_before_the_body_is_read(serve: Serve) -> None:
    served = serve(rate_limit_items=0.01, rate_limit_burst=1)
    served.tag(text="a")
    problem_of(served.client.post("/tag", content=b"no JSON"), 429, "rate_limited")


def test_bad_requests_cost_nothing(serve: Serve) -> None:
    served = serve(rate_limit_items=0.01, rate_limit_burst=1)
    problem_of(served.post("/tag", text="a\0b"), 422, "invalid_request")
    served.tag(text="a")


def test_what_turns_out_to_be_wrong_when_it_is_encoded_has_been_counted(serve: Serve) -> None:
    served = serve(rate_limit_items=0.01, rate_limit_burst=1)
    problem_of(served.post("/tag", text="a " * (MAX_TOKENS + 1), strict=True), 422, "input_too_long")
    problem_of(served.post("/tag", text="a"), 429, "rate_limited")


def from_address(served: Served, address: str) -> int:
    return served.post("/tag", text="a", headers={"X-Forwarded-For": address}).status_code


def test_addresses_behind_a_trusted_proxy_are_told_apart(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    choices = {"rate_limit_items": 0.01, "rate_limit_burst": 1}
    trusting = settings_for(tmp_path, trusted_proxies="127.0.0.1", **choices)
    app = create_app(trusting, open_session=OpenFake(FakeSession()))
    with TestClient(ComingFrom("127.0.0.1", app)) as client:
        wait_until(lambda: is_ready(client))
        served = Served(client=client, session=FakeSession(), app=app)
        first = [from_address(served, address) for address in ("192.0.2.1", "192.0.2.2", "9.9.9.9, 192.0.2.1")]
        assert first == [200, 200, 429]

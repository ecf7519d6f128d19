"""Connections: how many there may be, where they come from, and when they are kept for another request."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from service.serving.limits import MAX_CONNECTIONS, ConnectionLimits
from service.settings import Settings
from tests.application import wait_until
from tests.server import GOOD, Run, everything, problem_in


def test_one_too_many_is_told_so_at_once_and_room_is_made_again(run: Run) -> None:
    running = run(max_connections=2)
    with running.call(GOOD) as first, running.call(GOOD) as second:
        for caller in (first, second):
            assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")
        with running.call(GOOD) as third:
            received = everything(third)
        problem_in(received, 503, "too_many_connections")
        assert b"\r\nretry-after: 1\r\n" in received
    wait_until(lambda: running.get("/health/ready").status_code == 200)
    assert running.errors("too_many_connections") >= 1


@pytest.mark.parametrize(
    ("proxies", "address"),
    [({}, "127.0.0.1"), ({"trusted_proxies": "127.0.0.1"}, "9.9.9.9")],
)
def test_where_a_request_comes_from_is_believed_of_nobody_but_trusted_proxies(
    run: Run, keys: Path, caplog: pytest.LogCaptureFixture, proxies: dict[str, str], address: str
) -> None:
    running = run(api_keys_file=keys, **proxies)
    caplog.set_level(logging.INFO, "service")
    with running.call(GOOD.replace(b"Host", b"X-Forwarded-For: 9.9.9.9\r\nHost")) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 401 ")
    wait_until(lambda: any("address" in vars(record) for record in caplog.records))
    assert [vars(record)["address"] for record in caplog.records if "address" in vars(record)] == [address]


@pytest.mark.parametrize("sent", [b"GET /health/live", b"POST /nope"])
def test_a_body_that_comes_after_its_answer_does_not_hold_the_connection(run: Run, sent: bytes) -> None:
    running = run()
    with running.call(sent + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n") as caller:
        assert caller.recv(12).startswith(b"HTTP/1.1 ")
        caller.sendall(b"x")
        [connection] = running.connections
        wait_until(lambda: connection.parser is not None and not connection._in_body)
        assert connection.timeout_keep_alive_task is not None


def test_the_most_connections_leave_files_for_others() -> None:
    assert 1 <= ConnectionLimits.of(Settings()).max_connections <= MAX_CONNECTIONS
    assert ConnectionLimits.of(Settings(max_connections=7)).max_connections == 7

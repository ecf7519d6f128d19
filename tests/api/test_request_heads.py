"""Heads of requests that a lenient parser lets pass: versions, hosts and targets, over real sockets."""

from __future__ import annotations

import re
import time

import pytest

from tests.api.listening import Run, everything

BODY = b'{"text": "Alice"}'


def post(target: bytes = b"/tag", *, version: bytes = b"1.1", hosts: tuple[bytes, ...] = (b"x",)) -> bytes:
    lines = [b"POST %b HTTP/%b" % (target, version), *(b"Host: " + host for host in hosts), b"Connection: close"]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(BODY), b"", BODY])


def outcome(run: Run, sent: bytes) -> tuple[int, str]:
    """Status and kind of the only answer; the connection ends after it."""
    with run().call(sent) as caller:
        received = everything(caller)
    [status] = re.findall(rb"HTTP/1\.1 (\d+)", received)
    kind = re.search(rb'"kind":"(\w+)"', received)
    return int(status), kind[1].decode() if kind else ""


@pytest.mark.parametrize("version", [b"2.0", b"0.9", b"1.2", b"3"])
def test_another_version_is_refused(run: Run, version: bytes) -> None:
    assert outcome(run, post(version=version)) == (400, "malformed_http")


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\r\n", b"\n", b"\r\nHost: x"])
def test_a_request_without_a_version_is_refused_at_once(run: Run, end: bytes) -> None:
    assert outcome(run, b"GET /health/live" + end) == (400, "malformed_http")


def test_a_second_request_without_a_version_is_refused_too(run: Run) -> None:
    with run().call(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n") as caller:
        assert caller.recv(12) == b"HTTP/1.1 200"
        caller.sendall(b"GET /\r\n")
        assert b"HTTP/1.1 400" in everything(caller)


def test_a_first_line_may_come_in_parts(run: Run) -> None:
    with run().call() as caller:
        for part in (b"\r\nGET /health/live", b" HTTP/1", b".1\r\n", b"Host: x\r\nConnection: close\r\n", b"\r\n"):
            caller.sendall(part)
            time.sleep(0.02)
        assert everything(caller).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "hosts", [(), (b"x", b"x"), (b"x", b"y"), (b"",), (b"a b",), (b"a@b",), (b"a/b",), (b"x:port",)]
)
def test_a_request_has_one_host(run: Run, hosts: tuple[bytes, ...]) -> None:
    assert outcome(run, post(hosts=hosts)) == (400, "malformed_http")


@pytest.mark.parametrize("host", [b"x", b"x:8000", b"[::1]:80", b"127.0.0.1", b"a_b-c.d"])
def test_every_way_to_write_a_host_is_taken(run: Run, host: bytes) -> None:
    assert outcome(run, post(hosts=(host,)))[0] == 200


def test_an_old_request_needs_no_host(run: Run) -> None:
    assert outcome(run, post(version=b"1.0", hosts=()))[0] == 200


@pytest.mark.parametrize("target", [b"foo://x/tag", b"ftp://x/tag", b"http:///tag", b"http://u@x/tag", b"tag", b"*"])
def test_a_target_that_is_no_address_here_is_refused(run: Run, target: bytes) -> None:
    assert outcome(run, post(target)) == (400, "malformed_http")


@pytest.mark.parametrize("target", [b"http://x/tag", b"HTTPS://x:443/tag?y", b"/tag?y", b"/ta%67"])
def test_a_target_may_name_its_host(run: Run, target: bytes) -> None:
    assert outcome(run, post(target))[0] == 200


@pytest.mark.parametrize("target", [b"/tag%2f", b"/tag%2F", b"/%2ftag", b"/tag%5c", b"/health%2flive", b"/tag%252f"])
def test_a_slash_that_is_written_as_data_is_no_slash(run: Run, target: bytes) -> None:
    assert outcome(run, post(target)) == (404, "not_found")

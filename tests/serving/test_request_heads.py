"""Heads of requests: their bounds, what a lenient parser lets pass, and offers to go on or to change the protocol."""

from __future__ import annotations

import logging
import re
import socket
import time
from pathlib import Path

import pytest

from service.serving.limits import MAX_HEAD_BYTES, PIECE_BYTES
from tests.application import wait_until
from tests.server import GOOD, GOOD_BODY, POST, Run, RunningServer, everything, problem_in, read_answer

BODY = b'{"text": "Alice"}'


def post(target: bytes = b"/tag", *, version: bytes = b"1.1", hosts: tuple[bytes, ...] = (b"x",)) -> bytes:
    lines = [b"POST %b HTTP/%b" % (target, version), *(b"Host: " + host for host in hosts), b"Connection: close"]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(BODY), b"", BODY])


def outcome(listening: RunningServer, sent: bytes) -> tuple[int, str]:
    """Status and kind of the only answer; the connection ends after it."""
    with listening.call(sent) as caller:
        received = everything(caller)
    [status] = re.findall(rb"HTTP/1\.1 (\d+)", received)
    kind = re.search(rb'"kind":"(\w+)"', received)
    return int(status), kind[1].decode() if kind else ""


@pytest.mark.parametrize("version", [b"2.0", b"0.9", b"1.2", b"3"])
def test_another_version_is_refused(listening: RunningServer, version: bytes) -> None:
    assert outcome(listening, post(version=version)) == (400, "malformed_http")


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\r\n", b"\n", b"\r\nHost: x"])
def test_a_request_without_a_version_is_refused_at_once(listening: RunningServer, end: bytes) -> None:
    assert outcome(listening, b"GET /health/live" + end) == (400, "malformed_http")


def test_a_second_request_without_a_version_is_refused_too(listening: RunningServer) -> None:
    with listening.call(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n") as caller:
        assert caller.recv(12) == b"HTTP/1.1 200"
        caller.sendall(b"GET /\r\n")
        assert b"HTTP/1.1 400" in everything(caller)


def test_a_first_line_may_come_in_parts(listening: RunningServer) -> None:
    with listening.call() as caller:
        for part in (b"\r\nGET /health/live", b" HTTP/1", b".1\r\n", b"Host: x\r\nConnection: close\r\n", b"\r\n"):
            caller.sendall(part)
            time.sleep(0.02)
        assert everything(caller).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "hosts", [(), (b"x", b"x"), (b"x", b"y"), (b"",), (b"a b",), (b"a@b",), (b"a/b",), (b"x:port",)]
)
def test_a_request_has_one_host(listening: RunningServer, hosts: tuple[bytes, ...]) -> None:
    assert outcome(listening, post(hosts=hosts)) == (400, "malformed_http")


@pytest.mark.parametrize("host", [b"x", b"x:8000", b"[::1]:80", b"127.0.0.1", b"a_b-c.d"])
def test_every_way_to_write_a_host_is_taken(listening: RunningServer, host: bytes) -> None:
    assert outcome(listening, post(hosts=(host,)))[0] == 200


def test_an_old_request_needs_no_host(listening: RunningServer) -> None:
    assert outcome(listening, post(version=b"1.0", hosts=()))[0] == 200


@pytest.mark.parametrize("target", [b"foo://x/tag", b"ftp://x/tag", b"http:///tag", b"http://u@x/tag", b"tag", b"*"])
def test_a_target_that_is_no_address_here_is_refused(listening: RunningServer, target: bytes) -> None:
    assert outcome(listening, post(target)) == (400, "malformed_http")


@pytest.mark.parametrize("target", [b"http://x/tag", b"HTTPS://x:443/tag?y", b"/tag?y", b"/ta%67"])
def test_a_target_may_name_its_host(listening: RunningServer, target: bytes) -> None:
    assert outcome(listening, post(target))[0] == 200


@pytest.mark.parametrize("target", [b"/tag%2f", b"/tag%2F", b"/%2ftag", b"/tag%5c", b"/health%2flive", b"/tag%252f"])
def test_a_slash_that_is_written_as_data_is_no_slash(listening: RunningServer, target: bytes) -> None:
    assert outcome(listening, post(target)) == (404, "not_found")


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"X: " + b"x" * (MAX_HEAD_BYTES + 10) + b"\r\n\r\n",
        POST + b"X: " + b"x" * (10 * MAX_HEAD_BYTES),
        POST + b"X: x\r\n" * 10_000,
        b"GET /" + b"x" * (MAX_HEAD_BYTES + 10) + b" HTTP/1.1\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nX: " + b"x" * (10 * MAX_HEAD_BYTES),
    ],
)
def test_headers_are_bounded(listening: RunningServer, sent: bytes) -> None:
    with listening.call() as caller:
        try:
            caller.sendall(sent)
        except ConnectionError:
            pytest.fail("cut before it was told why")
        problem_in(caller.recv(65536), 431, "head_too_large")


def test_the_extensions_of_a_chunk_are_bounded_however_they_come(listening: RunningServer) -> None:
    """Finished or not, at once with what is before them or in many reads."""
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    whole = b"d\r\n%b\r\n" % GOOD_BODY
    for size in (MAX_HEAD_BYTES + 2 * PIECE_BYTES, 100_000):
        long = b"0" * size
        finished = (b"d;x=%b\r\n%b" % (long, GOOD_BODY), whole + b"0;x=%b\r\n\r\n" % long)
        unfinished = (b"d;x=" + long, long, whole + b"0;x=" + long, whole + b"0\r\nX: " + long)
        for chunks in (*finished, *unfinished):
            for parts in ([head + chunks], [head, chunks], [head, *pieces(chunks, 10)]):
                with listening.call() as caller:
                    for part in parts:
                        caller.sendall(part)
                        time.sleep(0.01 * (len(parts) > 1))
                    problem_in(caller.recv(65536), 431, "head_too_large")


def pieces(data: bytes, num: int) -> list[bytes]:
    size = -(-len(data) // num)
    return [data[begin : begin + size] for begin in range(0, len(data), size)]


def test_a_chunk_with_extensions_is_taken(listening: RunningServer) -> None:
    chunks = b"d;x=%b\r\n%b\r\n0\r\n\r\n" % (b"x" * (MAX_HEAD_BYTES - 5000), GOOD_BODY)
    with listening.call(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_large_headers_and_large_bodies_are_taken(listening: RunningServer) -> None:
    body = b'{"text": "%b", "strict": true}' % (b"a " * 20_000)
    sent = POST + b"X: " + b"x" * (MAX_HEAD_BYTES - 200) + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with listening.call(sent) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 422 ")  # a sentence is over the model's limit


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_not_http_is_told_so(listening: RunningServer, sent: bytes) -> None:
    with listening.call(sent) as caller:
        caller.shutdown(socket.SHUT_WR)
        problem_in(everything(caller), 400, "malformed_http")


def test_one_who_asks_to_go_on_is_told_so_and_the_connection_ends_after(listening: RunningServer) -> None:
    head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(GOOD_BODY)
    with listening.call(head) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 100 ")
        caller.sendall(GOOD_BODY)
        assert everything(caller).startswith(b"HTTP/1.1 200 ")


def test_without_a_key_nobody_is_told_to_go_on(run: Run, keys: Path) -> None:
    with run(api_keys_file=keys).call(POST + b"Expect: 100-continue\r\nContent-Length: 99\r\n\r\n") as caller:
        problem_in(everything(caller), 401, "unauthorized")


def test_a_bad_chunk_after_an_offer_to_go_on_is_no_bug(
    listening: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with listening.call(POST + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n") as caller:
        problem_in(everything(caller), 400, "malformed_http")
    wait_until(lambda: not listening.connections)
    assert listening.errors("internal_error") == 0
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


OFFER = GOOD.replace(b"Host: x", b"Host: x\r\nConnection: Upgrade\r\nUPGRADE: h2c")
SOCKET = OFFER.replace(b"h2c", b"websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


def test_an_offer_of_another_protocol_is_declined_on_every_request_of_a_connection(listening: RunningServer) -> None:
    with listening.call() as caller:
        for sent in (GOOD, OFFER, SOCKET, GOOD):
            caller.sendall(sent)
            assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("place", [10, OFFER.index(b"UPGRADE") + 3, OFFER.index(b"\r\n\r\n") + 2, len(OFFER) - 5])
def test_a_body_behind_an_offer_of_another_protocol_is_read_in_whatever_pieces_it_comes(
    listening: RunningServer, place: int
) -> None:
    with listening.call(GOOD + OFFER[:place]) as caller:
        assert read_answer(caller)[0] == 200
        caller.sendall(OFFER[place:] + OFFER + b"GET /health/live HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n")
        answers = [read_answer(caller) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert [len(document.get("results", ())) for _, _, document in answers] == [1, 1, 0]

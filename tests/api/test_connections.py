"""Callers who are slow, who never finish, who are too many, and who do not speak HTTP: over real sockets."""

from __future__ import annotations

import json
import logging
import re
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.keys import line_for
from service.serving.limits import MAX_CONNECTIONS, MAX_HEAD_BYTES, PIECE_BYTES, ConnectionLimits
from service.settings import Settings
from tests.api.conftest import wait_until
from tests.api.listening import PATIENCE_SECONDS, POST, Run, Running, everything, problem_in, read_answer, request

SHORT = 0.3
GOOD_BODY = b'{"text": "a"}'
GOOD = POST + b"Content-Length: %d\r\n\r\n%b" % (len(GOOD_BODY), GOOD_BODY)


def test_a_body_that_does_not_come_is_answered_408(run: Run) -> None:
    running = run(body_timeout_seconds=SHORT)
    for framing in (b"Content-Length: 50\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
        with running.call(POST + framing) as caller:
            problem_in(everything(caller), 408, "body_timeout")


def test_a_body_that_drips_is_not_waited_for_longer(run: Run) -> None:
    running = run(body_timeout_seconds=SHORT)
    with running.call(POST + b"Content-Length: 5000\r\n\r\n") as caller:
        began = time.monotonic()
        caller.settimeout(0.05)
        received = b""
        while not received and time.monotonic() < began + PATIENCE_SECONDS:
            caller.sendall(b" ")
            try:
                received = caller.recv(65536)
            except TimeoutError:
                continue
        problem_in(received, 408, "body_timeout")
        assert time.monotonic() - began > 0.9 * SHORT


@pytest.mark.parametrize("sent", [b"P", POST, POST + b"X-Slow: ", GOOD + b"GET / HT"])
def test_headers_that_do_not_come_end_the_connection(run: Run, sent: bytes) -> None:
    running = run(body_timeout_seconds=SHORT)
    with running.call(sent) as caller:
        received = everything(caller)
    problem_in(received[received.rindex(b"HTTP/1.1 ") :], 408, "body_timeout")
    assert running.errors("body_timeout") == 1


def test_a_connection_on_which_nothing_is_asked_ends_too(run: Run) -> None:
    running = run(body_timeout_seconds=SHORT)
    with running.call() as caller:
        assert everything(caller) == b""
    with running.call(GOOD) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")
        caller.sendall(b"\r\n")  # no request, but uvicorn stops its clock for idle connections
        problem_in(everything(caller), 408, "body_timeout")


def test_headers_that_come_in_pieces_but_in_time_are_read(run: Run) -> None:
    with run().call() as caller:
        for place in range(0, len(GOOD), 7):
            caller.sendall(GOOD[place : place + 7])
            time.sleep(0.005)
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_an_idle_connection_may_wait_for_its_next_request(run: Run) -> None:
    with run(body_timeout_seconds=SHORT, answer_timeout_seconds=SHORT).call(GOOD) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")
        time.sleep(3 * SHORT)
        caller.sendall(GOOD)
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")


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
def test_headers_are_bounded(run: Run, sent: bytes) -> None:
    running = run()
    with running.call() as caller:
        try:
            caller.sendall(sent)
        except ConnectionError:
            pytest.fail("cut before it was told why")
        problem_in(caller.recv(65536), 431, "head_too_large")


def test_the_extensions_of_a_chunk_are_bounded_however_they_come(run: Run) -> None:
    """Finished or not, at once with what is before them or in many reads."""
    running = run()
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    whole = b"d\r\n%b\r\n" % GOOD_BODY
    for size in (MAX_HEAD_BYTES + 2 * PIECE_BYTES, 100_000):
        long = b"0" * size
        finished = (b"d;x=%b\r\n%b" % (long, GOOD_BODY), whole + b"0;x=%b\r\n\r\n" % long)
        unfinished = (b"d;x=" + long, long, whole + b"0;x=" + long, whole + b"0\r\nX: " + long)
        for chunks in (*finished, *unfinished):
            for parts in ([head + chunks], [head, chunks], [head, *pieces(chunks, 10)]):
                with running.call() as caller:
                    for part in parts:
                        caller.sendall(part)
                        time.sleep(0.01 * (len(parts) > 1))
                    problem_in(caller.recv(65536), 431, "head_too_large")


def pieces(data: bytes, num: int) -> list[bytes]:
    size = -(-len(data) // num)
    return [data[begin : begin + size] for begin in range(0, len(data), size)]


def test_a_chunk_with_extensions_is_taken(run: Run) -> None:
    chunks = b"d;x=%b\r\n%b\r\n0\r\n\r\n" % (b"x" * (MAX_HEAD_BYTES - 5000), GOOD_BODY)
    with run().call(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_large_headers_and_large_bodies_are_taken(run: Run) -> None:
    body = b'{"text": "%b", "strict": true}' % (b"a " * 20_000)
    sent = POST + b"X: " + b"x" * (MAX_HEAD_BYTES - 200) + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with run().call(sent) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 422 ")  # a sentence is over the model's limit


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_not_http_is_told_so(run: Run, sent: bytes) -> None:
    with run().call(sent) as caller:
        caller.shutdown(socket.SHUT_WR)
        problem_in(everything(caller), 400, "malformed_http")


def test_one_who_asks_to_go_on_is_told_so_and_the_connection_ends_after(run: Run) -> None:
    head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(GOOD_BODY)
    with run().call(head) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 100 ")
        caller.sendall(GOOD_BODY)
        assert everything(caller).startswith(b"HTTP/1.1 200 ")


def test_an_offer_of_another_protocol_is_declined_on_every_request_of_a_connection(run: Run) -> None:
    with run().call() as caller:
        for sent in (GOOD, OFFER, GOOD):
            caller.sendall(sent)
            assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_without_a_key_nobody_is_told_to_go_on(run: Run, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(line_for("shop", "key"))
    with run(api_keys_file=keys).call(POST + b"Expect: 100-continue\r\nContent-Length: 99\r\n\r\n") as caller:
        problem_in(everything(caller), 401, "unauthorized")


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


def narrowed(running: Running) -> Running:
    """The kernel takes in only little of an answer that is not read."""
    running.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return running


WORDY = request("/tag", text=["plays well with others. " * 400] * 13)  # answered with megabytes
STREAM = request("/translate", text=["plays well. " * 2500] * 4, target="es", stream=True, beam_size=1)


@pytest.mark.parametrize("sent", [WORDY, STREAM])
def test_an_answer_that_nobody_reads_ends_the_connection(run: Run, sent: bytes) -> None:
    running = narrowed(run(answer_timeout_seconds=SHORT))
    with running.call(sent):
        wait_until(lambda: running.errors("answer_unread") == 1)
        wait_until(lambda: not running.connections)
        wait_until(lambda: running.app.lifecycle.in_flight == 0)


def test_an_answer_that_is_read_slowly_but_in_time_arrives_whole(run: Run) -> None:
    running = narrowed(run(answer_timeout_seconds=PATIENCE_SECONDS))
    with running.call(WORDY) as caller:
        time.sleep(SHORT)
        head, _, body = caller.recv(65536).partition(b"\r\n\r\n")
        length = int(re.findall(rb"content-length: (\d+)", head)[0])
        assert length > 1_000_000
        while len(body) < length:
            body += caller.recv(65536)
        assert json.loads(body)["results"]


@pytest.mark.parametrize(
    ("proxies", "address"),
    [({}, "127.0.0.1"), ({"trusted_proxies": "10.0.0.1"}, "127.0.0.1"), ({"trusted_proxies": "127.0.0.1"}, "9.9.9.9")],
)
def test_where_a_request_comes_from_is_believed_of_nobody_but_trusted_proxies(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture, proxies: dict[str, str], address: str
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(line_for("shop", "key"))
    running = run(api_keys_file=keys, **proxies)
    caplog.set_level(logging.INFO, "service")
    with running.call(GOOD.replace(b"Host", b"X-Forwarded-For: 9.9.9.9\r\nHost")) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 401 ")
    wait_until(lambda: any("address" in vars(record) for record in caplog.records))
    assert [vars(record)["address"] for record in caplog.records if "address" in vars(record)] == [address]


def test_one_who_sent_several_requests_at_once_and_left_is_noticed(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    running = run(threads=1)
    running.session.gate.clear()
    running.session.shapes.clear()
    try:
        with running.call(request("/tag", text="well") + request("/tag", text="with others")):
            wait_until(lambda: bool(running.session.shapes))
        wait_until(lambda: running.errors("caller_left") == 1)
    finally:
        running.session.gate.set()
    wait_until(lambda: not running.connections)
    assert len(running.session.shapes) == 1  # the second request was never begun
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("sent", [b"GET /health/live", b"POST /nope"])
def test_a_body_that_comes_after_its_answer_does_not_hold_the_connection(run: Run, sent: bytes) -> None:
    running = run()
    with running.call(sent + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n") as caller:
        assert caller.recv(12).startswith(b"HTTP/1.1 ")
        caller.sendall(b"x")
        [connection] = running.connections
        wait_until(lambda: connection.parser is not None and not connection._in_body)
        assert connection.timeout_keep_alive_task is not None


def test_a_bad_chunk_after_an_offer_to_go_on_is_no_bug(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    running = run()
    with running.call(POST + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n") as caller:
        problem_in(everything(caller), 400, "malformed_http")
    wait_until(lambda: not running.connections)
    assert running.errors("internal_error") == 0
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_no_connection_is_left_behind(run: Run) -> None:
    running = run(body_timeout_seconds=SHORT)
    with ExitStack() as stack:
        for sent in (b"", b"P", POST, GOOD, b"\x00") * 10:
            stack.enter_context(running.call(sent))
        wait_until(lambda: len(running.connections) == 50 or running.errors("malformed_http") == 10)
    wait_until(lambda: not running.connections)


def test_the_most_connections_leave_files_for_others() -> None:
    assert 1 <= ConnectionLimits.of(Settings()).max_connections <= MAX_CONNECTIONS
    assert ConnectionLimits.of(Settings(max_connections=7)).max_connections == 7


OFFER = GOOD.replace(b"Host: x", b"Host: x\r\nConnection: Upgrade\r\nUPGRADE: h2c")


@pytest.mark.parametrize("place", [10, OFFER.index(b"UPGRADE") + 3, OFFER.index(b"\r\n\r\n") + 2, len(OFFER) - 5])
def test_a_body_behind_an_offer_of_another_protocol_is_read_in_whatever_pieces_it_comes(run: Run, place: int) -> None:
    with run().call(GOOD + OFFER[:place]) as caller:
        assert read_answer(caller)[0] == 200
        caller.sendall(OFFER[place:] + OFFER + b"GET /health/live HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n")
        answers = [read_answer(caller) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert [len(document.get("results", ())) for _, _, document in answers] == [1, 1, 0]

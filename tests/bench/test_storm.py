"""A request is sent when it is due, whatever became of others, and what is late is charged to whoever was due."""

from __future__ import annotations

import socket
import struct
import threading

from bench.client import Address, Request, encode_request, text_request
from bench.open_loop import Arrival
from bench.storm import LOST, storm
from tests.bench.conftest import Serve

TAG = text_request("/tag", ["a text"], num_words=2)
REFUSED = Request(content=encode_request("POST", "/elsewhere"), num_words=7)


def arrivals_at(*moments: float, request: Request = TAG) -> list[Arrival]:
    return [Arrival(at=at, kind="any", request=request) for at in moments]


def test_time_counts_from_the_moment_a_request_was_due(serve: Serve) -> None:
    """One connection, 20 ms an answer, five requests due at once: the last one took 100 ms."""
    done = storm(serve(0.02), arrivals_at(*[0.0] * 5), num_connections=1)
    assert len(done.replies) == 5
    assert all(reply.seconds >= 0.02 * place for place, reply in enumerate(done.replies, start=1))
    assert [reply.was_held for reply in done.replies] == [False, True, True, True, True]
    assert done.num_held == 4
    assert len(done.lags) == 1


def test_requests_do_not_wait_for_others_answers(serve: Serve) -> None:
    done = storm(serve(0.05), arrivals_at(0.0, 0.01, 0.02, 0.03), num_connections=4)
    assert done.num_held == 0
    assert len(done.lags) == 4
    assert min(reply.seconds for reply in done.replies) >= 0.05


def test_nothing_is_sent_before_it_is_due(address: Address) -> None:
    done = storm(address, arrivals_at(0.0, 0.1), num_connections=2)
    assert done.seconds >= 0.1
    assert min(done.lags) >= 0.0
    assert 0 < done.client_cpu_share <= 2


def test_every_reply_has_its_arrival_and_its_status(address: Address) -> None:
    arrivals = [*arrivals_at(0.0, 0.02), *arrivals_at(0.04, request=REFUSED)]
    done = storm(address, arrivals, num_connections=1)
    assert [reply.arrival for reply in done.replies] == arrivals
    assert [reply.status for reply in done.replies] == [200, 200, 429]


def test_a_connection_that_is_closed_in_mid_answer_is_one_lost_request() -> None:
    """The first connection is reset after the head of its answer; the others are answered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        closing = threading.Thread(target=answer_all_but_the_first, args=(listening, 3))
        closing.start()
        address = Address(host="127.0.0.1", port=listening.getsockname()[1])
        done = storm(address, arrivals_at(0.0, 0.01, 0.02), num_connections=1)
        closing.join()
    assert [reply.status for reply in done.replies] == [LOST, 200, 200]
    assert done.num_lost == 1


def answer_all_but_the_first(listening: socket.socket, number: int) -> None:
    lost, _ = listening.accept()
    lost.recv(65536)
    lost.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
    lost.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    lost.close()
    connection, _ = listening.accept()
    with connection:
        for _ in range(number - 1):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

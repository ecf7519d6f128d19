"""The load generator itself: a client that miscounts would make every figure a lie."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.benchmarks.client import Address, Connection, Request, encode_request, saturate, tag_request
from tests.benchmarks.latency import model_part, percentile

BODY = b"x" * 5000


class Handler(socketserver.StreamRequestHandler):
    """Answers ``/tag`` in two pieces cut inside the head, and everything else with 429."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while (field := self.rfile.readline()) != b"\r\n":
                name, _, value = field.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            self.answer(b"200 OK" if b"/tag" in line else b"429 Too Many Requests")

    def answer(self, status: bytes) -> None:
        head = b"HTTP/1.1 %s\r\nServer-Timing: queue;dur=0.1, model;dur=1.25\r\nContent-Length: %d\r\n\r\n"
        answer = head % (status, len(BODY)) + BODY
        for piece in (answer[:20], answer[20:]):
            self.wfile.write(piece)
            self.wfile.flush()


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A saturating client leaves with answers still on their way."""


@pytest.fixture
def address() -> Iterator[Address]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Address(host="127.0.0.1", port=server.server_address[1])
        server.shutdown()
        thread.join()


def test_an_answer_is_read_in_full(address: Address) -> None:
    with Connection(address) as connection:
        for _ in range(2):
            answer = connection.ask(tag_request(["Ein Wort – zwei"], num_words=4).content)
            assert (answer.status, answer.body) == (200, BODY)
            assert model_part(answer.headers) == 1.25


def test_words_are_counted_once_an_answer(address: Address) -> None:
    request = tag_request(["three little words"], num_words=3)
    load = saturate(address, [request], num_connections=3, warm_up_seconds=0.02, seconds=0.1)
    assert load.num_answers > 0
    assert load.num_words == 3 * load.num_answers
    assert load.num_refused == 0
    assert load.seconds >= 0.1


def test_refusals_count_no_words(address: Address) -> None:
    request = Request(content=encode_request("POST", "/elsewhere"), num_words=7)
    load = saturate(address, [request], num_connections=2, warm_up_seconds=0.0, seconds=0.05)
    assert load.num_refused > 0
    assert load.num_words == load.num_answers == 0


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentile(values, 50) == 51.0
    assert percentile(values, 99) == 100.0
    assert percentile([3.0], 99) == 3.0

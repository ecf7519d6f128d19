"""The load generator itself: a client that miscounts would make every figure a lie."""

from __future__ import annotations

import json

from bench.client import Address, Connection, Request, encode_request, saturate, text_request
from bench.latency import model_part, percentile
from tests.bench.conftest import BODY


def test_an_answer_is_read_in_full(address: Address) -> None:
    with Connection(address) as connection:
        for _ in range(2):
            answer = connection.ask(text_request("/tag", ["Ein Wort – zwei"], num_words=4).content)
            assert (answer.status, answer.body) == (200, BODY)
            assert model_part(answer.headers) == 1.25


def test_a_request_holds_its_texts() -> None:
    request = text_request("/classify", ["Ein Wort – zwei", "drei"], num_words=5)
    head, _, body = request.content.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /classify HTTP/1.1\r\n")
    assert json.loads(body) == {"text": ["Ein Wort – zwei", "drei"]}
    assert (request.num_items, request.num_words) == (2, 5)


def test_words_are_counted_once_an_answer(address: Address) -> None:
    request = text_request("/tag", ["three little words"], num_words=3)
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

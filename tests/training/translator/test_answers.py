"""The client of POST /translate, against a small server."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from training.translator.answers import (
    OverloadedError,
    RefusedError,
    RemoteTranslator,
    ServedModel,
    read_answer,
)
from training.translator.options import System


class Handler(BaseHTTPRequestHandler):
    """Translate into capitals; refuse "bad", "xx" and, for a while, everything."""

    busy = 0  # requests that are still answered with 429
    seen: ClassVar[list[dict]] = []

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        type(self).seen.append(request)
        if type(self).busy > 0:
            type(self).busy -= 1
            return self.answer(429, {"kind": "overloaded"}, retry_after="3")
        if "bad" in request["text"] or request["target"] == "xx":
            return self.answer(422, {"kind": "invalid_request"})
        results = [{"translation": text.upper()} for text in request["text"]]
        version = "2" if request["target"] == "zz" else "1"
        return self.answer(200, {"model": {"name": "m", "version": version}, "results": results})

    def do_GET(self) -> None:
        cards = [
            {"name": "m", "version": "1", "confidence": {"what": "that it is right", "threshold": 0.7}},
            {"name": "m", "version": "2"},
        ]
        return self.answer(200, {"models": cards})

    def answer(self, status: int, content: dict, *, retry_after: str | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        if retry_after:
            self.send_header("retry-after", retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url():
    Handler.busy, Handler.seen = 0, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_answers_come_in_the_order_of_the_texts_whatever_their_number(url):
    texts = [f"text {number}" for number in range(150)]
    answers = RemoteTranslator(url=url, options={"beam_size": 2}, model="m")(texts, "en-es")
    assert [answer.translation for answer in answers] == [text.upper() for text in texts]
    assert sorted(len(request["text"]) for request in Handler.seen) == [22, 32, 32, 32, 32]
    assert {(each["source"], each["target"], each["beam_size"], each["model"]) for each in Handler.seen} == {
        ("en", "es", 2, "m")
    }


def test_a_refused_text_costs_its_neighbours_nothing(url):
    answers = RemoteTranslator(url=url)(["one", "two", "bad", "four", "five"], "en-es")
    assert [answer.translation for answer in answers] == ["ONE", "TWO", "", "FOUR", "FIVE"]
    assert "invalid_request" in answers[2].reason


def test_an_overloaded_service_is_asked_again_when_it_says(url):
    Handler.busy, waited = 2, []
    answers = RemoteTranslator(url=url, sleep=waited.append)(["one"], "en-es")
    assert answers[0].translation == "ONE"
    assert waited == [3.0, 3.0]


def test_a_service_without_time_ends_the_measurement(url):
    Handler.busy = 1_000_000
    with pytest.raises(OverloadedError):
        RemoteTranslator(url=url, sleep=lambda _: None)(["one"], "en-es")


def test_the_served_model_is_told_and_an_unknown_direction_refused(url):
    remote = RemoteTranslator(url=url)
    assert remote.served("en-es") == ServedModel(name="m", version="1", threshold=0.7)
    with pytest.raises(RefusedError, match="422"):
        remote.served("en-xx")


def test_a_model_without_confidences_has_no_threshold(url):
    remote = RemoteTranslator(url=url)
    assert remote.served("en-zz") == ServedModel(name="m", version="2", threshold=None)


def test_several_models_are_named_together():
    one, other = (ServedModel(name=name, version="3.0.0") for name in ("en-es", "en-de"))
    both = System(translate=lambda texts, _: [], models={"es": one, "de": other})
    assert (both.name, both.title) == ("translators", "en-es 3.0.0, en-de 3.0.0")
    assert System(translate=both.translate, models={"es": one}).name == "en-es"


def test_an_answer_is_as_sure_and_as_complete_as_its_weakest_sentence():
    sentences = [{"confidence": 0.9, "complete": True}, {"confidence": 0.4, "complete": False}]
    hypotheses = [{"translation": "a"}, {"translation": "b"}]
    answer = read_answer({"translation": "a", "sentences": sentences, "hypotheses": hypotheses})
    assert (answer.confidence, answer.complete, answer.hypotheses) == (0.4, False, ("a", "b"))


def test_what_a_service_does_not_say_is_unknown():
    answer = read_answer({"translation": None, "sentences": [{}], "reason": "input_too_long"})
    assert (answer.translation, answer.confidence, answer.complete) == ("", None, None)
    assert answer.reason == "input_too_long"

"""POST /translate with ``stream``: an event for each sentence as soon as it is translated."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from service.api import catalogue
from service.api.desk import Admitted
from service.api.exchange import Exchange
from service.api.translate import AdmittedTexts, ServedTranslator, sentence_events
from service.api.translations import TranslatedItem
from service.bundle import load_bundle
from service.predictors.translation import Pair, Wish
from service.predictors.translator import Translator
from service.text.paragraphs import cut
from tests.api.conftest import Serve, Served, wait_until
from tests.api.test_bad_input import problem_of
from tests.fakes import (
    TRANSLATOR,
    VERSION,
    FakeSession,
    OpenFake,
    write_translator,
)


def events_of(body: str) -> Iterator[tuple[str, Any]]:
    for block in body.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def streamed(served: Served, **request: Any) -> list[tuple[str, Any]]:
    response = served.post("/translate", stream=True, **request)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return list(events_of(response.text))


def test_a_stream_has_an_event_for_each_sentence_and_one_for_the_end(served: Served) -> None:
    texts = ["Me too. No!", "😀", "", "It is a rather long one"]
    *sentences, (last, done) = streamed(served, text=texts, attention=True)
    assert (last, done) == ("done", {"model": {"name": TRANSLATOR, "version": VERSION}})
    assert {name for name, _ in sentences} == {"sentence"}
    found = {(event["item"], event["sentence"]): event for _, event in sentences}
    results = served.translate(text=texts, attention=True)["results"]
    assert set(found) == {(0, 0), (0, 1), (1, 0), (3, 0)}
    for (item, sentence), event in found.items():
        expected = results[item]["sentences"][sentence]
        assert {name: event[name] for name in expected} == expected
        assert event["hypotheses"] == [{"translation": event["translation"], "score": event["score"]}]
        assert event["truncated"] is False


def test_short_sentences_of_a_stream_come_first(served: Served) -> None:
    events = streamed(served, text=["It is a rather long sentence, this one", "No"])
    assert [event.get("item") for _, event in events] == [1, 0, None]


def test_a_stream_of_nothing_ends_at_once(served: Served) -> None:
    assert [name for name, _ in streamed(served, text="")] == ["done"]


def test_a_stream_counts_like_any_answer(served: Served) -> None:
    streamed(served, text="Me too.")
    assert served.metric("ribbon_requests_total", route="/translate", status="200") == 1
    assert served.metric("ribbon_stage_seconds_count", stage="total") == 1
    assert served.metric("ribbon_tokens_total") == len("Me too.") + 3


def test_what_is_refused_at_the_door_is_no_stream(serve: Serve) -> None:
    served = serve()
    problem_of(served.post("/translate", text="a", target="xx", stream=True), 422, "invalid_request")
    late = {"X-Request-Timeout-Ms": "0.0001"}
    problem_of(served.post("/translate", text="a", stream=True, headers=late), 504, "deadline_exceeded")


def test_a_failure_after_the_start_is_an_event(served: Served) -> None:
    served.session.error = RuntimeError("a very private text")
    [(name, first), (last, problem)] = streamed(served, text=["😀", "Me too."])
    assert (name, first["translation"]) == ("sentence", "😀")
    assert (last, problem["kind"], problem["status"]) == ("error", "model_failed", 500)
    assert "private" not in json.dumps(problem)
    assert served.metric("ribbon_errors_total", kind="model_failed") == 1
    served.session.error = None
    assert served.translate(text="Me too.")["results"][0]["translation"] == "mE TOO."


def test_a_deadline_after_the_start_is_an_event(served: Served) -> None:
    served.session.gate.clear()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(served.tag, text="well")
        wait_until(lambda: bool(served.session.shapes))
        late = pool.submit(
            served.post, "/translate", text="Me too.", stream=True, headers={"X-Request-Timeout-Ms": "100"}
        )
        wait_until(lambda: served.metric("ribbon_queue_rows") == 1)
        wait_until(lambda: served.metric("ribbon_queue_oldest_age_seconds") > 0.1)
        served.session.gate.set()
        assert first.result()
        [(name, problem)] = events_of(late.result().text)
    assert (name, problem["kind"]) == ("error", "deadline_exceeded")


class Withdrawals:
    """A scheduler that remembers what was withdrawn, and does nothing else."""

    def __init__(self) -> None:
        self.withdrawn: list[Any] = []

    def check(self, *, deadline: float) -> None: ...

    def enqueue(self, rows: Any, /, *, deadline: float) -> Any: ...

    def withdraw(self, job: Any) -> None:
        self.withdrawn.append(job)


def test_a_caller_who_leaves_a_stream_ends_its_work(tmp_path: Path) -> None:
    async def scenario() -> None:
        opened = OpenFake(FakeSession())
        bundle = load_bundle(write_translator(tmp_path))
        parts = [opened(path, device="cpu") for path in (bundle.encoder(), bundle.graph())]
        translator, scheduler = Translator(bundle, encoder=parts[0], step=parts[1]), Withdrawals()
        item = TranslatedItem.of(cut("😀"), [translator.encode("😀", Wish(pair=Pair("en", "es")))], "codepoint")
        card: Any = None
        served: ServedTranslator = catalogue.Served(card=card, predictor=translator, scheduler=scheduler)
        job: Any = SimpleNamespace(done=asyncio.get_running_loop().create_future())
        exchange = Exchange(request_id="x")
        request: Any = SimpleNamespace(scope={"state": {"exchange": exchange}})
        admitted: AdmittedTexts = Admitted(served=served, items=[item], deadline=1.0, length=1)
        events = sentence_events(admitted, job, asyncio.Queue(), request)
        assert b"sentence" in await anext(events)
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        assert scheduler.withdrawn == [job]
        assert exchange.kind == "caller_left"

    asyncio.run(scenario())

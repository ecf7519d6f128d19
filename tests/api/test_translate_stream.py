"""POST /translate with ``stream``: an event for each sentence as soon as it is translated."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from service.api.context import RequestContext
from service.api.endpoint import AdmittedRequest
from service.api.side_thread import LONG_TEXT
from service.api.translate import AdmittedTexts, SentenceStream, ServedTranslator, TranslateEndpoint
from service.api.translations import TranslatedItem
from service.bundle import load_bundle
from service.decoding.search import Hypothesis
from service.errors import CallerLeftError, DeadlineExceededError, OverloadedError
from service.models import registry
from service.predictors.translation import LanguagePair, TranslateOptions
from service.predictors.translator import Translator
from service.scheduling.job import Done, ModelWork, Priority
from service.text.paragraphs import cut
from tests.application import Served, problem_of, wait_until
from tests.fakes import (
    TRANSLATOR,
    VERSION,
    FakeSession,
    OpenFake,
    write_translator,
)
from tests.fakes.letters import say, subwords


def test_a_stream_has_an_event_for_each_sentence_and_one_for_the_end(served: Served) -> None:
    texts = ["Me too. No!", "😀", "", "It is a rather long one"]
    *sentences, (last, done) = served.stream("/translate", text=texts, attention=True)
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
    events = served.stream("/translate", text=["It is a rather long sentence, this one", "No"])
    assert [event.get("item") for _, event in events] == [1, 0, None]


def test_a_stream_of_nothing_ends_at_once(served: Served) -> None:
    assert [name for name, _ in served.stream("/translate", text="")] == ["done"]


def test_a_stream_counts_like_any_answer(fresh: Served) -> None:
    fresh.stream("/translate", text="Me too.")
    assert fresh.metric("ribbon_requests_total", route="/translate", status="200") == 1
    assert fresh.metric("ribbon_stage_seconds_count", stage="total") == 1
    assert fresh.metric("ribbon_tokens_total") == len("Me too.") + 3


def test_what_is_refused_at_the_door_is_no_stream(fresh: Served) -> None:
    problem_of(fresh.post("/translate", text="a", target="xx", stream=True), 422, "invalid_request")
    late = {"X-Request-Timeout-Ms": "0.0001"}
    problem_of(fresh.post("/translate", text="a", stream=True, headers=late), 504, "deadline_exceeded")


def test_a_failure_after_the_start_is_an_event(fresh: Served) -> None:
    fresh.session.error = RuntimeError("a very private text")
    [(name, first), (last, problem)] = fresh.stream("/translate", text=["😀", "Me too."])
    assert (name, first["translation"]) == ("sentence", "😀")
    assert (last, problem["kind"], problem["status"]) == ("error", "model_failed", 500)
    assert "private" not in json.dumps(problem)
    assert fresh.metric("ribbon_errors_total", kind="model_failed") == 1
    fresh.session.error = None
    assert fresh.translate(text="Me too.")["results"][0]["translation"] == say("Me too.")


def test_a_deadline_after_the_start_is_an_event(fresh: Served) -> None:
    with fresh.busy() as pool:
        late = pool.submit(fresh.stream, "/translate", text="Me too.", headers={"X-Request-Timeout-Ms": "100"})
        fresh.wait_for_queue(1)
        wait_until(lambda: fresh.metric("ribbon_queue_oldest_age_seconds") > 0.1)
    [(name, problem)] = late.result()
    assert (name, problem["kind"]) == ("error", "deadline_exceeded")


LOOPING = "We stayed at home, because it rained"


def test_a_sentence_that_loops_is_searched_again_before_its_event(fresh: Served) -> None:
    fresh.session.loops_from = 30
    texts = [f"No! {LOOPING}", "5", LOOPING]
    *sentences, (last, _) = fresh.stream("/translate", text=texts)
    assert last == "done"
    found = {(event["item"], event["sentence"]): event["translation"] for _, event in sentences}
    assert found == {(0, 0): say("No!"), (0, 1): say(LOOPING), (1, 0): "5", (2, 0): say(LOOPING)}
    assert all(event["complete"] for _, event in sentences)
    assert not any("degraded" in event for _, event in sentences)


def test_if_the_second_search_fails_the_first_one_is_sent(fresh: Served) -> None:
    fresh.session.loops_from = 30
    fresh.session.most_encoded = 1
    (name, event), (last, _) = fresh.stream("/translate", text=LOOPING)
    assert (name, last) == ("sentence", "done")
    assert event["translation"]
    assert event["translation"] != say(LOOPING)
    assert event["degraded"] is True


def test_a_long_sentence_is_one_event(served: Served) -> None:
    text = "we stayed at home, because it rained, and " * 10
    (_, event), (last, _) = served.stream("/translate", text=text, attention=True)
    assert (event["translation"], last) == (say(text.rstrip()), "done")
    assert (event["complete"], event["truncated"]) == (True, False)
    assert event["attention"]["source_tokens"].count("</s>") > 3


class RecordingScheduler:
    """A scheduler that remembers what is brought and withdrawn, and searches nothing."""

    def __init__(self) -> None:
        self.jobs: list[Any] = []
        self.withdrawn: list[Any] = []
        self.error: Exception | None = None

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None: ...

    def enqueue(
        self,
        rows: Any,
        /,
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
        accepted: bool = False,
        on_finished: Any = None,
    ) -> Any:
        if self.error is not None:
            raise self.error
        done = asyncio.get_running_loop().create_future()
        self.jobs.append(
            SimpleNamespace(rows=rows, deadline=deadline, done=done, cost=1, accepted=accepted, on_finished=on_finished)
        )
        return self.jobs[-1]

    def withdraw(self, job: Any) -> None:
        self.withdrawn.append(job)

    def close(self) -> None: ...


def hypotheses(text: str, num_sources: int) -> list[Hypothesis]:
    """One that looks at one source token after another, and at the last one at the end."""
    ids = tuple(subwords().encode(text))
    weights = np.zeros((len(ids), num_sources), np.float32)
    weights[np.arange(len(ids)), np.minimum(1 + np.arange(len(ids)), num_sources - 2)] = 1
    return [Hypothesis(ids=ids, score=-1.0, attention=weights, is_complete=True)]


class RecordingSideThread:
    """Does everything at once, and remembers how long it would have taken."""

    def __init__(self) -> None:
        self.lengths: dict[str, int] = {}

    async def __call__(self, length: int, function: Any, *args: Any) -> Any:
        self.lengths[function.__name__] = length
        return function(*args)


@dataclass(frozen=True, eq=False)
class Scene:
    """A stream whose searches end when the test says so."""

    scheduler: RecordingScheduler
    stream: SentenceStream
    context: RequestContext
    side_thread: RecordingSideThread

    @classmethod
    def of(cls, folder: Path, text: str) -> Scene:
        opened = OpenFake(FakeSession())
        bundle = load_bundle(write_translator(folder))
        parts = [opened(path, device="cpu") for path in (bundle.encoder(), bundle.graph())]
        translator, scheduler = Translator(bundle, encoder=parts[0], step=parts[1]), RecordingScheduler()
        passage, options = cut(text), TranslateOptions(pair=LanguagePair("en", "es"))
        item = TranslatedItem.of(passage, [translator.encode(each, options) for each in passage.sentences], "codepoint")
        card: Any = SimpleNamespace(name="tiny", version="1")
        served: ServedTranslator = registry.ServedModel(card=card, predictor=translator, scheduler=scheduler)
        context = RequestContext(request_id="x")
        admitted: AdmittedTexts = AdmittedRequest(served=served, items=[item], deadline=7.0, length=1)
        side_thread = RecordingSideThread()
        return cls(scheduler, SentenceStream(admitted, cast("Any", side_thread)), context, side_thread)

    def tell(self, job: int, *texts: str) -> None:
        """The searches of a job are finished, and so is the job."""
        told = self.scheduler.jobs[job]
        for row, (text, search) in enumerate(zip(texts, told.rows, strict=True)):
            told.on_finished(row, hypotheses(text, len(search.ids)))
        told.done.set_result(Done(answers=()))

    async def leave(self, events: AsyncIterator[bytes]) -> None:
        """The caller goes away while the stream waits."""
        waiting = asyncio.ensure_future(anext(events))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


def test_a_caller_who_leaves_a_stream_ends_its_work(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Scene.of(tmp_path, "😀\n\nMe too.")
        events = scene.stream.events(scene.context)
        assert "😀" in (await anext(events)).decode()
        await scene.leave(events)
        assert scene.scheduler.withdrawn == scene.scheduler.jobs
        assert scene.context.kind == "caller_left"

    asyncio.run(scenario())


def test_a_caller_who_leaves_while_a_sentence_is_searched_again_ends_that_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Scene.of(tmp_path, LOOPING)
        events = scene.stream.events(scene.context)
        scene.tell(0, "va bi va bi va bi va bi")
        await scene.leave(events)
        first, second = scene.scheduler.jobs
        assert first.deadline == second.deadline == 7.0
        assert (first.accepted, second.accepted) == (False, True)
        assert scene.scheduler.withdrawn == [second]
        assert scene.context.kind == "caller_left"

    asyncio.run(scenario())


def test_the_better_one_of_two_searches_is_sent(tmp_path: Path) -> None:
    async def scenario(*second: str) -> str:
        scene = Scene.of(tmp_path / second[0], LOOPING)
        scene.tell(0, "va bi va bi va bi va bi")
        waiting = asyncio.ensure_future(anext(scene.stream.events(scene.context)))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        scene.tell(1, *second)
        found: str = json.loads((await waiting).split(b"data: ")[1])["translation"]
        return found

    halves = LOOPING.split(", ")
    assert asyncio.run(scenario(*map(say, halves))) == say(LOOPING)
    assert asyncio.run(scenario("va va va va bi bi va va va", "bi bi bi bi bi bi bi bi bi")).startswith("Va bi")


def test_the_hypotheses_of_a_long_sentence_are_restored_beside_the_event_loop(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Scene.of(tmp_path, "and we have {0} or 5 of them, " * 200)
        scene.tell(0, *["va bi"] * len(scene.scheduler.jobs[0].rows))
        scene.scheduler.error = OverloadedError("busy")
        await anext(scene.stream.events(scene.context))
        assert {"answered", "halved", "_sentence"} == set(scene.side_thread.lengths)
        assert min(scene.side_thread.lengths.values()) > LONG_TEXT

    asyncio.run(scenario())


def test_without_time_for_a_second_search_the_first_one_is_sent(tmp_path: Path) -> None:
    async def scenario(error: Exception) -> None:
        scene = Scene.of(tmp_path / type(error).__name__, LOOPING)
        scene.tell(0, "va bi va bi va bi va bi")
        scene.scheduler.error = error
        events = [event.decode() async for event in scene.stream.events(scene.context)]
        assert [event.split("\n")[0] for event in events] == ["event: sentence", "event: done"]
        assert "va bi" in events[0]
        assert json.loads(events[0].split("data: ")[1])["degraded"] is True
        assert len(scene.scheduler.jobs) == 1

    asyncio.run(scenario(OverloadedError("busy")))
    asyncio.run(scenario(DeadlineExceededError("late")))


def test_a_caller_who_leaves_a_plain_answer_ends_its_second_search(tmp_path: Path) -> None:
    async def scenario() -> None:
        scene = Scene.of(tmp_path, LOOPING)
        leaves = asyncio.Event()

        async def receive() -> Any:
            await leaves.wait()
            return {"type": "http.disconnect"}

        def withdraw(job: Any) -> None:
            scene.scheduler.withdrawn.append(job)
            job.done.set_exception(CallerLeftError("gone"))

        scene.scheduler.withdraw = withdraw  # type: ignore[method-assign]
        scene.context.receive = receive
        endpoint = TranslateEndpoint(cast("Any", SimpleNamespace(side_thread=scene.side_thread)))
        running = asyncio.ensure_future(endpoint.run(scene.stream.admitted, scene.context))
        await asyncio.sleep(0)
        _, first = scene.scheduler.jobs
        work = ModelWork(stage="decode", began_at=0.0, ended_at=1.0, sizes={})
        found = hypotheses("va bi va bi va bi va bi", len(first.rows[0].ids))
        first.done.set_result(Done(answers=[found], work=[work]))
        await asyncio.sleep(0.01)
        _, _, second = scene.scheduler.jobs
        assert len(second.rows) == 2
        assert (first.accepted, second.accepted) == (False, True)
        leaves.set()
        with suppress(CallerLeftError):
            await running
            raise AssertionError("it was answered")
        assert scene.scheduler.withdrawn == [second]

    asyncio.run(scenario())


def test_server_timing_covers_both_searches() -> None:
    def done(began_at: float, ended_at: float) -> Done[Any]:
        work = [ModelWork(stage="decode", began_at=began_at, ended_at=ended_at, sizes={"steps": 1})]
        return Done(answers=["a"], queue_seconds=0.5, model_seconds=ended_at - began_at, work=work)

    both = done(1.0, 2.0).joined(done(4.0, 5.0))
    assert (both.queue_seconds, both.model_seconds, both.answers) == (0.5, 4.0, ["a", "a"])
    assert [each.began_at for each in both.work] == [1.0, 4.0]

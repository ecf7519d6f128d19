"""The clients against the service on a port: every call, streams, batches, keys, deadlines and errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ribbon import (
    AsyncClient,
    Client,
    DeadlineExceededError,
    InvalidRequestError,
    Retries,
    UnauthorizedError,
    UnknownModelError,
    UnreachableError,
)
from ribbon.answers import RefusedEvent, SentenceEvent
from ribbon.language_answers import SampleEvent, TokenEvent
from service.keys import line_for, new_key
from tests.application import wait_until
from tests.fakes import LANGUAGE_MODEL, MAX_TOKENS, NAME
from tests.process import client_of
from tests.ribbon.conftest import Serve

LONG = "plays " * (MAX_TOKENS + 1)


def test_a_tagged_text_reads_like_a_spacy_doc(client: Client) -> None:
    doc = client.tag("Alice plays well. With Hong Kong.")
    assert [(ent.text, ent.label, ent.start, ent.end) for ent in doc.ents] == [
        ("Alice", "PER", 0, 5),
        ("Hong Kong", "LOC", 23, 32),
    ]
    assert [[token.text for token in sent] for sent in doc.sents] == [
        ["Alice", "plays", "well", "."],
        ["With", "Hong", "Kong", "."],
    ]
    assert [token.upos for token in doc.tokens[:3]] == ["NOUN", "VERB", "NOUN"]
    assert len(doc.sents[0]) == 4


def test_options_are_passed_on(client: Client) -> None:
    doc = client.tag("é Alice", tasks=["ner"], offset_unit="byte", model=NAME)
    assert doc.tokens[0].upos is None
    assert doc.ents[0].start == 3


def test_a_sentence_may_be_tokenised_already(client: Client) -> None:
    assert [token.text for token in client.tag_tokens(["Alice", "plays.well"]).tokens] == ["Alice", "plays.well"]


def test_a_text_without_words_has_no_class_and_says_why(client: Client) -> None:
    good, empty = client.classify_all(["An exciting plot", ""])
    assert (good.label, good.reason) == ("positive", None)
    assert sum((good.scores or {}).values()) == 1
    assert (empty.label, empty.reason, empty.detail) == (None, "no_words", "holds no word")


def test_a_text_is_translated_with_its_alternatives(client: Client) -> None:
    found = client.translate("Me too.", target="es", num_hypotheses=2, attention=True)
    assert found.translation == (found.hypotheses or [])[0].translation
    attention = found.sentences[0].attention
    assert attention is not None
    assert len(attention.weights) == len(attention.target_tokens)


def test_a_prompt_is_continued_and_its_state_goes_on(client: Client) -> None:
    first = client.generate("The", temperature=0, max_tokens=3, return_state=True)
    sample = first.samples[0]
    assert first.text == sample.text
    assert sample.finish_reason == "length"
    whole = client.generate("The", temperature=0, max_tokens=6).text
    assert first.text + client.generate("", temperature=0, max_tokens=3, state=sample.state or "").text == whole


def test_texts_and_choices_are_scored(client: Client) -> None:
    assert (client.score("The").logprob or 0) < 0
    choices = client.score("I ___", choices=["smile", "sm"]).choices or []
    assert [each.text for each in choices] == ["smile", "sm"]
    assert sum(each.probability for each in choices) == 1


def test_models_are_listed(client: Client) -> None:
    assert {(model.task, model.default) for model in client.models()} == {
        ("tag", True),
        ("classify", True),
        ("translate", True),
        ("generate", True),
    }


def test_sentences_stream_in_the_order_in_which_they_are_done(client: Client) -> None:
    events = list(client.translate_stream(["Me too. You too.", "Hi."], target="es"))
    assert all(isinstance(event, SentenceEvent) for event in events)
    places = sorted((event.item, event.sentence) for event in events if isinstance(event, SentenceEvent))
    assert places == [(0, 0), (0, 1), (1, 0)]


def test_tokens_stream_to_the_end_of_each_sample(client: Client) -> None:
    *tokens, end = client.generate_stream("The", temperature=0, max_tokens=4)
    assert isinstance(end, SampleEvent)
    text = "".join(event.text for event in tokens if isinstance(event, TokenEvent))
    assert text == client.generate("The", temperature=0, max_tokens=4).text


def test_a_stream_says_which_prompt_it_refuses(client: Client) -> None:
    refused, *_ = client.generate_stream(["e" * 300, "The"], max_tokens=1)
    assert isinstance(refused, RefusedEvent)
    assert (refused.item, refused.reason) == (0, "input_too_long")


def test_who_leaves_a_stream_ends_the_work(serve: Serve) -> None:
    running = serve()
    with Client(running.url) as client:
        events = client.generate_stream("The", temperature=0, max_tokens=80, model=LANGUAGE_MODEL)
        next(events)
        events.close()  # type: ignore[attr-defined]
        wait_until(lambda: running.app.lifecycle.in_flight == 0)
        assert client.generate("The", max_tokens=1).samples


def test_long_lists_go_in_as_many_requests_as_the_service_wants(serve: Serve) -> None:
    running = serve(max_items=3)
    texts = [f"plays {number}" for number in range(8)]
    with Client(running.url) as client:
        assert [doc.tokens[1].text for doc in client.tag_all(iter(texts))] == [str(number) for number in range(8)]
    answered = running.get("/metrics").text
    assert 'ribbon_requests_total{route="/tag",status="200"} 3.0' in answered


def test_long_texts_go_in_requests_that_the_service_takes(serve: Serve) -> None:
    running = serve(max_text_length=50, max_request_length=100)
    with Client(running.url) as client:
        assert len(list(client.classify_all(["good " * 8] * 7))) == 7


def test_texts_are_read_no_further_than_their_batch(client: Client) -> None:
    read = []

    def texts() -> Any:
        for number in range(1000):
            read.append(number)
            yield "Alice"

    next(client.tag_all(texts()))
    assert len(read) <= 129


def test_an_error_names_the_text_by_its_place_among_all(serve: Serve) -> None:
    running = serve(max_items=3)
    with (
        Client(running.url) as client,
        pytest.raises(InvalidRequestError, match=r"text\[7\]: holds a NUL") as found,
    ):
        list(client.tag_all(["Alice"] * 7 + ["a\0"]))
    assert [each.path for each in found.value.problem.errors or []] == ["text[7]"]
    assert isinstance(found.value.__cause__, InvalidRequestError)


def test_errors_have_a_class_and_carry_the_problem(client: Client) -> None:
    with pytest.raises(UnknownModelError) as unknown:
        client.tag("Alice", model="nope")
    assert unknown.value.kind == "unknown_model"
    assert unknown.value.problem.request_id
    with pytest.raises(InvalidRequestError, match="unknown field"):
        client.classify("good", nonsense=1)  # type: ignore[call-arg]
    with pytest.raises(InvalidRequestError, match="reads at most"):
        client.classify(LONG, strict=True)


def test_one_text_and_several_are_not_mixed_up(client: Client) -> None:
    with pytest.raises(TypeError, match="_all"):
        client.tag(["Alice"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not one str"):
        list(client.tag_all("Alice"))


def test_a_service_that_is_not_there_is_named() -> None:
    retries = Retries(max_retries=1, base_seconds=0.001)
    message = r"http://127\.0\.0\.1:9/tag: no answer"
    with Client("http://127.0.0.1:9", retries=retries) as client, pytest.raises(UnreachableError, match=message):
        client.tag("Alice")


def test_a_key_is_sent(serve: Serve, tmp_path: Path) -> None:
    keys, key = tmp_path / "keys", new_key()
    keys.write_text(line_for("alice", key))
    keys.chmod(0o600)
    address = serve(api_keys_file=keys).url
    with Client(address) as client, pytest.raises(UnauthorizedError):
        client.tag("Alice")
    with Client(address, api_key=key) as client:
        assert client.tag("Alice").ents


def test_a_deadline_holds_on_both_sides(serve: Serve) -> None:
    running = serve()
    with Client(running.url) as client:
        running.session.gate.clear()
        try:
            with pytest.raises(DeadlineExceededError):
                client.tag("Alice", deadline_seconds=0.2)
        finally:
            running.session.gate.set()
        assert client.tag("Alice", deadline_seconds=20, priority="bulk").ents


Ask = Callable[[AsyncClient], Awaitable[Any]]


async def all_of(events: Any) -> list[Any]:
    return [event async for event in events]


@pytest.mark.parametrize(
    ("ask", "ask_async"),
    [
        (lambda c: c.tag("Alice"), lambda c: c.tag("Alice")),
        (lambda c: c.tag_tokens(["Alice"]), lambda c: c.tag_tokens(["Alice"])),
        (lambda c: c.classify("good"), lambda c: c.classify("good")),
        (lambda c: c.translate("Hi.", target="es"), lambda c: c.translate("Hi.", target="es")),
        (lambda c: c.generate("The", seed=1), lambda c: c.generate("The", seed=1)),
        (lambda c: c.score("The"), lambda c: c.score("The")),
        (lambda c: c.models(), lambda c: c.models()),
        (lambda c: list(c.tag_all(["Alice", ""])), lambda c: all_of(c.tag_all(["Alice", ""]))),
        (lambda c: list(c.classify_all(["good"] * 200)), lambda c: all_of(c.classify_all(["good"] * 200))),
        (
            lambda c: list(c.translate_all(["Hi.", "Me."], target="es")),
            lambda c: all_of(c.translate_all(["Hi.", "Me."], target="es")),
        ),
        (lambda c: list(c.score_all(["The", "I"])), lambda c: all_of(c.score_all(["The", "I"]))),
        (
            lambda c: list(c.generate_all(["The", "I"], seed=2)),
            lambda c: all_of(c.generate_all(["The", "I"], seed=2)),
        ),
        (
            lambda c: list(c.translate_stream("Hi. Me.", target="es", beam_size=1)),
            lambda c: all_of(c.translate_stream("Hi. Me.", target="es", beam_size=1)),
        ),
        (
            lambda c: list(c.generate_stream("The", seed=3, logprobs=2)),
            lambda c: all_of(c.generate_stream("The", seed=3, logprobs=2)),
        ),
    ],
)
def test_the_asynchronous_client_answers_the_same(client: Client, url: str, ask: Any, ask_async: Ask) -> None:
    async def found() -> Any:
        async with AsyncClient(url) as other:
            return await ask_async(other)

    expected = ask(client)
    assert expected
    assert asyncio.run(found()) == expected


def test_the_asynchronous_client_raises_the_same(url: str) -> None:
    async def ask() -> None:
        async with AsyncClient(url) as client:
            await client.tag("Alice", model="nope")

    with pytest.raises(UnknownModelError):
        asyncio.run(ask())


@pytest.mark.parametrize("text", ["Alice plays well.", ""])
def test_a_result_is_written_as_the_service_wrote_it(client: Client, url: str, text: str) -> None:
    with client_of(url) as http:
        raw = http.post("/tag", json={"text": text}).json()["results"][0]
    assert json.loads(msgspec.json.encode(client.tag(text))) == raw

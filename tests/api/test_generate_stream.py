"""POST /generate with ``stream``: an event for each token as soon as it is certain."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.api.test_generate import REQUESTS
from tests.application import Served, problem_of, wait_until
from tests.fakes import LANGUAGE_MODEL, LIKELIEST, MAX_PROMPT_TOKENS, VERSION
from tests.server import Run
from tests.server import request as raw_request


def test_a_stream_has_an_event_for_each_token_one_for_the_sample_and_one_for_the_end(served: Served) -> None:
    *tokens, (name, sample), (last, done) = served.stream("/generate", prompt="The", temperature=0, logprobs=2)
    assert {name for name, _ in tokens} == {"token"}
    assert "".join(event["text"] for _, event in tokens) == LIKELIEST
    assert [len(event["top"]) for _, event in tokens] == [2] * 5
    assert (name, sample) == ("sample", {"item": 0, "sample": 0, "finish_reason": "end", "truncated": False})
    assert (last, done) == ("done", {"model": {"name": LANGUAGE_MODEL, "version": VERSION}})


@given(REQUESTS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_stream_tells_what_an_answer_does(served: Served, request: dict[str, Any]) -> None:
    [result] = served.generate(**request, return_state=True)["results"]
    events = served.stream("/generate", **request, return_state=True)
    for number, sample in enumerate(result["samples"]):
        mine = [(name, event) for name, event in events if event.get("sample") == number]
        assert "".join(event["text"] for name, event in mine if name == "token") == sample["text"]
        [end] = [event for name, event in mine if name == "sample"]
        assert (end["finish_reason"], end["state"]) == (sample["finish_reason"], sample["state"])


@pytest.mark.parametrize("stop", ["y no", " ready now.", "report", " r", "."])
def test_nothing_of_a_stop_string_is_sent(served: Served, stop: str) -> None:
    events = served.stream("/generate", prompt="The", temperature=0, stop=[stop])
    sent = "".join(event["text"] for name, event in events if name == "token")
    assert sent == LIKELIEST[: LIKELIEST.index(stop)]


def test_every_event_holds_whole_characters(served: Served) -> None:
    events = served.stream("/generate", prompt="I smile", temperature=0)
    texts = [event["text"] for name, event in events if name == "token"]
    assert texts == ["", "", "", "😀", "."]


def test_a_prompt_that_is_refused_is_an_event(served: Served) -> None:
    events = served.stream("/generate", prompt=["x " * MAX_PROMPT_TOKENS, "The"], temperature=0)
    name, refused = events[0]
    assert (name, refused["item"], refused["reason"]) == ("refused", 0, "input_too_long")
    assert {event["item"] for name, event in events if name == "token"} == {1}


def test_what_is_refused_at_the_door_is_no_stream(fresh: Served) -> None:
    problem_of(fresh.post("/generate", prompt="a", state="x", stream=True), 422, "invalid_request")
    late = {"X-Request-Timeout-Ms": "0.0001"}
    problem_of(fresh.post("/generate", prompt="a", stream=True, headers=late), 504, "deadline_exceeded")


def test_a_failure_after_the_start_is_an_event(fresh: Served) -> None:
    fresh.session.error = RuntimeError("a very private text")
    [(last, problem)] = fresh.stream("/generate", prompt="The")
    assert (last, problem["kind"], problem["status"]) == ("error", "model_failed", 500)
    assert "private" not in json.dumps(problem)
    fresh.session.error = None
    assert fresh.stream("/generate", prompt="The")[-1][0] == "done"


def test_a_reader_who_leaves_frees_its_rows(run: Run) -> None:
    running = run()
    running.session.seconds = 0.01
    sent = raw_request("/generate", prompt="The", temperature=5, seed=0, max_tokens=100, num_samples=4, stream=True)
    with running.call(sent) as caller:
        assert caller.recv(4096)

    def live_rows() -> int:
        [line] = [each for each in running.get("/metrics").text.splitlines() if each.startswith("ribbon_decoder_live")]
        return int(float(line.rpartition(" ")[2]))

    wait_until(lambda: live_rows() == 0)
    assert running.errors("caller_left") == 1

"""POST /generate with a language model whose likeliest texts are known."""

from __future__ import annotations

import base64
import hashlib
import string
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.bundle import MANIFEST, write_manifest
from tests.application import Serve, Served, problem_of
from tests.fakes import (
    LANGUAGE_MODEL,
    LIKELIEST,
    MAX_NEW_TOKENS,
    MAX_PROMPT_TOKENS,
    VERSION,
    write_language_model,
)
from tests.fakes.bundles import language_model_manifest


def texts_of(answer: Any) -> list[list[str]]:
    return [[sample["text"] for sample in result["samples"]] for result in answer["results"]]


def text_of(answer: Any) -> str:
    [[text]] = texts_of(answer)
    return text


def test_the_likeliest_text_is_written_at_temperature_0(served: Served) -> None:
    answer = served.generate(prompt=["The", "", "The ", "I smile"], temperature=0)
    assert answer["model"] == {"name": LANGUAGE_MODEL, "version": VERSION}
    assert texts_of(answer) == [[LIKELIEST], [f"The{LIKELIEST}"], [LIKELIEST.removeprefix(" ")], ["😀."]]
    assert [result["samples"][0]["finish_reason"] for result in answer["results"]] == ["end"] * 4
    assert "tokens" not in answer["results"][0]["samples"][0]
    assert "state" not in answer["results"][0]["samples"][0]


def test_a_sample_ends_at_max_tokens(served: Served) -> None:
    [result] = served.generate(prompt="The", temperature=0, max_tokens=2)["results"]
    assert result == {"samples": [{"text": " report is", "finish_reason": "length"}], "truncated": False}
    longest = served.generate(prompt="The", temperature=5, seed=1, max_tokens=MAX_NEW_TOKENS, logprobs=1)
    [sample] = longest["results"][0]["samples"]
    assert (sample["finish_reason"], len(sample["tokens"])) == ("length", MAX_NEW_TOKENS)


def test_the_tokens_of_a_sample_spell_it_and_the_likeliest_come_first(served: Served) -> None:
    [result] = served.generate(prompt="I smile", temperature=0, logprobs=3)["results"]
    [sample] = result["samples"]
    assert [token["text"] for token in sample["tokens"]] == ["", "", "", "😀", "."]
    assert [token["top"][0]["text"] for token in sample["tokens"]] == ["<0xF0>", "<0x9F>", "<0x98>", "<0x80>", "."]
    for token in sample["tokens"]:
        logprobs = [each["logprob"] for each in token["top"]]
        assert len(logprobs) == 3
        assert logprobs == sorted(logprobs, reverse=True)
        assert logprobs[0] == token["logprob"]


def test_several_samples_differ_and_are_those_of_their_numbers(served: Served) -> None:
    [three] = texts_of(served.generate(prompt="The", seed=3, num_samples=3, temperature=2))
    [four] = texts_of(served.generate(prompt="The", seed=3, num_samples=4, temperature=2, logprobs=2))
    assert len({*three}) == 3
    assert four[:3] == three


@pytest.fixture
def patient(serve: Serve) -> Served:
    """A service whose callers wait as long as a busy machine takes."""
    return serve(default_timeout_ms=3_600_000)


REQUESTS = st.fixed_dictionaries(
    {
        "prompt": st.sampled_from(("", "The", "I smile", "abc\nde", "Страница 7 😀", "x " * 15)),
        "seed": st.integers(0, 2**63 - 1),
        "max_tokens": st.integers(1, 24),
        "temperature": st.sampled_from((0.0, 0.1, 0.8, 1.0, 5.0)),
        "top_k": st.sampled_from((1, 3, 40, 256)),
        "top_p": st.sampled_from((0.01, 0.5, 0.9, 1.0)),
        "repetition_penalty": st.sampled_from((1.0, 1.0, 1.2, 10.0)),
        "num_samples": st.integers(1, 3),
        "logprobs": st.sampled_from((0, 0, 5)),
        "stop": st.lists(st.sampled_from((" is", "e", ".", "y n", "report is")), max_size=2),
    }
)


@given(st.lists(REQUESTS, min_size=2, max_size=31))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_same_seed_gives_the_same_text_alone_and_among_31_neighbours(
    patient: Served, requests: list[dict[str, Any]]
) -> None:
    served = patient
    alone = [served.generate(**request) for request in requests]
    with ThreadPoolExecutor(len(requests)) as pool:
        together = list(pool.map(lambda request: served.generate(**request), requests))
    assert together == alone


@pytest.mark.parametrize("options", [{"temperature": 1.5}, {"temperature": 0}, {"repetition_penalty": 1.5}])
@pytest.mark.parametrize(("first", "second"), [(1, 29), (7, 23), (20, 10), (29, 1)])
def test_a_state_goes_on_exactly_as_one_long_request(
    served: Served, options: dict[str, float], first: int, second: int
) -> None:
    whole = text_of(served.generate(prompt="I smile", seed=5, max_tokens=30, **options))
    [sample] = served.generate(prompt="I smile", seed=5, max_tokens=first, return_state=True, **options)["results"][0][
        "samples"
    ]
    rest = {"finish_reason": "end", "text": ""}
    if sample["finish_reason"] == "length":
        [rest] = served.generate(prompt="", state=sample["state"], seed=5, max_tokens=second, **options)["results"][0][
            "samples"
        ]
    assert sample["text"] + rest["text"] == whole


def test_a_state_goes_on_with_each_prompt_as_if_it_had_been_read_at_once(served: Served) -> None:
    [sample] = served.generate(prompt="The", temperature=0, max_tokens=1, return_state=True)["results"][0]["samples"]
    assert sample["text"] == " report"
    later = served.generate(
        prompt=["s are smile", " smile", ""], state=sample["state"], seed=2, max_tokens=15, logprobs=2
    )
    # The random numbers go on where the first request stopped; at temperature 0 there is none to compare with.
    for prompt, result in zip(["s are smile", " smile", ""], later["results"], strict=True):
        greedy = served.generate(prompt=prompt, state=sample["state"], temperature=0)
        assert text_of(greedy) == text_of(served.generate(prompt=f"The report{prompt}", temperature=0))
        assert result["samples"][0]["tokens"]


def test_the_states_of_several_samples_go_on_with_their_own_random_numbers(served: Served) -> None:
    options = {"prompt": "The", "seed": 8, "temperature": 3}
    [whole] = texts_of(served.generate(max_tokens=12, num_samples=3, **options))
    [result] = served.generate(max_tokens=5, num_samples=3, return_state=True, **options)["results"]
    for text, sample in zip(whole, result["samples"], strict=True):
        rest = served.generate(**{**options, "prompt": "", "max_tokens": 7}, state=sample["state"])
        assert sample["text"] + text_of(rest) == text


def state_of(served: Served) -> bytes:
    [sample] = served.generate(prompt="The", max_tokens=3, return_state=True)["results"][0]["samples"]
    return base64.b64decode(sample["state"])


def signed(content: bytes) -> str:
    return base64.b64encode(content + hashlib.sha256(content).digest()[:8]).decode()


def with_a_dropped_bit(text: str) -> str:
    """Return base64 with a bit set that no byte holds, so that a lenient reader finds the same bytes."""
    letters = text.rstrip("=")
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    other = f"{letters[:-1]}{alphabet[alphabet.index(letters[-1]) + 1]}".ljust(len(text), "=")
    assert base64.b64decode(other) == base64.b64decode(text)
    return other


def test_a_state_that_is_not_right_is_refused_and_told_why(served: Served) -> None:
    state = state_of(served)
    content = state[:-8]
    assert base64.b64encode(state).decode() == signed(content)
    wrong = {
        "not base64": "*",
        "is no state": base64.b64encode(b"hello").decode(),
        "version 2": signed(content[:4] + b"\x02" + content[5:]),
        "checksum": base64.b64encode(state[:-30] + b"\x55" + state[-29:]).decode(),
        "last characters": with_a_dropped_bit(base64.b64encode(state).decode()),
        "another model": signed(content[:5] + bytes(16) + content[21:]),
        "wrong size": signed(content + bytes(4)),
        "not finite": signed(content[:-4] + np.array([np.nan], "<f4").tobytes()),
        "a token that this model does not have": signed(content[:30] + b"\xff\xff\xff\x7f" + content[34:]),
    }
    for reason, text in wrong.items():
        document = problem_of(served.post("/generate", prompt="", state=text), 422, "invalid_request")
        [error] = document["errors"]
        assert error["path"] == "state"
        assert reason in error["message"]
    assert served.generate(prompt="", state=base64.b64encode(state).decode())["results"][0]["samples"]


def test_a_state_of_another_version_of_the_model_is_refused(serve: Serve, tmp_path: Any) -> None:
    served = serve()
    state = base64.b64encode(state_of(served)).decode()
    manifest = tmp_path / "models" / LANGUAGE_MODEL / MANIFEST
    manifest.write_text(manifest.read_text().replace("Looks words up.", "Looks words up!"))
    document = problem_of(serve().post("/generate", prompt="", state=state), 422, "invalid_request")
    assert "another model" in document["detail"]


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        ([" ready"], " report is"),
        (["y no"], " report is read"),
        (["t is r", "ort"], " rep"),
        ([".", "now."], " report is ready "),
        ([LIKELIEST], ""),
        (["nowhere", "now!"], LIKELIEST),
    ],
)
def test_a_sample_ends_before_a_stop_string_across_tokens(served: Served, stop: list[str], text: str) -> None:
    [result] = served.generate(prompt="The", temperature=0, stop=stop, logprobs=1)["results"]
    [sample] = result["samples"]
    assert (sample["text"], sample["finish_reason"]) == (text, "end" if text == LIKELIEST else "stop")
    assert "".join(token["text"] for token in sample["tokens"]) == text


def test_a_repetition_penalty_keeps_a_text_from_going_round(served: Served) -> None:
    plain = served.generate(prompt="The report is ready now. The report is ready", temperature=0, max_tokens=6)
    other = served.generate(
        prompt="The report is ready now. The report is ready", temperature=0, max_tokens=6, repetition_penalty=10
    )
    assert text_of(plain) == " now."
    assert text_of(other) != text_of(plain)


def test_a_prompt_over_the_limit_has_a_reason_and_its_neighbours_their_samples(served: Served) -> None:
    long = "x " * MAX_PROMPT_TOKENS
    refused, answered = served.generate(prompt=[long, "The"], temperature=0)["results"]
    assert (refused["samples"], refused["reason"]) == ([], "input_too_long")
    assert f"at most {MAX_PROMPT_TOKENS}" in refused["detail"]
    assert answered["samples"][0]["text"] == LIKELIEST
    problem_of(served.post("/generate", prompt=[long, "The"], strict=True), 422, "input_too_long")
    [result] = served.generate(prompt=f"{long} The", temperature=0, truncate=True)["results"]
    assert (result["samples"][0]["text"], result["truncated"]) == (LIKELIEST, True)


def test_prompts_of_any_characters_are_continued(served: Served) -> None:
    prompts = ["", " ", "\n", "😀👩‍👩‍👧", "Привет", "你好", "e\u0301", "\u200b\ufeff", "a\tb\r\nc"]
    for temperature in (0, 5):
        for [text] in texts_of(served.generate(prompt=prompts, temperature=temperature, seed=1)):
            assert text.encode()


def test_a_prompt_is_read_in_pieces_of_any_number(serve: Serve) -> None:
    served = serve()
    served.session.shapes.clear()
    served.generate(prompt="x " * 40, max_tokens=1, num_samples=4)
    assert served.session.shapes == [(1, 64), (1, 16), (4,)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 5.1),
        ("temperature", -0.1),
        ("top_k", 0),
        ("top_k", 257),
        ("top_p", 0),
        ("top_p", 1.1),
        ("repetition_penalty", 0.9),
        ("max_tokens", 0),
        ("max_tokens", MAX_NEW_TOKENS + 1),
        ("num_samples", 17),
        ("logprobs", 21),
        ("seed", -1),
        ("seed", 2**63),
        ("stop", "."),
        ("stop", [""]),
        ("stop", ["a"] * 9),
        ("prompt", []),
        ("prompt", "\0"),
        ("text", "x"),
    ],
)
def test_a_field_that_is_out_of_range_is_refused_and_named(served: Served, field: str, value: Any) -> None:
    document = problem_of(served.post("/generate", **{"prompt": "The", field: value}), 422, "invalid_request")
    assert any(error["path"].startswith(field) for error in document["errors"]) or field in document["detail"]


def test_an_answer_of_millions_of_tokens_is_refused(served: Served) -> None:
    asked = {"prompt": ["a"] * 128, "num_samples": 16, "max_tokens": 8, "logprobs": 20}
    document = problem_of(served.client.post("/generate", json=asked), 422, "invalid_request")
    assert [each["path"] for each in document["errors"]] == ["max_tokens"]
    assert "344064" in document["detail"]


def test_what_is_written_counts(fresh: Served) -> None:
    fresh.generate(prompt=["The", "The"], temperature=0)
    assert fresh.metric("ribbon_requests_total", route="/generate", status="200") == 1
    assert fresh.metric("ribbon_decoder_target_tokens_total") == 2 * 6
    assert fresh.metric("ribbon_tokens_total") == 2


def test_what_takes_too_long_ends_with_its_deadline(serve: Serve) -> None:
    served = serve(max_queued_cells=2000)
    served.session.seconds = 0.02
    for _ in range(3):
        served.generate(prompt="The", temperature=5, seed=0, max_tokens=10)
    late = served.post(
        "/generate", prompt=["The"] * 20, num_samples=16, max_tokens=100, headers={"X-Request-Timeout-Ms": "300"}
    )
    assert problem_of(late, 504, "deadline_exceeded")


def test_a_model_that_writes_less_than_the_default_writes_what_it_can(serve: Serve, tmp_path: Path) -> None:
    folder = write_language_model(tmp_path / "models")
    limits = {"max_tokens": 50, "max_target_tokens": 3}
    write_manifest(folder, language_model_manifest(LANGUAGE_MODEL) | {"limits": limits})
    served = serve()
    asked = {"prompt": "The", "temperature": 5, "seed": 1, "logprobs": 1}
    [result] = served.generate(**asked)["results"]
    assert len(result["samples"][0]["tokens"]) == 3
    document = problem_of(served.post("/generate", **asked, max_tokens=4), 422, "invalid_request")
    assert document["errors"][0]["path"] == "max_tokens"

"""POST /score with a language model whose probabilities are known."""

from __future__ import annotations

from itertools import pairwise
from math import exp, log
from typing import Any

import pytest

from tests.application import Served, problem_of
from tests.fakes import LANGUAGE_MODEL, MAX_PROMPT_TOKENS, VERSION, logprob_of_text


def test_a_text_has_its_log_probability_and_that_of_its_tokens(served: Served) -> None:
    text = "The report is ready now."
    answer = served.score(text=text)
    assert answer["model"] == {"name": LANGUAGE_MODEL, "version": VERSION}
    [result] = answer["results"]
    tokens = result["tokens"]
    assert [token["text"] for token in tokens] == ["The", " report", " is", " ready", " now", "."]
    assert [text[token["start"] : token["end"]] for token in tokens] == [token["text"] for token in tokens]
    assert result["num_tokens"] == len(tokens) == 6
    assert result["logprob"] == pytest.approx(logprob_of_text(text), abs=1e-4)
    assert result["logprob"] == pytest.approx(sum(token["logprob"] for token in tokens), abs=1e-3)
    assert result["perplexity"] == pytest.approx(exp(-result["logprob"] / 6), rel=1e-3)


@pytest.mark.parametrize("unit", ["codepoint", "utf16", "byte"])
def test_offsets_are_in_the_unit_that_was_asked_for(served: Served, unit: str) -> None:
    text = "  é😀 smile\n\nnaïve 你好 "
    sent = {"codepoint": text, "utf16": text.encode("utf-16-le"), "byte": text.encode()}[unit]
    factor = 2 if unit == "utf16" else 1
    [result] = served.score(text=text, offset_unit=unit)["results"]
    places = [(token["start"], token["end"]) for token in result["tokens"]]
    assert all(a <= b for a, b in places)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    encoding = {"utf16": "utf-16-le", "byte": "utf-8"}.get(unit)
    for token, (start, end) in zip(result["tokens"], places, strict=True):
        found: Any = sent[factor * start : factor * end]
        assert token["text"] == (found.decode(encoding) if encoding else found)
    assert "".join(token["text"] for token in result["tokens"]) == text.strip(" ")


def test_the_likelier_of_two_texts_scores_higher(served: Served) -> None:
    good, bad = served.score(text=["The report is ready now.", "The now ready report is."])["results"]
    assert good["logprob"] > bad["logprob"]
    assert good["perplexity"] < bad["perplexity"]


def test_choices_have_probabilities_that_sum_to_1(served: Served) -> None:
    choices = ["ready", "now", "smile", "ready"]
    first, second = served.score(text=["The report is ___ now.", "___"], choices=choices)["results"]
    assert [choice["text"] for choice in first["choices"]] == choices
    assert sum(round(1e6 * choice["probability"]) for choice in first["choices"]) == 1_000_000
    assert first["choices"][0]["probability"] == pytest.approx(first["choices"][3]["probability"], abs=1e-5)
    assert first["choices"][0]["probability"] > 0.49
    ready, now, *_ = second["choices"]
    ratio = logprob_of_text("ready") - logprob_of_text("now")
    assert log(ready["probability"] / now["probability"]) == pytest.approx(ratio, abs=1e-2)


def test_a_text_needs_one_gap_for_its_choices(served: Served) -> None:
    document = problem_of(served.post("/score", text=["a ___", "b", "___ ___"], choices=["x"]), 422, "invalid_request")
    assert [error["path"] for error in document["errors"]] == ["text[1]", "text[2]"]
    problem_of(served.post("/score", text="___", choices=[]), 422, "invalid_request")
    assert served.score(text="a ___ b")["results"][0]["logprob"] < 0


def test_too_many_choices_are_refused(served: Served) -> None:
    document = problem_of(served.post("/score", text=["___"] * 128, choices=["a"] * 33), 422, "invalid_request")
    assert document["errors"][0]["path"] == "choices"
    assert "texts x choices are 4224, the limit is 4096" in document["detail"]
    assert len(served.ask("/score", text=["___"] * 2, choices=["a"] * 128)["results"]) == 2


def test_choices_are_texts_like_any(served: Served) -> None:
    document = problem_of(served.post("/score", text="a ___", choices=["b", "\0"]), 422, "invalid_request")
    assert [each["path"] for each in document["errors"]] == ["choices[1]"]


def test_a_gap_that_may_be_cut_off_is_told(served: Served) -> None:
    [result] = served.ask("/score", text="a" * 5000 + "___", choices=["b", "c"], truncate=True)["results"]
    assert (result["reason"], result["choices"]) == ("input_too_long", [])


def test_texts_without_an_answer_have_a_reason(served: Served) -> None:
    empty, blank, long, good = served.score(text=["", " \n", "x " * MAX_PROMPT_TOKENS, "The"])["results"]
    for each in (empty, blank):
        assert (each["reason"], each["logprob"], each["tokens"]) == ("no_words", None, [])
    assert (long["reason"], long["perplexity"]) == ("input_too_long", None)
    assert f"at most {MAX_PROMPT_TOKENS}" in long["detail"]
    assert good["num_tokens"] == 1
    problem_of(served.post("/score", text=["", "The"], strict=True), 422, "invalid_request")
    [result] = served.score(text="x " * MAX_PROMPT_TOKENS, truncate=True)["results"]
    assert (result["truncated"], result["num_tokens"]) == (True, MAX_PROMPT_TOKENS)
    [choices] = served.score(text=f"{'x ' * 97}___", choices=["a", "xxxxxxx"])["results"]
    assert (choices["choices"], choices["reason"]) == ([], "input_too_long")


def test_texts_are_scored_in_batches(served: Served) -> None:
    served.score(text=["The report", "The", "now"], choices=None)
    assert served.session.shapes == [(3, 2)]
    served.session.shapes.clear()
    served.score(text=["a ___ b", "___"], choices=["The", "is"])
    assert sum(shape[0] for shape in served.session.shapes) == 4


def test_scores_count_like_any_answer(fresh: Served) -> None:
    fresh.score(text="The report is")
    assert fresh.metric("ribbon_requests_total", route="/score", status="200") == 1
    assert fresh.metric("ribbon_tokens_total") == 3
    assert fresh.metric("ribbon_batch_rows_count") == 1

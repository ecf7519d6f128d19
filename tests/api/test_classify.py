"""POST /classify: what a good request gets."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.answers import PARTS, apportion
from tests.api.conftest import Served
from tests.api.test_bad_input import problem_of
from tests.fakes import CLASSIFIER, LABELS, MAX_TOKENS, NAME, VERSION, probability_of


def test_one_text(served: Served) -> None:
    positive = round(probability_of("exciting"), 6)
    assert served.classify(text="An exciting one!") == {
        "model": {"name": CLASSIFIER, "version": VERSION},
        "results": [
            {
                "label": "positive",
                "score": positive,
                "scores": {"negative": pytest.approx(1 - positive, abs=1e-9), "positive": positive},
                "truncated": False,
            }
        ],
    }


def test_answers_come_in_order_one_an_item(served: Served) -> None:
    texts = ["bad", "good good good", "boring plot.\n\nboring", "exciting"]
    results = served.classify(text=texts)["results"]
    assert [result["label"] for result in results] == ["negative", "positive", "negative", "positive"]
    assert results == [served.classify(text=text)["results"][0] for text in texts]


def test_scores_have_every_class_and_sum_to_one_as_they_are_printed(served: Served) -> None:
    texts = ["plot " * i for i in range(1, 12)]
    body = served.client.post("/classify", json={"text": texts}).text
    for result in json.loads(body, parse_float=Decimal)["results"]:
        assert tuple(result["scores"]) == LABELS
        assert sum(result["scores"].values()) == 1
        assert result["score"] == result["scores"][result["label"]] == max(result["scores"].values())


SHARES = st.lists(st.floats(1e-9, 1.0), min_size=2, max_size=9).map(
    lambda weights: [weight / sum(weights) for weight in weights]
)


@given(SHARES)
def test_a_whole_is_apportioned_exactly_nearly_and_in_order(shares: list[float]) -> None:
    parts = apportion(shares, PARTS)
    assert sum(parts) == PARTS
    assert all(abs(part - share * PARTS) <= 1 for part, share in zip(parts, shares, strict=True))
    in_order = [part for _, part in sorted(zip(shares, parts, strict=True))]
    assert in_order == sorted(in_order)


@pytest.mark.parametrize("text", ["", " ", "\n\t\u00a0\u2003"])
def test_text_without_words_has_no_class(served: Served, text: str) -> None:
    document = problem_of(served.client.post("/classify", json={"text": text}), 422, "invalid_request")
    assert document["errors"] == [{"path": "text", "message": "holds no word"}]
    assert served.session.shapes == []


def test_every_item_that_cannot_be_classified_is_named(served: Served) -> None:
    texts = ["", "good", " \n", "well " * (MAX_TOKENS + 3), "bad"]
    document = problem_of(served.client.post("/classify", json={"text": texts}), 422, "invalid_request")
    assert [error["path"] for error in document["errors"]] == ["text[0]", "text[2]", "text[3]"]
    assert str(MAX_TOKENS) in document["errors"][2]["message"]
    assert str(MAX_TOKENS + 3) in document["errors"][2]["message"]


def test_too_long_a_text_is_refused_or_cut_and_that_is_said(served: Served) -> None:
    texts: list[Any] = ["good " * MAX_TOKENS + "boring " * 99, "good"]
    document = problem_of(served.client.post("/classify", json={"text": texts}), 422, "input_too_long")
    assert document["errors"][0]["path"] == "text[0]"
    long, short = served.classify(text=texts, truncate=True)["results"]
    assert (long["truncated"], short["truncated"]) == (True, False)
    assert long["label"] == "positive"
    assert max(length for _, length in served.session.shapes) == MAX_TOKENS


def test_short_texts_are_not_padded_to_the_length_of_long_ones(served: Served) -> None:
    served.classify(text=["good"] * 20 + ["well " * MAX_TOKENS])
    assert sorted(served.session.shapes) == [(1, MAX_TOKENS), (20, 1)]


def test_a_model_may_be_named_and_null_is_absent(served: Served) -> None:
    assert served.classify(text="x", model=CLASSIFIER) == served.classify(text="x", model=None)


def test_a_model_of_another_task_is_unknown_here_and_the_known_are_listed(served: Served) -> None:
    for path, wrong, right in (("/classify", NAME, CLASSIFIER), ("/tag", CLASSIFIER, NAME)):
        response = served.client.post(path, json={"text": "a", "model": wrong})
        detail = problem_of(response, 404, "unknown_model")["detail"]
        assert detail == f"{path} has no model named '{wrong}'; known: {right}@{VERSION}"


def test_a_long_request_goes_aside_and_answers_the_same(served: Served) -> None:
    texts = ["good " * MAX_TOKENS] * 100
    assert served.classify(text=texts)["results"] == served.classify(text=texts[0])["results"] * 100

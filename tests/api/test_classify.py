"""POST /classify: what a good request gets."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.api.answers import PARTS, apportion
from service.bundle import write_manifest
from tests.application import Serve, Served, problem_of
from tests.fakes import (
    CLASSIFIER,
    LABELS,
    MAX_TOKENS,
    MULTI_LABEL,
    MULTI_LABELS,
    NAME,
    THRESHOLDS,
    VERSION,
    chosen_of,
    classifier_manifest,
    probabilities_of,
    probability_of,
    write_classifier,
    write_multi_label,
)

NO_CLASS = {"label": None, "score": None, "scores": None, "truncated": False}


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
    assert served.classify(text=text)["results"] == [{**NO_CLASS, "reason": "no_words", "detail": "holds no word"}]
    document = problem_of(served.post("/classify", text=text, strict=True), 422, "invalid_request")
    assert document["errors"] == [{"path": "text", "message": "holds no word"}]
    assert served.session.shapes == []


def test_an_item_that_cannot_be_classified_costs_its_neighbours_nothing(served: Served) -> None:
    texts = ["", "good", " \n", "well " * (MAX_TOKENS + 3), "bad"]
    results = served.classify(text=texts)["results"]
    assert [result.get("reason") for result in results] == ["no_words", None, "no_words", "input_too_long", None]
    detail = f"a text of {MAX_TOKENS + 3} tokens; this model reads at most {MAX_TOKENS}"
    assert results[3] == {**NO_CLASS, "reason": "input_too_long", "detail": detail}
    assert [results[1], results[4]] == served.classify(text=["good", "bad"])["results"]
    assert set(served.session.shapes) == {(2, 1)}


def test_a_request_of_refused_items_alone_is_answered_without_a_run(fresh: Served) -> None:
    fresh.classify(text=["well " * MAX_TOKENS * 3] * 9)
    assert fresh.metric("ribbon_tokens_total") == 0
    assert fresh.session.shapes == []


def test_every_item_that_cannot_be_classified_is_named_to_who_is_strict(served: Served) -> None:
    texts = ["", "good", " \n", "well " * (MAX_TOKENS + 3), "bad"]
    document = problem_of(served.post("/classify", text=texts, strict=True), 422, "invalid_request")
    assert [error["path"] for error in document["errors"]] == ["text[0]", "text[2]", "text[3]"]
    assert str(MAX_TOKENS) in document["errors"][2]["message"]
    assert str(MAX_TOKENS + 3) in document["errors"][2]["message"]


def test_too_long_a_text_is_refused_or_cut_and_that_is_said(served: Served) -> None:
    texts: list[Any] = ["good " * MAX_TOKENS + "boring " * 99, "good"]
    document = problem_of(served.post("/classify", text=texts, strict=True), 422, "input_too_long")
    assert document["errors"][0]["path"] == "text[0]"
    assert served.classify(text=texts)["results"][0]["reason"] == "input_too_long"
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


@pytest.fixture
def multi_label(serve: Serve, tmp_path: Path) -> Served:
    """A service of the multi-label classifier alone."""
    write_multi_label(tmp_path / "models")
    return serve()


def test_a_multi_label_model_answers_the_labels_that_reach_their_thresholds(multi_label: Served) -> None:
    texts = ["boring", "plot", "exciting bad", "exciting exciting", ""]
    *results, refused = multi_label.classify(text=texts)["results"]
    assert [result["labels"] for result in results] == [
        ["negative", "strong"],
        [],
        ["strong", "positive"],
        ["positive", "strong"],
    ]
    for text, result in zip(texts, results, strict=False):
        assert result["scores"] == pytest.approx(probabilities_of(text), abs=1e-6)
        assert tuple(result["scores"]) == MULTI_LABELS
        assert result["labels"] == chosen_of(text)
        assert result["score"] == result["scores"][result["label"]] == max(result["scores"].values())
    assert refused == {**NO_CLASS, "reason": "no_words", "detail": "holds no word"}


WORDS = st.lists(st.sampled_from(["good", "bad", "exciting", "plot", "x"]), max_size=9).map(" ".join)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS, min_size=1, max_size=5))
def test_labels_in_a_batch_are_those_alone(multi_label: Served, texts: list[str]) -> None:
    results = multi_label.classify(text=texts)["results"]
    assert results == [multi_label.classify(text=text)["results"][0] for text in texts]


def test_a_model_of_one_label_says_so_and_answers_no_labels(served: Served) -> None:
    [result] = served.classify(text="good")["results"]
    assert set(result) == {"label", "score", "scores", "truncated"}


def test_models_tell_thresholds_and_groups(serve: Serve, tmp_path: Path) -> None:
    write_multi_label(tmp_path / "models")
    groups = {"unwelcome": ["negative"], "welcome": ["positive"]}
    write_manifest(write_classifier(tmp_path / "models"), classifier_manifest(CLASSIFIER) | {"groups": groups})
    served = serve()
    cards = {card["name"]: card for card in served.client.get("/models").json()["models"]}
    assert (cards[MULTI_LABEL]["multi_label"], cards[MULTI_LABEL]["thresholds"]) == (True, THRESHOLDS)
    assert "groups" not in cards[MULTI_LABEL]
    assert (cards[CLASSIFIER]["multi_label"], cards[CLASSIFIER]["groups"]) == (False, groups)
    assert "thresholds" not in cards[CLASSIFIER]
    results = served.classify(text=["good", "bad", ""], model=CLASSIFIER)["results"]
    assert [result.get("group") for result in results] == ["welcome", "unwelcome", None]

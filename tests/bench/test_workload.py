"""What is sent is what it is said to be, the same on every run."""

from __future__ import annotations

import json
import statistics
from typing import ClassVar

import numpy as np
import pytest

from bench.mixed import LONG_REVIEW_WORDS, traffic_of
from bench.reviews import LONGEST, SHORTEST
from bench.workload import Workload, batches_of, requests_of, text_of_about, workloads_of
from service.bundle import Task
from service.text.pipeline import Ids


class FakeModel:
    """An id for each word between spaces."""

    task: Task = "classify"
    path = "/classify"
    field = "text"
    wishes: ClassVar[dict[str, str]] = {}

    def rows_of(self, text: str) -> list[Ids]:
        return [np.ones(len(text.split()), np.int32)]


@pytest.fixture(scope="module")
def workloads() -> dict[str, Workload]:
    return {workload.noun: workload for workload in workloads_of(FakeModel())}


def test_a_classifier_reads_sentences_and_reviews_a_tagger_sentences(workloads: dict[str, Workload]) -> None:
    assert list(workloads) == ["sentences", "reviews"]
    tagger = FakeModel()
    tagger.task = "tag"
    assert [workload.noun for workload in workloads_of(tagger)] == ["sentences"]


def test_a_language_model_is_sent_the_beginnings_of_sentences_as_prompts() -> None:
    model = FakeModel()
    model.task, model.field = "generate", "prompt"
    [workload] = workloads_of(model)
    assert workload.noun == "openings"
    [request] = requests_of(model, workload.texts, num_items=3, num_requests=1)
    assert len(json.loads(request.content.partition(b"\r\n\r\n")[2])["prompt"]) == 3


def test_reviews_are_as_long_as_reviews(workloads: dict[str, Workload]) -> None:
    lengths = [len(text.text.split()) for text in workloads["reviews"].texts]
    assert statistics.median(lengths) == pytest.approx(175, rel=0.1)
    assert SHORTEST <= min(lengths) <= 60
    assert 800 <= max(lengths) <= LONGEST
    assert statistics.mean(lengths) > 1.15 * statistics.median(lengths)  # a long tail


def test_texts_and_requests_are_the_same_on_every_run(workloads: dict[str, Workload]) -> None:
    model = FakeModel()
    for again in workloads_of(model):
        first = workloads[again.noun].texts
        assert [text.text for text in again.texts] == [text.text for text in first]
        assert requests_of(model, again.texts, num_items=4) == requests_of(model, first, num_items=4)


def test_requests_count_their_texts_and_words(workloads: dict[str, Workload]) -> None:
    for request in requests_of(FakeModel(), workloads["sentences"].texts, num_items=32, num_requests=5):
        texts = json.loads(request.content.partition(b"\r\n\r\n")[2])["text"]
        assert len(texts) == request.num_items == 32
        assert sum(len(text.split()) for text in texts) == request.num_words


def test_batches_hold_every_row_once_beside_its_like(workloads: dict[str, Workload]) -> None:
    texts = workloads["reviews"].texts
    batches = batches_of(texts, num_rows=8)
    assert sum(int(batch.lengths.sum()) for batch in batches) == sum(text.num_words for text in texts)
    assert sum(batch.ids.size for batch in batches) < 1.1 * sum(text.num_words for text in texts)


def test_reviews_in_mixed_traffic_are_long(workloads: dict[str, Workload]) -> None:
    traffic = traffic_of(FakeModel(), *(workload.texts for workload in workloads.values()))
    assert len(traffic.sentences) == 500
    assert len(traffic.reviews) >= 20
    assert min(request.num_words for request in traffic.reviews) >= LONG_REVIEW_WORDS


def test_a_text_of_about_a_length_is_found(workloads: dict[str, Workload]) -> None:
    for workload in workloads.values():
        found = text_of_about(workload.texts, workload.idle_num_words)
        assert found.num_words == pytest.approx(workload.idle_num_words, rel=0.05)

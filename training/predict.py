"""Answers of a predictor to many rows, in batches of like lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from typing import Any

from service.predictors.predictor import Answer, Predictor
from service.text.pipeline import Ids, pad


def by_length(rows: Sequence[Sized], num_words: int) -> Iterator[list[int]]:
    """Indices in batches of about ``num_words`` padded cells, shortest first."""
    batch: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        if batch and len(rows[i]) * (len(batch) + 1) > num_words:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def answer_rows(predictor: Predictor[Any, Answer], rows: Sequence[Ids]) -> list[Answer]:
    """The answer of every row, in order; rows are batched by length."""
    answers: dict[int, Answer] = {}
    for indices in by_length(rows, 1024):
        answers.update(zip(indices, predictor.run(pad([rows[i] for i in indices])), strict=True))
    return [answers[i] for i in range(len(rows))]

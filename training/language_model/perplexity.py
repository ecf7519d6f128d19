"""Perplexity of texts by a network: each alone, or as one stream."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

import numpy as np
import numpy.typing as npt
import torch

from service.text.pipeline import Ids
from training.language_model.batches import stream_batches
from training.networks.language_model import LanguageModel
from training.networks.layers import State

CELLS_PER_BATCH = 2048
MAX_STREAMS, STREAM_STEPS = 16, 64


def stream_perplexity(network: LanguageModel, texts: Sequence[Ids], end_id: int) -> dict[str, float]:
    """By direction: exp of the mean negative log-likelihood of a unit, unknown ones counted as the one that they are.
    Texts run on from one another as in training."""
    figures = {}
    for name in network.directions:
        state: State = None
        total, count = 0.0, 0
        num_streams = min(MAX_STREAMS, max(1, sum(map(len, texts)) // (4 * STREAM_STEPS)))
        for batch in stream_batches(texts, num_streams=num_streams, num_steps=STREAM_STEPS, end_id=end_id):
            found, state = network.log_likelihoods(batch.streams()[name], state, name)
            total, count = total - float(found.double().sum()), count + found.numel()
        figures[f"perplexity_{name}"] = exp(total / count)
    return figures


def log_likelihoods(
    network: LanguageModel, texts: Sequence[Ids], end_id: int, *, with_end: bool = True
) -> list[npt.NDArray[np.float64]]:
    """Return for each text alone, its state zero before the first ``end_id``, the log-probability of every unit. That
    of the end is the last, unless it is left out."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found: list[npt.NDArray[np.float64]] = [np.zeros(0)] * len(texts)
    batch: list[int] = []
    for place, index in enumerate(order):
        batch.append(index)
        longest_next = len(texts[order[min(place + 1, len(order) - 1)]]) + 2
        if place + 1 < len(order) and (len(batch) + 1) * longest_next <= CELLS_PER_BATCH:
            continue
        rows = np.full((len(batch), len(texts[index]) + 2), end_id, np.int64)
        for row, each in zip(rows, batch, strict=True):
            row[1 : len(texts[each]) + 1] = texts[each]
        values = network.log_likelihoods(torch.from_numpy(rows))[0].double().numpy()
        for row, each in zip(values, batch, strict=True):
            found[each] = row[: len(texts[each]) + with_end]
        batch = []
    return found

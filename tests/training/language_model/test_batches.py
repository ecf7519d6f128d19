from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.language_model.batches import num_batches, stream_batches

END = 2
TEXTS = [np.arange(start, start + length, dtype=np.int32) for start, length in ((10, 7), (30, 1), (50, 12), (70, 4))]
RUNNING = [END, *range(10, 17), END, 30, END, *range(50, 62), END, *range(70, 74), END]


def batches(**choices):
    return list(stream_batches(TEXTS, end_id=END, **{"num_streams": 2, "num_steps": 5, **choices}))


def test_streams_are_the_texts_end_to_end_with_a_mark_around_each():
    (batch,) = batches(num_streams=1, num_steps=1000)
    assert batch.forwards[0].tolist() == RUNNING
    assert batch.backwards[0].tolist() == RUNNING[::-1]


def test_a_stretch_begins_with_the_last_token_of_the_one_before():
    found = batches()
    assert [batch.is_first for batch in found] == [True] + [False] * (len(found) - 1)
    for before, after in pairwise(found):
        for name in ("forwards", "backwards"):
            assert torch.equal(before.streams()[name][:, -1], after.streams()[name][:, 0])


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_every_token_of_a_row_is_predicted_once(seed):
    found = batches(rng=None if seed is None else np.random.default_rng(seed))
    width = len(RUNNING) // 2
    assert sum(batch.num_tokens for batch in found) == 2 * (width - 1)
    rows = torch.cat([found[0].forwards[:, :1], *(batch.forwards[:, 1:] for batch in found)], dim=1)
    assert rows.shape == (2, width)
    if seed is None:
        assert rows.flatten().tolist() == RUNNING[: 2 * width]


def test_the_same_seed_gives_the_same_stretches():
    first, second = (batches(rng=np.random.default_rng(5)) for _ in range(2))
    assert all(torch.equal(a.forwards, b.forwards) for a, b in zip(first, second, strict=True))


def test_their_number_is_known_about():
    assert num_batches(TEXTS, num_streams=2, num_steps=5) == pytest.approx(len(batches()), abs=1)
    assert num_batches(TEXTS, num_streams=1000, num_steps=5) == 1

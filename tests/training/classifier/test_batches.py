from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from service.text.pipeline import TextEncoder, Vocabulary
from tests.training.classifier.small_tasks import labelled
from training.classifier.batches import Mixture, TextExample, examples_of, text_batches, window

ENCODER = TextEncoder(Vocabulary.of("good bad film very".split()))


def example(length, label=0):
    target = np.eye(2, dtype=np.float32)[label]
    return TextExample(ids=np.arange(3, 3 + length, dtype=np.int32), target=target)


def test_every_example_is_in_one_batch_with_its_own_target():
    examples = [example(length, length % 2) for length in (3, 9, 1, 4, 4, 20, 7)]
    seen = []
    for batch in text_batches(examples, num_words=20, num_texts=3, max_tokens=50, rng=np.random.default_rng(0)):
        assert batch.ids.shape[1] == batch.lengths.max()
        assert len(batch.ids) == 1 or batch.ids.numel() <= 20
        assert len(batch.ids) <= 3
        for ids, length, target in zip(batch.ids, batch.lengths, batch.targets, strict=True):
            assert ids[:length].tolist() == list(range(3, 3 + length))
            assert not ids[length:].any()
            assert target.argmax() == length % 2
            seen.append(int(length))
    assert sorted(seen) == [1, 3, 4, 4, 7, 9, 20]


def test_a_window_is_a_stretch_of_a_long_text_and_often_its_end():
    ids = np.arange(100, dtype=np.int32)
    found = [window(ids, 10, np.random.default_rng(seed)) for seed in range(60)]
    assert all((np.diff(part) == 1).all() and len(part) == 10 for part in found)
    ends = sum(part[-1] == 99 for part in found)
    assert 15 < ends < 50
    assert window(ids, 100, np.random.default_rng(0)) is ids


def test_an_epoch_sees_a_fresh_sample_of_some_sets_and_all_of_others():
    mixture = Mixture(
        examples={"all": [example(2)] * 5, "some": [example(n) for n in range(3, 43)]},
        sample={"some": 10},
        batch_words=1000,
        batch_texts=50,
        max_tokens=100,
    )

    def lengths(seed):
        return sorted(n for batch in mixture.epoch(np.random.default_rng(seed)) for n in batch.lengths.tolist())

    assert lengths(0)[:5] == [2] * 5
    assert len(lengths(0)) == 15
    assert lengths(0) == lengths(0) != lengths(1)
    assert mixture.batches_per_epoch() == 1


def test_a_sample_of_a_set_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="sample: no set taught; known: all"):
        Mixture(examples={"all": []}, sample={"taught": 3}, batch_words=9, batch_texts=9, max_tokens=9)


def test_texts_without_words_are_left_out():
    (found,) = examples_of(labelled(("very good film", 1), ("  ", 0)), ENCODER)
    assert found.ids.tolist() == [6, 3, 5]
    assert found.target.tolist() == [0, 1]
    assert found.target.dtype == np.float32

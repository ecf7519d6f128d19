from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from service.text.pipeline import TextEncoder
from service.text.vocabulary import Vocabulary
from training.corpora.labelled import LabelledText
from training.text_batches import TextExample, text_batches, window
from training.text_mixture import (
    TextMixture,
    as_classes,
    labelled_examples,
    taught_examples,
    unlabelled_examples,
)

ENCODER = TextEncoder(Vocabulary.of("good bad film very".split()))


def example(length, label=0):
    target = np.eye(2, dtype=np.float32)[label]
    return TextExample(ids=np.arange(3, 3 + length, dtype=np.int32), target=target, weight=float(length))


def test_every_example_is_in_one_batch_with_its_own_target_and_weight():
    examples = [example(length, length % 2) for length in (3, 9, 1, 4, 4, 20, 7)]
    seen = []
    for batch in text_batches(examples, num_words=20, num_texts=3, max_tokens=50, rng=np.random.default_rng(0)):
        assert batch.ids.shape[1] == batch.lengths.max()
        assert len(batch.ids) == 1 or batch.ids.numel() <= 20
        assert len(batch.ids) <= 3
        for ids, length, target, weight in zip(batch.ids, batch.lengths, batch.targets, batch.weights, strict=True):
            assert ids[:length].tolist() == list(range(3, 3 + length))
            assert not ids[length:].any()
            assert target.argmax() == length % 2
            assert weight == length
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
    mixture = TextMixture(
        examples={"all": [example(2)] * 5, "some": [example(n) for n in range(3, 43)]},
        epoch_texts={"some": 10},
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


def test_labels_become_targets_and_texts_without_words_are_left_out():
    texts = [LabelledText(text="very good film", label=1), LabelledText(text="  ", label=0)]
    (found,) = labelled_examples(texts, ENCODER, 2)
    assert found.ids.tolist() == [6, 3, 5]
    assert found.target.tolist() == [0, 1]


def test_an_unlabelled_text_has_no_target():
    (found,) = unlabelled_examples(["bad film"], ENCODER, 2)
    assert found.target.tolist() == [0, 0]


def test_a_teacher_s_probabilities_are_targets(tmp_path):
    path = tmp_path / "probabilities.tsv"
    path.write_text("0.2\t0.8\tgood film\n0.5\t0.5\t \n", encoding="utf-8")
    (found,) = taught_examples(path, ENCODER, 2)
    assert found.ids.tolist() == [3, 5]
    assert found.target.tolist() == pytest.approx([0.2, 0.8])
    assert found.weight == 1


def test_five_grades_become_two_sides_and_neutral_ones_weigh_little():
    target, weight = as_classes(np.array([0.1, 0.1, 0.2, 0.4, 0.2], np.float32), 2)
    assert target.tolist() == pytest.approx([0.25, 0.75])
    assert weight == pytest.approx(0.8)
    with pytest.raises(ValueError, match="4 probabilities for 2 classes"):
        as_classes(np.full(4, 0.25, np.float32), 2)

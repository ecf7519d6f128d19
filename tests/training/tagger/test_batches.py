from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.text.pipeline import MASK_ID, UNK_ID, WordEncoder
from tests.training.tiny_tagger import NUM_CHARACTERS, VOCABULARIES
from training.batches import pack
from training.tagger.batches import (
    AugmentConfig,
    TaggedExample,
    augment,
    bits_of,
    cloze_batches,
    collate,
    drop_words,
    tagged_batches,
)

NEVER = AugmentConfig(drop_final_punctuation=0, lowercase=0, uppercase=0, word_dropout=0)
WORDS = tuple("abcdefgh")


@pytest.fixture
def encoder() -> WordEncoder:
    return WordEncoder(VOCABULARIES, num_characters=NUM_CHARACTERS)


def rng(seed=0):
    return np.random.default_rng(seed)


def example(*words, **allowed):
    return TaggedExample(words=list(words), allowed={name: np.array(bits) for name, bits in allowed.items()})


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 100), st.integers(0, 5))
def test_packing_covers_every_row_once_within_the_cells_allowed(lengths, num_words, seed):
    batches = pack(lengths, num_words, rng(seed))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        cells = len(batch) * max(lengths[i] for i in batch)
        assert len(batch) == 1 or cells <= num_words


def test_packing_lays_like_lengths_together_in_an_order_of_its_seed():
    lengths = rng().integers(1, 60, 2000).tolist()
    batches = pack(lengths, 1000, rng(1))
    cells = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    assert cells < 1.1 * sum(lengths)
    same, other = pack(lengths, 1000, rng(1)), pack(lengths, 1000, rng(2))
    assert [list(batch) for batch in batches] == [list(batch) for batch in same]
    assert [list(batch) for batch in batches] != [list(batch) for batch in other]


def test_tags_become_bits_and_what_is_not_in_the_vocabulary_is_unknown():
    tags = ["NN", "VB", "XX", frozenset(("NN", "IN")), frozenset()]
    assert bits_of(tags, ("NN", "VB", "IN")).tolist() == [0b001, 0b010, 0, 0b101, 0]


def test_more_tags_than_bits_are_refused():
    assert bits_of(["61"], [str(i) for i in range(62)])[0] == 1 << 61
    with pytest.raises(ValueError, match="63 tags"):
        bits_of([], [str(i) for i in range(63)])


def test_examples_of_a_batch_are_padded_and_a_head_they_lack_is_unknown(encoder):
    examples = [example("a", "b", upos=[1, 2]), example("c", entity=[4])]
    batch = collate(examples, [encoder.encode(e.words) for e in examples])
    assert batch.ids.shape == (2, 2, 2 + NUM_CHARACTERS)
    assert batch.lengths.tolist() == [2, 1]
    assert {name: bits.tolist() for name, bits in batch.allowed.items()} == {
        "entity": [[0, 0], [4, 0]],
        "upos": [[1, 2], [0, 0]],
    }
    moved = batch.to(torch.device("cpu"))
    assert torch.equal(moved.ids, batch.ids)
    assert moved.allowed.keys() == batch.allowed.keys()


def test_augmenting_may_drop_a_full_stop_with_its_tag():
    always = AugmentConfig(drop_final_punctuation=1, lowercase=0, uppercase=0)
    short = augment(example("It", "ends", ".", upos=[1, 2, 3]), always, rng())
    assert short.words == ["It", "ends"]
    assert short.allowed["upos"].tolist() == [1, 2]
    assert augment(example("It", "ends", upos=[1, 2]), always, rng()).words == ["It", "ends"]
    assert augment(example(".", upos=[3]), always, rng()).words == ["."]


@pytest.mark.parametrize(("case", "words"), [("lowercase", ["new", "york"]), ("uppercase", ["NEW", "YORK"])])
def test_augmenting_may_change_the_case_of_a_whole_sentence(case, words):
    config = AugmentConfig(**{"drop_final_punctuation": 0, "lowercase": 0, "uppercase": 0, case: 1})
    assert augment(example("New", "York"), config, rng()).words == words


def test_augmenting_is_as_frequent_as_it_is_told():
    config = AugmentConfig(drop_final_punctuation=0, lowercase=0.2, uppercase=0.1)
    draws = rng()
    seen = ["".join(augment(example("Ab"), config, draws).words) for _ in range(2000)]
    assert seen.count("ab") / 2000 == pytest.approx(0.2, abs=0.03)
    assert seen.count("AB") / 2000 == pytest.approx(0.1, abs=0.03)


def test_the_example_itself_is_left_as_it_was():
    given_example = example("New", "York", ".", upos=[1, 1, 2])
    augment(given_example, AugmentConfig(drop_final_punctuation=1, lowercase=1), rng())
    assert given_example.words == ["New", "York", "."]
    assert given_example.allowed["upos"].tolist() == [1, 1, 2]


def test_words_are_dropped_each_at_its_own_rate_and_keep_their_other_features(encoder):
    ids = encoder.encode(["a", "b"] * 1000)
    rates = np.zeros(len(VOCABULARIES["words"]))
    rates[VOCABULARIES["words"].encode("a")] = 0.3
    dropped = drop_words(ids.copy(), rates, rng())
    assert (dropped[::2, 0] == UNK_ID).mean() == pytest.approx(0.3, abs=0.05)
    assert (dropped[1::2] == ids[1::2]).all()
    assert (dropped[:, 1:] == ids[:, 1:]).all()


def test_an_epoch_shows_every_example_once_with_its_own_tags(encoder):
    examples = [example(*WORDS[: 1 + i % 8], upos=[1 + i] * (1 + i % 8)) for i in range(50)]
    rates = np.zeros(len(VOCABULARIES["words"]))
    batches = list(tagged_batches(examples, encoder, num_words=40, rates=rates, config=NEVER, rng=rng()))
    seen = {}
    for batch in batches:
        assert batch.ids.shape[0] * batch.ids.shape[1] <= 40
        for ids, length, bits in zip(batch.ids, batch.lengths.tolist(), batch.allowed["upos"], strict=True):
            (number,) = set(bits[:length].tolist())
            assert not bits[length:].any()
            seen[number - 1] = ids[:length].numpy()
    assert sorted(seen) == list(range(50))
    for number, ids in seen.items():
        assert (ids == encoder.encode(examples[number].words)).all()


def test_an_epoch_hangs_on_its_seed_alone(encoder):
    examples = [example(*WORDS[: 1 + i % 8], upos=[1] * (1 + i % 8)) for i in range(50)]
    rates = np.full(len(VOCABULARIES["words"]), 0.5)

    def epoch(seed):
        drawn = rng(seed)
        batches = tagged_batches(examples, encoder, num_words=40, rates=rates, config=AugmentConfig(), rng=drawn)
        return [batch.ids.tolist() for batch in batches]

    assert epoch(1) == epoch(1)
    assert epoch(1) != epoch(2)


def test_cloze_hides_known_words_alone_and_all_their_features(encoder):
    sentences = [["a", "never", "b", "seen", "c"]] * 40 + [["d"]] * 5
    known = {VOCABULARIES["words"].encode(word) for word in "abcd"}
    num_masked = 0
    for batch in cloze_batches(sentences, encoder, num_words=50, mask_rate=0.5, rng=rng()):
        hidden = batch.ids[batch.masked]
        assert (hidden[:, 0] == MASK_ID).all()
        assert not hidden[:, 1:].any()
        assert set(batch.targets.tolist()) <= known
        assert MASK_ID not in batch.ids[~batch.masked][:, 0]
        assert UNK_ID in batch.ids[:, :, 0] or batch.ids.shape[1] == 1
        assert not batch.masked[torch.arange(batch.ids.shape[1]) >= batch.lengths[:, None]].any()
        num_masked += len(batch.targets)
    assert num_masked / (3 * 40 + 5) == pytest.approx(0.5, abs=0.15)


def test_cloze_keeps_what_was_hidden_as_targets_in_order(encoder):
    sentences = [list(WORDS)] * 4
    (batch,) = cloze_batches(sentences, encoder, num_words=100, mask_rate=0.5, rng=rng())
    words = torch.from_numpy(np.stack([encoder.encode(words) for words in sentences])[:, :, 0])
    assert batch.targets.tolist() == words[batch.masked].tolist()
    moved = batch.to(torch.device("cpu"))
    assert torch.equal(moved.targets, batch.targets)


def test_a_batch_with_nothing_to_guess_is_passed_over(encoder):
    assert list(cloze_batches([["never"]], encoder, num_words=10, mask_rate=1.0, rng=rng())) == []

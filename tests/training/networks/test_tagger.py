from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import numpy as np
from torch.nn import functional

from service.text.pipeline import UNK_ID, WordEncoder
from tests.training.tiny_tagger import HEADS, SIZES, VOCABULARIES, config, random_ids, tagger
from training.networks.cloze import ClozeModel
from training.networks.tagger import partial_label_loss
from training.tagger.batches import TaggedBatch, TaggedExample, cloze_batches, collate

LOGITS = torch.tensor([[1.0, 2.0, -1.0, 0.5], [0.0, 3.0, 1.0, 1.0], [-2.0, 0.0, 0.0, 4.0]])
TARGETS = torch.tensor([0, 2, 3])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_with_one_allowed_tag_the_loss_is_cross_entropy(smoothing):
    expected = functional.cross_entropy(LOGITS, TARGETS, label_smoothing=smoothing, reduction="sum")
    torch.testing.assert_close(partial_label_loss(LOGITS, 1 << TARGETS, smoothing), expected)


def test_with_every_tag_allowed_there_is_nothing_to_lose():
    allowed = torch.full((3,), 0b1111)
    torch.testing.assert_close(partial_label_loss(LOGITS, allowed, 0.1), torch.tensor(0.0), rtol=0, atol=1e-6)


def test_with_some_tags_allowed_the_loss_is_their_probability_together():
    expected = -LOGITS.softmax(-1)[:, [1, 3]].sum(dim=1).log().sum()
    torch.testing.assert_close(partial_label_loss(LOGITS, torch.full((3,), 0b1010), 0.1), expected)


def test_its_gradient_is_probability_less_probability_among_the_allowed():
    logits = LOGITS.clone().requires_grad_()
    partial_label_loss(logits, torch.full((3,), 0b1010), 0.1).backward()
    among = torch.zeros_like(LOGITS)
    among[:, [1, 3]] = LOGITS[:, [1, 3]].softmax(-1)
    torch.testing.assert_close(logits.grad, LOGITS.softmax(-1) - among)


def test_the_sixty_second_tag_is_a_tag_like_others():
    logits = torch.zeros(1, 62)
    loss = partial_label_loss(logits, torch.tensor([1 << 61]), 0.0)
    torch.testing.assert_close(loss, torch.log(torch.tensor(62.0)))


def test_every_head_gives_logits_for_every_word():
    network = tagger().eval()
    logits = network(*random_ids(3, 5))
    assert {name: tuple(value.shape) for name, value in logits.items()} == {n: (3, 5, k) for n, k in HEADS.items()}


def test_padding_and_neighbours_change_no_logits():
    network = tagger(bidirectional=True, num_layers=2).eval()
    ids, lengths = random_ids(4, 6)
    ids[torch.arange(6) >= lengths[:, None]] = 1
    together = network(ids, lengths)
    for i, length in enumerate(lengths.tolist()):
        alone = network(ids[i : i + 1, :length], lengths[i : i + 1])
        for name, values in alone.items():
            torch.testing.assert_close(together[name][i, :length], values[0], rtol=0, atol=1e-6)


def test_words_of_which_a_head_knows_nothing_cost_it_nothing():
    network = tagger().eval()
    ids, lengths = random_ids(2, 3)
    allowed = torch.zeros(2, 3, dtype=torch.int64)
    batch = TaggedBatch(ids=ids, lengths=lengths, allowed={"upos": allowed})
    assert network.loss(batch).item() == 0
    allowed[0, 0] = 0b1
    assert network.loss(batch).item() > 0


def test_the_heads_losses_are_summed_by_word_of_the_batch():
    network = tagger(label_smoothing=0.0).eval()
    words = ["a", "b", "a"]
    bits = {"upos": np.array([1, 2, 1]), "entity": np.array([0, 0b11, 0])}
    row = WordEncoder(VOCABULARIES, num_characters=6).encode(words)
    batch = collate([TaggedExample(words=words, allowed=bits)], [row])
    logits = network(batch.ids, batch.lengths)
    upos = functional.cross_entropy(logits["upos"][0], torch.tensor([0, 1, 0]), reduction="sum")
    entity = -logits["entity"][0, 1].softmax(-1)[:2].sum().log()
    torch.testing.assert_close(network.loss(batch), (upos + entity) / 3)


def test_hidden_words_are_guessed_from_their_surroundings_alone():
    network = ClozeModel(tagger()).eval()
    assert network.bias.shape == (SIZES["words"],)
    sentences = [["a", "b", "c", "a", "d"]] * 4
    encoder = WordEncoder(VOCABULARIES, num_characters=6)
    rng = np.random.default_rng(0)
    (batch,) = cloze_batches(sentences, encoder, num_words=100, mask_rate=0.5, rng=rng)
    rows = network.tagger.encode(batch.ids, batch.lengths)[batch.masked]
    logits = network.project(rows) @ network.tagger.features.words.weight.T + network.bias
    torch.testing.assert_close(network.loss(batch), functional.cross_entropy(logits, batch.targets))
    assert UNK_ID not in batch.targets


def test_a_configuration_builds_what_it_says():
    network = tagger(cell="gru", num_layers=3, hidden_size=5, bidirectional=False)
    assert network.config == config(cell="gru", num_layers=3, hidden_size=5, bidirectional=False)
    assert len(network.encoder.forwards) == 3
    assert len(network.encoder.backwards) == 0
    assert network.encoder.output_size == 5

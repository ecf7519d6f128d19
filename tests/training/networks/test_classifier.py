from __future__ import annotations

from itertools import product

import pytest

torch = pytest.importorskip("torch")

from training.classifier.batches import TextBatch
from training.networks.classifier import POOLINGS, Classifier, ClassifierConfig

KINDS = list(product(("rnn", "gru", "lstm"), POOLINGS, (True, False)))


def classifier(*, num_labels=3, multi_label=False, **choices):
    torch.manual_seed(1)
    tiny = {"word_size": 5, "hidden_size": 4, "dropout": 0.0, "input_dropout": 0.0, "word_dropout": 0.0}
    config = ClassifierConfig(**{**tiny, "weight_drop": 0.0, "label_smoothing": 0.0, **choices})
    return Classifier(num_words=20, num_labels=num_labels, config=config, multi_label=multi_label)


def batch(targets, lengths=(6, 1, 3)):
    ids = torch.randint(3, 20, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(0))
    ids[torch.arange(max(lengths)) >= torch.tensor(lengths)[:, None]] = 0
    return TextBatch(ids=ids, lengths=torch.tensor(lengths), targets=torch.tensor(targets))


GOLD = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


@pytest.mark.parametrize(("cell", "pooling", "bidirectional"), KINDS)
def test_batched_equals_alone_whatever_lies_behind(cell, pooling, bidirectional):
    network = classifier(cell=cell, pooling=pooling, bidirectional=bidirectional, num_layers=2).eval()
    rows = batch(GOLD)
    noise = torch.where(rows.ids == 0, 7, rows.ids)
    together = network(noise, rows.lengths)
    assert together.shape == (3, 3)
    for i, length in enumerate(rows.lengths.tolist()):
        alone = network(rows.ids[i : i + 1, :length], rows.lengths[i : i + 1])
        torch.testing.assert_close(together[i], alone[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_order_matters(pooling):
    network = classifier(pooling=pooling).eval()
    ids = torch.tensor([[3, 4, 5, 6]])
    lengths = torch.tensor([4])
    assert not torch.allclose(network(ids, lengths), network(ids.flip(1), lengths))


def test_an_unknown_pooling_is_an_error():
    with pytest.raises(ValueError, match="known: last, mean, max, attention"):
        classifier(pooling="median")


def test_the_loss_is_the_cross_entropy_with_the_targets():
    network = classifier().eval()
    rows = batch(GOLD)
    log_probabilities = network(rows.ids, rows.lengths).log_softmax(-1)
    torch.testing.assert_close(network.loss(rows), -log_probabilities.diagonal().mean())


def test_the_loss_of_several_labels_is_the_sum_of_each_label_s_cross_entropy():
    network = classifier(multi_label=True).eval()
    rows = batch([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.25, 1.0]])
    probabilities = network(rows.ids, rows.lengths).sigmoid()
    losses = rows.targets * probabilities.log() + (1 - rows.targets) * (1 - probabilities).log()
    torch.testing.assert_close(network.loss(rows), -losses.sum(1).mean())


def test_soft_targets_are_met_where_they_are():
    network = classifier().eval()
    rows = batch(GOLD)
    answers = network(rows.ids, rows.lengths).softmax(-1).detach()
    rows.targets[:] = answers
    torch.testing.assert_close(network.loss(rows), -(answers * answers.log()).sum(-1).mean())


def test_weights_are_dropped_in_training_alone():
    network = classifier(weight_drop=0.5)
    rows = batch(GOLD)
    first, second = (network(rows.ids, rows.lengths) for _ in range(2))
    assert not torch.allclose(first, second)
    network.eval()
    first, second = (network(rows.ids, rows.lengths) for _ in range(2))
    assert torch.equal(first, second)

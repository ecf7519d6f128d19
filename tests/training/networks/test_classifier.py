from __future__ import annotations

from itertools import product

import pytest

torch = pytest.importorskip("torch")

from training.networks.classifier import POOLINGS, Classifier, ClassifierConfig
from training.text_batches import TextBatch

KINDS = list(product(("rnn", "gru", "lstm"), POOLINGS, (True, False)))


def classifier(*, num_labels=3, **choices):
    torch.manual_seed(1)
    tiny = {"word_size": 5, "hidden_size": 4, "dropout": 0.0, "input_dropout": 0.0, "word_dropout": 0.0}
    config = ClassifierConfig(**{**tiny, "weight_drop": 0.0, "label_smoothing": 0.0, **choices})
    return Classifier(num_words=20, num_labels=num_labels, config=config)


def batch(targets, lengths=(6, 1, 3)):
    ids = torch.randint(3, 20, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(0))
    ids[torch.arange(max(lengths)) >= torch.tensor(lengths)[:, None]] = 0
    weights = torch.ones(len(lengths))
    return TextBatch(ids=ids, lengths=torch.tensor(lengths), targets=torch.tensor(targets), weights=weights)


UNKNOWN = [0.0, 0.0, 0.0]
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


def test_the_loss_is_the_cross_entropy_with_the_targets_by_weight():
    network = classifier().eval()
    rows = batch(GOLD)
    rows.weights[:] = torch.tensor([1.0, 0.0, 3.0])
    log_probabilities = network(rows.ids, rows.lengths).log_softmax(-1)
    expected = -(log_probabilities[0, 0] + 3 * log_probabilities[2, 2]) / 4
    torch.testing.assert_close(network.loss(rows), expected)


def test_soft_targets_are_met_where_they_are():
    network = classifier().eval()
    rows = batch(GOLD)
    answers = network(rows.ids, rows.lengths).softmax(-1).detach()
    rows.targets[:] = answers
    torch.testing.assert_close(network.loss(rows), -(answers * answers.log()).sum(-1).mean())


def test_of_a_text_without_a_label_the_entropy_is_to_be_small():
    network = classifier()
    rows = batch([UNKNOWN] * 3)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    before = network.loss(rows).item()
    for _ in range(30):
        optimizer.zero_grad()
        network.loss(rows).backward()
        optimizer.step()
    assert network.loss(rows).item() < before / 2


def test_weights_are_dropped_in_training_alone():
    network = classifier(weight_drop=0.5)
    rows = batch(GOLD)
    first, second = (network(rows.ids, rows.lengths) for _ in range(2))
    assert not torch.allclose(first, second)
    network.eval()
    first, second = (network(rows.ids, rows.lengths) for _ in range(2))
    assert torch.equal(first, second)

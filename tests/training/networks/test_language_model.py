from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional

from training.language_model.batches import StreamBatch, stream_batches
from training.networks.language_model import BACKWARDS, FORWARDS, LanguageModel, LanguageModelConfig

NUM_UNITS, END = 12, 2
CELLS = ("rnn", "gru", "lstm", "window")


def model(**choices):
    torch.manual_seed(1)
    tiny = {"embedding_size": 6, "hidden_size": 8, "dropout": 0.0}
    return LanguageModel(vocabulary_size=NUM_UNITS, config=LanguageModelConfig(**{**tiny, **choices}))


def batch(ids, *, is_first=True):
    rows = torch.tensor(ids)
    return StreamBatch(forwards=rows, backwards=rows.flip(1), is_first=is_first)


STREAM = [[2, 3, 4, 5, 3, 6, 2, 3, 7], [2, 8, 3, 2, 4, 4, 9, 2, 5]]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_stream_in_two_stretches_is_the_stream_in_one(cell, num_layers):
    network = model(cell=cell, num_layers=num_layers).eval()
    ids = torch.tensor(STREAM)
    whole, _ = network(ids)
    first, state = network(ids[:, :4])
    second, _ = network(ids[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)


def test_a_window_model_sees_its_window_and_no_more():
    network = model(cell="window", window_size=2).eval()
    ids = torch.tensor([[3, 4, 5, 6], [7, 8, 5, 6]])
    logits, _ = network(ids)
    torch.testing.assert_close(logits[0, 3], logits[1, 3])
    assert not torch.allclose(logits[0, 2], logits[1, 2])


def test_directions_are_models_of_their_own_over_one_table():
    network = model(bidirectional=True)
    assert network(torch.tensor(STREAM), direction=BACKWARDS)[0].shape == (2, 9, NUM_UNITS)
    names = [name for name, _ in network.named_parameters()]
    assert sum("embedding" in name for name in names) == 1
    assert list(network.directions) == [FORWARDS, BACKWARDS]
    assert list(model().directions) == [FORWARDS]


def test_the_loss_is_the_cross_entropy_of_the_next_unit_in_each_direction():
    network = model(bidirectional=True).eval()
    ids = torch.tensor(STREAM)
    losses = []
    for name, rows in ((FORWARDS, ids), (BACKWARDS, ids.flip(1))):
        logits, _ = network(rows[:, :-1], direction=name)
        losses.append(functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()))
        found, _ = network.log_likelihoods(rows, direction=name)
        torch.testing.assert_close(-found.mean(), losses[-1])
    torch.testing.assert_close(network.loss(batch(STREAM)), sum(losses) / 2)


def test_a_sample_as_large_as_the_vocabulary_is_the_softmax_itself():
    torch.testing.assert_close(
        model(num_sampled=NUM_UNITS).eval().loss(batch(STREAM)), model().eval().loss(batch(STREAM))
    )


def test_the_state_is_carried_until_the_next_beginning():
    network = model().eval()
    alone = network.loss(batch(STREAM)).item()
    carried = network.loss(batch(STREAM, is_first=False)).item()
    assert carried != alone
    assert network.loss(batch(STREAM)).item() == alone


def test_a_state_that_is_always_reset_is_none():
    network = model(reset_rate=1.0).train()
    alone = network.loss(batch(STREAM)).item()
    assert network.loss(batch(STREAM, is_first=False)).item() == pytest.approx(alone)


def test_no_gradient_flows_into_the_stretch_before():
    network = model()
    network.loss(batch(STREAM))
    network.loss(batch(STREAM, is_first=False)).backward()  # raises if it went back into the freed graph


def test_every_kind_of_dropout_changes_training_and_nothing_else():
    for rate in ("token_dropout", "input_dropout", "dropout", "weight_drop"):
        network = model(**{rate: 0.5}).train()
        assert network.loss(batch(STREAM)).item() != network.loss(batch(STREAM)).item()
        network.eval()
        assert network.loss(batch(STREAM)).item() == network.loss(batch(STREAM)).item()


@pytest.mark.parametrize("cell", CELLS)
def test_it_learns_what_always_follows(cell):
    network = model(num_sampled=4, cell=cell)
    texts = [np.array([3, 4, 5, 6, 7, 8], np.int32)] * 60
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2)
    for _ in range(15):
        for each in stream_batches(texts, num_streams=4, num_steps=10, end_id=END):
            optimizer.zero_grad()
            network.loss(each).backward()
            optimizer.step()
    (last,) = stream_batches(texts[:6], num_streams=1, num_steps=100, end_id=END)
    found, _ = network.eval().log_likelihoods(last.forwards)
    assert np.exp(-found.mean().item()) < 1.5

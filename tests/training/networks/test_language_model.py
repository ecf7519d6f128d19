from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional

from training.networks.language_model import LanguageModel, LanguageModelConfig
from training.streams import StreamBatch, stream_batches

NUM_WORDS, END = 12, 2
COUNTS = np.array([1, 1, 4, 20, 10, 5, 4, 3, 2, 2, 1, 1], float)


def model(**choices):
    torch.manual_seed(1)
    tiny = {
        "word_size": 6,
        "hidden_size": 8,
        "num_sampled": 0,
        "dropout": 0.0,
        "input_dropout": 0.0,
        "weight_drop": 0.0,
    }
    return LanguageModel(frequencies=COUNTS, config=LanguageModelConfig(**{**tiny, **choices}))


def batch(ids, *, is_first=True):
    rows = torch.tensor(ids)
    return StreamBatch(forwards=rows, backwards=rows.flip(1), is_first=is_first)


STREAM = [[2, 3, 4, 5, 3, 6, 2, 3, 7], [2, 8, 3, 2, 4, 4, 9, 2, 5]]


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_stream_in_two_stretches_is_the_stream_in_one(cell, num_layers):
    network = model(cell=cell, num_layers=num_layers).eval()
    ids = torch.tensor(STREAM)
    whole, _ = network(ids, "forwards")
    first, state = network(ids[:, :4], "forwards")
    second, _ = network(ids[:, 4:], "forwards", state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)


def test_directions_are_models_of_their_own_over_one_table():
    network = model()
    assert network(torch.tensor(STREAM), "forwards")[0].shape == (2, 9, NUM_WORDS)
    names = [name for name, _ in network.named_parameters()]
    assert sum("words" in name for name in names) == 1
    assert list(network.directions) == ["forwards", "backwards"]
    assert list(model(bidirectional=False).directions) == ["forwards"]


def test_the_loss_is_the_cross_entropy_of_the_next_word_in_each_direction():
    network = model().eval()
    ids = torch.tensor(STREAM)
    expected = [
        functional.cross_entropy(network(rows[:, :-1], name)[0].flatten(0, 1), rows[:, 1:].flatten())
        for name, rows in (("forwards", ids), ("backwards", ids.flip(1)))
    ]
    torch.testing.assert_close(network.loss(batch(STREAM)), sum(expected) / 2)
    likelihood = network.log_likelihood(batch(STREAM), {})
    assert likelihood == {
        "forwards": pytest.approx(-expected[0].item()),
        "backwards": pytest.approx(-expected[1].item()),
    }


def test_a_sample_as_large_as_the_vocabulary_is_the_softmax_itself():
    whole, sampled = model().eval(), model(num_sampled=NUM_WORDS).eval()
    with torch.no_grad():
        sampled.proposal.fill_(1 / NUM_WORDS)
    torch.testing.assert_close(sampled.loss(batch(STREAM)), whole.loss(batch(STREAM)))


def test_a_sample_estimates_the_softmax():
    whole, sampled = model().eval(), model(num_sampled=6).eval()
    expected = whole.loss(batch(STREAM)).item()
    estimates = [sampled.loss(batch(STREAM)).item() for _ in range(300)]
    assert np.mean(estimates) == pytest.approx(expected, rel=0.1)


def test_the_state_is_carried_until_the_next_beginning():
    network = model().eval()
    alone = network.loss(batch(STREAM)).item()
    carried = network.loss(batch(STREAM, is_first=False)).item()
    assert carried != alone
    assert network.loss(batch(STREAM)).item() == alone


def test_no_gradient_flows_into_the_stretch_before():
    network = model()
    network.loss(batch(STREAM))
    network.loss(batch(STREAM, is_first=False)).backward()  # raises if it went back into the freed graph


def test_it_learns_what_always_follows():
    network = model(num_sampled=4)
    texts = [np.array([3, 4, 5, 6, 7, 8], np.int32)] * 60
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2)
    for _ in range(15):
        for each in stream_batches(texts, num_streams=4, num_steps=10, end_id=END):
            optimizer.zero_grad()
            network.loss(each).backward()
            optimizer.step()
    (last,) = stream_batches(texts[:6], num_streams=1, num_steps=100, end_id=END)
    for value in network.eval().log_likelihood(last, {}).values():
        assert np.exp(-value) < 1.5

from __future__ import annotations

from itertools import product

import pytest

torch = pytest.importorskip("torch")

from service.text.subwords import BOS_ID, EOS_ID
from tests.training.tiny_translator import VOCABULARY, random_sources, translator
from training.translator.beam_search import EXTRA_TOKENS, beam_search, mean_log_probabilities, pad_rows


@torch.inference_mode()
def greedy(network, ids):
    memory, state = network.encode(ids, torch.tensor([ids.shape[1]]))
    token, said, total = BOS_ID, [], 0.0
    while len(said) < 2 * ids.shape[1] + EXTRA_TOKENS:
        step, log_probabilities = network.step(torch.tensor([token]), state, memory)
        state, token = step.state, int(log_probabilities.argmax())
        total += float(log_probabilities.max())
        if token == EOS_ID:
            return tuple(said), total / (len(said) + 1)
        said.append(token)
    return tuple(said), total / len(said)


def test_a_beam_of_one_is_greedy_alone_and_in_a_batch():
    network = translator()
    ids, lengths = random_sources(12, 8)
    together = beam_search([network], ids, lengths, beam_size=1)
    for place, length in enumerate(lengths.tolist()):
        tokens, score = greedy(network, ids[place : place + 1, :length])
        alone = beam_search([network], ids[place : place + 1, :length], lengths[place : place + 1], beam_size=1)[0]
        for found in (together[place], alone):
            assert found[0].ids == tokens
            assert found[0].score == pytest.approx(score, abs=1e-4)


@torch.inference_mode()
def total_of(network, ids, tokens):
    """Log-probability of a whole target."""
    memory, state = network.encode(ids, torch.tensor([ids.shape[1]]))
    total, before = 0.0, BOS_ID
    for token in tokens:
        step, log_probabilities = network.step(torch.tensor([before]), state, memory)
        total, state, before = total + float(log_probabilities[0, token]), step.state, token
    return total


def test_a_beam_that_holds_everything_finds_the_best_there_is():
    """Every target of up to two tokens, by brute force; there are two words that are not next to impossible."""
    network = translator(seed=3)
    with torch.no_grad():
        network.output_bias[:] = -1e4
        network.output_bias[[4, 5]] = 0.0
        network.output_bias[EOS_ID] = 1.0
    ids = torch.tensor([[4, 5, 4]])
    scores = {
        tokens: total_of(network, ids, (*tokens, EOS_ID)) / (length + 1)
        for length in range(3)
        for tokens in product((4, 5), repeat=length)
    }
    found = beam_search([network], ids, torch.tensor([3]), beam_size=VOCABULARY)[0]
    kept = [one for one in found if one.ids in scores]
    assert [one.ids for one in kept] == sorted(scores, key=lambda tokens: -scores[tokens])
    for one in kept:
        assert one.score == pytest.approx(scores[one.ids], abs=1e-4)


def test_hypotheses_come_best_first_and_differ():
    ids, lengths = random_sources(6, 7)
    for found in beam_search([translator()], ids, lengths, beam_size=5):
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
        assert len({one.ids for one in found}) == len(found) <= 5


def test_two_of_the_same_network_are_one():
    network = translator()
    ids, lengths = random_sources(5, 6)
    one, two = (beam_search([network] * n, ids, lengths, beam_size=3) for n in (1, 2))
    for first, second in zip(one, two, strict=True):
        assert [each.ids for each in first] == [each.ids for each in second]


def test_an_ensemble_means_probabilities():
    first, second = (torch.tensor([[0.2, 0.8]]).log(), torch.tensor([[0.6, 0.4]]).log())
    assert mean_log_probabilities([first, second]).exp().tolist()[0] == pytest.approx([0.4, 0.6])


def test_rows_are_padded_on_the_right():
    ids, lengths = pad_rows([[5, 6, 7], [8]])
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert lengths.tolist() == [3, 1]

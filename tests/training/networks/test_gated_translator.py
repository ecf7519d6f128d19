"""The gated network: its recurrence's gradient, padding, and one step at a time against all at once."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from service.text.subwords import BOS_ID, EOS_ID
from training.networks.gated_recurrence import run_recurrence
from training.networks.gated_translator import GatedTranslator
from training.networks.sampled_softmax import sampled_loss
from training.networks.tied_softmax import tied_loss
from training.networks.translator import TranslatorConfig
from training.translator.batches import PairBatch

VOCABULARY = 23
CONFIG = TranslatorConfig(
    cell="gated", embedding_size=6, encoder_size=4, decoder_size=5, num_layers=2, num_decoder_layers=2
)


@pytest.fixture
def network():
    torch.manual_seed(3)
    return GatedTranslator(vocabulary_size=VOCABULARY, config=CONFIG).eval()


def test_the_recurrence_has_the_gradient_of_its_formula():
    torch.manual_seed(1)
    new, keep = (torch.rand(5, 3, 2, dtype=torch.double, requires_grad=True) for _ in range(2))
    initial = torch.rand(3, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(run_recurrence, (new, keep, initial))


def test_a_padded_row_is_read_as_alone(network):
    long, short = torch.tensor([[5, 6, 7, 8, 9, EOS_ID]]), torch.tensor([[5, 6, EOS_ID]])
    padded = torch.cat([long, torch.nn.functional.pad(short, (0, 3))])
    with torch.inference_mode():
        together, states = network.encode(padded, torch.tensor([6, 3]))
        alone, state = network.encode(short, torch.tensor([3]))
    torch.testing.assert_close(together.annotations[1, :3], alone.annotations[0])
    torch.testing.assert_close(states[1], state[0])
    assert not together.annotations[1, 3:].any()


def test_steps_one_by_one_are_teacher_forcing(network):
    source, target = torch.tensor([[5, 6, 7, EOS_ID]]), torch.tensor([[BOS_ID, 9, 10, 11]])
    with torch.inference_mode():
        memory, state = network.encode(source, torch.tensor([4]))
        expected = torch.log_softmax(network.logits(network.read_out_all(target, memory, state)), dim=-1)
        for place, token in enumerate(target[0]):
            step, scores = network.step(token[None], state, memory)
            state = step.state
            torch.testing.assert_close(scores[0], expected[0, place])
            torch.testing.assert_close(step.weights.sum(), torch.tensor(1.0))


def test_it_learns_a_pair_by_heart(network):
    network.train()
    batch = PairBatch(
        source=torch.tensor([[5, 6, EOS_ID], [7, 8, EOS_ID]]),
        source_lengths=torch.tensor([3, 3]),
        target=torch.tensor([[BOS_ID, 9, 10, EOS_ID], [BOS_ID, 11, EOS_ID, 0]]),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        loss = network.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_a_sampled_softmax_over_all_words_is_the_full_one():
    torch.manual_seed(5)
    rows, weight, bias = torch.randn(4, 3), torch.randn(9, 3), torch.randn(9)
    targets = torch.tensor([2, 2, 7, 1])
    full = tied_loss(rows, weight, bias, targets, smoothing=0.1)
    torch.testing.assert_close(sampled_loss(rows, weight, bias, targets, num_sampled=9, smoothing=0.1), full)


def test_a_sampled_softmax_estimates_the_full_one():
    torch.manual_seed(6)
    rows, weight, bias = torch.randn(8, 3) / 3, torch.randn(400, 3), torch.zeros(400)
    targets = torch.randint(0, 400, (8,))
    full = tied_loss(rows, weight, bias, targets, smoothing=0.0).item()
    sampled = [sampled_loss(rows, weight, bias, targets, num_sampled=100, smoothing=0.0).item() for _ in range(50)]
    assert abs(sum(sampled) / 50 - full) < 0.05

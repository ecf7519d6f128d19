from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tests.training.tiny_translator import VOCABULARY, random_sources, translator
from training.networks.attention import ATTENTIONS
from training.translator.batches import PairBatch


def batch(**choices) -> PairBatch:
    source, lengths = random_sources(4, 7)
    target = torch.randint(4, VOCABULARY, (4, 6), generator=torch.Generator().manual_seed(0))
    target[:, 0] = 2
    target[1, 3:] = 0
    return PairBatch(source=source, source_lengths=lengths, target=target, **choices)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_teacher_forcing_says_what_steps_say(attention):
    network, pairs = translator(attention=attention), batch()
    with torch.inference_mode():
        memory, state = network.encode(pairs.source, pairs.source_lengths)
        readouts = network.read_out_all(pairs.target[:, :-1], memory, state)
        forced = network.logits(readouts).log_softmax(-1)
        for place in range(pairs.target.shape[1] - 1):
            step, expected = network.step(pairs.target[:, place], state, memory)
            state = step.state
            assert torch.allclose(forced[:, place], expected, atol=1e-4)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_the_loss_is_that_of_the_wanted_tokens(attention):
    network, pairs = translator(attention=attention), batch()
    memory, state = network.encode(pairs.source, pairs.source_lengths)
    forced = network.logits(network.read_out_all(pairs.target[:, :-1], memory, state)).log_softmax(-1)
    wanted = pairs.target[:, 1:]
    expected = -forced.gather(2, wanted[:, :, None])[:, :, 0][wanted != 0].mean()
    assert network.loss(pairs).item() == pytest.approx(expected.item(), abs=1e-4)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("own_share", [0.0, 0.5])
def test_every_weight_learns(attention, own_share):
    network = translator(attention=attention, num_layers=2).train()
    network.loss(batch(own_share=own_share)).backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_padding_and_neighbours_change_nothing(attention):
    network = translator(attention=attention, num_layers=2)
    ids, lengths = random_sources(5, 9)
    tokens = torch.arange(4, 9)
    with torch.inference_mode():
        memory, state = network.encode(ids, lengths)
        _, together = network.step(tokens, state, memory)
        for place, length in enumerate(lengths.tolist()):
            memory, state = network.encode(ids[place : place + 1, :length], lengths[place : place + 1])
            step, alone = network.step(tokens[place : place + 1], state, memory)
            assert torch.allclose(alone[0], together[place], atol=1e-5)
            assert step.weights.sum().item() == pytest.approx(1, abs=1e-5)

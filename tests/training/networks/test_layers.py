from __future__ import annotations

from itertools import product

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from training.networks.layers import CELLS, CharacterConvolution, RecurrentEncoder, SharedDropout, reverse

LENGTHS = (5, 1, 3, 5, 2)
KINDS = [
    pytest.param(cell, bidirectional, num_layers, id=f"{cell}-{'both' if bidirectional else 'forward'}-{num_layers}")
    for cell, bidirectional, num_layers in product(CELLS, (True, False), (1, 2))
]


def encoder(cell, bidirectional, num_layers, dropout=0.0):
    torch.manual_seed(1)
    network = RecurrentEncoder(
        cell=cell, input_size=4, hidden_size=3, num_layers=num_layers, bidirectional=bidirectional, dropout=dropout
    )
    return network.eval()


def padded(fill=0.0):
    """Random rows of LENGTHS, ``fill`` behind them."""
    rows = torch.randn(len(LENGTHS), max(LENGTHS), 4, generator=torch.Generator().manual_seed(2))
    lengths = torch.tensor(LENGTHS)
    rows[torch.arange(max(LENGTHS)) >= lengths[:, None]] = fill
    return rows, lengths


def test_rows_are_turned_round_within_their_lengths():
    rows = torch.arange(1, 9).reshape(2, 4, 1)
    turned = reverse(rows, torch.tensor([4, 2]))
    assert turned[:, :, 0].tolist() == [[4, 3, 2, 1], [6, 5, 7, 8]]


def test_twice_turned_round_is_as_before():
    rows, lengths = padded(fill=7.0)
    assert torch.equal(reverse(reverse(rows, lengths), lengths), rows)


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers"), KINDS)
def test_batched_equals_alone_whatever_lies_behind(cell, bidirectional, num_layers):
    network = encoder(cell, bidirectional, num_layers)
    rows, lengths = padded(fill=100.0)
    together = network(rows, lengths)
    assert together.shape == (len(LENGTHS), max(LENGTHS), network.output_size)
    for i, length in enumerate(LENGTHS):
        alone = network(rows[i : i + 1, :length], lengths[i : i + 1])
        torch.testing.assert_close(together[i, :length], alone[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers"), KINDS)
def test_it_is_torch_s_own_stack_over_packed_rows(cell, bidirectional, num_layers):
    network = encoder(cell, bidirectional, num_layers)
    stack = CELLS[cell](4, 3, num_layers=num_layers, bidirectional=bidirectional, batch_first=True)
    with torch.no_grad():
        for i, layer in enumerate(network.forwards):
            for name, value in layer.named_parameters():
                stack.get_parameter(name.replace("l0", f"l{i}")).copy_(value)
        for i, layer in enumerate(network.backwards):
            for name, value in layer.named_parameters():
                stack.get_parameter(name.replace("l0", f"l{i}_reverse")).copy_(value)
    rows, lengths = padded()
    packed = pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(stack(packed)[0], batch_first=True)
    actual = network(rows, lengths)
    for i, length in enumerate(LENGTHS):
        torch.testing.assert_close(actual[i, :length], expected[i, :length], rtol=0, atol=1e-6)


def test_recurrent_weights_begin_orthogonal_gate_by_gate():
    weight = encoder("lstm", False, 1).forwards[0].weight_hh_l0
    for gate in weight.chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(3), rtol=0, atol=1e-5)


def test_an_unknown_cell_is_named_beside_those_that_are_known():
    with pytest.raises(ValueError, match="'qrnn'; known: rnn, gru, lstm"):
        encoder("qrnn", True, 1)


def test_a_row_s_dropout_mask_is_the_same_at_every_step():
    torch.manual_seed(1)
    rows = SharedDropout(0.5).train()(torch.ones(3, 7, 20))
    assert set(rows.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(rows, rows[:, :1].expand_as(rows))
    assert not torch.equal(rows[0], rows[1])


def test_nothing_is_dropped_outside_training():
    rows = torch.ones(2, 3, 4)
    assert torch.equal(SharedDropout(0.5).eval()(rows), rows)
    assert torch.equal(SharedDropout(0.0).train()(rows), rows)


def test_characters_are_convolved_as_torch_would():
    torch.manual_seed(1)
    network = CharacterConvolution(num_characters=9, embedding_size=3, widths=(2, 3), num_filters=4)
    ids = torch.randint(0, 9, (5, 6))
    embedded = network.embedding(ids).transpose(1, 2)  # (word, embedding, position)
    expected = []
    for width, linear in zip(network.widths, network.convolutions, strict=True):
        convolution = nn.Conv1d(3, 4, width)
        with torch.no_grad():
            convolution.weight.copy_(linear.weight.view(4, width, 3).transpose(1, 2))
            convolution.bias.copy_(linear.bias)
        expected.append(convolution(embedded).amax(dim=2))
    torch.testing.assert_close(network(ids), torch.relu(torch.cat(expected, dim=1)), rtol=0, atol=1e-6)

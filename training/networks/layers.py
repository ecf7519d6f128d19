"""Layers that networks share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

CELLS: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
# The same cells as functions of their weights.
_RUN: dict[str, Callable[..., tuple[Tensor, ...]]] = {"rnn": torch.rnn_tanh, "gru": torch.gru, "lstm": torch.lstm}
State = tuple[Tensor, ...] | None  # of every layer (layer, batch, hidden): hidden, and for the LSTM cell; None: zeros


def reverse(rows: Tensor, lengths: Tensor) -> Tensor:
    """Each row (batch, time, size) reversed within its own length; its padding stays in place."""
    steps = torch.arange(rows.shape[1], device=rows.device)
    index = lengths[:, None] - 1 - steps  # (batch, time)
    index = torch.where(index >= 0, index, steps)
    return rows.gather(1, index[:, :, None].expand_as(rows))


class SharedDropout(nn.Module):
    """Dropout with one mask for all steps of a row (variational dropout; Gal and Ghahramani 2016)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, rows: Tensor) -> Tensor:  # (batch, time, size)
        if not self.training or not self.rate:
            return rows
        mask = torch.empty_like(rows[:, :1]).bernoulli_(1 - self.rate)
        return rows * (mask / (1 - self.rate))


class RecurrentEncoder(nn.Module):
    """Stacked recurrent layers over padded rows. Padding does not change an output.

    The backward cell of a layer reads each row from its own last token (a padded bidirectional ``nn.LSTM`` reads the
    padding first). With a ``projection_size`` both cells of a layer read one linear projection of its input, narrower
    than it: their input weights then have a rank of at most that, for fewer multiplications.
    """

    def __init__(
        self,
        *,
        cell: str,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
        weight_drop: float = 0.0,
        projection_size: int = 0,
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"unknown cell {cell!r}; known: {', '.join(CELLS)}")
        num_directions = 1 + bidirectional
        sizes = [input_size, *[hidden_size * num_directions] * num_layers]
        self.cell, self.hidden_size, self.output_size = cell, hidden_size, sizes[-1]
        self.projections = nn.ModuleList(
            nn.Linear(size, projection_size, bias=False) for size in sizes[:-1] if projection_size
        )
        sizes = [projection_size or size for size in sizes[:-1]]
        self.forwards = nn.ModuleList(CELLS[cell](size, hidden_size, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(
            CELLS[cell](size, hidden_size, batch_first=True) for size in sizes if bidirectional
        )
        self.dropout = SharedDropout(dropout)
        self.weight_drop = weight_drop
        for name, parameter in self.named_parameters():
            if name.rpartition(".")[2].startswith("weight_hh"):
                for gate in parameter.data.chunk(parameter.shape[0] // hidden_size):
                    nn.init.orthogonal_(gate)

    def forward(self, rows: Tensor, lengths: Tensor) -> Tensor:
        """Map (batch, time, input) to (batch, time, output). Outputs beyond a row's length are arbitrary."""
        for i in range(len(self.forwards)):
            rows = self.layer(i, rows, lengths)
        return rows

    def layer(self, number: int, rows: Tensor, lengths: Tensor) -> Tensor:
        """Map the input of one layer (batch, time, input) to its output (batch, time, output)."""
        rows = self._input(number, rows)
        outputs = [self._run(self.forwards[number], rows)[0]]
        if self.backwards:
            backward = self._run(self.backwards[number], reverse(rows, lengths))[0]
            outputs.append(reverse(backward, lengths))
        return torch.cat(outputs, dim=-1)

    def advance(self, rows: Tensor, state: State) -> tuple[Tensor, State]:
        """Continue from a state: map (batch, time, input) to (batch, time, output) and the state after the last token.

        For one direction, and rows without padding.
        """
        after = []
        for i, forward in enumerate(self.forwards):
            rows = self._input(i, rows)
            before = None if state is None else tuple(part[i : i + 1] for part in state)
            rows, *layer_state = self._run(forward, rows, before)
            after.append(layer_state)
        return rows, tuple(torch.cat(parts) for parts in zip(*after, strict=True))

    def _input(self, layer: int, rows: Tensor) -> Tensor:
        """What the cells of a layer read (batch, time, size): the rows below it, dropped and projected."""
        rows = self.dropout(rows) if layer else rows
        return self.projections[layer](rows) if self.projections else rows

    def _run(self, layer: nn.RNNBase, rows: Tensor, state: State = None) -> tuple[Tensor, ...]:
        """Output and state of one layer, its recurrent weights dropped in training: the same for all steps and rows,
        anew for each batch (Wan et al. 2013, Merity et al. 2018)."""
        if state is None:
            zeros = rows.new_zeros(1, rows.shape[0], self.hidden_size)
            state = (zeros, zeros) if self.cell == "lstm" else (zeros,)
        recurrent = functional.dropout(layer.weight_hh_l0, self.weight_drop, self.training)
        weights = [layer.weight_ih_l0, recurrent, layer.bias_ih_l0, layer.bias_hh_l0]
        before = state if self.cell == "lstm" else state[0]
        return _RUN[self.cell](rows, before, weights, True, 1, 0.0, self.training, False, True)


class CharacterConvolution(nn.Module):
    """Word vectors from characters: embedding, convolutions of several widths, maximum over positions (dos Santos and
    Zadrozny 2014).

    ``weights[k]`` is (width, embedding, filter).
    """

    def __init__(self, *, num_characters: int, embedding_size: int, widths: tuple[int, ...], num_filters: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_characters, embedding_size, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Linear(width * embedding_size, num_filters) for width in widths)
        self.widths, self.output_size = widths, num_filters * len(widths)

    def forward(self, characters: Tensor) -> Tensor:
        """Map (words, characters) to (words, output). A window is read as one row of its embeddings in order."""
        embedded = self.embedding(characters)
        vectors = []
        for width, convolution in zip(self.widths, self.convolutions, strict=True):
            windows = embedded.unfold(1, width, 1).transpose(2, 3).flatten(2)  # (words, position, width x embedding)
            vectors.append(convolution(windows).amax(dim=1))
        return torch.relu(torch.cat(vectors, dim=-1))

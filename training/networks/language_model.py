"""A language model over units of text: what comes next, and in a second direction what came before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.language_model.batches import StreamBatch
from training.networks.layers import RecurrentEncoder, SharedDropout, State
from training.networks.sampled_softmax import sampled_loss
from training.networks.tied_softmax import tied_loss

FORWARDS, BACKWARDS = "forwards", "backwards"
WINDOW = "window"
EMBEDDING_DEVIATION = 0.1  # of the table's first values


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModelConfig:
    """Sizes and dropout rates of a language model. ``window`` is no recurrent cell: it sees the last units alone."""

    cell: Literal["rnn", "gru", "lstm", "window"] = "lstm"
    num_layers: int = 1
    embedding_size: int = 256
    hidden_size: int = 512
    window_size: int = 4  # units that a window model sees
    bidirectional: bool = False  # a second model that reads backwards and shares the table
    token_dropout: float = 0.0  # of whole units, wherever they occur in a batch (Gal and Ghahramani 2016)
    input_dropout: float = 0.0  # of embeddings, one mask for all steps, as the next one
    dropout: float = 0.1  # between layers and behind the last
    weight_drop: float = 0.0  # of recurrent weights (Wan et al. 2013)
    reset_rate: float = 0.0  # how often a stream's state is set to zero before a stretch: requests begin with zeros
    num_sampled: int = 0  # units beside a batch's own that the softmax is taken over in training; 0: all


class LanguageModel(nn.Module):
    """Recurrent language models, one a direction, over one table of embeddings.

    The table is also the output layer's, behind a projection (weight tying: Press and Wolf 2017, Inan et al. 2017), and
    its rows are normalised where they are read (Ba et al. 2016). What is projected passes a tanh, so that all that is
    multiplied is bounded (docs/adr/0007). Regularised as the AWD-LSTM (Merity et al. 2018). In training the state is
    carried from batch to batch without its gradient (truncated backpropagation through time).
    """

    def __init__(self, *, vocabulary_size: int, config: LanguageModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocabulary_size, config.embedding_size)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_DEVIATION)
        self.input_norm = nn.LayerNorm(config.embedding_size)
        names = [FORWARDS, BACKWARDS] if config.bidirectional else [FORWARDS]
        self.directions = nn.ModuleDict({name: Direction(config) for name in names})
        self.output_bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.num_sampled = config.num_sampled
        self._states: dict[str, State] = {}

    def forward(self, ids: Tensor, state: State = None, direction: str = FORWARDS) -> tuple[Tensor, State]:
        """Return logits (batch, time, unit) of ids (batch, time) for each next unit in that direction, and the
        state."""
        readouts, state = self.read(ids, state, direction)
        return functional.linear(readouts, self.embedding.weight, self.output_bias), state

    def read(self, ids: Tensor, state: State = None, direction: str = FORWARDS) -> tuple[Tensor, State]:
        """Return for ids (batch, time) the readouts that are multiplied with the table, (batch, time, embedding), and
        the state."""
        rows = self.input_norm(self.embedding(ids))
        if self.training and self.config.token_dropout:
            kept = 1 - self.config.token_dropout
            rows = rows * (rows.new_empty(len(self.output_bias)).bernoulli_(kept) / kept)[ids][..., None]
        readouts, state = self.directions[direction](rows, state)
        return readouts, state

    def loss(self, batch: StreamBatch) -> Tensor:
        """Mean over directions and units of the negative log-likelihood, in nats; sampled if ``num_sampled``."""
        if batch.is_first:
            self._states = {}
        losses = []
        for name in self.directions:
            ids = batch.streams()[name]
            readouts, state = self.read(ids[:, :-1], self._before(name), name)
            self._states[name] = tuple(part.detach() for part in state) if state is not None else None
            losses.append(self._loss_of(readouts.flatten(0, 1), ids[:, 1:].flatten()))
        return torch.stack(losses).mean()

    @torch.inference_mode()
    def log_likelihoods(self, ids: Tensor, state: State = None, direction: str = FORWARDS) -> tuple[Tensor, State]:
        """Return for ids (batch, time + 1) the log-probability of each but the first, exact, (batch, time), and the
        state."""
        logits, state = self(ids[:, :-1], state, direction)
        loss = functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
        return -loss.view(len(ids), -1), state

    def _before(self, name: str) -> State:
        """The state before a batch, that of some rows set to zero."""
        state, rate = self._states.get(name), self.config.reset_rate
        if state is None or not rate or not self.training:
            return state
        kept = state[0].new_empty(1, state[0].shape[1], 1).bernoulli_(1 - rate)
        return tuple(part * kept for part in state)

    def _loss_of(self, readouts: Tensor, targets: Tensor) -> Tensor:
        table, bias = self.embedding.weight, self.output_bias
        if self.num_sampled:
            return sampled_loss(readouts, table, bias, targets, num_sampled=self.num_sampled, smoothing=0.0)
        return tied_loss(readouts, table, bias, targets, smoothing=0.0)


class Direction(nn.Module):
    """One direction's layers and the projection to the size of the embeddings."""

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        self.input_dropout = SharedDropout(config.input_dropout)
        self.encoder: RecurrentEncoder | WindowEncoder
        if config.cell == WINDOW:
            self.encoder = WindowEncoder(config)
        else:
            self.encoder = RecurrentEncoder(
                cell=config.cell,
                input_size=config.embedding_size,
                hidden_size=config.hidden_size,
                num_layers=config.num_layers,
                bidirectional=False,
                dropout=config.dropout,
                weight_drop=config.weight_drop,
            )
        self.output_dropout = SharedDropout(config.dropout)
        self.readout = nn.Linear(config.hidden_size, config.embedding_size)

    def forward(self, rows: Tensor, state: State) -> tuple[Tensor, State]:
        """Return outputs of the same shape for (batch, time, embedding), and the state of every layer behind the last
        unit."""
        rows, state = self.encoder.advance(self.input_dropout(rows), state)
        return torch.tanh(self.readout(self.output_dropout(rows))), state


class WindowEncoder(nn.Module):
    """A feed-forward layer over the embeddings of the last units (Bengio et al. 2003)."""

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        self.num_before = config.window_size - 1
        self.layer = nn.Linear(config.window_size * config.embedding_size, config.hidden_size)

    def advance(self, rows: Tensor, state: State) -> tuple[Tensor, State]:
        """Return (batch, time, hidden) for (batch, time, embedding); the state is the embeddings that the next step
        sees."""
        batch, time, size = rows.shape
        if state is None:
            state = (rows.new_zeros(self.num_before, batch, size),)
        padded = torch.cat([state[0].transpose(0, 1), rows], dim=1)
        windows = torch.cat([padded[:, i : i + time] for i in range(self.num_before + 1)], dim=2)
        return torch.tanh(self.layer(windows)), (padded[:, time:].transpose(0, 1),)

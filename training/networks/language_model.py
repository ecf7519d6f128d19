"""A language model over words, read in both directions: what comes next, and what came before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.layers import RecurrentEncoder, SharedDropout, State
from training.streams import StreamBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModelConfig:
    """Sizes of a language model; ``cell`` is rnn, gru or lstm."""

    cell: str = "lstm"
    num_layers: int = 1
    word_size: int = 256
    hidden_size: int = 512
    bidirectional: bool = True  # a second model that reads backwards and shares the words' vectors
    dropout: float = 0.1
    input_dropout: float = 0.1
    weight_drop: float = 0.1
    num_sampled: int = 2048  # words that each step's softmax is estimated from in training; 0: all


class LanguageModel(nn.Module):
    """Recurrent language models, one a direction, over one table of word vectors.

    The table is also the output layer's, behind a projection (weight tying: Press and Wolf 2017, Inan et al. 2017);
    recurrent weights are dropped (Merity et al. 2018). In training the softmax is taken over the right word and a
    sample of others, each corrected for how likely it was to be drawn (sampled softmax: Jean et al. 2015), and the
    state is carried from batch to batch without its gradient (truncated backpropagation through time).
    ``frequencies`` (word,): how often each word occurs, what is sampled from.
    """

    def __init__(self, *, frequencies: npt.NDArray[np.float64], config: LanguageModelConfig) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(len(frequencies), config.word_size, padding_idx=0)
        nn.init.normal_(self.words.weight, std=0.1)
        directions = ["forwards", "backwards"] if config.bidirectional else ["forwards"]
        self.directions = nn.ModuleDict({name: Direction(config) for name in directions})
        self.bias = nn.Parameter(torch.zeros(len(frequencies)))
        proposal = torch.from_numpy(np.asarray(frequencies, np.float64) ** 0.75)
        self.register_buffer("proposal", (proposal / proposal.sum()).float(), persistent=False)
        self._states: dict[str, State] = {}

    def forward(self, ids: Tensor, direction: str, state: State = None) -> tuple[Tensor, State]:
        """(batch, time) ids -> (batch, time, word) logits of each next word in that direction, and the state."""
        rows, state = self.directions[direction](self.words(ids), state)
        return functional.linear(rows, self.words.weight, self.bias), state

    def loss(self, batch: StreamBatch) -> Tensor:
        """Mean over directions and tokens of the negative log-likelihood, in nats; sampled."""
        if batch.is_first:
            self._states = {}
        losses = []
        for name, ids in batch.streams().items():
            rows, state = self.directions[name](self.words(ids[:, :-1]), self._states.get(name))
            self._states[name] = tuple(part.detach() for part in state)
            losses.append(self._sampled_loss(rows.flatten(0, 1), ids[:, 1:].flatten()))
        return torch.stack(losses).mean()

    def _sampled_loss(self, rows: Tensor, targets: Tensor) -> Tensor:
        if not self.config.num_sampled:
            logits = functional.linear(rows, self.words.weight, self.bias).float()
            return functional.cross_entropy(logits, targets)
        sampled = torch.multinomial(self.proposal, self.config.num_sampled, replacement=False)
        correction = self.bias - (self.proposal * self.config.num_sampled).clamp(max=1.0).log()
        others = functional.linear(rows, self.words(sampled), correction[sampled]).float().logsumexp(1)
        own = (rows * self.words(targets)).sum(-1, dtype=torch.float32) + correction[targets]
        is_sampled = torch.zeros_like(self.bias, dtype=torch.bool).index_fill_(0, sampled, value=True)
        total = torch.where(is_sampled[targets], others, torch.logaddexp(others, own))
        return (total - own).mean()

    @torch.inference_mode()
    def log_likelihood(self, batch: StreamBatch, states: dict[str, State]) -> Mapping[str, float]:
        """The mean log-likelihood of a token in nats by direction, exact; ``states`` is read and brought up to date."""
        figures = {}
        for name, ids in batch.streams().items():
            logits, states[name] = self(ids[:, :-1], name, states.get(name))
            loss = functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())
            figures[name] = -float(loss)
        return figures


class Direction(nn.Module):
    """One direction's recurrent layers and the projection to the size of the word vectors."""

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        self.input_dropout = SharedDropout(config.input_dropout)
        self.encoder = RecurrentEncoder(
            cell=config.cell,
            input_size=config.word_size,
            hidden_size=config.hidden_size,
            num_layers=config.num_layers,
            bidirectional=False,
            dropout=config.dropout,
            weight_drop=config.weight_drop,
        )
        self.output_dropout = SharedDropout(config.dropout)
        self.project = nn.Linear(config.hidden_size, config.word_size)

    def forward(self, rows: Tensor, state: State) -> tuple[Tensor, State]:
        """(batch, time, word size) -> the same shape, and the state of every layer behind the last token."""
        rows, state = self.encoder.advance(self.input_dropout(rows), state)
        return self.project(self.output_dropout(rows)), state

"""A bidirectional GRU encoder, attention, and a conditional GRU decoder (Sennrich et al. 2017, Nematus)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.attention import ATTENTIONS, AttentionKind, MultiplicativeAttention
from training.networks.conditional_gru import run_conditional_gru
from training.networks.layers import RecurrentEncoder, SharedDropout
from training.networks.sampled_softmax import sampled_loss
from training.networks.tied_softmax import tied_loss
from training.translator.batches import PairBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatorConfig:
    """Sizes and rates of a translator; docs/training.md has the sizes."""

    embedding_size: int = 256
    encoder_size: int = 256  # of one direction
    num_layers: int = 1  # of the encoder
    decoder_size: int = 512
    cell: Literal["gru", "gated"] = "gru"  # "gated" is training/networks/gated_translator.py
    num_decoder_layers: int = 2  # of the gated network; the conditional GRU has its two cells
    attention: AttentionKind = "multiplicative"
    embedding_dropout: float = 0.1
    source_dropout: float = 0.1  # of annotations
    readout_dropout: float = 0.1
    token_dropout: float = 0.0  # whole tokens of both sides, their embedding set to zero (Gal and Ghahramani 2016)
    label_smoothing: float = 0.1
    sampled_words: int = 0  # words of the training softmax besides those of the batch; 0: all


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Memory:
    """The encoder's output, to which the decoder attends."""

    annotations: Tensor  # (batch, time, annotation)
    keys: Tensor  # (batch, time, key), for the energies
    mask: Tensor  # (batch, time), true at tokens

    def select(self, rows: Tensor) -> Memory:
        """The memory with rows repeated or left out, for the hypotheses of a beam."""
        return Memory(annotations=self.annotations[rows], keys=self.keys[rows], mask=self.mask[rows])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """The result of one decoder step."""

    state: Tensor  # (batch, decoder)
    context: Tensor  # (batch, annotation)
    weights: Tensor  # (batch, time)


class GruCell(nn.Module):
    """A GRU cell with its input's part apart, so that it can be computed for all steps at once.

    Gates are in torch's order: reset, update, new. The reset gate is applied after the recurrent product (as in cuDNN
    and ONNX).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input = nn.Linear(input_size, 3 * hidden_size)
        self.hidden = nn.Linear(hidden_size, 3 * hidden_size)
        for gate in self.hidden.weight.data.chunk(3):
            nn.init.orthogonal_(gate)

    def forward(self, projected: Tensor, state: Tensor) -> Tensor:
        """The next state. ``projected`` is ``input`` of the step's input, (batch, 3 x hidden)."""
        hidden = self.hidden(state)
        size = state.shape[1]
        gates = torch.sigmoid(projected[:, : 2 * size] + hidden[:, : 2 * size])
        reset, update = gates[:, :size], gates[:, size:]
        new = torch.tanh(torch.addcmul(projected[:, 2 * size :], reset, hidden[:, 2 * size :]))
        return torch.lerp(new, state, update)


def output_loss(readouts: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, config: TranslatorConfig) -> Tensor:
    """Cross-entropy of ``targets`` (row,) behind the output layer, over all words or over a sample, as configured."""
    if config.sampled_words:
        return sampled_loss(
            readouts, weight, bias, targets, num_sampled=config.sampled_words, smoothing=config.label_smoothing
        )
    return tied_loss(readouts, weight, bias, targets, smoothing=config.label_smoothing)


class TranslatorNetwork(nn.Module, ABC):
    """The interface of an encoder-decoder, of whatever cells, for training, search and export."""

    config: TranslatorConfig

    @abstractmethod
    def loss(self, batch: PairBatch) -> Tensor:
        """The mean cross-entropy over target tokens under teacher forcing."""

    @abstractmethod
    def encode(self, ids: Tensor, lengths: Tensor) -> tuple[Memory, Tensor]:
        """Encode ids (batch, time) of lengths (batch,) to the decoder's memory and first state (batch, state)."""

    @abstractmethod
    def step(self, tokens: Tensor, state: Tensor, memory: Memory) -> tuple[Step, Tensor]:
        """One step of a search from tokens (batch,): the step and log-probabilities (batch, vocabulary)."""


class Translator(TranslatorNetwork):
    """A translator with a bidirectional GRU encoder, attention and a conditional GRU decoder.

    One table of subwords serves the source, the target and the output layer (Press and Wolf 2017). The first token of a
    source, the tag of the target language, is added to all of its tokens: if the encoder had to remember it, it would
    forget it and mix languages.
    """

    def __init__(self, *, vocabulary_size: int, config: TranslatorConfig) -> None:
        super().__init__()
        self.config = config
        embedding_size, decoder_size = config.embedding_size, config.decoder_size
        annotation_size = 2 * config.encoder_size
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)
        self.source_norm = nn.LayerNorm(embedding_size)
        self.target_norm = nn.LayerNorm(embedding_size)
        self.tag = nn.Linear(embedding_size, embedding_size, bias=False)
        nn.init.zeros_(self.tag.weight)
        sizes = [embedding_size] + [annotation_size] * (config.num_layers - 1)
        self.encoders = nn.ModuleList(
            RecurrentEncoder(
                cell="gru",
                input_size=size,
                hidden_size=config.encoder_size,
                num_layers=1,
                bidirectional=True,
                dropout=0.0,
            )
            for size in sizes
        )
        self.between_norms = nn.ModuleList(nn.LayerNorm(annotation_size) for _ in sizes[1:])
        self.initial = nn.Linear(annotation_size, decoder_size)
        self.first = GruCell(embedding_size, decoder_size)
        self.attention = ATTENTIONS[config.attention](decoder_size=decoder_size, annotation_size=annotation_size)
        self.second = GruCell(annotation_size, decoder_size)
        self.readout = nn.Linear(decoder_size + annotation_size + embedding_size, embedding_size)
        self.readout_norm = nn.LayerNorm(embedding_size)
        self.output_bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.embedding_dropout = SharedDropout(config.embedding_dropout)
        self.source_dropout = SharedDropout(config.source_dropout)
        self.readout_dropout = nn.Dropout(config.readout_dropout)

    def loss(self, batch: PairBatch) -> Tensor:
        """The mean loss over target tokens under teacher forcing.

        Where the batch asks for scheduled sampling (Bengio et al. 2015), a share of the inputs are the network's own
        predictions.
        """
        memory, state = self.encode(batch.source, batch.source_lengths)
        inputs, wanted = batch.target[:, :-1], batch.target[:, 1:]
        if batch.own_share:
            inputs = self._with_own_words(inputs, memory, state, batch.own_share)
        readouts = self.read_out_all(inputs, memory, state)
        real = wanted != 0
        return output_loss(
            self.readout_dropout(readouts[real]), self.embedding.weight, self.output_bias, wanted[real], self.config
        )

    def encode(self, ids: Tensor, lengths: Tensor) -> tuple[Memory, Tensor]:
        """Encode ids (batch, time) of lengths (batch,) to the decoder's memory and first state (batch, decoder)."""
        rows = self.source_norm(self._embed(ids))
        rows = self.embedding_dropout(rows + self.tag(rows[:, :1]))
        for place, encoder in enumerate(self.encoders):
            if place:
                rows = self.embedding_dropout(self.between_norms[place - 1](rows))
            rows = encoder(rows, lengths)
        mask = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        annotations = self.source_dropout(rows * mask[:, :, None])
        mean = annotations.sum(dim=1) / lengths[:, None]
        memory = Memory(annotations=annotations, keys=self.attention.keys(annotations), mask=mask)
        return memory, torch.tanh(self.initial(mean))

    def embed_target(self, tokens: Tensor) -> Tensor:
        """Map target ids (batch, time) to embeddings (batch, time, embedding)."""
        return self.embedding_dropout(self.target_norm(self._embed(tokens)))

    def advance(self, projected: Tensor, state: Tensor, memory: Memory) -> Step:
        """The two transitions with attention between them; ``projected`` is ``first.input`` of the previous token."""
        between = self.first(projected, state)
        energies = self.attention(between, memory.keys).masked_fill(~memory.mask, float("-inf"))
        weights = torch.softmax(energies, dim=-1)
        context = torch.bmm(weights[:, None].to(memory.annotations.dtype), memory.annotations)[:, 0]
        return Step(state=self.second(self.second.input(context), between), context=context, weights=weights)

    def read_out(self, states: Tensor, contexts: Tensor, embedded: Tensor) -> Tensor:
        """Map state (..., decoder), context (..., annotation) and embedding (..., embedding) to readouts (...,
        embedding)."""
        joined = torch.cat([states, contexts.to(states.dtype), embedded.to(states.dtype)], dim=-1)
        return torch.tanh(self.readout_norm(self.readout(joined)))

    def read_out_all(self, inputs: Tensor, memory: Memory, state: Tensor) -> Tensor:
        """Map target ids (batch, time) to readouts (batch, time, embedding) under teacher forcing."""
        embedded = self.embed_target(inputs)
        if isinstance(self.attention, MultiplicativeAttention):
            states, contexts = self._run_written_out(embedded, memory, state)
            return self.read_out(states, contexts, embedded)
        steps = []
        for projected in self.first.input(embedded).unbind(dim=1):
            steps.append(self.advance(projected, state, memory))
            state = steps[-1].state
        states = torch.stack([step.state for step in steps], dim=1)
        contexts = torch.stack([step.context for step in steps], dim=1)
        return self.read_out(states, contexts, embedded)

    def _run_written_out(self, embedded: Tensor, memory: Memory, state: Tensor) -> tuple[Tensor, Tensor]:
        first, second = self.first.hidden, self.second
        return run_conditional_gru(
            self.first.input(embedded),
            state,
            memory.annotations,
            memory.mask,
            first_hidden=(first.weight, first.bias),
            query=self.attention.query.weight,
            second_input=(second.input.weight, second.input.bias),
            second_hidden=(second.hidden.weight, second.hidden.bias),
            scale=self.attention.scale,
        )

    def step(self, tokens: Tensor, state: Tensor, memory: Memory) -> tuple[Step, Tensor]:
        """One step of a search from tokens (batch,): the step and log-probabilities (batch, vocabulary)."""
        embedded = self.embed_target(tokens[:, None])[:, 0]
        step = self.advance(self.first.input(embedded), state, memory)
        return step, torch.log_softmax(self.logits(self.read_out(step.state, step.context, embedded)).float(), dim=-1)

    def logits(self, readouts: Tensor) -> Tensor:
        """Map readouts (..., embedding) to logits (..., vocabulary)."""
        return functional.linear(readouts, self.embedding.weight, self.output_bias)

    def _embed(self, ids: Tensor) -> Tensor:
        rows = self.embedding(ids)
        if not self.training or not self.config.token_dropout:
            return rows
        kept = torch.rand(ids.shape, device=ids.device) >= self.config.token_dropout
        return rows * kept[:, :, None]

    @torch.no_grad()
    def _with_own_words(self, inputs: Tensor, memory: Memory, state: Tensor, share: float) -> Tensor:
        """The target with some inputs, but not the first, replaced by the network's own predictions from one pass of
        teacher forcing (Mihaylova and Martins 2019, two passes)."""
        said = self.logits(self.read_out_all(inputs, memory, state)[:, :-1]).argmax(dim=-1)
        own = (torch.rand(said.shape, device=said.device) < share) & (inputs[:, 1:] != 0)
        return torch.cat([inputs[:, :1], torch.where(own, said, inputs[:, 1:])], dim=1)

"""An encoder-decoder whose recurrences need no matrix product, with attention after each decoder layer.

The decoder's layers read the target's words so far; their states query the attention after the recurrence (Luong et al.
2015), not within it, so that under teacher forcing every product is computed for all steps at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.networks.gated_recurrence import BidirectionalGatedLayer, GatedLayer
from training.networks.layers import SharedDropout
from training.networks.translator import Memory, Step, TranslatorConfig, TranslatorNetwork, output_loss
from training.translator.batches import PairBatch


class DecoderLayer(nn.Module):
    """A gated layer followed by attention to the source."""

    def __init__(self, input_size: int, size: int, annotation_size: int) -> None:
        super().__init__()
        self.cell = GatedLayer(input_size, size)
        self.query = nn.Linear(size, annotation_size, bias=False)
        self.initial = nn.Linear(annotation_size, size)

    def look(self, states: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Map states (batch, time, size) to contexts (batch, time, annotation) and weights (batch, time, source)."""
        scale = memory.annotations.shape[-1] ** -0.5
        energies = torch.bmm(self.query(states) * scale, memory.annotations.transpose(1, 2))
        weights = torch.softmax(energies.masked_fill(~memory.mask[:, None], float("-inf")), dim=-1)
        return torch.bmm(weights, memory.annotations), weights


class GatedTranslator(TranslatorNetwork):
    """A translator of gated layers.

    One table of subwords serves the source, the target and the output layer (Press and Wolf 2017). The encoder is a
    stack of bidirectional layers with residual connections; every layer of the decoder attends to all of the source.
    """

    def __init__(self, *, vocabulary_size: int, config: TranslatorConfig) -> None:
        super().__init__()
        self.config = config
        embedding_size, size, annotation_size = config.embedding_size, config.decoder_size, 2 * config.encoder_size
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)
        self.source_norm = nn.LayerNorm(embedding_size)
        self.target_norm = nn.LayerNorm(embedding_size)
        inputs = [embedding_size] + [annotation_size] * (config.num_layers - 1)
        self.encoders = nn.ModuleList(BidirectionalGatedLayer(each, config.encoder_size) for each in inputs)
        self.between_norms = nn.ModuleList(nn.LayerNorm(annotation_size) for _ in inputs)
        inputs = [embedding_size] + [size + annotation_size] * (config.num_decoder_layers - 1)
        self.decoders = nn.ModuleList(DecoderLayer(each, size, annotation_size) for each in inputs)
        seen = config.num_decoder_layers * size + annotation_size + embedding_size
        self.readout = nn.Linear(seen, embedding_size)
        self.readout_norm = nn.LayerNorm(embedding_size)
        self.output_bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.embedding_dropout = SharedDropout(config.embedding_dropout)
        self.source_dropout = SharedDropout(config.source_dropout)
        self.readout_dropout = nn.Dropout(config.readout_dropout)

    def loss(self, batch: PairBatch) -> Tensor:
        """The mean loss over target tokens under teacher forcing."""
        memory, state = self.encode(batch.source, batch.source_lengths)
        inputs, wanted = batch.target[:, :-1], batch.target[:, 1:]
        real = wanted != 0
        readouts = self.readout_dropout(self.read_out_all(inputs, memory, state)[real])
        return output_loss(readouts, self.embedding.weight, self.output_bias, wanted[real], self.config)

    def encode(self, ids: Tensor, lengths: Tensor) -> tuple[Memory, Tensor]:
        """Encode ids (batch, time) of lengths (batch,) to the decoder's memory and the first states side by side
        (batch, state)."""
        mask = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        is_token = mask.t()[:, :, None]
        embedded = self.embedding_dropout(self.source_norm(self.embedding(ids)))
        rows = self.encoders[0](embedded.transpose(0, 1), is_token)  # (time, batch, annotation)
        for norm, encoder in zip(self.between_norms, self.encoders[1:], strict=False):
            rows = rows + encoder(norm(rows), is_token)
        rows = torch.tanh(self.between_norms[-1](rows)).transpose(0, 1)
        annotations = self.source_dropout(rows * mask[:, :, None])
        mean = annotations.sum(dim=1) / lengths[:, None]
        states = [torch.tanh(layer.initial(mean)) for layer in self.decoders]
        return Memory(annotations=annotations, keys=annotations, mask=mask), torch.cat(states, dim=-1)

    def read_out_all(self, inputs: Tensor, memory: Memory, state: Tensor) -> Tensor:
        """Map target ids (batch, time) to readouts (batch, time, embedding) under teacher forcing."""
        embedded = self.embedding_dropout(self.target_norm(self.embedding(inputs)))
        rows, seen = embedded, []
        for layer, first in zip(self.decoders, state.split(self.config.decoder_size, dim=-1), strict=True):
            states = layer.cell(rows.transpose(0, 1), first).transpose(0, 1)
            contexts, _ = layer.look(states, memory)
            rows = torch.cat([states, contexts], dim=-1)
            seen.append(states)
        return self.read_out(torch.cat([*seen, contexts, embedded], dim=-1))

    def read_out(self, seen: Tensor) -> Tensor:
        """Map the states of all layers, the last context and the embedding (..., seen) to readouts (..., embedding)."""
        return torch.tanh(self.readout_norm(self.readout(seen)))

    def step(self, tokens: Tensor, state: Tensor, memory: Memory) -> tuple[Step, Tensor]:
        """One step of a search from tokens (batch,): the step and log-probabilities (batch, vocabulary)."""
        embedded = self.target_norm(self.embedding(tokens))
        rows, after = embedded, []
        for layer, before in zip(self.decoders, state.split(self.config.decoder_size, dim=-1), strict=True):
            after.append(layer.cell.step(rows, before))
            context, weights = (each[:, 0] for each in layer.look(after[-1][:, None], memory))
            rows = torch.cat([after[-1], context], dim=-1)
        readout = self.read_out(torch.cat([*after, context, embedded], dim=-1))
        step = Step(state=torch.cat(after, dim=-1), context=context, weights=weights)
        return step, torch.log_softmax(self.logits(readout).float(), dim=-1)

    def logits(self, readouts: Tensor) -> Tensor:
        """Map readouts (..., embedding) to logits (..., vocabulary)."""
        return nn.functional.linear(readouts, self.embedding.weight, self.output_bias)

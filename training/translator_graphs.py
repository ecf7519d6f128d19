"""The two graphs of a translator, node by node: the encoder, and one step of the decoder over any number of rows.

A graph multiplies in float32 or in int8: ``training.graph_products``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from training.graph_products import ByteProducts, FloatProducts, Products
from training.networks.attention import AdditiveAttention, MultiplicativeAttention, NoAttention
from training.networks.translator import GruCell, Translator
from training.onnx_graph import GraphBuilder

STATE, ANNOTATIONS, KEYS = "state", "annotations", "keys"
NEXT_STATE = "next_state"  # what comes out of a step; a graph cannot call it as it calls what goes in


def encoder_graph(network: Translator, kind: type[FloatProducts] | type[ByteProducts]) -> onnx.ModelProto:
    """``ids`` (batch, time) and ``lengths`` (batch,) to the first ``state`` and what the decoder looks at.

    It multiplies in float32; ``kind`` says in which table of subwords it looks up, that of the step."""
    builder = GraphBuilder(half=True)
    ids = builder.node("Transpose", "ids", perm=[1, 0])
    lengths = builder.node("Cast", "lengths", to=TensorProto.INT64)
    rows = builder.layer_norm(network.source_norm, kind.look_up(builder, network.embedding, ids))
    tag = builder.node("MatMul", builder.slice(rows, 0, 1, 0), builder.weight(network.tag.weight.T))
    rows = builder.node("Add", rows, tag)
    for place, encoder in enumerate(network.encoders):
        if place:
            rows = builder.layer_norm(network.between_norms[place - 1], rows)
        rows = builder.recurrent(encoder, rows, "lengths")  # (time, batch, annotation)
    rows = builder.node("Where", builder.is_real(ids, lengths), rows, builder.scalar(0, np.float32))
    # Step by step over time: the zeros of padding change nothing.
    total = builder.node("ReduceSum", rows, builder.integers(0), keepdims=0)
    counts = builder.node("Cast", builder.node("Unsqueeze", lengths, builder.integers(1)), to=TensorProto.FLOAT)
    state = builder.node("Tanh", builder.linear(network.initial, builder.node("Div", total, counts)))
    annotations = builder.node("Transpose", rows, perm=[1, 0, 2])
    results = [state, annotations]
    if isinstance(network.attention, AdditiveAttention):
        results.append(builder.linear(network.attention.key, annotations))
    return builder.model(
        inputs=[_tensor("ids", TensorProto.INT32, "batch", "time"), _tensor("lengths", TensorProto.INT32, "batch")],
        outputs=[
            _tensor(STATE, TensorProto.FLOAT, "batch", network.config.decoder_size),
            *(_tensor(name, TensorProto.FLOAT, "batch", "time", size) for name, size in memory_sizes(network).items()),
        ],
        results=results,
    )


def step_graph(network: Translator, kind: type[FloatProducts] | type[ByteProducts]) -> onnx.ModelProto:
    """The last token of each row to its best next ones. Row ``i`` reads the source ``sources[i]`` of every memory."""
    builder = GraphBuilder(half=True)
    products = kind(builder, network.embedding, network.target_norm)
    embedded = products.embed(network.target_norm, "tokens")
    weight = products.of_embedded(network.first.input.weight)
    between = _cell(builder, products, network.first, embedded, STATE, weight)
    weights, context = _attend(builder, products, network, between)
    state = _cell(builder, products, network.second, context, between, network.second.input.weight)
    readout = products.join(_read_out(builder, products, network, [state, context, embedded]))
    scores = builder.node("LogSoftmax", products.logits(readout, network.output_bias), axis=1)
    best, candidates = builder.nodes("TopK", scores, "num_candidates", num_outputs=2, axis=1)
    return builder.model(
        inputs=step_inputs(network),
        outputs=step_outputs(network),
        results=[state, best, builder.node("Cast", candidates, to=TensorProto.INT32), weights],
    )


def step_inputs(network: Translator) -> list[onnx.ValueInfoProto]:
    """What a step reads."""
    return [
        _tensor("tokens", TensorProto.INT32, "row"),
        _tensor(STATE, TensorProto.FLOAT, "row", network.config.decoder_size),
        _tensor("sources", TensorProto.INT32, "row"),
        _tensor("lengths", TensorProto.INT32, "source"),
        *(_tensor(name, TensorProto.FLOAT, "source", "time", size) for name, size in memory_sizes(network).items()),
        _tensor("num_candidates", TensorProto.INT64, 1),
    ]


def step_outputs(network: Translator) -> list[onnx.ValueInfoProto]:
    """What a step gives: ``scores`` are log-probabilities, falling; ``attention`` is 0 beyond a source's length."""
    return [
        _tensor(NEXT_STATE, TensorProto.FLOAT, "row", network.config.decoder_size),
        _tensor("scores", TensorProto.FLOAT, "row", "candidate"),
        _tensor("candidates", TensorProto.INT32, "row", "candidate"),
        _tensor("attention", TensorProto.FLOAT, "row", "time"),
    ]


def memory_sizes(network: Translator) -> dict[str, int]:
    """What the decoder looks at, by name, and the numbers in it a token."""
    sizes = {ANNOTATIONS: 2 * network.config.encoder_size}
    if isinstance(network.attention, AdditiveAttention):
        sizes[KEYS] = network.attention.key.out_features
    return sizes


def _cell(
    builder: GraphBuilder, products: Products, cell: GruCell, given: str, state: str, given_weight: Tensor
) -> str:
    """A GRU's transition. Input and state are multiplied together, but for the new value, whose part of the state the
    reset gate comes between. A product a gate, for to take gates apart would be to copy them."""
    of_given, of_state = given_weight.chunk(3), cell.hidden.weight.chunk(3)
    given_bias, state_bias = cell.input.bias.chunk(3), cell.hidden.bias.chunk(3)
    both = products.join(given, state)
    reset, update = (
        builder.node(
            "Sigmoid",
            products.linear(both, torch.cat([of_given[i], of_state[i]], dim=1), given_bias[i] + state_bias[i]),
        )
        for i in range(2)
    )
    own = builder.node("Mul", reset, products.linear(products.join(state), of_state[2], state_bias[2]))
    new = products.linear(products.join(given), of_given[2], given_bias[2])
    new = builder.node("Tanh", builder.node("Add", new, own))
    return builder.node("Add", new, builder.node("Mul", update, builder.node("Sub", state, new)))


def _attend(builder: GraphBuilder, products: Products, network: Translator, state: str) -> tuple[str, str]:
    """How much each row looks at each token (row, time), and what it sees (row, annotation)."""
    memory = builder.node("Gather", ANNOTATIONS, "sources", axis=0)
    lengths = builder.node("Gather", builder.node("Cast", "lengths", to=TensorProto.INT64), "sources", axis=0)
    lengths = builder.node("Unsqueeze", lengths, builder.integers(1))
    time = builder.node("Squeeze", builder.node("Shape", ANNOTATIONS, start=1, end=2))
    places = builder.node("Range", builder.scalar(0, np.int64), time, builder.scalar(1, np.int64))
    is_real = builder.node("Less", places, lengths)
    energies = ENERGIES[type(network.attention)](builder, products, network.attention, state, memory)
    energies = builder.node("Where", is_real, energies, builder.scalar(-np.inf, np.float32))
    weights = builder.node("Softmax", energies, axis=1)
    # onnxruntime's softmax leaves something like 1e-39 where there is nothing to see.
    weights = builder.node("Where", is_real, weights, builder.scalar(0, np.float32))
    context = builder.node("MatMul", builder.node("Unsqueeze", weights, builder.integers(1)), memory)
    return weights, builder.node("Squeeze", context, builder.integers(1))


def _multiplicative(
    builder: GraphBuilder, products: Products, attention: MultiplicativeAttention, state: str, memory: str
) -> str:
    scale = builder.scalar(attention.scale, np.float32)
    query = products.linear(products.join(state), attention.query.weight)
    energies = builder.node("MatMul", memory, builder.node("Unsqueeze", query, builder.integers(2)))
    # Not in the weights: rounded to float16 they would be others.
    return builder.node("Mul", builder.node("Squeeze", energies, builder.integers(2)), scale)


def _additive(builder: GraphBuilder, products: Products, attention: AdditiveAttention, state: str, memory: str) -> str:
    query = builder.node(
        "Unsqueeze", products.linear(products.join(state), attention.query.weight), builder.integers(1)
    )
    units = builder.node("Tanh", builder.node("Add", builder.node("Gather", KEYS, "sources", axis=0), query))
    energies = builder.node("MatMul", units, builder.weight(attention.energy.weight.T))
    return builder.node("Squeeze", energies, builder.integers(2))


def _none(builder: GraphBuilder, products: Products, attention: NoAttention, state: str, memory: str) -> str:
    return builder.node("ReduceMax", builder.node("Mul", memory, builder.scalar(0, np.float32)), axes=[2], keepdims=0)


ENERGIES: dict[type[nn.Module], Callable[..., str]] = {
    MultiplicativeAttention: _multiplicative,
    AdditiveAttention: _additive,
    NoAttention: _none,
}


def _read_out(builder: GraphBuilder, products: Products, network: Translator, inputs: Sequence[str]) -> str:
    """State, context and embedding to the vector that stands nearest to the next token's."""
    seen = network.readout.in_features - network.config.embedding_size
    of_seen, of_embedded = network.readout.weight[:, :seen], network.readout.weight[:, seen:]
    weight = torch.cat([of_seen, products.of_embedded(of_embedded)], dim=1)
    readout = products.linear(products.join(*inputs), weight, network.readout.bias)
    return builder.node("Tanh", builder.layer_norm(network.readout_norm, readout))


def _tensor(name: str, kind: int, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)

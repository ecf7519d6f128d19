"""The two graphs of a translator, node by node: the encoder, and one step of the decoder over any number of rows.

A graph multiplies in float32 or in int8: ``training.matmul_variants``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from training.matmul_variants import ByteProducts, FloatProducts, Products
from training.networks.attention import AdditiveAttention, MultiplicativeAttention, NoAttention
from training.networks.translator import GruCell, Translator
from training.onnx_graph import MICROSOFT, GraphBuilder
from training.translator.shortlist import Shortlist
from training.translator.shortlist_graph import add_lists
from training.translator.source_groups import SourceGroups

Kind = type[FloatProducts] | type[ByteProducts]
STATE, ANNOTATIONS, KEYS = "state", "annotations", "keys"
SHORTLIST, COLUMNS = "shortlist", "columns"
NEXT_STATE = "next_state"  # the output of a step; it needs another name than the input


def encoder_graph(network: Translator, kind: Kind, shortlist: Shortlist | None = None) -> onnx.ModelProto:
    """The graph from ``ids`` (batch, time) and ``lengths`` (batch,) to the first ``state`` and the decoder's memory.

    It multiplies in float32; ``kind`` says how weights are stored. Its table of subwords is that of the step. With a
    shortlist the memory has the list of each source and the output layer's columns of it.
    """
    builder = kind.EncoderBuilder(half=True)
    ids = builder.node("Transpose", "ids", perm=[1, 0])
    lengths = builder.node("Cast", "lengths", to=TensorProto.INT64)
    table = kind.Table(builder, network.embedding)
    rows = builder.layer_norm(network.source_norm, table.rows(ids))
    # The tag's matrix moves every row, so that it stays in float16.
    tag = builder.node("MatMul", builder.slice(rows, 0, 1, 0), builder.weight(network.tag.weight.T))
    rows = builder.node("Add", rows, tag)
    for place, encoder in enumerate(network.encoders):
        if place:
            rows = builder.layer_norm(network.between_norms[place - 1], rows)
        rows = builder.recurrent(encoder, rows, "lengths")  # (time, batch, annotation)
    rows = builder.node("Where", builder.is_real(ids, lengths), rows, builder.scalar(0, np.float32))
    # Over time step by step, so that the zeros of padding change nothing.
    total = builder.node("ReduceSum", rows, builder.integers(0), keepdims=0)
    counts = builder.node("Cast", builder.node("Unsqueeze", lengths, builder.integers(1)), to=TensorProto.FLOAT)
    state = builder.node("Tanh", builder.linear(network.initial, builder.node("Div", total, counts)))
    annotations = builder.node("Transpose", rows, perm=[1, 0, 2])
    results = [state, annotations]
    if isinstance(network.attention, AdditiveAttention):
        results.append(builder.linear(network.attention.key, annotations))
    if shortlist:
        listed = add_lists(builder, shortlist, "ids")
        columns = builder.node("Reshape", table.columns(listed), builder.integers(0, -1))
        results += [builder.node("Cast", listed, to=TensorProto.INT32), columns]
    return builder.model(
        inputs=[_tensor("ids", TensorProto.INT32, "batch", "time"), _tensor("lengths", TensorProto.INT32, "batch")],
        outputs=[
            _tensor(STATE, TensorProto.FLOAT, "batch", network.config.decoder_size),
            *memories(network, kind, shortlist, "batch"),
        ],
        results=results,
    )


def step_graph(network: Translator, kind: Kind, shortlist: Shortlist | None = None) -> onnx.ModelProto:
    """The graph from the last token of each row to its best next ones. Row ``i`` reads the source ``sources[i]`` of
    every memory; with a shortlist the best of its source's list are given."""
    builder = GraphBuilder(half=True)
    groups = SourceGroups(builder, "sources", "lengths")
    products = kind(builder, network.embedding, network.target_norm)
    embedded = products.embed(network.target_norm, "tokens")
    weight = products.of_embedded(network.first.input.weight)
    between = _cell(builder, products, network.first, embedded, STATE, weight)
    weights, context = _attend(builder, products, network, between, groups)
    state = _cell(builder, products, network.second, context, between, network.second.input.weight)
    readout = products.join(_read_out(builder, products, network, [state, context, embedded]))
    if shortlist:
        shape = builder.integers(0, network.config.embedding_size, shortlist.size)
        columns = builder.node("Reshape", COLUMNS, shape)
        logits = groups.rows(products.listed_logits(groups.group(readout), columns, SHORTLIST, network.output_bias))
        best, places = _best(builder, logits, builder.node("Min", "num_candidates", builder.integers(shortlist.size)))
        candidates = builder.node("GatherElements", builder.node("Gather", SHORTLIST, "sources"), places, axis=1)
    else:
        best, candidates = _best(builder, products.logits(readout, network.output_bias), "num_candidates")
    return builder.model(
        inputs=step_inputs(network, kind, shortlist),
        outputs=step_outputs(network),
        results=[state, best, builder.node("Cast", candidates, to=TensorProto.INT32), weights],
    )


def step_inputs(network: Translator, kind: Kind, shortlist: Shortlist | None = None) -> list[onnx.ValueInfoProto]:
    """The inputs of a step."""
    return [
        _tensor("tokens", TensorProto.INT32, "row"),
        _tensor(STATE, TensorProto.FLOAT, "row", network.config.decoder_size),
        _tensor("sources", TensorProto.INT32, "row"),
        _tensor("lengths", TensorProto.INT32, "source"),
        *memories(network, kind, shortlist, "source"),
        _tensor("num_candidates", TensorProto.INT64, 1),
    ]


def step_outputs(network: Translator) -> list[onnx.ValueInfoProto]:
    """The outputs of a step: ``scores`` are log-probabilities, falling; ``attention`` is 0 beyond a source's length."""
    return [
        _tensor(NEXT_STATE, TensorProto.FLOAT, "row", network.config.decoder_size),
        _tensor("scores", TensorProto.FLOAT, "row", "candidate"),
        _tensor("candidates", TensorProto.INT32, "row", "candidate"),
        _tensor("attention", TensorProto.FLOAT, "row", "time"),
    ]


def memories(
    network: Translator, kind: Kind, shortlist: Shortlist | None, first_axis: str
) -> Iterator[onnx.ValueInfoProto]:
    """Yield the arrays of the decoder's memory: (source, time, size), or (source, size) if they are not of tokens."""
    yield _tensor(ANNOTATIONS, TensorProto.FLOAT, first_axis, "time", 2 * network.config.encoder_size)
    if isinstance(network.attention, AdditiveAttention):
        yield _tensor(KEYS, TensorProto.FLOAT, first_axis, "time", network.attention.key.out_features)
    if shortlist:
        yield _tensor(SHORTLIST, TensorProto.INT32, first_axis, shortlist.size)
        num_values = network.config.embedding_size * shortlist.size
        yield _tensor(COLUMNS, kind.Table.columns_type, first_axis, num_values)


def _best(builder: GraphBuilder, logits: str, count: str) -> list[str]:
    """Add the log-probabilities of the best of each row's logits, falling, and their places."""
    scores = builder.node("LogSoftmax", logits, axis=1)
    return builder.nodes("TopK", scores, count, num_outputs=2, axis=1)


def _cell(
    builder: GraphBuilder, products: Products, cell: GruCell, given: str, state: str, given_weight: Tensor
) -> str:
    """Add a GRU's transition.

    Input and state are multiplied together, except for the new value, whose part of the state is multiplied by the
    reset gate first. Each gate has its own product, because splitting a product into gates would copy them.
    """
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


def _attend(
    builder: GraphBuilder, products: Products, network: Translator, state: str, groups: SourceGroups
) -> tuple[str, str]:
    """Add attention: the weights (row, time) and the context (row, annotation) of each row."""
    lengths = builder.node("Gather", builder.node("Cast", "lengths", to=TensorProto.INT64), "sources", axis=0)
    lengths = builder.node("Unsqueeze", lengths, builder.integers(1))
    time = builder.node("Squeeze", builder.node("Shape", ANNOTATIONS, start=1, end=2))
    places = builder.node("Range", builder.scalar(0, np.int64), time, builder.scalar(1, np.int64))
    is_real = builder.node("Less", places, lengths)
    energies = ENERGIES[type(network.attention)](builder, products, network.attention, state, groups)
    energies = builder.node("Where", is_real, energies, builder.scalar(-np.inf, np.float32))
    weights = builder.node("Softmax", energies, axis=1)
    # onnxruntime's softmax leaves about 1e-39 at masked places.
    weights = builder.node("Where", is_real, weights, builder.scalar(0, np.float32))
    return weights, groups.rows(builder.node("MatMul", groups.group(weights), ANNOTATIONS))


def _multiplicative(
    builder: GraphBuilder, products: Products, attention: MultiplicativeAttention, state: str, groups: SourceGroups
) -> str:
    query = groups.group(products.linear(products.join(state), attention.query.weight))
    # Transposed by the operator and not by a node of its own, so that only the number of rows depends on neighbours.
    energies = groups.rows(builder.node("FusedMatMul", query, ANNOTATIONS, domain=MICROSOFT, transB=1))
    # The scale is not in the weights, which would differ when rounded to float16.
    return builder.node("Mul", energies, builder.scalar(attention.scale, np.float32))


def _additive(
    builder: GraphBuilder, products: Products, attention: AdditiveAttention, state: str, groups: SourceGroups
) -> str:
    query = builder.node(
        "Unsqueeze", products.linear(products.join(state), attention.query.weight), builder.integers(1)
    )
    units = builder.node("Tanh", builder.node("Add", builder.node("Gather", KEYS, "sources", axis=0), query))
    energies = builder.node("MatMul", units, builder.weight(attention.energy.weight.T))
    return builder.node("Squeeze", energies, builder.integers(2))


def _none(builder: GraphBuilder, products: Products, attention: NoAttention, state: str, groups: SourceGroups) -> str:
    memory = builder.node("Gather", ANNOTATIONS, "sources", axis=0)
    return builder.node("ReduceMax", builder.node("Mul", memory, builder.scalar(0, np.float32)), axes=[2], keepdims=0)


ENERGIES: dict[type[nn.Module], Callable[..., str]] = {
    MultiplicativeAttention: _multiplicative,
    AdditiveAttention: _additive,
    NoAttention: _none,
}


def _read_out(builder: GraphBuilder, products: Products, network: Translator, inputs: Sequence[str]) -> str:
    """Add the readout: a vector of state, context and embedding, to be multiplied by the table of subwords."""
    seen = network.readout.in_features - network.config.embedding_size
    of_seen, of_embedded = network.readout.weight[:, :seen], network.readout.weight[:, seen:]
    weight = torch.cat([of_seen, products.of_embedded(of_embedded)], dim=1)
    readout = products.linear(products.join(*inputs), weight, network.readout.bias)
    return builder.node("Tanh", builder.layer_norm(network.readout_norm, readout))


def _tensor(name: str, kind: int, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)

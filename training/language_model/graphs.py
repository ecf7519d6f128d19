"""The two graphs of a language model, node by node: one step over any number of rows, and the reader of whole texts.

A graph multiplies in float32 or in int8: ``training.matmul_variants``. The reader steps through its texts by the same
nodes as the step does, so that a state is the same to the last bit in int8 whichever of the two has made it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx
from onnx import TensorProto, helper
from torch import nn

from training.matmul_variants import ByteProducts, FloatProducts, Products
from training.networks.language_model import FORWARDS, LanguageModel
from training.onnx_graph import GraphBuilder

STATE, NEXT_STATE = "state", "next_state"
NUM_STATES = {"lstm": 2, "gru": 1, "rnn": 1}  # of a layer: hidden, and for the LSTM cell
ProductKind = type[FloatProducts] | type[ByteProducts]


def state_size(network: LanguageModel) -> int:
    """Numbers of all layers' states side by side: each layer's hidden, then for the LSTM its cell."""
    config = network.config
    return NUM_STATES[config.cell] * config.num_layers * config.hidden_size


def step_graph(network: LanguageModel, kind: ProductKind) -> onnx.ModelProto:
    """The last unit of each row to the log-probabilities of all next ones."""
    builder = GraphBuilder(half=True)
    products = kind(builder, network.embedding, network.input_norm)
    layers = _Layers(builder, products, network)
    states = layers.split(STATE)
    rows, states = layers.advance(layers.project_input("tokens"), states)
    scores = _scores(builder, products, network, rows)
    best, candidates = builder.nodes("TopK", scores, "num_candidates", num_outputs=2, axis=1)
    return builder.model(
        inputs=step_inputs(network),
        outputs=step_outputs(network),
        results=[layers.join(states), scores, best, builder.node("Cast", candidates, to=TensorProto.INT32)],
    )


def reader_graph(network: LanguageModel, kind: ProductKind) -> onnx.ModelProto:
    """Whole texts to the log-probabilities of some of their units, and to the states behind them."""
    builder = GraphBuilder(half=True)
    products = kind(builder, network.embedding, network.input_norm)
    layers = _Layers(builder, products, network)
    ids = builder.node("Transpose", "ids", perm=[1, 0])
    is_real = builder.is_real(ids, builder.node("Cast", "lengths", to=TensorProto.INT64))
    inputs = layers.project_input(builder.node("Reshape", ids, builder.integers(-1)))
    shape = builder.node("Concat", builder.node("Shape", ids), builder.integers(-1), axis=0)
    inputs = builder.node("Reshape", inputs, shape)  # (time, batch, gates)
    with builder.subgraph() as body:
        states = layers.split("state_in")
        rows, after = layers.advance("input_in", states)
        state = builder.node("Where", "is_real_in", layers.join(after), "state_in")
        body.finish(
            inputs=[
                _tensor("state_in", TensorProto.FLOAT, "batch", state_size(network)),
                _tensor("input_in", TensorProto.FLOAT, "batch", "gates"),
                _tensor("is_real_in", TensorProto.BOOL, "batch", 1),
            ],
            results=[state, rows],
        )
    next_state, rows = builder.nodes("Scan", STATE, inputs, is_real, num_outputs=2, body=body.graph, num_scan_inputs=2)
    rows = builder.node("Reshape", builder.node("Transpose", rows, perm=[1, 0, 2]), builder.integers(-1, layers.size))
    wanted = builder.node("Gather", rows, "positions", axis=0)
    scores = _scores(builder, products, network, wanted)
    targets = builder.node("Unsqueeze", builder.node("Cast", "targets", to=TensorProto.INT64), builder.integers(1))
    found = builder.node("Squeeze", builder.node("GatherElements", scores, targets, axis=1), builder.integers(1))
    return builder.model(inputs=reader_inputs(network), outputs=reader_outputs(network), results=[next_state, found])


def step_inputs(network: LanguageModel) -> list[onnx.ValueInfoProto]:
    """Return the inputs of a step."""
    return [
        _tensor("tokens", TensorProto.INT32, "row"),
        _tensor(STATE, TensorProto.FLOAT, "row", state_size(network)),
        _tensor("num_candidates", TensorProto.INT64, 1),
    ]


def step_outputs(network: LanguageModel) -> list[onnx.ValueInfoProto]:
    """Return the outputs of a step; ``scores`` are the log-probabilities of ``candidates``, falling."""
    return [
        _tensor(NEXT_STATE, TensorProto.FLOAT, "row", state_size(network)),
        _tensor("log_probabilities", TensorProto.FLOAT, "row", len(network.output_bias)),
        _tensor("scores", TensorProto.FLOAT, "row", "candidate"),
        _tensor("candidates", TensorProto.INT32, "row", "candidate"),
    ]


def reader_inputs(network: LanguageModel) -> list[onnx.ValueInfoProto]:
    """Return the inputs of the reader; a position is a row times the padded length plus the place in the row."""
    return [
        _tensor("ids", TensorProto.INT32, "batch", "time"),
        _tensor("lengths", TensorProto.INT32, "batch"),
        _tensor(STATE, TensorProto.FLOAT, "batch", state_size(network)),
        _tensor("positions", TensorProto.INT64, "position"),
        _tensor("targets", TensorProto.INT32, "position"),
    ]


def reader_outputs(network: LanguageModel) -> list[onnx.ValueInfoProto]:
    """Return the outputs of the reader: the log-probability of each target behind its position."""
    return [
        _tensor(NEXT_STATE, TensorProto.FLOAT, "batch", state_size(network)),
        _tensor("log_probabilities", TensorProto.FLOAT, "position"),
    ]


class _Layers:
    """The recurrent layers of a network as nodes; their weights are made once, outside of any subgraph."""

    def __init__(self, builder: GraphBuilder, products: Products, network: LanguageModel) -> None:
        self._builder, self._products, self._network = builder, products, network
        self._cells = list(network.directions[FORWARDS].encoder.forwards)
        self.size = network.config.hidden_size
        self._cell = CELLS[network.config.cell]

    def project_input(self, ids: str) -> str:
        """Ids (row,) -> (row, gates): the first layer's product of the embeddings."""
        first = self._cells[0]
        embedded = self._products.embed(self._network.input_norm, ids)
        weight = self._products.of_embedded(first.weight_ih_l0)
        return self._products.linear(self._products.join(embedded), weight, first.bias_ih_l0)

    def advance(self, projected: str, states: Sequence[str]) -> tuple[str, list[str]]:
        """One step: the first layer's product and the states before -> the last layer's hidden (row, hidden), and the
        states after."""
        builder, products = self._builder, self._products
        per_layer = NUM_STATES[self._network.config.cell]
        after: list[str] = []
        for number, cell in enumerate(self._cells):
            if number:
                projected = products.linear(products.join(after[-per_layer]), cell.weight_ih_l0, cell.bias_ih_l0)
            before = states[number * per_layer : (number + 1) * per_layer]
            hidden = products.linear(products.join(before[0]), cell.weight_hh_l0, cell.bias_hh_l0)
            after += self._cell(builder, projected, hidden, before)
        return after[-per_layer], after

    def split(self, state: str) -> list[str]:
        """Split a matrix (row, state) into each layer's states."""
        count = NUM_STATES[self._network.config.cell] * len(self._cells)
        sizes = self._builder.integers(*[self.size] * count)
        return self._builder.nodes("Split", state, sizes, num_outputs=count, axis=1)

    def join(self, states: Sequence[str]) -> str:
        """Each layer's states -> (row, state)."""
        return states[0] if len(states) == 1 else self._builder.node("Concat", *states, axis=1)


def _lstm(builder: GraphBuilder, given: str, hidden: str, before: Sequence[str]) -> list[str]:
    """torch's gates: input, forget, new, output."""
    gates = builder.nodes("Split", builder.node("Add", given, hidden), num_outputs=4, axis=1)
    let_in, keep, out = (builder.node("Sigmoid", gates[i]) for i in (0, 1, 3))
    new = builder.node("Mul", let_in, builder.node("Tanh", gates[2]))
    cell = builder.node("Add", builder.node("Mul", keep, before[1]), new)
    return [builder.node("Mul", out, builder.node("Tanh", cell)), cell]


def _gru(builder: GraphBuilder, given: str, hidden: str, before: Sequence[str]) -> list[str]:
    """torch's gates: reset, update, new; the reset gate comes behind the recurrent product."""
    of_given, of_hidden = (builder.nodes("Split", each, num_outputs=3, axis=1) for each in (given, hidden))
    reset, update = (builder.node("Sigmoid", builder.node("Add", of_given[i], of_hidden[i])) for i in range(2))
    own = builder.node("Mul", reset, of_hidden[2])
    new = builder.node("Tanh", builder.node("Add", of_given[2], own))
    return [builder.node("Add", new, builder.node("Mul", update, builder.node("Sub", before[0], new)))]


def _rnn(builder: GraphBuilder, given: str, hidden: str, before: Sequence[str]) -> list[str]:
    return [builder.node("Tanh", builder.node("Add", given, hidden))]


CELLS: dict[str, Callable[[GraphBuilder, str, str, Sequence[str]], list[str]]] = {
    "lstm": _lstm,
    "gru": _gru,
    "rnn": _rnn,
}


def _scores(builder: GraphBuilder, products: Products, network: LanguageModel, rows: str) -> str:
    """(row, hidden) -> (row, unit), log-probabilities."""
    layer: nn.Linear = network.directions[FORWARDS].readout
    readout = builder.node("Tanh", products.linear(products.join(rows), layer.weight, layer.bias))
    return builder.node("LogSoftmax", products.logits(products.join(readout), network.output_bias), axis=1)


def _tensor(name: str, kind: int, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)

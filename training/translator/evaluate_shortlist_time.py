"""Measure the time that a lexical shortlist would save: the int8 output layer as it ships beside one of candidates a
source.

    python -m training.translator.evaluate_shortlist_time --vocabulary 8000 --candidates 200

A shortlist (Jean et al. 2015; Junczys-Dowmunt et al. 2018) multiplies only those columns of the output layer that are
known translations of the source's tokens. Here every row may have another source and must not depend on its neighbours,
so each row multiplies by candidates of its own: weights that no other row uses, and that no kernel has packed before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from service.runtime.session import Arrays, OnnxSession
from training.export import save_graph
from training.onnx_graph import MICROSOFT, GraphBuilder, quantize_rows

ROWS = (1, 4, 16, 32, 128)
BEAM_SIZE = 4
NUM_BEST = 9
REPEATS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    vocabulary: int
    candidates: int
    embedding: int


def full_graph(sizes: Sizes) -> onnx.ModelProto:
    """The graph from ``readouts`` (row, embedding) to the best tokens of the whole vocabulary."""
    builder = GraphBuilder(half=False)
    table, scales = quantize_rows(torch.randn(sizes.vocabulary, sizes.embedding))
    step, zero = builder.scalar(1 / 127, np.float32), builder.scalar(128, np.uint8)
    inputs = [builder.node("QuantizeLinear", "readouts", step, zero), builder.store(table.T.contiguous().numpy()), step]
    inputs += [builder.store(scales[:, 0].numpy()), zero, "", builder.store(np.zeros(sizes.vocabulary, np.float32))]
    logits = builder.node("MatMulIntegerToFloat", *inputs, domain=MICROSOFT)
    return _best(builder, logits, [_readouts(sizes)])


def shortlist_graph(sizes: Sizes) -> onnx.ModelProto:
    """The graph from ``readouts`` to the best of each row's candidates.

    ``columns`` (source, embedding, candidate) are kept from the encoding of the source; ``sources`` (row,) gives the
    source of each row.
    """
    builder = GraphBuilder(half=False)
    step, zero = builder.scalar(1 / 127, np.float32), builder.scalar(128, np.uint8)
    readouts = builder.node("QuantizeLinear", "readouts", step, zero)
    columns = builder.node("Gather", "columns", "sources", axis=0)
    product = builder.node("MatMulInteger", builder.node("Unsqueeze", readouts, builder.integers(1)), columns, zero)
    product = builder.node("Cast", builder.node("Squeeze", product, builder.integers(1)), to=TensorProto.FLOAT)
    logits = builder.node("Mul", product, builder.node("Gather", "scales", "sources", axis=0))
    inputs = [
        _readouts(sizes),
        helper.make_tensor_value_info("sources", TensorProto.INT32, ["row"]),
        helper.make_tensor_value_info("columns", TensorProto.INT8, ["source", sizes.embedding, sizes.candidates]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, ["source", sizes.candidates]),
    ]
    return _best(builder, logits, inputs)


def inputs_of(sizes: Sizes, num_rows: int) -> Arrays:
    rng = np.random.default_rng(num_rows)
    num_sources = max(1, num_rows // BEAM_SIZE)
    shape = (num_sources, sizes.embedding, sizes.candidates)
    return {
        "readouts": np.tanh(rng.normal(size=(num_rows, sizes.embedding))).astype(np.float32),
        "sources": (np.arange(num_rows) // BEAM_SIZE % num_sources).astype(np.int32),
        "columns": rng.integers(-127, 128, shape).astype(np.int8),
        "scales": np.full((num_sources, sizes.candidates), 0.01, np.float32),
    }


def seconds_of(session: OnnxSession, inputs: Mapping[str, np.ndarray]) -> float:
    """The time of the fastest of several runs, in seconds of this thread, so that other processes count little."""
    wanted = {name: inputs[name] for name in session.input_names}
    best = float("inf")
    for _ in range(REPEATS):
        began = time.thread_time()
        session.run(wanted)
        best = min(best, time.thread_time() - began)
    return best


def _readouts(sizes: Sizes) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("readouts", TensorProto.FLOAT, ["row", sizes.embedding])


def _best(builder: GraphBuilder, logits: str, inputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
    scores = builder.node("LogSoftmax", logits, axis=1)
    best, places = builder.nodes("TopK", scores, builder.integers(NUM_BEST), num_outputs=2, axis=1)
    outputs = [
        helper.make_tensor_value_info("best", TensorProto.FLOAT, ["row", NUM_BEST]),
        helper.make_tensor_value_info("places", TensorProto.INT64, ["row", NUM_BEST]),
    ]
    return builder.model(inputs=inputs, outputs=outputs, results=[best, places])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument("--embedding", type=int, default=256)
    sizes = Sizes(**vars(parser.parse_args()))
    with TemporaryDirectory() as scratch:
        sessions = {}
        for name, graph in (("full", full_graph(sizes)), ("shortlist", shortlist_graph(sizes))):
            save_graph(graph, Path(scratch) / f"{name}.onnx")
            sessions[name] = OnnxSession(Path(scratch) / f"{name}.onnx")
        print("rows", *sessions)
        for num_rows in ROWS:
            inputs = inputs_of(sizes, num_rows)
            print(num_rows, *(f"{1e3 * seconds_of(session, inputs):.3f} ms" for session in sessions.values()))


if __name__ == "__main__":
    main()

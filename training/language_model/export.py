"""The graphs of a language model as files, checked against torch: texts read whole, then walks of single steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from service.runtime.session import OnnxSession, Session
from service.text.pipeline import Batch
from service.text.subwords import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from training.export import (
    GRAPHS,
    SHAPES,
    Arrays,
    largest_difference,
    random_lengths,
    relative_difference,
    round_weights,
    write_graph_sets,
)
from training.language_model.graphs import NEXT_STATE, STATE, reader_graph, state_size, step_graph
from training.matmul_variants import ByteProducts, FloatProducts
from training.networks.language_model import LanguageModel
from training.networks.layers import State

READERS = {"fp32": "reader.onnx", "int8": "reader.int8.onnx"}  # GRAPHS are the steps
PRODUCTS = {"fp32": FloatProducts, "int8": ByteProducts}
NUM_STEPS = 8  # of a walk
NUM_CANDIDATES = 5
NEVER = -100.0  # the bias of a unit that no text has; a larger one leaves float32 no digits for the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModelSessions:
    """Both graphs of a precision."""

    reader: Session
    step: Session

    @classmethod
    def open(cls, folder: Path, precision: str) -> LanguageModelSessions:
        return cls(reader=OnnxSession(folder / READERS[precision]), step=OnnxSession(folder / GRAPHS[precision]))


def make_final(network: LanguageModel) -> None:
    """Make of the network, in place, the one that ships: weights of float16, and no padding, unknown or begin as a next
    unit."""
    round_weights(network)
    with torch.no_grad():
        network.output_bias[[PAD_ID, UNK_ID, BOS_ID]] = NEVER


def write_language_model(network: LanguageModel, folder: Path, precisions: Sequence[str] = tuple(GRAPHS)) -> float:
    """Write the :data:`READERS` and :data:`GRAPHS` of these precisions and what they share; returns by how much fp32
    differs from torch.

    The network is the final one already. Raises ExportError, before anything is written, if the graphs do not do what
    the network does.
    """
    return write_graph_sets(
        folder,
        lambda precision: {
            READERS[precision]: reader_graph(network, PRODUCTS[precision]),
            GRAPHS[precision]: step_graph(network, PRODUCTS[precision]),
        },
        precisions=precisions,
        replaced=(*GRAPHS.values(), *READERS.values()),
        check=lambda proof: check_language_model(network, LanguageModelSessions.open(proof, "fp32")),
    )


def check_language_model(network: LanguageModel, sessions: LanguageModelSessions) -> float:
    """Compare torch with onnxruntime and return the largest difference. Raises ExportError if it is too large."""
    batches = [random_batch(shape, len(network.output_bias), seed) for seed, shape in enumerate(SHAPES)]
    return largest_difference(each for batch in batches for each in walk(network, sessions, batch))


@torch.inference_mode()
def walk(network: LanguageModel, sessions: LanguageModelSessions, batch: Batch) -> Iterator[float]:
    """The largest difference of what the reader gives for a batch whose states are not zero, then of some steps that go
    on from there, each side from its own states, by what torch thinks best."""
    rng = np.random.default_rng(batch.ids.size)
    own = rng.uniform(-1, 1, (len(batch.ids), state_size(network))).astype(np.float32)
    real = np.arange(batch.ids.shape[1]) < batch.lengths[:, None]
    targets = rng.integers(PAD_ID + 1, len(network.output_bias), batch.ids.shape).astype(np.int32)
    found = read(sessions.reader, batch, own, positions=np.flatnonzero(real), targets=targets[real])
    alone = [
        _read_alone(network, row[:length], first)
        for row, length, first in zip(batch.ids, batch.lengths, own, strict=True)
    ]
    wanted = [
        scores.gather(1, torch.from_numpy(row[: len(scores)]).long()[:, None])[:, 0]
        for (_, scores), row in zip(alone, targets, strict=True)
    ]
    yield float(np.abs(found["log_probabilities"] - torch.cat(wanted).numpy()).max())
    state = torch.cat([flat_state(each) for each, _ in alone])
    yield float(relative_difference(found[NEXT_STATE], state.numpy()).max())
    own, tokens = found[NEXT_STATE], np.array([scores[-1].argmax() for _, scores in alone], np.int32)
    for _ in range(NUM_STEPS):
        step = run_step(sessions.step, tokens, own)
        logits, after = network(torch.from_numpy(tokens).long()[:, None], unflat_state(network, state))
        expected, state = logits[:, 0].log_softmax(1), flat_state(after)
        yield step_difference(step, state, expected)
        own, tokens = step[NEXT_STATE], expected.argmax(1).numpy().astype(np.int32)


def _read_alone(
    network: LanguageModel, ids: npt.NDArray[np.int32], first: npt.NDArray[np.float32]
) -> tuple[State, torch.Tensor]:
    """The state behind one text, and (time, unit) log-probabilities."""
    logits, state = network(torch.from_numpy(ids).long()[None], unflat_state(network, torch.from_numpy(first)[None]))
    return state, logits[0].log_softmax(1)


def step_difference(found: Arrays, state: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest difference of states, of all log-probabilities, and of the best ones."""
    best = expected.topk(found["scores"].shape[1], dim=-1).values
    chosen = expected.gather(1, torch.from_numpy(found["candidates"]).long())
    pairs = [
        (found["log_probabilities"], expected),
        (found["scores"], best),
        (found["scores"], chosen),
    ]
    distances = [np.abs(actual - wanted.numpy()).max() for actual, wanted in pairs]
    return float(np.max([*distances, float(relative_difference(found[NEXT_STATE], state.numpy()).max())]))


def flat_state(state: State) -> torch.Tensor:
    """A network's state as the graphs have it: (row, state), each layer's hidden, then its cell."""
    assert state is not None
    return torch.stack(state, dim=1).permute(2, 0, 1, 3).flatten(1)  # from (layer, part, row, hidden)


def unflat_state(network: LanguageModel, flat: torch.Tensor) -> State:
    """Return a network's state of a matrix (row, state)."""
    size, layers = network.config.hidden_size, network.config.num_layers
    parts = flat.view(len(flat), layers, -1, size)  # (row, layer, part, hidden)
    return tuple(parts[:, :, i].transpose(0, 1).contiguous() for i in range(parts.shape[2]))


def read(
    reader: Session,
    batch: Batch,
    state: npt.NDArray[np.float32],
    *,
    positions: npt.NDArray[np.int64],
    targets: npt.NDArray[np.int32],
) -> Arrays:
    """One run of the reader."""
    inputs = {"ids": batch.ids, "lengths": batch.lengths, STATE: state}
    return reader.run({**inputs, "positions": positions.astype(np.int64), "targets": targets})


def run_step(
    step: Session, tokens: npt.NDArray[np.int32], state: npt.NDArray[np.float32], num_candidates: int = NUM_CANDIDATES
) -> Arrays:
    """One run of the step."""
    return step.run({"tokens": tokens, STATE: state, "num_candidates": np.array([num_candidates], np.int64)})


def random_batch(shape: tuple[int, int], vocabulary_size: int, seed: int) -> Batch:
    """Ids of every kind and ragged lengths."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(EOS_ID, vocabulary_size, shape).astype(np.int32)
    lengths = random_lengths(shape, rng)
    ids[np.arange(shape[1]) >= lengths[:, None]] = PAD_ID
    return Batch(ids=ids, lengths=lengths)

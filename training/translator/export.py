"""The graphs of a translator as files, checked against torch: encoder and first states, then walks of several steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from service.runtime.session import OnnxSession, Session
from service.text.pipeline import Batch, Ids
from service.text.subwords import BOS_ID, PAD_ID
from training.export import (
    GRAPHS,
    SHAPES,
    Arrays,
    largest_difference,
    random_lengths,
    torch_inputs,
    write_graph_sets,
)
from training.matmul_variants import ByteProducts, FloatProducts
from training.networks.translator import Step, Translator
from training.translator.graphs import (
    ANNOTATIONS,
    NEXT_STATE,
    SHORTLIST,
    STATE,
    encoder_graph,
    step_graph,
)
from training.translator.shortlist import Shortlist

ENCODERS = {"fp32": "encoder.onnx", "int8": "encoder.int8.onnx"}  # GRAPHS are the decoder's steps
PRODUCTS = {"fp32": FloatProducts, "int8": ByteProducts}
NUM_STEPS = 8  # of a walk
ROWS_PER_SOURCE = 2
NUM_CANDIDATES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatorSessions:
    """The sessions of both graphs of a precision."""

    encoder: Session
    step: Session

    @classmethod
    def open(cls, folder: Path, precision: str) -> TranslatorSessions:
        return cls(encoder=OnnxSession(folder / ENCODERS[precision]), step=OnnxSession(folder / GRAPHS[precision]))


def write_translator(
    network: Translator,
    folder: Path,
    precisions: Sequence[str] = tuple(GRAPHS),
    shortlist: Shortlist | None = None,
) -> float:
    """Write the :data:`ENCODERS` and :data:`GRAPHS` of these precisions and their shared weights; returns the largest
    difference of fp32 from torch. With a shortlist the output layer is computed for each source's list alone.

    The network's weights are rounded already. Raises ExportError, before anything is written, if the graphs do not give
    the output of the network.
    """
    return write_graph_sets(
        folder,
        lambda precision: {
            ENCODERS[precision]: encoder_graph(network, PRODUCTS[precision], shortlist),
            GRAPHS[precision]: step_graph(network, PRODUCTS[precision], shortlist),
        },
        precisions=precisions,
        replaced=(*GRAPHS.values(), *ENCODERS.values()),
        check=lambda proof: check_translator(network, TranslatorSessions.open(proof, "fp32")),
    )


def check_translator(network: Translator, sessions: TranslatorSessions) -> float:
    """Compare torch with onnxruntime and return the largest difference. Raises ExportError if it is too large."""
    batches = check_batches(network.embedding.num_embeddings)
    return largest_difference(each for batch in batches for each in walk(network, sessions, batch))


@torch.inference_mode()
def walk(network: Translator, sessions: TranslatorSessions, batch: Batch) -> Iterator[float]:
    """The largest difference in the encoder's output and in each of some steps.

    Both sides continue with torch's best or second best tokens, each from its own states. Between steps rows are
    dropped and others doubled, like the hypotheses of a beam.
    """
    memory, first = network.encode(*torch_inputs(batch))
    encoded = sessions.encoder.run({"ids": batch.ids, "lengths": batch.lengths})
    yield float(np.abs(encoded[STATE] - first.numpy()).max())
    real = memory.mask.numpy()
    yield float(np.abs(encoded[ANNOTATIONS] - memory.annotations.numpy())[real].max())
    rng = np.random.default_rng(batch.ids.size)
    sources = rng.integers(0, len(batch.ids), ROWS_PER_SOURCE * len(batch.ids)).astype(np.int32)
    tokens = np.full(len(sources), BOS_ID, np.int32)
    state, own = first[sources], encoded[STATE][sources]
    for _ in range(NUM_STEPS):
        found = run_step(sessions.step, encoded, batch.lengths, tokens=tokens, state=own, sources=sources)
        step, expected = network.step(torch.from_numpy(tokens).long(), state, memory.select(torch.from_numpy(sources)))
        if SHORTLIST in encoded:
            expected = among(torch.from_numpy(encoded[SHORTLIST][sources]).long(), expected)
        yield step_difference(found, step, expected)
        parents, ranks = rng.integers(0, len(sources), len(sources)), rng.integers(0, 2, len(sources))
        tokens = expected.topk(2, dim=-1).indices.numpy()[parents, ranks].astype(np.int32)
        state, own, sources = step.state[parents], found[NEXT_STATE][parents], sources[parents]


def among(listed: torch.Tensor, log_probabilities: torch.Tensor) -> torch.Tensor:
    """Log-probabilities (row, vocabulary) if only the ids ``listed`` (row, id) are possible; -inf for all others."""
    allowed = torch.full_like(log_probabilities, -torch.inf).scatter(1, listed, 0)
    return torch.log_softmax(log_probabilities + allowed, dim=-1)


def run_step(
    step: Session,
    encoded: Arrays,
    lengths: Ids,
    *,
    tokens: Ids,
    state: npt.NDArray[np.float32],
    sources: Ids,
    num_candidates: int = NUM_CANDIDATES,
) -> Arrays:
    """Run one step; ``encoded`` is the encoder's output."""
    memories = {name: values for name, values in encoded.items() if name != STATE}
    own = {"tokens": tokens, STATE: state, "sources": sources, "lengths": lengths}
    return step.run({**memories, **own, "num_candidates": np.array([num_candidates], np.int64)})


def step_difference(found: Arrays, step: Step, expected: torch.Tensor) -> float:
    """The largest difference of states, attention, and scores: the scores of the chosen tokens, and the best scores."""
    chosen = torch.from_numpy(found["candidates"]).long()
    best = expected.topk(chosen.shape[1], dim=-1).values
    pairs = [
        (found[NEXT_STATE], step.state),
        (found["attention"], step.weights),
        (found["scores"], expected.gather(1, chosen)),
        (found["scores"], best),
    ]
    return float(np.max([np.abs(actual - wanted.numpy()).max() for actual, wanted in pairs]))


def check_batches(vocabulary_size: int) -> list[Batch]:
    """One batch of each of :data:`SHAPES`."""
    return [random_batch(shape, vocabulary_size, seed) for seed, shape in enumerate(SHAPES)]


def random_batch(shape: tuple[int, int], vocabulary_size: int, seed: int) -> Batch:
    """A batch of ids of every kind and ragged lengths."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, vocabulary_size, shape).astype(np.int32)
    lengths = random_lengths(shape, rng)
    ids[np.arange(shape[1]) >= lengths[:, None]] = PAD_ID
    return Batch(ids=ids, lengths=lengths)

"""Loops that write with a language model and have no service: over the bare step graph, and in PyTorch's eager mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.ways import Decode, Ids
from service.bundle import Bundle
from service.decoding.search import MAX_CANDIDATES, Prompt
from service.predictors.language_model import LanguageModel
from service.text.pipeline import pad
from service.text.subwords import EOS_ID

SEED = 1
Step = Callable[[Any, Any], tuple[Any, Any]]  # the last tokens (row,) and a state to the next ones


def raw_loop(model: LanguageModel, num_together: int, temperature: float) -> Decode:
    """The bundle's graphs in onnxruntime: the reader reads a batch of prompts, then the step graph writes."""
    num_candidates = MAX_CANDIDATES if temperature else 1
    draw = np.random.default_rng(SEED)

    def step(tokens: npt.NDArray[np.int32], state: Any) -> tuple[Any, Any]:
        found = model.graphs.step(tokens, state, num_candidates)
        if not temperature:
            return found.candidates[:, 0], found.state
        shares = np.exp(found.scores / temperature).cumsum(axis=1)
        chosen = (shares > draw.random((len(tokens), 1)) * shares[:, -1:]).argmax(axis=1)
        return found.candidates[np.arange(len(tokens)), chosen], found.state

    def write(prompts: Sequence[Prompt]) -> list[Ids]:
        state = model.graphs.read(pad([prompt.ids[:-1] for prompt in prompts]), model.graphs.first_state(len(prompts)))
        return write_together(step, np.array([prompt.ids[-1] for prompt in prompts], np.int32), state, prompts)

    return in_batches(write, num_together)


def eager_loop(bundle: Bundle, num_together: int, temperature: float) -> Decode:
    """The network with the bundle's weights in PyTorch, on one thread: prompts are read one by one, written together.

    Raises ValueError if the bundle is none that training wrote in int8.
    """
    import torch

    from training.language_model.bundle_start import network_of_bundle

    torch.set_num_threads(1)
    network = network_of_bundle(bundle.folder).eval()
    draw = torch.Generator().manual_seed(SEED)

    def step(tokens: torch.Tensor, state: Any) -> tuple[Any, Any]:
        logits, state = network(tokens[:, None], state)
        if not temperature:
            return logits[:, 0].argmax(-1), state
        return torch.multinomial((logits[:, 0] / temperature).softmax(-1), 1, generator=draw)[:, 0], state

    def write(prompts: Sequence[Prompt]) -> list[Ids]:
        with torch.inference_mode():
            states = [network.read(torch.from_numpy(prompt.ids[None, :-1]).long())[1] for prompt in prompts]
            state = tuple(torch.cat(parts, dim=1) for parts in zip(*states, strict=True))
            return write_together(step, torch.tensor([int(prompt.ids[-1]) for prompt in prompts]), state, prompts)

    return in_batches(write, num_together)


def write_together(step: Step, tokens: Any, state: Any, prompts: Sequence[Prompt]) -> list[Ids]:
    """Write behind all prompts of a batch until each text has ended or is as long as it may be; rows of texts that have
    ended stay in the batch."""
    written: list[list[int]] = [[] for _ in prompts]
    for _ in range(max(prompt.options.max_tokens for prompt in prompts)):
        tokens, state = step(tokens, state)
        live = [
            row
            for row, prompt in enumerate(prompts)
            if len(written[row]) < prompt.options.max_tokens and written[row][-1:] != [EOS_ID]
        ]
        if not live:
            break
        chosen = tokens.tolist()
        for row in live:
            written[row].append(chosen[row])
    return [tuple(ids) for ids in written]


def in_batches(write: Decode, num_together: int) -> Decode:
    """The same, so many prompts at a time, one batch behind the other."""

    def write_all(prompts: Sequence[Prompt]) -> list[Ids]:
        starts = range(0, len(prompts), num_together)
        return [ids for start in starts for ids in write(prompts[start : start + num_together])]

    return write_all

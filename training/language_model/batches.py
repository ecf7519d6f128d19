"""Running text as parallel streams, cut into stretches for truncated backpropagation through time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from service.text.pipeline import Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBatch:
    """The next stretch of every stream; the last token of one is the first of the next."""

    forwards: Tensor  # (batch, time + 1)
    backwards: Tensor  # (batch, time + 1), another stretch of the same text, last token first
    is_first: bool  # nothing came before: states start anew

    def streams(self) -> Mapping[str, Tensor]:
        return {"forwards": self.forwards, "backwards": self.backwards}

    @property
    def num_tokens(self) -> int:
        """That are predicted, by direction."""
        return self.forwards.shape[0] * (self.forwards.shape[1] - 1)

    def to(self, device: torch.device) -> StreamBatch:
        return StreamBatch(
            forwards=self.forwards.to(device), backwards=self.backwards.to(device), is_first=self.is_first
        )


def stream_batches(
    texts: Sequence[Ids], *, num_streams: int, num_steps: int, end_id: int, rng: np.random.Generator | None = None
) -> Iterator[StreamBatch]:
    """Texts end to end, ``end_id`` around each, in ``num_streams`` rows of like length, ``num_steps`` at a time.

    With ``rng`` the texts are shuffled and the stretches vary in length by a fifth (Merity et al. 2018, section 5).
    What does not fill the last column of the rows is left out.
    """
    order = np.arange(len(texts)) if rng is None else rng.permutation(len(texts))
    end = np.array([end_id], np.int32)
    running = np.concatenate([end, *(part for i in order for part in (texts[i], end))])
    width = len(running) // num_streams
    rows = torch.from_numpy(running[: num_streams * width].reshape(num_streams, width).astype(np.int64))
    turned = rows.flip(1)
    start = 0
    while start + 1 < width:
        steps = num_steps if rng is None else int(num_steps * rng.uniform(0.8, 1.2))
        stop = min(start + max(1, steps), width - 1)
        yield StreamBatch(
            forwards=rows[:, start : stop + 1], backwards=turned[:, start : stop + 1], is_first=start == 0
        )
        start = stop


def num_batches(texts: Sequence[Ids], *, num_streams: int, num_steps: int) -> int:
    """About how many :func:`stream_batches` gives."""
    return max(1, (sum(map(len, texts)) + len(texts)) // (num_streams * num_steps))

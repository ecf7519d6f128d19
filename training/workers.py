"""Data-parallel training: several processes train one network, each on its share of an epoch's batches, and average
gradients at every step.

They are started by torch's own launcher:

    python -m torch.distributed.run --standalone --nproc-per-node 2 -m training.translator.train CONFIG

A step then sees as many batches as there are processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import distributed, nn

Batch = TypeVar("Batch")
Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class Workers:
    """This process among the processes that train; a single one by default."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls) -> Workers:
        """Join the processes that the launcher started; a single process if there was no launcher."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("gloo")
        return cls(rank=distributed.get_rank(), count=count)

    @property
    def is_first(self) -> bool:
        """Whether this process scores, saves and logs for all."""
        return self.rank == 0

    def share_of(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Every ``count``-th batch; the last batches, if too few for all processes, are left out."""
        for group in zip(*[iter(batches)] * self.count, strict=False):
            yield group[self.rank]

    def average_gradients(self, network: nn.Module) -> None:
        """Replace every gradient by the mean over all processes."""
        if self.count == 1:
            return
        gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
        flat = torch.cat([each.flatten() for each in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        for each, mean in zip(gradients, flat.split([each.numel() for each in gradients]), strict=True):
            each.copy_(mean.view_as(each))

    def agree_on(self, content: Content) -> Content:
        """The value of the first process, in every process."""
        if self.count == 1:
            return content
        box: list[Any] = [content]
        distributed.broadcast_object_list(box)
        found: Content = box[0]
        return found

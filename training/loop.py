"""The training loop of every network, :func:`fit`. A network has a method ``loss(batch)``; a run has batches by epoch
and a score on dev.
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from training.config import FitConfig
from training.displays import Display, EpochBars, Silent
from training.workers import Workers

FALLING_SHARE = 0.5  # of the minutes of a run that is limited by time: the rate falls in this last share
Epoch = Callable[[np.random.Generator], Iterable[Any]]  # one epoch's batches from a generator of its own
Score = Callable[[nn.Module], Mapping[str, float]]  # dev figures; "score" is the one to raise


@dataclass(kw_only=True)
class Progress:
    """The fields of a checkpoint besides the weights."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_score: float = float("-inf")
    history: list[dict[str, float]] = field(default_factory=list)


def pick_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Tell whether the processor multiplies bfloat16 faster than float32; other processors are far slower with it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported()


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def fit(
    network: nn.Module,
    epoch_of: Epoch,
    *,
    steps_per_epoch: int,
    score: Score,
    config: FitConfig,
    folder: Path,
    display: Display | None = None,
) -> nn.Module:
    """Train, and return the averaged weights of the epoch that scored best on dev.

    Adam with linear warm-up and decay to zero, over all epochs or the last ones (Hägele et al. 2024); gradient norm
    clipped; what is scored is an exponential moving average of the weights (Polyak and Juditsky 1992). ``folder`` gets
    a checkpoint an epoch, from which a broken-off run goes on as if it had never stopped, ``best.pt``, and TensorBoard
    logs where it is installed. Without a ``display`` progress is shown as :class:`EpochBars`.
    """
    run = _Run(network, steps_per_epoch=steps_per_epoch, config=config, folder=folder, display=display or EpochBars())
    run.resume()
    try:
        while run.progress.epoch < config.num_epochs and not run.out_of_patience() and not run.is_out_of_time:
            began, cpu_began = time.perf_counter(), time.process_time()
            loss = run.train_epoch(epoch_of)
            figures = {"loss": loss, "seconds": time.perf_counter() - began}
            figures["cpu_seconds"] = time.process_time() - cpu_began
            is_last = run.progress.epoch == config.num_epochs or run.is_out_of_time
            if run.progress.epoch % config.evaluate_every == 0 or is_last:
                figures |= run.evaluate(score)
            run.record(figures)
    finally:
        run.close()
    return run.best()


class _Run:
    """The changing parts of one call of :func:`fit`."""

    def __init__(
        self, network: nn.Module, *, steps_per_epoch: int, config: FitConfig, folder: Path, display: Display
    ) -> None:
        self.device, self.workers = pick_device(), Workers.join()
        self.display = display if self.workers.is_first else Silent()
        if (config.minutes or config.limit_minutes) is not None and self.workers.count > 1:
            raise ValueError("minutes: each process would end at a step of its own; count epochs")
        self.network = network.to(self.device)
        self.averaged = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.config, self.folder = config, folder
        self.optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.began_at = time.perf_counter()
        self._rate_by_steps = _rate_by_steps(config, steps_per_epoch // self.workers.count)
        rate = self._rate_by_both if config.minutes is None else self._rate_by_time
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, rate)
        self.autocast = config.bf16 and has_fast_bfloat16(self.device)
        self.progress = Progress()
        self.display.begin(config.num_epochs * steps_per_epoch // self.workers.count)
        folder.mkdir(parents=True, exist_ok=True)
        self.log = _open_log(folder) if self.workers.is_first else None

    def train_epoch(self, epoch_of: Epoch) -> float:
        """Train for one epoch. Its randomness depends on the seed and the number of the epoch, so that a resumed run
        repeats it."""
        progress = self.progress
        seed = self.config.seed * 1000 + progress.epoch
        seed_everything(seed)
        self.network.train()
        losses: list[float] = []
        own = self.workers.share_of(self._batches(epoch_of, seed))
        for batch in self.display.steps(own, epoch=progress.epoch + 1):
            losses.append(self.train_step(batch.to(self.device)))
            self.display.step_ended(losses)
            if self.is_out_of_time:
                break
        progress.epoch += 1
        return float(np.mean(losses))

    def _batches(self, epoch_of: Epoch, seed: int) -> Iterator[Any]:
        """The batches of an epoch, the same in every process; dropout differs between processes."""
        for number, batch in enumerate(epoch_of(np.random.default_rng(seed))):
            if number == 0 and self.workers.count > 1:
                torch.manual_seed(seed * self.workers.count + self.workers.rank)
            yield batch

    def train_step(self, batch: Any) -> float:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            loss = self.network.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.workers.average_gradients(self.network)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        self.schedule.step()
        self.progress.step += 1
        decay = min(self.config.ema_decay, (1 + self.progress.step) / (10 + self.progress.step))
        with torch.no_grad():
            targets, sources = list(self.averaged.parameters()), list(self.network.parameters())
            torch._foreach_lerp_(targets, sources, 1 - decay)
        return loss.item()

    def evaluate(self, score: Score) -> dict[str, float]:
        figures: dict[str, float] = {}
        if self.workers.is_first:
            with torch.inference_mode():
                figures = {name: float(value) for name, value in score(self.averaged).items()}
        figures = self.workers.agree_on(figures)
        if figures["score"] > self.progress.best_score:
            self.progress.best_score, self.progress.best_epoch = figures["score"], self.progress.epoch
            if self.workers.is_first:
                _save({"network": self.averaged.state_dict()}, self.folder / "best.pt")
        return figures

    def record(self, figures: dict[str, float]) -> None:
        epoch = self.progress.epoch
        self.progress.history.append({"epoch": epoch, **figures})
        if not self.workers.is_first:
            return
        self.display.epoch_ended(epoch, figures)
        for name, value in figures.items():
            if self.log:
                self.log.add_scalar(name, value, epoch)
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "progress": vars(self.progress),
        }
        _save(state, self.folder / "checkpoint.pt")

    def resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.progress = Progress(**state["progress"])
            # The configuration may have changed.
            self.schedule.base_lrs = [self.config.learning_rate] * len(self.schedule.base_lrs)
            print(f"resumed from {path} after epoch {self.progress.epoch}")

    @property
    def minutes_left(self) -> float:
        """The minutes that remain of those in the configuration; infinity if it limits them in no way."""
        limit = self.config.minutes if self.config.minutes is not None else self.config.limit_minutes
        return float("inf") if limit is None else limit - (time.perf_counter() - self.began_at) / 60

    @property
    def is_out_of_time(self) -> bool:
        return self.minutes_left <= 0

    def _rate_by_time(self, step: int) -> float:
        """The share of the learning rate when so many minutes are left: 1 at first, falling to 0 at the end."""
        limit = self.config.minutes if self.config.minutes is not None else self.config.limit_minutes
        assert limit is not None
        falling = self.minutes_left / (FALLING_SHARE * limit)
        return max(0.0, min(1.0, (step + 1) / max(1, self.config.warmup_steps), falling))

    def _rate_by_both(self, step: int) -> float:
        """The share of the learning rate that the step has, or the clock if that allows less."""
        by_steps = self._rate_by_steps(step)
        return by_steps if self.config.limit_minutes is None else min(by_steps, self._rate_by_time(step))

    def out_of_patience(self) -> bool:
        progress = self.progress
        return progress.best_epoch > 0 and progress.epoch - progress.best_epoch >= self.config.patience

    def close(self) -> None:
        self.display.close()
        if self.log:
            self.log.close()

    def best(self) -> nn.Module:
        state = torch.load(self.folder / "best.pt", map_location=self.device, weights_only=True)
        self.averaged.load_state_dict(state["network"])
        return self.averaged


def _rate_by_steps(config: FitConfig, steps_per_epoch: int) -> Callable[[int], float]:
    """The share of the learning rate that each step has."""
    total = max(1, config.num_epochs * steps_per_epoch)
    falling = total if config.decay_epochs is None else max(1, config.decay_epochs * steps_per_epoch)
    warmup = max(1, config.warmup_steps)
    return lambda step: max(0.0, min(1.0, (step + 1) / warmup, (total - step) / falling))


def _save(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint atomically, so that a run killed while it writes keeps the last checkpoint whole."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _open_log(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

torch = pytest.importorskip("torch")

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from training.config import FitConfig
from training.loop import _rate_by_steps, fit

CONFIG = FitConfig(num_epochs=6, learning_rate=0.05, warmup_steps=5, ema_decay=0.9, patience=100, bf16=False)
STEPS = 8


@dataclass(frozen=True)
class ToyBatch:
    inputs: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> ToyBatch:
        return ToyBatch(self.inputs.to(device), self.targets.to(device))


class Toy(nn.Module):
    """Learns whether the first of four numbers is the larger of two; dropout makes it draw random numbers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 2))

    def loss(self, batch):
        return functional.cross_entropy(self.layers(batch.inputs), batch.targets)


def toy_batch(rng):
    inputs = torch.from_numpy(rng.normal(size=(32, 4)).astype("float32"))
    return ToyBatch(inputs, (inputs[:, 0] > inputs[:, 1]).long())


def toy_epoch(rng):
    return [toy_batch(rng) for _ in range(STEPS)]


def accuracy(network):
    batch = toy_batch(np.random.default_rng(99))
    device = next(network.parameters()).device
    hits = network.layers(batch.inputs.to(device)).argmax(dim=1).cpu() == batch.targets
    return {"accuracy": float(hits.float().mean()), "score": float(hits.float().mean())}


def run(folder, *, network=None, epoch=toy_epoch, score=accuracy, config=CONFIG):
    return fit(network or Toy(), epoch, steps_per_epoch=STEPS, score=score, config=config, folder=folder)


def weights(network):
    return {name: value.cpu() for name, value in network.state_dict().items()}


def checkpoint(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True, map_location="cpu")


def assert_same(one, other):
    torch.testing.assert_close(one, other, rtol=0, atol=0)


class Rising:
    """A score for each evaluation, as given."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)

    def __call__(self, network):
        return {"score": self.scores.pop(0)}


class PowerCut:
    """Epochs of the toy until one of them breaks off in the middle."""

    def __init__(self, *, epoch: int) -> None:
        self.left = epoch

    def __call__(self, rng):
        self.left -= 1
        for i, batch in enumerate(toy_epoch(rng)):
            if self.left == 0 and i == 3:
                raise KeyboardInterrupt
            yield batch


def test_a_toy_task_is_learned(tmp_path):
    before = accuracy(Toy().eval())["score"]
    best = run(tmp_path)
    assert accuracy(best)["score"] > max(0.9, before)
    history = checkpoint(tmp_path)["progress"]["history"]
    assert [figures["epoch"] for figures in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    first, second = run(tmp_path / "1"), run(tmp_path / "2")
    other = run(tmp_path / "3", config=replace(CONFIG, seed=2))
    assert_same(weights(first), weights(second))
    assert not torch.equal(weights(first)["layers.0.weight"], weights(other)["layers.0.weight"])


@pytest.mark.parametrize("epoch", [1, 2, 5])
def test_a_run_that_was_broken_off_goes_on_as_if_it_had_not_been(tmp_path, epoch):
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", epoch=PowerCut(epoch=epoch))
    torch.manual_seed(12345)  # a new process draws other numbers
    resumed = run(tmp_path / "broken", network=Toy())
    assert_same(weights(resumed), weights(whole))
    one, other = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "broken")
    for name in ("network", "averaged", "optimizer", "schedule"):
        assert_same(one[name], other[name])


def test_a_finished_run_started_again_returns_its_best_at_once(tmp_path):
    best = run(tmp_path)
    assert_same(weights(run(tmp_path, epoch=None, score=None)), weights(best))


def test_what_is_returned_is_the_average_of_the_best_epoch(tmp_path):
    seen = []

    def score(network):
        seen.append({name: value.clone() for name, value in weights(network).items()})
        return {"score": [1.0, 5.0, 3.0, 2.0, 0.0, 4.0][len(seen) - 1]}

    assert_same(weights(run(tmp_path, score=score)), seen[1])


def test_it_stops_when_patience_is_out(tmp_path):
    run(tmp_path, score=Rising(1.0, 2.0, 1.5, 2.0), config=replace(CONFIG, patience=2))
    progress = checkpoint(tmp_path)["progress"]
    assert (progress["epoch"], progress["best_epoch"]) == (4, 2)


def test_it_is_scored_every_so_many_epochs_and_after_the_last(tmp_path):
    run(tmp_path, score=Rising(1.0, 2.0), config=replace(CONFIG, num_epochs=5, evaluate_every=4))
    history = checkpoint(tmp_path)["progress"]["history"]
    assert [figures["epoch"] for figures in history if "score" in figures] == [4, 5]


def test_the_gradient_is_clipped(tmp_path):
    norms = {}

    class Recording(Toy):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def loss(self, batch):
            grads = [p.grad for p in self.parameters() if p.grad is not None]
            if grads:
                norms.setdefault(self.name, []).append(float(nn.utils.get_total_norm(grads)))
            return 100 * super().loss(batch)

    for clip in (0.5, 1e9):
        run(tmp_path / str(clip), network=Recording(str(clip)), config=replace(CONFIG, gradient_clip=clip))
    assert max(norms["0.5"]) == pytest.approx(0.5, rel=1e-3)
    assert max(norms["1000000000.0"]) > 5


def test_the_average_moves_more_slowly_than_the_weights(tmp_path):
    start = weights(Toy())["layers.0.weight"]
    run(tmp_path, config=replace(CONFIG, num_epochs=1))
    state = checkpoint(tmp_path)
    moved = (state["network"]["layers.0.weight"] - start).norm()
    assert 0 < (state["averaged"]["layers.0.weight"] - start).norm() < moved


def test_without_averaging_the_average_is_the_weights(tmp_path):
    run(tmp_path, config=replace(CONFIG, ema_decay=0.0))
    state = checkpoint(tmp_path)
    assert_same(state["averaged"], state["network"])


def test_the_rate_rises_and_then_falls_to_nothing(tmp_path):
    run(tmp_path)
    assert checkpoint(tmp_path)["schedule"]["_last_lr"] == [0.0]


def test_figures_of_numpy_are_figures_too(tmp_path):
    run(tmp_path, score=lambda network: {"score": np.float64(0.5)})
    assert checkpoint(tmp_path)["progress"]["best_score"] == 0.5


def test_a_run_of_limited_time_ends_in_the_midst_of_an_epoch_and_is_scored(tmp_path):
    def endless(rng):
        while True:
            yield toy_batch(rng)

    config = replace(CONFIG, minutes=0.005)
    trained = run(tmp_path, epoch=endless, config=config)
    assert accuracy(trained)["score"] > 0.6
    assert (tmp_path / "best.pt").exists()


def test_the_rate_falls_only_in_the_last_epochs_where_a_run_says_so(tmp_path):
    config = replace(CONFIG, num_epochs=4, decay_epochs=1, warmup_steps=1)
    falling, rates = _rate_by_steps(config, STEPS), range(4 * STEPS + 1)
    assert [falling(step) for step in rates[: 3 * STEPS + 1]] == [1.0] * (3 * STEPS + 1)
    assert falling(4 * STEPS) == 0.0

"""Two processes that train one network, started as a user starts them."""

from __future__ import annotations

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from training.workers import Workers

PROGRAM = """
import sys
from pathlib import Path
import torch
from training.config import FitConfig
from training.loop import fit
from training.workers import Workers

class Batch:
    def __init__(self, inputs):
        self.inputs = inputs
    def to(self, device):
        return self

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3, 1)
    def loss(self, batch):
        return (self.layer(batch.inputs) - batch.inputs.sum(dim=1, keepdim=True)).pow(2).mean()

def epoch(rng):
    return [Batch(torch.from_numpy(rng.normal(size=(8, 3)).astype("float32"))) for _ in range(41)]

def score(network):
    return {"score": -float((network.layer.weight - 1).abs().max())}

config = FitConfig(num_epochs=6, learning_rate=0.05, warmup_steps=1, ema_decay=0.9, bf16=False)
best = fit(Network(), epoch, steps_per_epoch=41, score=score, config=config, folder=Path(sys.argv[1]))
(Path(sys.argv[1]) / f"{Workers.join().rank}.txt").write_text(" ".join(map(str, best.layer.weight[0].tolist())))
"""


def test_processes_end_with_the_same_weights_and_one_of_them_saves(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, str(program), str(tmp_path / "run")], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = ((tmp_path / "run" / f"{rank}.txt").read_text() for rank in range(2))
    assert first == second
    assert all(abs(float(each) - 1) < 0.05 for each in first.split())
    checkpoint = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert checkpoint["progress"]["step"] == 6 * 20  # of 41 batches an epoch one is left over


def test_alone_every_batch_is_ones_own():
    assert list(Workers().share_of(range(5))) == [0, 1, 2, 3, 4]


def test_shares_are_disjoint_and_of_one_size():
    shares = [list(Workers(rank=rank, count=3).share_of(range(11))) for rank in range(3)]
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]

"""The mean of the weights of several files of a run."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tests.training.scripts import run
from training.mean_weights import main, mean_of


def test_the_mean_of_best_weights_and_of_a_checkpoint_s_running_average_is_written(tmp_path, monkeypatch, capsys):
    best, checkpoint, out = tmp_path / "best.pt", tmp_path / "checkpoint.pt", tmp_path / "mean.pt"
    torch.save({"network": {"a": torch.tensor([1.0, 2.0])}}, best)
    torch.save({"network": {"a": torch.zeros(2)}, "averaged": {"a": torch.tensor([3.0, 6.0])}}, checkpoint)
    run(main, monkeypatch, best, checkpoint, "--out", out)
    assert torch.load(out, weights_only=True)["network"]["a"].tolist() == [2.0, 4.0]
    assert "2 weights, the mean of 2 files" in capsys.readouterr().out


def test_networks_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="layers or sizes"):
        mean_of([{"a": torch.zeros(2)}, {"a": torch.zeros(3)}])

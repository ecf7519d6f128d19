"""The progress of a training run for a person who waits."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from training.own_data.progress import TimeLeft


def shown(capsys, *, limit_minutes: float, num_trained: int) -> str:
    display = TimeLeft(limit_minutes=limit_minutes, figure="accuracy")
    display.begin(10)
    assert list(display.steps(iter(range(num_trained)), epoch=1)) == list(range(num_trained))
    display.epoch_ended(1, {"score": 50.0, "own accuracy": 61.5})
    display.epoch_ended(2, {"score": 40.0, "own accuracy": 70.0})
    display.close()
    return capsys.readouterr().err


def test_only_a_better_epoch_is_told(capsys):
    told = shown(capsys, limit_minutes=60, num_trained=10)
    assert "epoch   1: accuracy on dev 61.50, the best so far" in told
    assert "epoch   2" not in told
    assert "ended training" not in told


def test_a_run_that_the_limit_ended_says_how_much_was_missing(capsys):
    told = shown(capsys, limit_minutes=1e-9, num_trained=3)
    assert "The time ended training after 30 % of the planned steps" in told
    assert "ended training" not in shown(capsys, limit_minutes=60, num_trained=3), "it stopped early by itself"

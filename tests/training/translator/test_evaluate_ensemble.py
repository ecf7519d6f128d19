"""The figures of runs, alone and together, by the script's own door."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
for package in ("sacrebleu", "sacremoses"):
    pytest.importorskip(package)

from tests.training.corpora.made_up_pairs import write_pairs
from tests.training.scripts import run
from tests.training.translator.test_train import write_config
from training.translator import evaluate_ensemble, train


def test_one_run_and_two_together_are_measured(tmp_path, monkeypatch, capsys):
    write_pairs(tmp_path / "data")
    config = write_config(tmp_path)
    first, second = tmp_path / "first", tmp_path / "second"
    run(train.main, monkeypatch, config, "--data-dir", tmp_path / "data", "--run-dir", first)
    other = (
        config.read_text("utf-8")
        .replace("[fit]", "[fit]\nseed = 2")
        .replace("subword_sampling = 0.1", f'pairs = "{first}"')
    )
    (tmp_path / "other.toml").write_text(other, encoding="utf-8")
    run(
        train.main,
        monkeypatch,
        tmp_path / "other.toml",
        "--data-dir",
        tmp_path / "data",
        "--run-dir",
        second,
    )
    capsys.readouterr()
    figures = [
        measure(monkeypatch, capsys, config, tmp_path / "data", *runs)
        for runs in ([first], [first, first], [first, second])
    ]
    assert figures[0] == figures[1]  # of two alike the mean is either
    assert figures[0].keys() == figures[2].keys()
    assert any("bleu_literature" in name for name in figures[0])


def measure(monkeypatch, capsys, config, data_dir, *runs) -> dict[str, str]:
    run(evaluate_ensemble.main, monkeypatch, config, "--data-dir", data_dir, "--runs", *runs, "--split", "dev")
    lines = capsys.readouterr().out.splitlines()
    return dict(line.split() for line in lines if not line.startswith("nrefs"))

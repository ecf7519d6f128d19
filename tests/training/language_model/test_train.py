"""A language model of made-up running text, by the script itself."""

from __future__ import annotations

import tomllib
from math import exp
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.training.language_model.made_up_text import write_running_text
from tests.training.scripts import run
from training.config import build
from training.language_model import train
from training.language_model.config import LanguageModelRun
from training.language_model.perplexity import log_likelihoods, stream_perplexity
from training.language_model.train import Epochs
from training.networks.language_model import LanguageModel, LanguageModelConfig

MODEL = """
name = "made-up"
units = "{units}"
sources = [{sources}]
vocabulary_size = 330
epoch_tokens = {epoch_tokens}
dev_tokens = 200
num_streams = 2
num_steps = 8
sampled_minutes = 0

[network]
embedding_size = 6
hidden_size = 8
num_sampled = 8
bidirectional = {bidirectional}

[fit]
num_epochs = 2
learning_rate = 1e-2
warmup_steps = 2
bf16 = false
"""
KINDS = [
    ("subwords", '"lm-english/help", "tatoeba/en-es/train", "dialogue-sgd/train"', 500, "false"),
    ("words", '"lm-english/help"', 500, "true"),
    ("characters", '"shakespeare/input"', 0, "false"),
    ("tokens", '"ptb/train"', 0, "false"),
]


@pytest.mark.parametrize(("units", "sources", "epoch_tokens", "bidirectional"), KINDS)
def test_a_language_model_is_trained_and_its_perplexity_told(
    tmp_path, monkeypatch, capsys, units, sources, epoch_tokens, bidirectional
):
    data_dir: Path = tmp_path / "data"
    write_running_text(data_dir)
    config = tmp_path / "config.toml"
    config.write_text(
        MODEL.format(units=units, sources=sources, epoch_tokens=epoch_tokens, bidirectional=bidirectional),
        encoding="utf-8",
    )
    run(train.main, monkeypatch, config, "--data-dir", data_dir, "--run-dir", tmp_path / "run", "--test")
    printed = capsys.readouterr().out.splitlines()
    lines = [line for line in printed if line.startswith(("dev perplexity_", "test perplexity_"))]
    assert len(lines) == 2 + 2 * (bidirectional == "true")
    assert all(1 < float(line.split()[-1]) < 330 for line in lines)
    state = torch.load(tmp_path / "run" / "best.pt", weights_only=True)["network"]
    assert state["embedding.weight"].shape[1] == 6


def test_units_that_do_not_spell_every_text_are_not_published(tmp_path, monkeypatch, capsys):
    config = tmp_path / "config.toml"
    config.write_text(
        MODEL.format(units="tokens", sources='"ptb/train"', epoch_tokens=0, bidirectional="false"), encoding="utf-8"
    )
    with pytest.raises(SystemExit):
        run(train.main, monkeypatch, config, "--bundle", tmp_path / "bundle")
    assert "tokens cannot be published" in capsys.readouterr().err


TEXTS = [np.arange(start, start + length, dtype=np.int32) for start, length in ((4, 7), (5, 1), (3, 12), (7, 0))]


def uniform() -> LanguageModel:
    network = LanguageModel(vocabulary_size=20, config=LanguageModelConfig(embedding_size=4, hidden_size=4)).eval()
    with torch.no_grad():
        network.embedding.weight.zero_()
    return network


def test_the_softmax_is_no_longer_sampled_after_so_many_epochs_of_a_run_that_was_resumed_too():
    text = MODEL.format(units="tokens", sources='"ptb/train"', epoch_tokens=0, bidirectional="false")
    config = build(LanguageModelRun, tomllib.loads(text.replace("sampled_minutes = 0", "sampled_epochs = 2")))
    found = {}
    for num_done in (0, 1, 2):
        network = LanguageModel(vocabulary_size=20, config=config.network)
        epochs = Epochs(network, TEXTS * 20, config, end_id=2, num_done=num_done)
        found[num_done] = []
        for _ in range(3):
            assert list(epochs.batches(np.random.default_rng(0)))
            found[num_done].append(network.num_sampled)
    assert found == {0: [8, 8, 0], 1: [8, 0, 0], 2: [0, 0, 0]}


def test_perplexity_is_that_of_a_uniform_guess_before_training():
    assert stream_perplexity(uniform(), TEXTS * 10, 2)["perplexity_forwards"] == pytest.approx(20, rel=1e-3)


def test_a_text_alone_has_a_probability_for_each_unit_and_its_end():
    found = log_likelihoods(uniform(), TEXTS, 2)
    assert [len(each) for each in found] == [len(text) + 1 for text in TEXTS]
    assert exp(-found[2].mean()) == pytest.approx(20, rel=1e-3)
    assert [len(each) for each in log_likelihoods(uniform(), TEXTS, 2, with_end=False)] == [len(t) for t in TEXTS]


def test_neighbours_do_not_change_a_text_s_probability():
    torch.manual_seed(0)
    network = LanguageModel(vocabulary_size=20, config=LanguageModelConfig(embedding_size=4, hidden_size=4)).eval()
    together = log_likelihoods(network, TEXTS, 2)
    for text, found in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(log_likelihoods(network, [text], 2)[0], found, atol=1e-6)

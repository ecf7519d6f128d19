"""The bundle of the model that remembers conversations, from training to an answer."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from service.bundle import load_bundle
from tests.training.scripts import run
from training.experiments import memory_model
from training.experiments.dialogue_model import start_gates
from training.experiments.dialogues import BOT, USER, DialogueMaker, Turn
from training.experiments.memory_bundle import prompt_of, questions
from training.language_model.predict import LanguageModelBundle

SMALL = (
    "--hidden-size 16 --word-size 16 --subwords 700 --num-values 4 --learning-rate 2e-2 "
    "--steps 250 --max-turns 3 --num-questions 2"
)


def test_it_is_trained_once_and_published(tmp_path, monkeypatch):
    folder, run_dir = tmp_path / "bundle", tmp_path / "run"
    for _ in range(2):
        run(memory_model.main, monkeypatch, *SMALL.split(), "--run-dir", run_dir, "--bundle", folder)
    bundle = load_bundle(folder)
    assert (bundle.manifest.name, bundle.manifest.task) == ("en-memory", "generate")
    assert {"recall name, 1 turns", "recall timer"} <= bundle.manifest.metrics.keys()
    assert "User: My name is Alice." in (folder / "CARD.md").read_text("utf-8")
    answer = LanguageModelBundle(bundle).greedy(f"{USER} Hello.\n{BOT}", 5)
    assert 1 <= len(answer.ids) <= 5


def test_training_goes_on_from_the_weights_of_another_run(tmp_path, monkeypatch):
    short = SMALL.replace("--steps 250", "--steps 2").split()
    run(memory_model.main, monkeypatch, *short, "--run-dir", tmp_path / "first")
    first = tmp_path / "first" / "best.pt"
    going_on = ("--starts-from", first, "--learning-rate", 0)
    run(memory_model.main, monkeypatch, *short, "--run-dir", tmp_path / "second", *going_on)
    before, after = (torch.load(path, weights_only=True) for path in (first, tmp_path / "second" / "best.pt"))
    for part in ("network", "recall"):
        assert before[part]
        assert all(torch.equal(value, after[part][name]) for name, value in before[part].items())
    names = [tmp_path / folder / "subwords.model" for folder in ("first", "second")]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_half_of_the_units_begin_as_memory():
    layer = torch.nn.LSTM(4, 40)
    start_gates(layer)
    entering, forget = (layer.bias_hh_l0.detach()[start : start + 40] for start in (0, 40))
    assert forget[:20].min() > torch.tensor(300.0).log() - 1e-3
    assert forget[20:].max() < torch.tensor(30.0).log() + 1e-3
    assert entering[:20].max() < entering[20:].min()


def test_a_prompt_ends_where_the_bot_answers():
    turns = [Turn(user="I'm Ann.", bot="Hello, Ann!"), Turn(user="Who am I?", bot="Your name is Ann.")]
    assert prompt_of(turns) == "User: I'm Ann.\nBot: Hello, Ann!\nUser: Who am I?\nBot:"


def test_questions_are_asked_over_every_distance():
    sets = questions(4, 2)
    assert {"name, 1 turns", "name, 3 turns", "town", "timer", "name in no list: says so"} <= sets.keys()
    assert all(dialogue[-1].distance == 3 for dialogue in sets["name, 3 turns"])
    assert set(DialogueMaker(seed=0).kinds) == {"name", "town", "job", "liking", "timer"}

"""A language model of made-up running text, by the script itself."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from service.bundle import VOCABULARIES
from service.text.pipeline import TextEncoder
from service.text.tokenizer import words_of
from service.text.vocabulary import load_vocabularies
from tests.training.corpora.made_up_texts import PARAGRAPHS, write_corpora
from tests.training.scripts import run
from training import train_language_model
from training.config import FitConfig
from training.train_language_model import LanguageModelRun, split_texts
from training.vocabularies import vocabulary_of_texts

MODEL = """
name = "made-up"
sources = ["lm-english/help", "lm-english/wikipedia", "tatoeba/en-es/train"]
max_words = 50
num_dev = 1
num_streams = 2
num_steps = 4
word_vectors = false

[network]
word_size = 6
hidden_size = 8
num_sampled = 8

[fit]
num_epochs = 3
learning_rate = 1e-2
warmup_steps = 2
bf16 = false
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_corpora(folder)
    return folder


def test_a_language_model_is_trained_and_its_perplexity_told(data_dir, tmp_path, monkeypatch, capsys):
    config = tmp_path / "config.toml"
    config.write_text(MODEL, encoding="utf-8")
    run(train_language_model.main, monkeypatch, config, "--data-dir", data_dir, "--run-dir", tmp_path / "run")
    printed = capsys.readouterr().out
    for direction in ("forwards", "backwards"):
        (line,) = [line for line in printed.splitlines() if line.startswith(f"dev perplexity_{direction}")]
        assert 1 < float(line.split()[-1]) < 60
    vocabulary = load_vocabularies(tmp_path / "run" / VOCABULARIES)["words"]
    assert vocabulary.tokens[3] == train_language_model.END
    state = torch.load(tmp_path / "run" / "best.pt", weights_only=True)["network"]
    assert state["words.weight"].shape == (len(vocabulary), 6)


def config(*sources: str, num_dev: int = 2) -> LanguageModelRun:
    fit = FitConfig(num_epochs=1, learning_rate=1e-3)
    return LanguageModelRun(name="made-up", sources=sources, num_dev=num_dev, fit=fit)


def test_a_paragraph_is_a_text_and_some_are_held_out(data_dir):
    dev, train = split_texts(config("lm-english/help", "lm-english/help"), data_dir)
    assert (len(dev), len(train)) == (2, 1)
    assert sorted(dev + train) == sorted(f"{text} Of help." for text in PARAGRAPHS)
    assert split_texts(config("lm-english/help"), data_dir) == (dev, train)


def test_an_unknown_source_is_named(data_dir):
    with pytest.raises(ValueError, match="no source 'imaginary'; known: lm-english/factbook"):
        split_texts(config("imaginary"), data_dir)


def test_the_mark_between_texts_is_no_word_of_a_text():
    assert train_language_model.END not in words_of(f"a {train_language_model.END} b")


def test_perplexity_is_that_of_a_uniform_guess_before_training():
    encoder = TextEncoder(vocabulary_of_texts(PARAGRAPHS, max_words=50, first=(train_language_model.END,)))
    texts = [encoder.encode(words_of(text)) for text in PARAGRAPHS] * 10
    counts = train_language_model.frequencies_of(texts, encoder._words)
    network = train_language_model.LanguageModel(
        frequencies=counts, config=train_language_model.LanguageModelConfig(word_size=4, hidden_size=4)
    ).eval()
    with torch.no_grad():
        network.words.weight.zero_()
    figures = train_language_model.perplexity(network, texts, 3)
    assert figures["perplexity_forwards"] == pytest.approx(len(counts), rel=1e-3)

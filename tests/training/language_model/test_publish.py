"""A language model is trained, published, and measured again, by the scripts themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from service.bundle import CARD, EXAMPLES, SUBWORDS, load_bundle
from tests.training.language_model.made_up_text import write_running_text
from tests.training.scripts import run
from training.export import ExportError
from training.language_model import baselines, evaluate, publish, train
from training.language_model.bundle_start import network_of_bundle
from training.language_model.predict import LanguageModelBundle

MODEL = """
name = "{name}"
version = "0.2.0"
description = "Says what was made up"
units = "{units}"
sources = [{sources}]
vocabulary_size = 400
epoch_tokens = 8000
num_streams = 4
num_steps = 12

[network]
embedding_size = 16
hidden_size = 32
dropout = 0.0

[fit]
num_epochs = 8
learning_rate = 2e-2
warmup_steps = 5
bf16 = false
"""
KINDS = {
    "subwords": '"lm-english/help", "tatoeba/en-es/train", "dialogue-sgd/train"',
    "characters": '"shakespeare/input"',
}


@pytest.fixture(scope="module", params=KINDS)
def published(request, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp(request.param)
    write_running_text(folder / "data")
    (folder / "config.toml").write_text(
        MODEL.format(name=f"made-up-{request.param}", units=request.param, sources=KINDS[request.param]),
        encoding="utf-8",
    )
    common = (folder / "config.toml", "--data-dir", folder / "data", "--run-dir", folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        pairs = ("--pairs", 1) if request.param == "subwords" else ()
        run(baselines.main, patch, *common, "--orders", 3, *pairs)
        run(train.main, patch, *common, "--bundle", folder / "bundle")
    return folder, request.param


def test_the_bundle_is_sound_and_says_what_it_is(published):
    folder, units = published
    manifest = load_bundle(folder / "bundle").manifest
    assert (manifest.task, manifest.commercial_use, manifest.default_precision) == ("generate", True, "int8")
    assert {SUBWORDS, EXAMPLES, CARD, "model.int8.onnx", "reader.int8.onnx"} <= set(manifest.files)
    assert manifest.metrics["word_perplexity"] > 1
    assert ("blimp_accuracy" in manifest.metrics) == (units == "subwords")
    assert len(manifest.corpora) == len(KINDS[units].split(","))


def test_training_goes_on_from_the_weights_and_units_of_a_bundle(published, tmp_path, monkeypatch):
    folder, _ = published
    config = (folder / "config.toml").read_text("utf-8").replace("learning_rate = 2e-2", "learning_rate = 1e-9")
    start = f'starts_from = "{folder / "bundle"}"\n'
    (tmp_path / "again.toml").write_text(start + config, encoding="utf-8")
    run(train.main, monkeypatch, tmp_path / "again.toml", "--data-dir", folder / "data", "--run-dir", tmp_path / "run")
    assert (tmp_path / "run" / SUBWORDS).read_bytes() == (folder / "bundle" / SUBWORDS).read_bytes()
    before = network_of_bundle(folder / "bundle").state_dict()
    after = torch.load(tmp_path / "run" / "best.pt", weights_only=True)["network"]
    assert all(torch.allclose(after[name], before[name], atol=1e-4) for name in before)


def test_examples_hold_and_another_answer_is_refused(published):
    folder, _ = published
    publish.prove(folder / "bundle")
    examples = json.loads((folder / "bundle" / EXAMPLES).read_text())
    model = LanguageModelBundle.open(folder / "bundle")
    for example in examples:
        assert set(example) == {"prompt", "log_probability", "continuation", "scores"}
        scores = model.log_likelihoods([model.encode(example["prompt"])])[0]
        assert scores[:-1].sum() == pytest.approx(example["log_probability"], abs=1e-3)
    (folder / "bundle" / EXAMPLES).write_text(json.dumps([{**examples[0], "continuation": "something else"}]))
    from service.bundle import write_manifest

    fields = load_manifest(folder)
    write_manifest(folder / "bundle", fields)
    with pytest.raises(ExportError, match="int8 goes on otherwise behind"):
        publish.prove(folder / "bundle")


def load_manifest(folder: Path):
    fields = json.loads((folder / "bundle" / "manifest.json").read_text())
    return {name: value for name, value in fields.items() if name not in ("files", "format_version")}


def test_the_report_has_the_network_beside_the_baselines(published):
    folder, units = published
    report = (folder / "run" / "report" / "report.md").read_text()
    assert "| Kneser-Ney, 3 units |" in report
    assert "### Temperature 0.7" in report
    assert ("## Minimal pairs" in report) == (units == "subwords")
    assert ("**The students opened their**" in report) == (units == "subwords")
    assert (folder / "run" / "report" / "learning-curve.png").exists()


def test_the_card_names_corpora_and_terms(published):
    folder, units = published
    card = (folder / "bundle" / CARD).read_text()
    assert ("GNOME user help" if units == "subwords" else "Tiny Shakespeare") in card
    assert "python -m training.language_model.train" in card


def test_a_bundle_is_measured_again(published, monkeypatch, capsys):
    folder, _ = published
    run(
        evaluate.main, monkeypatch, folder / "run" / "bundle", "--config", folder / "config.toml",
        "--data-dir", folder / "data", "--pairs", 0,
    )  # fmt: skip
    found = capsys.readouterr().out
    assert '"word_perplexity"' in found


def test_likely_next_words_are_those_that_were_learned(published):
    folder, units = published
    if units == "subwords":
        found = evaluate.next_words(LanguageModelBundle.open(folder / "run" / "bundle"), "The cat sleeps in the")
        assert found[0].word in {"house", "tree", "old", "river"}
        assert sum(each.probability for each in found) <= 1

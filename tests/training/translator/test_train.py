"""From made-up corpora to a bundle that the service loads, by the scripts themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
for package in ("onnx", "sacrebleu", "sacremoses", "matplotlib"):
    pytest.importorskip(package)

from service.bundle import CARD, EXAMPLES, MANIFEST, SUBWORDS, load_bundle
from service.predictors.predictor import replay
from service.predictors.translation import LanguagePair as Pair
from service.predictors.translation import TranslateOptions as Wish
from service.runtime.session import OnnxSession
from tests.training.corpora.made_up_pairs import write_pairs
from tests.training.scripts import run
from training.export import GRAPHS, WEIGHTS
from training.translator import bundle_report, evaluate, train
from training.translator.evaluate import open_translator
from training.translator.export import ENCODERS
from training.translator.publish import EXAMPLE_SENTENCES

CONFIG = """
name = "made-up"
version = "0.0.1"
description = "English to German, both of a few words"
directions = ["en-de"]
corpora = ["tatoeba", "multi30k"]
vocabulary_size = 340
batch_tokens = 200
subword_sampling = 0.1
{more}

[variation]
added_placeholder = 0.2
hidden_name = 0.1

[network]
embedding_size = 32
encoder_size = 16
decoder_size = 32
attention = "{attention}"

[fit]
num_epochs = 2
learning_rate = 1e-2
warmup_steps = 2
bf16 = false
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_pairs(folder)
    return folder


def write_config(folder: Path, *, attention: str = "multiplicative", more: str = "") -> Path:
    path = folder / "run.toml"
    path.write_text(CONFIG.format(attention=attention, more=more), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory, data_dir) -> Path:
    """A run folder, and in it the bundle that one run of the script made."""
    folder = tmp_path_factory.mktemp("run")
    config = write_config(folder)
    arguments = ("--data-dir", data_dir, "--run-dir", folder, "--bundle", folder / "bundle")
    with pytest.MonkeyPatch.context() as patch:
        run(train.main, patch, config, *arguments)
    return folder


def test_the_bundle_is_whole_and_its_examples_replay(published):
    bundle = load_bundle(published / "bundle")
    graphs = {GRAPHS["int8"], ENCODERS["int8"]}
    assert set(bundle.manifest.files) == {*graphs, WEIGHTS, SUBWORDS, EXAMPLES, CARD}
    replay(open_translator(bundle), bundle, precision="int8")
    examples = json.loads(bundle.path(EXAMPLES).read_text(encoding="utf-8"))
    assert {example["text"] for example in examples} <= set(EXAMPLE_SENTENCES["en"])


def test_manifest_and_graphs_agree(published):
    bundle = load_bundle(published / "bundle")
    manifest = bundle.manifest
    assert (manifest.name, manifest.version, manifest.task) == ("made-up", "0.0.1", "translate")
    assert manifest.languages == ("de", "en")
    assert [(pair.source, pair.target, pair.tag) for pair in manifest.pairs] == [("en", "de", "<2de>")]
    session = OnnxSession(bundle.graph())
    assert session.input_names == [tensor.name for tensor in manifest.inputs]
    assert session.output_names == [tensor.name for tensor in manifest.outputs]


def test_the_service_can_translate_with_it(published):
    translator = open_translator(load_bundle(published / "bundle"))
    assert translator.pairs == (Pair("en", "de"),)
    answers = translator.translate(["A dog sleeps here.", "See 12345."], Wish(pair=Pair("en", "de"), attention=True))
    for answer in answers:
        assert answer[0].attention.weights.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_figures_are_those_of_the_report_and_of_the_card(published):
    manifest = json.loads((published / "bundle" / MANIFEST).read_text(encoding="utf-8"))
    report = json.loads((published / "report" / "figures.json").read_text(encoding="utf-8"))
    default = manifest["default_precision"]
    card = (published / "bundle" / CARD).read_text(encoding="utf-8")
    for name, row in report["sets"].items():
        for measure, value in row[default].items():
            figure = f"{name.replace(' ', '_')}_{measure}"
            assert manifest["metrics"][figure] == value
            assert f"{value:.2f}" in card
    assert set(report["sets"]) == {
        "tatoeba en-de",
        *(f"multi30k en-de {part}" for part in ("test_2016_flickr", "test_2017_flickr", "test_2017_mscoco")),
    }
    assert [epoch["epoch"] for epoch in report["history"]] == [1, 2]
    for file in ("report.md", "curve.png", "lengths.png"):
        assert (published / "report" / file).is_file()


def test_the_card_says_on_what_terms(published):
    manifest = json.loads((published / "bundle" / MANIFEST).read_text(encoding="utf-8"))
    card = (published / "bundle" / CARD).read_text(encoding="utf-8")
    assert manifest["licence"] == "CC BY-NC-SA 4.0"
    assert "non-commercial use only" in card
    assert "contributors" in card
    assert "English to German" in card


def test_the_script_prints_the_figures_of_the_manifest(published, data_dir, monkeypatch, capsys):
    arguments = (published / "bundle", "--split", "test", "--data-dir", data_dir)
    run(evaluate.main, monkeypatch, *arguments)
    *lines, signature = capsys.readouterr().out.splitlines()
    printed = {name: float(value) for name, value in map(str.split, lines)}
    assert printed == load_bundle(published / "bundle").manifest.metrics
    assert signature.startswith("nrefs:1|case:mixed")


def test_reports_are_drawn_side_by_side(published, tmp_path, monkeypatch):
    named = (f"one={published / 'report'}", f"other={published / 'report'}")
    run(bundle_report.main, monkeypatch, *named, "--output", tmp_path / "both.png")
    assert (tmp_path / "both.png").stat().st_size > 1000


def test_without_bundle_nothing_is_published(tmp_path, data_dir, monkeypatch):
    config = write_config(tmp_path, attention="additive", more="scheduled_sampling = 0.3")
    run(train.main, monkeypatch, config, "--data-dir", data_dir, "--run-dir", tmp_path / "run")
    assert (tmp_path / "run" / "best.pt").is_file()
    assert not list(tmp_path.rglob(MANIFEST))


def test_a_run_starts_from_the_weights_and_subwords_of_another(published, tmp_path, data_dir, monkeypatch):
    still = write_config(tmp_path, more=f'starts_from = "{published}"').read_text(encoding="utf-8")
    (tmp_path / "run.toml").write_text(still.replace("learning_rate = 1e-2", "learning_rate = 0.0"), encoding="utf-8")
    run(train.main, monkeypatch, tmp_path / "run.toml", "--data-dir", data_dir, "--run-dir", tmp_path)
    assert (tmp_path / SUBWORDS).read_bytes() == (published / SUBWORDS).read_bytes()
    first, second = (torch.load(folder / "best.pt", weights_only=True)["network"] for folder in (published, tmp_path))
    assert all(torch.equal(weights, second[name]) for name, weights in first.items())

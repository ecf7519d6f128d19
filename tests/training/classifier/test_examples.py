from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

for package in ("torch", "onnx"):
    pytest.importorskip(package)

from service.bundle import MANIFEST
from tests.fakes import (
    LABELS,
    chosen_of,
    multi_label_graph,
    probability_of,
    sentiment_graph,
    write_classifier,
    write_multi_label,
)
from tests.training.corpora.made_up_texts import write
from tests.training.scripts import run
from training.classifier import examples
from training.classifier.config import ClassifierRun
from training.classifier.evaluate import CONFIGS, open_classifier
from training.classifier.examples import NUM_BUNDLE_EXAMPLES, answer_inputs, bundle_examples, table_of
from training.classifier.plain_inputs import INPUTS, PlainInput, read_inputs
from training.config import load_config

MODELS = Path(__file__).parents[3] / "models"
FILES = sorted(path.stem for path in INPUTS.glob("*.tsv"))
NAMES = [name for name in FILES if (CONFIGS / f"{name}.toml").is_file()]  # other files are for any model
each_model = pytest.mark.parametrize("name", NAMES)


def run_of(name: str) -> ClassifierRun:
    return load_config(ClassifierRun, CONFIGS / f"{name}.toml")


def manifest_of(name: str) -> dict:
    """The manifest of the bundle that ships, if it is of the version of the configuration; else nothing."""
    path = MODELS / name / MANIFEST
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if found.get("version") == run_of(name).version else {}


def test_every_classifier_has_plain_inputs():
    contents = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in CONFIGS.glob("*.toml")}
    described = {name for name, content in contents.items() if "description" in content}
    classifies = {name for name in described if not {"directions", "units"} & contents[name].keys()}  # else it writes
    assert classifies == set(NAMES)


@pytest.mark.parametrize("name", FILES)
def test_plain_inputs_have_three_columns_and_none_is_there_twice(name):
    lines = (INPUTS / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    assert {line.count("\t") for line in lines} == {2}
    inputs = read_inputs(name)
    assert len({each.text for each in inputs}) == len(inputs) == len(lines)
    assert all(each.kind and each.text == each.text.strip() for each in inputs)


@each_model
def test_every_model_has_sixty_and_some_that_must_hold(name):
    assert len(read_inputs(name)) == 60
    assert any(each.must_hold for each in read_inputs(name))


@each_model
def test_the_expected_labels_are_the_model_s(name):
    expected = {label for each in read_inputs(name) for label in each.expected}
    labels = run_of(name).labels or manifest_of(name).get("labels", {}).get("label")
    if not labels:
        pytest.skip("the labels are those of corpora, and no bundle ships")
    assert expected <= set(labels)


@each_model
def test_what_must_hold_holds_in_the_bundle_that_ships(name):
    if not manifest_of(name):
        pytest.skip("no bundle of this version ships")
    classifier = open_classifier(MODELS / name).classifier
    answers = answer_inputs(classifier, [each for each in read_inputs(name) if each.must_hold])
    assert [each.source.text for each in answers if not each.is_right] == []


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return open_classifier(write_classifier(tmp_path_factory.mktemp("models"), graph=sentiment_graph())).classifier


def plain(text: str, *expected: str) -> PlainInput:
    return PlainInput(kind="made up", expected=expected, text=text)


def test_a_star_marks_what_must_hold(tmp_path):
    write(tmp_path / "mine.tsv", "word*\tpositive\tgood\nmixed\tnegative|positive\tgood, bad\n\n")
    assert read_inputs("mine", tmp_path) == [
        PlainInput(kind="word", expected=("positive",), text="good", must_hold=True),
        PlainInput(kind="mixed", expected=("negative", "positive"), text="good, bad"),
    ]
    assert read_inputs("other", tmp_path) == []


def test_an_answer_is_right_if_it_is_one_of_those_expected(classifier):
    answers = answer_inputs(
        classifier, [plain("good", "positive"), plain("boring", "positive"), plain("a plot", *LABELS)]
    )
    assert [(each.label, each.is_right) for each in answers] == [
        ("positive", True),
        ("negative", False),
        ("positive", True),
    ]
    assert answers[0].score == pytest.approx(probability_of("good"))
    assert answer_inputs(classifier, []) == []


def test_the_table_marks_wrong_answers_and_escapes_its_own_signs(classifier):
    lines = table_of(answer_inputs(classifier, [plain("good | bad", "negative", "neutral"), plain("good", "positive")]))
    assert lines[2] == "| made up | good \\| bad | negative or neutral | negative | 0.50 |"
    assert lines[3].endswith("| positive | positive | 0.73 |")
    (wrong,) = table_of(answer_inputs(classifier, [plain("bad", "positive")]))[2:3]
    assert "negative ✗" in wrong


def test_a_bundle_s_examples_are_plain_inputs_or_texts_that_any_model_can_read(classifier):
    own = bundle_examples(classifier, "en-sentiment")
    assert {each.text for each in own} <= {each.text for each in read_inputs("en-sentiment")}
    assert NUM_BUNDLE_EXAMPLES <= len(own) <= 2 * NUM_BUNDLE_EXAMPLES
    assert len(bundle_examples(classifier, "made-up")) == 3
    assert all(set(each.scores) == set(LABELS) and each.labels is None for each in own)


def test_examples_of_a_multi_label_bundle_have_the_labels_that_reach_their_thresholds(tmp_path):
    model = open_classifier(write_multi_label(tmp_path, graph=multi_label_graph()))
    for each in bundle_examples(model.classifier, "made-up"):
        assert each.labels == chosen_of(each.text.replace(".", " ").replace("!", " "))


def test_the_program_prints_the_answers_and_how_many_are_right(tmp_path, monkeypatch, capsys):
    folder = write_classifier(tmp_path, graph=sentiment_graph())
    run(examples.main, monkeypatch, folder, "--inputs", "en-sentiment")
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2 + 60 + 2
    assert printed[-1].endswith(" of 60 right")

from __future__ import annotations

import json

import numpy as np
import pytest

for package in ("torch", "onnx", "matplotlib"):
    pytest.importorskip(package)

from tests.fakes import LABELS, sentiment_graph, write_classifier
from tests.training.classifier.small_tasks import config, labelled, several
from training.classifier.corpora import TextSet
from training.classifier.evaluate import open_classifier
from training.classifier.figures import measure_set
from training.classifier.report import BASELINES, MOST_PICTURED, write_report

SCORES = np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3], [0.3, 0.7]])
TEXTS = [*labelled(("a", 0), ("b", 1), source="one"), *labelled(("c", 1), ("d", 0), source="two")]
PART = TextSet(name="spam/sms", texts=TEXTS)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return open_classifier(write_classifier(tmp_path_factory.mktemp("models"), graph=sentiment_graph())).classifier


def write(folder, classifier, run=None, part=PART, labels=LABELS, scores=SCORES):
    run = run or config(name="en-sentiment")
    measured = measure_set(part, scores, run, labels)
    sets = {split: {"fp32": [measured], "int8": [measured]} for split in ("dev", "test")}
    write_report(folder / "report", classifier, run, sets, dict.fromkeys(labels, 0.25) if run.multi_label else {})
    return {path.name: path.read_bytes() for path in (folder / "report").iterdir()}


def test_the_tables_set_both_precisions_beside_the_baselines(tmp_path, classifier):
    baselines = {"dev": {"spam/sms": {"VADER": {"macro_f1": 0.25}}}}
    (tmp_path / BASELINES).write_text(json.dumps(baselines), encoding="utf-8")
    text = write(tmp_path, classifier)["report.md"].decode()
    assert text.startswith("# en-sentiment 1\n\nMade up.\n")
    assert "## spam/sms, dev (4 texts)" in text
    assert "| system | accuracy % | macro_f1 % | ece % |" in text
    assert "| fp32 | 50.00 | 50.00 | 50.00 |" in text
    assert "| int8 | 50.00 | 50.00 | 50.00 |" in text
    assert text.count("| VADER | – | 25.00 | – |") == 1
    assert "| `negative` | 50.00 | 50.00 | 50.00 | 2 |" in text
    assert "| one | 100.00 |" in text
    assert "## Plain inputs: " in text


def test_a_folder_holds_figures_tables_and_pictures_always_the_same(tmp_path, classifier):
    written = write(tmp_path / "one", classifier)
    pictures = {f"{kind}-{split}-spam-sms.png" for kind in ("confusion", "reliability") for split in ("dev", "test")}
    assert set(written) == {"figures.json", "report.md"} | pictures
    assert all(f"({picture})" in written["report.md"].decode() for picture in pictures)
    assert written == write(tmp_path / "two", classifier)
    figures = json.loads(written["figures.json"])
    assert figures["sets"]["dev"]["fp32"][0]["figures"]["accuracy"] == 0.5
    assert figures["plain_inputs"]["number"] == 60


def test_a_model_without_plain_inputs_has_no_section_of_them(tmp_path, classifier):
    assert b"Plain inputs" not in write(tmp_path, classifier, config())["report.md"]


def test_a_multi_label_task_has_no_pictures(tmp_path, classifier):
    part = TextSet(name="mine", texts=several([("a", [0]), ("b", [0, 1]), ("c", []), ("d", [1])], 2))
    written = write(tmp_path, classifier, config(multi_label=True), part)
    assert set(written) == {"figures.json", "report.md"}
    assert b"| fp32 | 90.00 | 88.89 |" in written["report.md"]


def test_a_confusion_matrix_that_nobody_could_read_is_not_drawn(tmp_path, classifier):
    num_labels = MOST_PICTURED + 1
    scores = np.eye(num_labels)[:4] * 0.5
    part = TextSet(name="mine", texts=labelled(*((str(i), i) for i in range(4)), num_labels=num_labels))
    written = write(tmp_path, classifier, config(), part, [f"label {i}" for i in range(num_labels)], scores)
    assert set(written) == {"figures.json", "report.md", "reliability-dev-mine.png", "reliability-test-mine.png"}

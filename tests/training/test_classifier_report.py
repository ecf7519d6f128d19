from __future__ import annotations

import json

import numpy as np
import pytest

from training.classifier_report import (
    ClassifierReport,
    System,
    as_markdown,
    make_section,
    pairs_of_baselines,
    systems_of_baselines,
    write_classifier_report,
)
from training.minimal_pairs import POSITIVE, MinimalPair, score_pairs

PAIRS = [MinimalPair(positive="Not bad, good.", negative="Not good, bad.", phenomenon="negation")]
LOG_PROBABILITIES = np.log([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3]])


def small_report() -> ClassifierReport:
    systems = [
        System(name="ours", accuracy=2 / 3, macro_f1=0.5, size_bytes=2_500_000, texts_per_second=1234.5),
        System(name="bag of words", accuracy=1 / 3, macro_f1=0.25),
    ]
    section = make_section(
        name="sst2",
        corpus="a sample",
        labels=("negative", "positive"),
        gold=[0, 1, 1],
        log_probabilities=LOG_PROBABILITIES,
        temperature=2.0,
        systems=systems,
    )
    ours = score_pairs(lambda texts: [POSITIVE] * len(texts), PAIRS)
    return ClassifierReport(title="Sentiment", sections=[section], pairs={"ours": ours}, facts={"seed": 1})


def test_the_tables_set_the_model_beside_the_baselines():
    text = as_markdown(small_report())
    assert "| ours | 66.67 | 50.00 | 2.50 | 1,234 | – |" in text
    assert "| bag of words | 33.33 | 25.00 | – | – | – |" in text
    assert "| `negative` | 50.00 | 100.00 | 66.67 | 1 |" in text
    assert "| of which negation | 0 of 1 (0 %) |" in text
    assert "| single texts | 1 of 2 (50 %) |" in text
    assert "| seed | 1 |" in text


def test_before_is_what_the_logits_said_without_the_temperature():
    section = small_report().sections[0]
    sharper = np.array([0.8, 0.2]) ** 2 / (0.8**2 + 0.2**2)
    assert max(part.confidence for part in section.after.bins) == pytest.approx(0.8)
    assert max(part.confidence for part in section.before.bins) == pytest.approx(sharper[0])


def test_a_folder_holds_figures_tables_and_pictures_always_the_same(tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("one", "two"):
        write_classifier_report(small_report(), tmp_path / name)
    written = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert set(written) == {"figures.json", "report.md", "confusion-sst2.png", "reliability-sst2.png"}
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    figures = json.loads(written["figures.json"])
    assert figures["sections"][0]["systems"][0]["name"] == "ours"
    assert figures["minimal_pairs"]["ours"]["texts"]["correct"] == 1


def test_two_sections_of_one_name_would_overwrite_each_other(tmp_path):
    section = small_report().sections[0]
    with pytest.raises(ValueError, match="names of their own"):
        write_classifier_report(ClassifierReport(title="x", sections=[section, section]), tmp_path)


def test_what_the_baselines_wrote_becomes_rows():
    row = {
        "sets": {"test": {"sst2": {"accuracy": 0.8, "macro_f1": 0.7}}},
        "size_bytes": 10,
        "texts_per_second": {"sst2": 5.0},
        "train_seconds": 2.0,
        "minimal_pairs": score_pairs(lambda texts: [POSITIVE] * len(texts), PAIRS).as_dict(),
    }
    figures = {"systems": {"bag": row, "other": row | {"minimal_pairs": None}}}
    rows = systems_of_baselines(figures, name="sst2", split="test")
    expected = dict(accuracy=0.8, macro_f1=0.7, size_bytes=10, texts_per_second=5.0, train_seconds=2.0)
    assert rows == [System(name=name, **expected) for name in ("bag", "other")]
    assert list(pairs_of_baselines(figures)) == ["bag"]

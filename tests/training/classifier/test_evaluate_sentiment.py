from __future__ import annotations

import numpy as np
import pytest

for package in ("torch", "onnx", "vaderSentiment"):
    pytest.importorskip(package)

from tests.training.classifier.small_tasks import labelled
from tests.training.scripts import run
from training.classifier import evaluate_sentiment
from training.classifier.evaluate_sentiment import macro_f1, sides, texts_of_source

SCORES = np.array([[0.3, 0.5, 0.2], [0.1, 0.5, 0.4]])


def test_the_side_is_the_likelier_one_whatever_is_neutral():
    assert sides(SCORES).tolist() == [0, 1]


def test_where_no_text_is_neutral_the_side_counts():
    opinions = labelled(("a", 0), ("b", 2), num_labels=3)
    assert macro_f1(opinions, SCORES) == 1.0
    assert macro_f1(labelled(("a", 1), ("b", 2), num_labels=3), SCORES) == pytest.approx(1 / 3)


def test_a_source_is_all_of_its_labelled_texts(data_dir):
    assert {text.source for text in texts_of_source("tweets", data_dir)} == {"tweets"}
    num_rows = {source: len(texts_of_source(source, data_dir)) for source in ("tweets", "reddit", "news")}
    assert num_rows == {"tweets": 24, "reddit": 27, "news": 0}


def test_films_pairs_and_sources_left_out_are_measured(published, data_dir, monkeypatch, capsys):
    bundle = published("sentiment") / "bundle"
    arguments = (
        bundle,
        "--split",
        "test",
        "--data-dir",
        data_dir,
        "--left-out",
        f"tweets={bundle}",
        f"reddit={bundle}",
    )
    run(evaluate_sentiment.main, monkeypatch, *arguments)
    printed = capsys.readouterr().out
    for beginning in ("SST-2 test: ", "minimal pairs test: texts ", "minimal pairs test, order alone: both "):
        assert beginning in printed
    assert "tweets, left out, 24 texts: macro F1 100.0, VADER " in printed
    assert "mean of 2 sources: " in printed

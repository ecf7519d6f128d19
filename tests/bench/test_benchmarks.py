"""The whole command, on a model that knows six words: every figure is measured, printed and written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from service.bundle import write_manifest
from tests.fakes import CLASSIFIER, classifier_manifest, sentiment_graph, write_classifier

QUICK = "--rounds 1 --seconds 0.1 --requests 3 --mixed-seconds 0.5 --no-memory".split()


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    folder = write_classifier(tmp_path / "models", graph=sentiment_graph())
    write_manifest(folder, classifier_manifest(CLASSIFIER) | {"limits": {"max_tokens": 2048}})
    return tmp_path / "models"


def test_a_classifier_is_measured_with_sentences_reviews_and_both(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "runs" / "figures.json"
    main(["--models-dir", str(models_dir), "--output", str(output), *QUICK])
    printed = capsys.readouterr().out
    content = json.loads(output.read_text("utf-8"))
    (model,) = content["models"]
    assert content["machine"]["num_cores"] >= 1
    assert model["bundle"].startswith(CLASSIFIER)
    assert [speed["noun"] for speed in model["speeds"]] == ["sentences", "reviews"]
    assert all(row["what"] in printed and row["figure"] in printed for row in model["table"])
    for what in ("HTTP, sentences, 32 a request", "HTTP, reviews, 8 a request", "p99 of sentences, mixed over alone"):
        assert any(what in row["what"] for row in model["table"])
    assert 0 < model["mixed"]["rate"] < model["mixed"]["capacity"]

from __future__ import annotations

import json

import pytest

from training.evaluation import confuse_entities, evaluate_spans, evaluate_tags
from training.tagger.report import RunReport, SpanSection, TagSection, as_markdown, write_report

WORDS = [["“", "the", "zyx"]]
GOLD = [["``", "DT", "NN"]]


def tags(predicted):
    return evaluate_tags(words=WORDS, gold=GOLD, predicted=predicted, known_words={"the", "“"})


def small_report() -> RunReport:
    spans = evaluate_spans(gold=[[("PER", 2, 3)]], predicted=[[("PER", 2, 3)]])
    confusion = confuse_entities([["O", "O", "S-PER"]], [["O", "O", "S-PER"]])
    systems = {"model": tags([["``", "DT", "NN"]]), "most frequent": tags([["``", "DT", "DT"]])}
    return RunReport(
        title="Tagger",
        tags=[TagSection(name="xpos", corpus="a sample", systems=systems)],
        spans=[SpanSection(name="entity", corpus="a sample", systems={"model": spans}, confusion=confusion)],
        facts={"seed": 1},
    )


def test_the_tables_set_the_model_beside_the_baselines():
    text = as_markdown(small_report())
    assert "| model | 100.00 | 100.00 | 100.00 |" in text
    assert "| most frequent | 66.67 | 100.00 | 0.00 |" in text
    assert "| `PER` | 100.00 | 100.00 | 100.00 | 1 |" in text
    assert "| seed | 1 |" in text


def test_a_tag_of_backticks_stays_readable():
    assert "| ``` `` ``` | 100.00 |" in as_markdown(small_report())


def test_a_folder_holds_figures_tables_and_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    write_report(small_report(), tmp_path / "new" / "report")
    written = {path.name for path in (tmp_path / "new" / "report").iterdir()}
    assert written == {"report.json", "report.md", "confusion-xpos.png", "confusion-entity.png"}
    figures = json.loads((tmp_path / "new" / "report" / "report.json").read_text(encoding="utf-8"))
    assert figures["tags"][0]["systems"]["most frequent"]["overall"]["correct"] == 2
    assert figures["spans"][0]["confusion"]["labels"] == ["O", "PER"]


def test_the_same_report_is_the_same_bytes(tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("one", "two"):
        write_report(small_report(), tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_two_sections_of_one_name_would_overwrite_each_other(tmp_path):
    section = small_report().tags[0]
    with pytest.raises(ValueError, match="names of their own"):
        write_report(RunReport(title="x", tags=[section, section]), tmp_path)

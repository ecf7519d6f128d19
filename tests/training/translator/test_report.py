"""The report folder, from a translator that copies, and what a reader's judgements do."""

from __future__ import annotations

import json

import pytest

for package in ("sacrebleu", "matplotlib"):
    pytest.importorskip(package)

from tests.training.translator.dictionary_translator import LANGUAGES, system
from tests.training.translator.test_domains import data_dir  # noqa: F401
from training.corpora.parallel import Pair
from training.translator import report, usable
from training.translator.answers import Answer
from training.translator.domains import TranslatedDomain
from training.translator.examples import examples_of
from training.translator.pictures import core_hours
from training.translator.usable import Sentence, read_judgements, write_judgements

HISTORY = [
    {"epoch": 1, "loss": 5.0, "seconds": 1800.0, "news en-es chrF": 20.0, "news en-es BLEU": 2.0, "score": 1.0},
    {"epoch": 2, "loss": 4.0, "seconds": 9999.0, "cpu_seconds": 1800.0, "tatoeba en-es": 12.0, "score": 1.0},
]
SENTENCES = [Sentence(domain="news", text=text) for text in ("One.", "Two.", "Three.")]


def test_the_report_is_written_whole(data_dir, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr(report, "open_system", lambda _: system(confidence=0.8, complete=True))
    monkeypatch.setattr(report, "read_history", lambda _: HISTORY)
    arguments = ["--url", "http://127.0.0.1:1", "--languages", "es", "--data-dir", str(data_dir), "--split", "dev"]
    folder = tmp_path / "report"
    monkeypatch.setattr("sys.argv", ["main", *arguments, "--output", str(folder), "--runs", "runs/a", "--limit", "9"])
    report.main()
    names = {"report.md", "examples.md", "figures.json", "usable.tsv", "long_sentences.tsv"}
    pictures = {"by-domain.png", "by-length.png", "learning-curve.png"}
    assert {path.name for path in folder.iterdir()} == names | pictures
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "| protected items kept | 9 of 9 |" in text
    assert "2 epochs in 1.0 core-hours" in text
    assert all(f"]({name})" in text for name in pictures)
    figures = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    assert figures["model"] == "made-up 0.0.1"
    assert len(figures["long_sentences"]["languages"][0]["inspected"]) == 9
    assert "| flores-dev, chrF |" in capsys.readouterr().out


def test_core_hours_are_processor_time_where_it_was_written_down():
    assert core_hours(HISTORY) == [0.5, 1.0]


def test_examples_are_the_best_the_middle_and_the_worst():
    pairs = [
        Pair(source=f"one two three four five {place}", references=("x" * 30,), target_language="es")
        for place in range(40)
    ]
    answers = [Answer(translation="x" * place + "y" * (30 - place)) for place in range(31)] + [
        Answer(translation="y" * 30)
    ] * 9
    found = examples_of(TranslatedDomain(domain="d", direction="en-es", pairs=pairs, answers=answers)).examples
    assert [each.rank for each in found] == ["best"] * 3 + ["middle"] * 4 + ["worst"] * 3
    assert found[0].chrf == 100
    assert [each.chrf for each in found] == sorted((each.chrf for each in found), reverse=True)


def test_of_few_sentences_none_is_shown_twice():
    pairs = [Pair(source=f"one two three four {n}", references=("x",), target_language="es") for n in range(5)]
    part = TranslatedDomain(domain="d", direction="en-es", pairs=pairs, answers=[Answer(translation="x")] * 5)
    assert len({each.source for each in examples_of(part).examples}) == len(examples_of(part).examples) == 5


def test_sixty_sentences_are_always_judged_and_the_pool_is_larger():
    sentences = usable.read_sentences()
    assert len({each.text for each in sentences}) == len(sentences) > 250
    assert sum(each.always for each in sentences) == 60
    assert {each.domain for each in sentences[60:63]} == {"business", "software", "news"}


def test_of_the_pool_those_at_or_above_the_threshold_are_judged(tmp_path):
    pool = [*SENTENCES, *(Sentence(domain="news", text=f"Text {n}.", always=False) for n in range(70))]
    surely = usable.measure(system(confidence=0.75, threshold=0.75), ("es",), pool, {}).languages[0]
    assert (len(surely.sentences), surely.confident, surely.translated) == (63, 73, 73)
    judgements = {("es", each.translation): each.number % 4 > 0 for each in surely.sentences}
    judged = usable.measure(system(confidence=0.75, threshold=0.75), ("es",), pool, judgements)
    count = judged.languages[0].at_threshold
    assert (count.threshold, count.above, count.usable) == (0.75, 60, 45)
    assert "| Spanish | 3 of 3 | 73 of 73 | 0.75 | 45 of 60 |" in usable.as_markdown(judged)
    hardly = usable.measure(system(confidence=0.7, threshold=0.75), ("es",), pool, {}).languages[0]
    assert (len(hardly.sentences), hardly.confident) == (3, 0)


def test_judgements_are_kept_while_the_translation_stays(tmp_path):
    first = usable.measure(system(confidence=0.75), ("es",), SENTENCES, {})
    path = tmp_path / "usable.tsv"
    write_judgements(first, path)
    judged = path.read_text(encoding="utf-8").replace("\t1\t\t", "\t1\tyes\t").replace("\t2\t\t", "\t2\tNo\t")
    path.write_text(judged, encoding="utf-8")
    figures = usable.measure(system(confidence=0.75), ("es",), SENTENCES, read_judgements(path))
    (same,) = figures.languages
    assert (same.judged, same.usable) == (2, 1)
    assert [(each.threshold, each.above, each.usable) for each in same.steps][-1] == (0.7, 2, 1)
    other = usable.measure(system(lambda text, _: text.upper()), ("es",), SENTENCES, read_judgements(path))
    assert other.languages[0].judged == 0
    assert "50%" in "".join(
        usable.as_markdown(usable.measure(system(confidence=0.75), ("es",), SENTENCES, read_judgements(path)))
    )


def test_a_judgement_is_yes_or_no(tmp_path):
    (tmp_path / "usable.tsv").write_text("es\t1\tmaybe\tOne.\tUno.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1: 'maybe'"):
        read_judgements(tmp_path / "usable.tsv")


def test_without_judgements_nothing_is_counted():
    figures = usable.measure(system(confidence=0.5), LANGUAGES, SENTENCES, read_judgements(None))
    assert all(each.judged == 0 and not each.steps for each in figures.languages)
    assert sum("| 0.50 |" in line for line in usable.to_read(figures)) == 9

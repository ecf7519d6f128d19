"""Figures by domain and length, from made-up files."""

from __future__ import annotations

import json
import lzma

import pytest

pytest.importorskip("sacrebleu")

from tests.training.translator.dictionary_translator import system
from training.corpora.parallel import Pair
from training.corpora.parallel_files import is_business_slice, read_evaluation
from training.corpora.sources import CorpusUnavailableError
from training.translator import domains
from training.translator.answers import Answer
from training.translator.domains import TOGETHER, TranslatedDomain, figures_of, read_domains, translate_domains
from training.translator.scores import FEWEST, scores_by_length, sentence_chrf

NAMES = ("business-central", "flores-dev", "newstest2013", "openstax-es", "workfront")


@pytest.fixture
def data_dir(tmp_path):
    folder = tmp_path / "parallel" / "eval" / "en-es"
    folder.mkdir(parents=True)
    for name in NAMES:
        with lzma.open(folder / f"{name}.tsv.xz", "wt", encoding="utf-8") as file:
            file.write(f"The dog of {name} sleeps well.\tEl perro de {name} duerme bien.\t{name}#0\n")
            file.write(f"Close the door.\tCierre la puerta.\t{name}#1\n")
    (tmp_path / "tatoeba" / "en-es").mkdir(parents=True)
    (tmp_path / "tatoeba" / "en-es" / "dev.tsv").write_text("Hello.\tHola.\tBuenas.\n", encoding="utf-8")
    return tmp_path


def test_every_set_of_a_direction_is_read(data_dir):
    sets = read_evaluation("en-es", data_dir)
    assert [each.name for each in sets] == [f"{name} en-es" for name in NAMES]
    assert sets[0].pairs[1] == Pair(source="Close the door.", references=("Cierre la puerta.",), target_language="es")


def test_into_english_the_sides_are_exchanged(data_dir):
    tatoeba, *_, workfront = read_domains("es-en", split="dev", data_dir=data_dir)
    assert tatoeba.name == "tatoeba es-en"
    assert tatoeba.pairs == (Pair(source="Hola.", references=("Hello.",), target_language="en"),)
    assert workfront.pairs[1].source == "Cierre la puerta."


def test_the_data_folder_may_be_in_the_environment(data_dir, monkeypatch):
    monkeypatch.setenv("CORPORA_DIR", str(data_dir))
    assert len(read_evaluation("en-es", None)) == len(NAMES)


def test_missing_files_are_told_with_what_to_do(tmp_path):
    with pytest.raises(CorpusUnavailableError, match="--data-dir"):
        read_evaluation("en-es", tmp_path)


def test_a_line_of_another_form_is_told(data_dir):
    with lzma.open(data_dir / "parallel" / "eval" / "en-es" / "workfront.tsv.xz", "wt") as file:
        file.write("one\ttwo\n")
    with pytest.raises(ValueError, match="line 1 has 2 columns"):
        read_evaluation("en-es", data_dir)


def test_sets_with_non_commercial_terms_are_no_business_slices():
    assert [name for name in (*NAMES, "wmt-chat") if is_business_slice(name)] == ["business-central", "workfront"]


def test_business_slices_count_alone_and_together(data_dir):
    sets = read_domains("en-es", split="dev", data_dir=data_dir)
    answers = {pair.source: pair.target for each in sets for pair in each.pairs if "flores" not in pair.source}
    translated = list(translate_domains(system(known=answers).translate, sets, limit=None))
    figures = figures_of(translated, model="made-up", split="dev")
    scores = {each.domain: each.score for each in figures.domains}
    assert list(scores) == ["tatoeba", "flores-dev", "newstest2013", "business-central", "openstax-es", "workfront",
                            TOGETHER]  # fmt: skip
    assert scores[TOGETHER].sentences == 4
    assert scores[TOGETHER].chrf == 100
    assert scores["flores-dev"].chrf < 100


def test_a_limit_shortens_every_set(data_dir):
    sets = read_domains("en-es", split="dev", data_dir=data_dir)
    assert {len(each.pairs) for each in translate_domains(system().translate, sets, limit=1)} == {1}


def test_texts_without_a_translation_and_cut_ones_are_counted():
    pairs = [Pair(source=text, references=(text,), target_language="es") for text in ("one", "two", "three")]
    answers = [
        Answer(translation="one", complete=True),
        Answer(translation="", reason="422"),
        Answer(translation="thr", complete=False),
    ]
    part = TranslatedDomain(domain="flores-dev", direction="en-es", pairs=pairs, answers=answers)
    score = domains.domain_score([part], "flores-dev")
    assert (score.unanswered, score.incomplete) == (1, 1)


def test_figures_by_length_leave_out_lengths_of_few_sentences():
    sources = ["one two three"] * FEWEST + ["word " * 8] * (FEWEST - 1)
    found = scores_by_length(sources, sources, sources)
    assert [(each.low, each.high, each.score.sentences, each.score.chrf) for each in found] == [(1, 3, FEWEST, 100)]


def test_the_script_prints_a_table_and_writes_figures_and_translations(data_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(domains, "open_system", lambda _: system())
    arguments = ["main", "--url", "http://127.0.0.1:1", "--languages", "es", "--data-dir", str(data_dir)]
    monkeypatch.setattr("sys.argv", [*arguments, "--output", str(tmp_path / "out")])
    domains.main()
    assert "| flores-dev | 2 |" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "domains.json").read_text())["model"] == "made-up 0.0.1"
    assert (tmp_path / "out" / "translations" / "workfront.en-es.txt").read_text().splitlines()[1] == "Close the door."


def test_a_perfect_translation_has_the_highest_chrf():
    assert sentence_chrf("Cierre la puerta.", "Cierre la puerta.") == 100

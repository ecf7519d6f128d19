"""The rows that a confidence is fitted on come from the service's own code."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from service.bundle import load_bundle
from service.predictors.confidence import Features
from service.predictors.translator import Translator
from tests.fakes import FakeEncoder, FakeSession, FakeStep, write_translator
from tests.fakes.letters import say
from training.corpora.parallel import Pair, PairSet
from training.translator.evaluate_confidence import confidence_rows, limited

SOURCES = ["Me too.", "We stayed at home. It rained.", "1984", "We stayed at home, because it rained all day long"]


def pair_set(texts: list[str]) -> PairSet:
    pairs = [Pair(source=text, references=(say(text),), target_language="es") for text in texts]
    return PairSet(name="news en-es", pairs=tuple(pairs))


def test_each_single_sentence_is_a_row(tmp_path: Path) -> None:
    session = FakeSession()
    bundle = load_bundle(write_translator(tmp_path))
    translator = Translator(bundle, encoder=FakeEncoder(session), step=FakeStep(session))
    rows = list(confidence_rows(translator, pair_set(SOURCES), "en-es"))
    good, bad = ("es", "news", 100.0), ("es", "news", 0.0)  # the second: a text in the wrong language
    assert [(row["target"], row["domain"], row["chrf"]) for row in rows] == [good, good, bad]
    assert all(set(row["features"]) == set(Features.__dataclass_fields__) for row in rows)
    assert rows[0]["features"]["mean_log_probability"] == pytest.approx(-0.1054, abs=1e-3)


def test_a_limit_takes_pairs_from_all_of_a_set() -> None:
    [found] = limited([pair_set([str(number) for number in range(10)])], 3)
    assert [pair.source for pair in found.pairs] == ["0", "3", "6"]
    assert len(limited([pair_set(SOURCES)], None)[0].pairs) == len(SOURCES)
    assert len(limited([pair_set(SOURCES)], 100)[0].pairs) == len(SOURCES)

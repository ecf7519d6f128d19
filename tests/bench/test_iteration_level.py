"""The whole command, on a network of letters: both policies are measured, compared, printed, drawn and written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.iteration_level import RequestLevelSearch, main
from bench.translation import find_translator, num_target_tokens, open_bare, searches_of
from bench.translation_curve import Curve, Point
from bench.translation_report import EMPTY, STEP, Comparison, lines_of
from bench.translation_trace import Saturated
from service.decoding.beam_search import search_all
from service.decoding.strategy import NumberedSearch
from service.errors import BundleError
from tests.decoding.invented_model import InventedModel, search
from tests.fakes import TRANSLATOR, FakeSession, OpenFake, write_bundle, write_translator

QUICK = f"--model {TRANSLATOR} --slots 1 --max-rows 8 --rounds 1 --seconds 0.1 --beams 1".split()


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    write_translator(tmp_path / "models")
    return tmp_path / "models"


def test_everything_is_measured_and_written(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentences, output = tmp_path / "sentences.txt", tmp_path / "runs" / "figures.json"
    sentences.write_text("Me too.\nAnd you?\n\n1984\nSo do I.\n", "utf-8")
    arguments = ["--models-dir", str(models_dir), "--sentences", str(sentences), "--output", str(output), *QUICK]
    main(arguments, open_session=OpenFake(FakeSession(seconds=0.0005)))
    printed = capsys.readouterr().out
    content = json.loads(output.read_text("utf-8"))
    (comparison,) = content["comparisons"]
    assert content["sentences"]["count"] == 3  # a number alone is not searched
    assert all(line.strip() in printed for line in comparison["printed"])
    for policy in (STEP, EMPTY):
        assert comparison["curves"][policy]["capacity"] > 0
        assert comparison["curves"][policy]["points"]
    if "The curves: " in printed:
        assert output.with_suffix(".png").stat().st_size > 10_000


def test_what_is_searched_is_what_the_service_would_search(models_dir: Path) -> None:
    translator = open_bare(find_translator(models_dir, TRANSLATOR), open_session=OpenFake(FakeSession()))
    searches = searches_of(translator, ["Me too.", "1984", "And you?"], beam_size=1)
    assert [len(search.ids) for search in searches] == [len("Me too.") + 3, len("And you?") + 3]
    assert num_target_tokens(search_all(translator.graphs, searches)) == len("Me too.") + len("And you?") + 2


def test_only_a_translator_will_do(models_dir: Path) -> None:
    write_bundle(models_dir)
    for name in ("nobody", "tiny-tagger"):
        with pytest.raises(BundleError, match=f"no translator '{name}'; known: {TRANSLATOR}"):
            find_translator(models_dir, name)


def test_the_figures_are_those_of_the_curves() -> None:
    step = Curve(capacity=200, points=[Point(rate=rate, p50=rate / 4, p99=rate / 2) for rate in (30, 60, 120, 180)])
    empty = Curve(capacity=100, points=[Point(rate=rate, p50=rate, p99=2 * rate) for rate in (30, 60, 95)])
    saturated = {
        policy: [Saturated(seconds=2.0, num_sentences=2 * rate, num_target_tokens=20 * rate)]
        for policy, rate in ((STEP, 200), (EMPTY, 100))
    }
    found = Comparison(
        beam_size=4, idle=10.0, saturated=saturated, curves={STEP: step, EMPTY: empty}, lag=0.1, slo=80.0
    )
    text = "\n".join(lines_of(found))
    assert "30.0 ms at every step, 120.0 ms when empty: x0.25" in text
    assert "at least 180.0 at every step, 60.0 when empty: at least x3.00" in text
    assert "160.0 at every step, 40.0 when empty: x4.00" in text
    assert "40.0 at every step, never when empty: no ratio" in text


def test_at_request_level_sentences_join_once_all_earlier_ones_are_done() -> None:
    beams = RequestLevelSearch(InventedModel(eos_bonus=-50.0), max_rows=8)
    assert beams.room == 8
    beams.admit([NumberedSearch(search(5, max_tokens=2), 0)])
    for _ in range(2):
        assert beams.room == 0
        list(beams.step())
    assert beams.room == 8

"""The command, on a model that knows eight words: every figure is measured and printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.workers import main
from tests.fakes import CLASSIFIER, sentiment_graph, write_classifier


def test_a_line_for_each_number_of_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_classifier(tmp_path, graph=sentiment_graph())
    quick = "--workers 1 2 --connections 2 --seconds 0.2 --idle-seconds 0.1".split()
    main(["--models-dir", str(tmp_path), "--model", CLASSIFIER, *quick])
    alone, both = (line.replace("%", "").split() for line in capsys.readouterr().out.splitlines()[-2:])
    for line in (alone, both):
        rss, pss = map(float, line[3:5])
        assert 0 < pss <= rss
        assert float(line[-1]) > 0
    assert float(alone[4]) == float(alone[5])
    assert float(both[4]) < float(both[5])

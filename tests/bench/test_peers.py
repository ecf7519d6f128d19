"""The comparison with peers: medians of rounds, pinned versions, and a pipeline that answers as the service does."""

from __future__ import annotations

import re

import pytest

from bench.peers.__main__ import Figures, parse_arguments, table
from bench.peers.servers import PEERS, REQUIREMENTS


def test_the_table_shows_medians_of_what_was_measured() -> None:
    rounds = [
        Figures(server=name, single_rps=rps, late=late)
        for name, rps, late in (("a", 100, 0.5), ("a", 300, 0.0), ("a", 200, 0.01), ("b", 1000, 0.0))
    ]
    header, _, *rows = table(rounds, ["a", "b"]).splitlines()
    assert header == "| | single sentences/s | late |"
    assert rows == ["| a | 200 | 1.0% |", "| b | 1,000 | 0.0% |"]


def test_every_version_of_a_peer_is_pinned() -> None:
    lines = [line for line in REQUIREMENTS.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert len(lines) >= len(PEERS)
    assert [line for line in lines if not re.fullmatch(r"[\w-]+==[\d.]+", line)] == []


def test_an_unknown_peer_is_refused() -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--peers", "nobody"])

"""Good requests of Schemathesis are given the meaning that no schema can say."""

from __future__ import annotations

import pytest

from bench.conformance.meaning import MEANT


@pytest.mark.parametrize(
    ("path", "body", "meant"),
    [
        ("/tag", {"text": "a"}, {"text": "a"}),
        (
            "/tag",
            {"text": "a", "format": "conllu", "offset_unit": "byte"},
            {"text": "a", "format": "conllu", "offset_unit": "codepoint"},
        ),
        ("/classify", {"text": ["", "a"], "strict": True}, {"text": ["", "a"], "strict": False}),
        ("/translate", {"text": "a", "target": "de"}, {"text": "a", "source": "en", "target": "de"}),
        (
            "/translate",
            {"text": "a", "target": "", "source": "x", "beam_size": 2, "num_hypotheses": 3, "max_length": 99},
            {"text": "a", "target": "es", "source": "en", "beam_size": 2, "num_hypotheses": 2, "max_length": 32},
        ),
        ("/generate", {"prompt": "a", "state": "x"}, {"prompt": "a", "max_tokens": 32}),
        ("/score", {"text": "a_b", "choices": ["c"]}, {"text": ["ab___"], "choices": ["c"]}),
    ],
)
def test_what_it_takes_for_good_is_given_a_meaning(path: str, body: dict[str, object], meant: object) -> None:
    assert MEANT[path](body) == meant

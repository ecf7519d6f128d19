"""Hard cases of sentences and words, by kind: how many are right may not fall.

A line of ``hard_cases.tsv`` has the kind, a text, its sentences and words that must each be one token. A case is right
if all of its sentences are, white space aside, and all of these words.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from service.text.tokenizer import split_sentences

CASES = [line.split("\t") for line in Path(__file__).with_name("hard_cases.tsv").read_text("utf-8").splitlines()]
NUM_CASES = 200
NUM_RIGHT = 197  # as in docs/results.md


def is_right(text: str, wanted: str, tokens: str) -> bool:
    text = text.replace("\\r", "\r").replace("\\n", "\n")
    found = split_sentences(text)
    sentences = [re.sub(r"\s+", " ", text[sentence.start : sentence.end]) for sentence in found]
    words = Counter(word for sentence in found for word in sentence.words)
    return sentences == wanted.split("|") and not Counter(tokens.split()) - words


def test_no_fewer_hard_cases_are_right_than_before() -> None:
    assert len(CASES) == NUM_CASES
    wrong = [f"{kind}: {text}" for kind, text, wanted, tokens in CASES if not is_right(text, wanted, tokens)]
    assert len(CASES) - len(wrong) >= NUM_RIGHT, "\n".join(wrong)

"""The calls in README and the guides are made against the models that ship, and answered as the documents say."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.process import ServiceProcess
from tests.examples_in_docs import ADDRESS, difference, examples_of, make_call, programs_of, with_rest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = [
    README,
    ROOT / "docs/quickstart.md",
    ROOT / "docs/from-spacy.md",
    ROOT / "docs/from-libretranslate.md",
    *sorted((ROOT / "docs/guides").glob("*.md")),
]


def test_every_call_is_answered_as_its_document_says() -> None:
    """README's answers are compared word for word; those of other documents by their fields, so that a new model
    changes one page and not ten."""
    examples = [example for path in DOCUMENTS for example in examples_of(path)]
    assert [example.path for example in examples].count(README) == 5
    assert len(examples) > 15
    wrong = []
    with ServiceProcess(models_dir=ROOT / "models", variables={"RIBBON_DEVICE": "cpu"}) as service:
        for example in examples:
            response = make_call(example.command, service.url)
            found = f"status {response.status_code}: {response.text[:300]}" if response.status_code != 200 else ""
            if not found and example.answer is not None:
                found = difference(example.answer, response.json(), values=example.path == README)
            if found:
                wrong.append(f"{example.path.name}: {example.command}: {found}")
        for path in DOCUMENTS:
            for program in programs_of(path):
                run_program(program.replace(ADDRESS, service.url))
    assert wrong == []


def run_program(program: str) -> None:
    """Run a program of a document; one that needs spaCy only where that is installed."""
    if "spacy" in program and find_spec("spacy") is None:
        return
    with warnings.catch_warnings():
        if "spacy" in program:
            warnings.simplefilter("ignore")  # of its own imports
        exec(compile(program, "<document>", "exec"), {"__name__": "document"})  # noqa: S102  # ours, from docs/


@pytest.mark.parametrize(
    ("told", "found", "said"),
    [
        ('{"a": 1, ...}', {"a": 1, "b": 2}, ""),
        ('{"a": 1}', {"a": 1, "b": 2}, "$ has ['a', 'b'], the document says ['a']"),
        ("[1, ..., 9]", [1, 2, 3, 9], ""),
        ("[1, ..., 9]", [1, 2, 3, 8], "$[1] is 8, the document says 9"),
        ("[1, 2]", [1], "$ has 1 items, the document says 2"),
        ('{"a": ["..."]}', {"a": ["b"]}, ""),
        ('{"a": "x"}', {"a": "y"}, "$.a is 'y', the document says 'x'"),
        ("0.98", 0.981, ""),
        ("0.98", 0.9, "$ is 0.9, the document says 0.98"),
        ("true", 1, "$ is 1, the document says True"),
    ],
)
def test_a_difference_is_seen(told: str, found: object, said: str) -> None:
    import json

    assert difference(json.loads(with_rest(told)), found) == said

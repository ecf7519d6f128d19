"""Measure entities on text that no corpus holds: 120 business and news sentences, and 100 with numbers but no date.

    python -m training.tagger.outside_text models/en-tagger

``--url http://127.0.0.1:8000`` measures a running service. ``--spacy-python PYTHON`` also measures spaCy's small model,
run by an interpreter that has it. Its labels are mapped to ours, and differences of convention are removed: articles
before names and quantity words before amounts are taken off, a currency sign before a sum is put on. The sentences are
in ``evaluation/``; nothing is tuned on them.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from training.corpora.entities import LABELS
from training.evaluation import Labelled, Score, evaluate_spans
from training.tagger.evaluate import open_tagger, spans_of_texts

FOLDER = Path(__file__).with_name("evaluation")
_SPAN = re.compile(r"\[([^]]+)\]\(([A-Z]+)\)")
SPACY_LABELS: Mapping[str, str] = {
    **dict(PERSON="PER", ORG="ORG", GPE="LOC", LOC="LOC", FAC="LOC", DATE="DATE", TIME="TIME", MONEY="MONEY"),
    **dict(
        PERCENT="PERCENT", NORP="MISC", PRODUCT="MISC", EVENT="MISC", WORK_OF_ART="MISC", LAW="MISC", LANGUAGE="MISC"
    ),
}
_ARTICLE = re.compile(r"(?:the|a|an)\s+", re.IGNORECASE)
_QUANTITY = re.compile(
    r"(?:(?:about|around|approximately|nearly|almost|only|just|over|under|up to|at least|more than|less than)\s+)+",
    re.IGNORECASE,
)
_SIGN = re.compile(r"-?(?:[A-Z]{1,3})?[$€£₹]$")  # some versions of spaCy leave it out of a sum
_RUN_SPACY = """
import importlib, json, sys
model = importlib.import_module(sys.argv[1]).load()
texts = json.load(sys.stdin)
json.dump([[(e.label_, e.start_char, e.end_char) for e in doc.ents] for doc in model.pipe(texts)], sys.stdout)
"""
Answer = Callable[[Sequence[str]], list[list[Labelled]]]  # spans (label, start, end) in characters, by text


def read_annotated(path: Path) -> list[tuple[str, list[Labelled]]]:
    """Texts and their spans in characters. Empty lines and lines that begin with ``#`` are skipped."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [parse_line(line) for line in lines if line.strip() and not line.startswith("#")]


def parse_line(line: str) -> tuple[str, list[Labelled]]:
    """The text and spans of an annotated line: ``[Ann](PER) sings`` is ``Ann sings`` and ``("PER", 0, 3)``. Raises
    ValueError on an unknown label."""
    text, spans, at = "", [], 0
    for match in _SPAN.finditer(line):
        text += line[at : match.start()]
        words, label = match.groups()
        if label not in LABELS:
            raise ValueError(f"unknown label {label} in {line!r}")
        spans.append((label, len(text), len(text) + len(words)))
        text += words
        at = match.end()
    return text + line[at:], spans


def spans_of_service(url: str, texts: Sequence[str]) -> list[list[Labelled]]:
    """The entities that a running service finds, with offsets in characters."""
    body = json.dumps({"text": list(texts)}).encode()
    request = urllib.request.Request(f"{url}/tag", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        results = json.load(response)["results"]
    return [[(e["label"], e["start"], e["end"]) for e in result["entities"]] for result in results]


def spans_of_spacy(python: str, model: str, texts: Sequence[str]) -> list[list[Labelled]]:
    """The entities that spaCy finds, in our labels, run by an interpreter that has it."""
    command = [python, "-c", _RUN_SPACY, model]
    run = subprocess.run(command, input=json.dumps(list(texts)), capture_output=True, text=True, check=True)  # noqa: S603
    return [from_spacy(text, spans) for text, spans in zip(texts, json.loads(run.stdout), strict=True)]


def from_spacy(text: str, spans: Sequence[Labelled]) -> list[Labelled]:
    """A span of spaCy with OntoNotes' label mapped to ours, articles and quantity words taken off."""
    mapped = []
    for label, start, end in spans:
        ours = SPACY_LABELS.get(label)
        if ours is None:
            continue
        leading = _ARTICLE if ours in ("PER", "ORG", "LOC", "MISC") else _QUANTITY
        match = leading.match(text, start, end)
        start = match.end() if match else start
        sign = _SIGN.search(text, 0, start) if ours == "MONEY" else None
        start = sign.start() if sign else start
        if text[start:end].endswith(("'s", "’s")):
            end -= 2
        mapped.append((ours, start, end))
    return mapped


def measure(answer: Answer, folder: Path = FOLDER) -> tuple[dict[str, Score], dict[str, int]]:
    """Measure both sets of sentences.

    The scores are by label and of all labels (``micro``) on the first set. The counts, on the second, are the sentences
    with a false DATE, and with any false span of DATE, TIME, MONEY or PERCENT.
    """
    annotated = read_annotated(folder / "business_and_news.txt")
    report = evaluate_spans(gold=[spans for _, spans in annotated], predicted=answer([text for text, _ in annotated]))
    nothing = Score(correct=0, predicted=0, support=0)
    scores = {label: report.by_label.get(label, nothing) for label in LABELS} | {"micro": report.micro}
    found = answer([text for text, _ in read_annotated(folder / "numbers.txt")])
    labels = [{label for label, _, _ in spans} for spans in found]
    return scores, {
        "false DATE": sum("DATE" in each for each in labels),
        "false DATE, TIME, MONEY or PERCENT": sum(
            not each.isdisjoint(("DATE", "TIME", "MONEY", "PERCENT")) for each in labels
        ),
    }


def table(systems: Mapping[str, Answer], folder: Path = FOLDER) -> list[str]:
    """The scores as lines of Markdown, a row a system."""
    measured = {name: measure(answer, folder) for name, answer in systems.items()}
    heads = ["F1, %", "micro (precision / recall)", *LABELS, *next(iter(measured.values()))[1]]
    lines = [f"| {' | '.join(heads)} |", f"| --- {'| ---: ' * (len(heads) - 1)}|"]
    for name, (scores, counts) in measured.items():
        micro = scores["micro"]
        overall = f"{100 * micro.f1:.1f} ({100 * micro.precision:.1f} / {100 * micro.recall:.1f})"
        cells = [name, overall, *(f"{100 * scores[label].f1:.1f}" for label in LABELS), *map(str, counts.values())]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def errors(answer: Answer, folder: Path = FOLDER) -> list[str]:
    """Each text that is not fully right, with its missed and its false spans."""
    lines = []
    for name in ("business_and_news.txt", "numbers.txt"):
        annotated = read_annotated(folder / name)
        for (text, gold), found in zip(annotated, answer([text for text, _ in annotated]), strict=True):
            missed, wrong = (
                ", ".join(f"{text[start:end]} {label}" for label, start, end in sorted(spans, key=lambda x: x[1]))
                for spans in (set(gold) - set(found), set(found) - set(gold))
            )
            if missed or wrong:
                lines.append(f"{text}\n    missed: {missed}\n    wrong:  {wrong}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, nargs="*", help="folders of bundles")
    parser.add_argument("--precision", help="a precision of the bundles; default their default")
    parser.add_argument("--url", help="of a running service")
    parser.add_argument("--spacy-python", help="an interpreter that has spaCy and its model")
    parser.add_argument("--spacy-model", default="en_core_web_sm", help="the package of the model")
    parser.add_argument("--errors", action="store_true", help="list what the first system got wrong, too")
    arguments = parser.parse_args()
    systems: dict[str, Answer] = {}
    for folder in arguments.bundles:
        tagger = open_tagger(folder, arguments.precision)
        systems[f"{folder.name} {folder.parent.name}"] = lambda texts, tagger=tagger: spans_of_texts(tagger, texts)
    if arguments.url:
        systems[arguments.url] = lambda texts: spans_of_service(arguments.url, texts)
    if arguments.spacy_python:
        systems["spaCy"] = lambda texts: spans_of_spacy(arguments.spacy_python, arguments.spacy_model, texts)
    if not systems:
        parser.error("name a bundle, a service or spaCy")
    print("\n".join(table(systems)))
    if arguments.errors:
        print("\n".join(errors(next(iter(systems.values())))))


if __name__ == "__main__":
    main()

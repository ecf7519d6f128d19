"""Plain inputs for each classifier, by kind, with the label that people expect: for reports and regression tests.

    python -m training.classifier.examples BUNDLE

prints them with the answers. The files are ``training/classifier/inputs/NAME.tsv``: kind TAB expected labels joined by
``|`` TAB text. An input whose kind ends in ``*`` must be answered right: a test fails if the bundle that ships does
not.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.predictors.classifier import Classifier, ClassifyExample
from service.text.tokenizer import words_of
from training.classifier.evaluate import classify_texts, open_classifier
from training.classifier.plain_inputs import PlainInput, read_inputs
from training.predict import answer_rows

NUM_BUNDLE_EXAMPLES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredInput:
    """A plain input with the answer of a classifier."""

    source: PlainInput
    label: str
    score: float

    @property
    def is_right(self) -> bool:
        """Whether the label is one of the expected ones."""
        return self.label in self.source.expected


def answer_inputs(classifier: Classifier, inputs: Sequence[PlainInput]) -> list[AnsweredInput]:
    """The classifier's likeliest label of each input."""
    scores = classify_texts(classifier, [each.text for each in inputs])
    return [
        AnsweredInput(source=each, label=classifier.labels[int(row.argmax())], score=float(row.max()))
        for each, row in zip(inputs, scores, strict=True)
    ]


def bundle_examples(classifier: Classifier, name: str) -> list[ClassifyExample]:
    """Some plain inputs with the classifier's answers, which the service replays when it loads the bundle.

    A model without plain inputs gets three texts that any model can read.
    """
    texts = [each.text for each in read_inputs(name) if words_of(each.text)]
    texts = texts[:: max(1, len(texts) // NUM_BUNDLE_EXAMPLES)] or ["The meeting is at three.", "I love it!", "Why?"]
    answers = answer_rows(classifier, [classifier.encode(text).ids for text in texts])
    return [
        ClassifyExample(
            text=text,
            label=answer.label,
            scores={label: round(score, 5) for label, score in zip(answer.labels, answer.scores, strict=True)},
            labels=None if answer.chosen is None else list(answer.chosen),
        )
        for text, answer in zip(texts, answers, strict=True)
    ]


def table_of(answers: Sequence[AnsweredInput]) -> list[str]:
    """The answers as lines of a Markdown table, wrong ones marked."""
    lines = ["| kind | text | expected | answer | score |", "| --- | --- | --- | --- | ---: |"]
    for each in answers:
        mark = "" if each.is_right else " ✗"
        text = each.source.text.replace("|", "\\|")
        expected = " or ".join(each.source.expected)
        lines.append(f"| {each.source.kind} | {text} | {expected} | {each.label}{mark} | {each.score:.2f} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--precision", help="a precision of the bundle; default its default")
    parser.add_argument("--inputs", help="the name of another model, whose inputs are taken")
    arguments = parser.parse_args()
    model = open_classifier(arguments.bundle, arguments.precision)
    answers = answer_inputs(model.classifier, read_inputs(arguments.inputs or model.bundle.manifest.name))
    print("\n".join(table_of(answers)))
    print(f"{sum(each.is_right for each in answers)} of {len(answers)} right")


if __name__ == "__main__":
    main()

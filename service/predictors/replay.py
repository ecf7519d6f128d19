"""A bundle's examples, answered again when it is loaded: warm-up and proof in one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from service.bundle import EXAMPLES, Bundle
from service.errors import BundleError, InputTooLongError
from service.predictors.tagger import TaggedRow, Tagger
from service.text.batch import pad
from service.text.tokenizer import join_words


class TagExample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens and the answer they had when the bundle was made; ``scores`` are those of the spans, in order."""

    tokens: list[str]
    upos: list[str]
    xpos: list[str]
    entity: list[str]
    scores: list[float]


def replay(tagger: Tagger, bundle: Bundle, *, precision: str) -> None:
    """Tag every example, in one batch and each alone. Raises BundleError that names the one that differs."""
    path = bundle.path(EXAMPLES)
    try:
        examples = msgspec.json.decode(path.read_bytes(), type=list[TagExample])
    except msgspec.DecodeError as error:
        raise BundleError(f"{path}: {error}") from error
    if not examples or not all(example.tokens for example in examples):
        raise BundleError(f"{path}: holds no example, or one without tokens")
    try:
        found = differences(tagger, examples, bundle.manifest.precisions[precision].max_drift)
        for number, difference in found:
            raise BundleError(f"{path}: example {number} {difference}; the graph is not the one described")
    except InputTooLongError as error:
        raise BundleError(f"{path}: {error}") from error


def differences(tagger: Tagger, examples: Sequence[TagExample], max_drift: float) -> Iterator[tuple[int, str]]:
    """The examples answered otherwise, by place, and in what; in one batch and each alone. Raises InputTooLongError."""
    rows = [tagger.encode(join_words(example.tokens)[1]).ids for example in examples]
    together = tagger.run(pad(rows))
    for number, (example, row, answer) in enumerate(zip(examples, rows, together, strict=True)):
        alone = tagger.run(pad([row]))[0]
        for name, actual in (("in a batch", answer), ("alone", alone)):
            difference = compare(example, actual, max_drift)
            if difference:
                yield number, f"{name}: {difference}"


def compare(example: TagExample, actual: TaggedRow, max_drift: float) -> str:
    """What differs, in words; empty if nothing does."""
    columns: tuple[tuple[str, Any, Any], ...] = (
        ("upos", example.upos, actual.upos),
        ("xpos", example.xpos, actual.xpos),
        ("entity", example.entity, actual.entity),
    )
    for name, expected, found in columns:
        if expected != found:
            return f"{name} is {' '.join(found)}, expected {' '.join(expected)}"
    scores = [span.score for span in actual.spans]
    if len(scores) != len(example.scores):
        return f"there are {len(scores)} scores, expected {len(example.scores)}"
    worst = max((abs(a - b) for a, b in zip(scores, example.scores, strict=True)), default=0.0)
    return f"a score is off by {worst:.4f}, more than {max_drift}" if worst > max_drift else ""

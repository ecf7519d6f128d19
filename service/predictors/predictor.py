"""Protocol of predictors, the warm-up and comparisons that all of them share, and the self-test of a bundle."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import numpy as np

from service.bundle import EXAMPLES, Bundle
from service.errors import BundleError, InputTooLongError, InvalidRequestError
from service.text.pipeline import Batch

Example = TypeVar("Example")
Answer = TypeVar("Answer")

WARM_LENGTH = 32  # tokens of a row in a batch of many


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits of the size of one run."""

    cells: int  # rows x longest row of a batch
    decoder_rows: int  # of a decoder's step


class Predictor(Protocol[Example, Answer]):
    """Predictor of one task; how texts become rows, and rows answers, differs by task. All of it may be called by
    several threads at once."""

    @property
    def max_tokens(self) -> int:
        """Most tokens of one row."""
        ...

    @property
    def example_decoder(self) -> msgspec.json.Decoder[list[Example]]:
        """Decoder of the bundle's ``examples.json``."""
        ...

    def answer(self, examples: Sequence[Example]) -> Sequence[Answer]:
        """Answer all examples in one batch. Raises InvalidRequestError if one cannot be read."""
        ...

    def difference(self, example: Example, answer: Answer, max_drift: float) -> str:
        """Describe how the answer differs from the example's, scores within ``max_drift``; empty if it does not."""
        ...

    def warm_up(self, bounds: Bounds) -> float:
        """Make the largest runs there will be, as large as the bounds and of one row as long as the limit, and return
        the seconds for which one run, or one turn, may hold its thread."""
        ...


class RowPredictor(Predictor[Example, Answer], Protocol[Example, Answer]):
    """Predictor whose answers are the rows of one run."""

    def run(self, batch: Batch) -> Sequence[Answer]:
        """Answer each row as if it had been run alone."""
        ...


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Context manager that raises BundleError, which names the file, for what a file of another kind raises."""
    try:
        yield
    except (ValueError, KeyError, TypeError, BundleError) as error:
        raise BundleError(f"{path}: not {what} ({error})") from error


def too_long(what: str, length: int, limit: int) -> InputTooLongError:
    """Return the error of a text or sentence of more tokens than a model reads."""
    return InputTooLongError(f"a {what} of {length} tokens; this model reads at most {limit}")


def largest_batches(*, cells: int, max_tokens: int, features: tuple[int, ...] = ()) -> Iterator[Batch]:
    """Yield the batches of a warm-up: many rows, and the longest one; all of them padding, (batch, time, *features)."""
    yield full_batch(max(1, cells // WARM_LENGTH), WARM_LENGTH, *features)
    yield full_batch(1, max_tokens, *features)


def full_batch(num_rows: int, length: int, *features: int) -> Batch:
    """Return rows of padding that counts as tokens, (batch, time, *features)."""
    return Batch(ids=np.zeros((num_rows, length, *features), np.int32), lengths=np.full(num_rows, length, np.int32))


def longest_run(run: Callable[[Batch], object], batches: Iterable[Batch]) -> float:
    """Run the batches of :func:`largest_batches` and return the seconds that the longest took."""
    longest = 0.0
    for batch in batches:
        started_at = time.perf_counter()
        run(batch)
        longest = max(longest, time.perf_counter() - started_at)
    return longest


def drift(expected: Sequence[float], found: Sequence[float], max_drift: float) -> str:
    """Describe how far scores are from the expected ones; empty if no further than ``max_drift``."""
    if len(found) != len(expected):
        return f"there are {len(found)} scores, expected {len(expected)}"
    distances = [abs(a - b) for a, b in zip(found, expected, strict=True)]
    if all(distance <= max_drift for distance in distances):  # which no NaN is
        return ""
    return f"a score is off by {max(distances):.4f}, more than {max_drift}"


def replay(predictor: Predictor[Example, Answer], bundle: Bundle, *, precision: str) -> None:
    """Answer every example, in one batch and alone. Raises BundleError that names what differs, or does not run."""
    path = bundle.path(EXAMPLES)
    max_drift = bundle.manifest.precisions[precision].max_drift
    try:
        examples = predictor.example_decoder.decode(path.read_bytes())
        if not examples:
            raise BundleError(f"{path}: holds no example")
        for number, difference in differences(predictor, examples, max_drift):
            raise BundleError(f"{path}: example {number} {difference}; the graph is not the one described")
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidRequestError) as error:
        raise BundleError(f"{path}: {error}") from error
    except BundleError:
        raise
    except Exception as error:
        # A graph of another task: onnxruntime's errors share no base, and other outputs are a missing key or index.
        reason = f"{type(error).__name__}: {error}"
        raise BundleError(f"{bundle.graph(precision)}: cannot answer the examples ({reason})") from error


def differences(
    predictor: Predictor[Example, Answer], examples: Sequence[Example], max_drift: float
) -> Iterator[tuple[int, str]]:
    """Yield the examples that are answered differently, by place, with the difference; in one batch and each alone.
    Raises InvalidRequestError for one that is empty or too long."""
    together = predictor.answer(examples)
    for number, (example, answer) in enumerate(zip(examples, together, strict=True)):
        alone = predictor.answer([example])[0]
        for name, actual in (("in a batch", answer), ("alone", alone)):
            difference = predictor.difference(example, actual, max_drift)
            if difference:
                yield number, f"{name}: {difference}"

"""Self-test of a bundle: its examples are answered again when it is loaded, as warm-up and proof in one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from service.bundle import EXAMPLES, Bundle
from service.errors import BundleError, InvalidRequestError
from service.predictors.predictor import Answer, Example, Predictor


def replay(predictor: Predictor[Example, Answer], bundle: Bundle, *, precision: str) -> None:
    """Answer every example, in one batch and each alone. Raises BundleError that names the one that differs, or the
    graph if it does not run at all."""
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

    Raises InvalidRequestError for one that is empty or too long.
    """
    together = predictor.answer(examples)
    for number, (example, answer) in enumerate(zip(examples, together, strict=True)):
        alone = predictor.answer([example])[0]
        for name, actual in (("in a batch", answer), ("alone", alone)):
            difference = predictor.difference(example, actual, max_drift)
            if difference:
                yield number, f"{name}: {difference}"

"""Parts of publishing that all tasks share: the draft of a bundle, its examples, the final check that it loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from service.bundle import CARD, EXAMPLES, Bundle, load_bundle, write_manifest
from service.predictors.predictor import Answer, Example, Predictor, differences, replay
from service.runtime.session import OnnxSession, Session
from training.export import GRAPHS, ExportError

MAX_DRIFT = {"fp32": 0.001, "int8": 0.1}  # of an example's scores, because other processors round differently
INT8 = (
    "int8 quantises activations by batch, so that neighbours move scores a little. It is faster; see precisions for "
    "its accuracy on dev."
)
EXACT = f"An answer in fp32 is the same to the last bit alone and in any batch; {INT8}"
INEXACT = f"Neighbours move no more than the last digits of an answer in fp32; {INT8}"

OpenPredictor = Callable[[Bundle, Session], Predictor[Any, Any]]
OpenPrecision = Callable[[Bundle, str], Predictor[Any, Any]]


def precision_fields(
    metrics: Mapping[str, Mapping[str, float]], *, reason: str = EXACT, precisions: Sequence[str] = tuple(GRAPHS)
) -> dict[str, Any]:
    """The fields of a manifest about its graphs, the first of ``precisions`` the default; ``metrics`` by precision."""
    return {
        "precisions": {
            name: {"file": file, "metrics": dict(metrics.get(name, {})), "max_drift": MAX_DRIFT[name]}
            for name, file in GRAPHS.items()
            if name in precisions
        },
        "default_precision": precisions[0],
        "default_reason": reason,
    }


def write_draft(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Make a folder of graphs and vocabularies a bundle that can be opened, without examples, card and figures."""
    (folder / EXAMPLES).write_text("[]\n")
    (folder / CARD).write_text("")
    write_manifest(folder, manifest)


def write_examples(
    predictors: Mapping[str, Predictor[Example, Answer]], examples: Sequence[Example], folder: Path
) -> None:
    """Write the examples that the service replays when it loads the bundle. Raises ExportError if there are none on
    which all precisions agree."""
    lines = ",\n".join(msgspec.json.encode(example).decode() for example in agreed(predictors, examples))
    (folder / EXAMPLES).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def agreed(predictors: Mapping[str, Predictor[Example, Answer]], examples: Sequence[Example]) -> list[Example]:
    """The examples that every precision answers alike.

    In the others two answers are almost equally likely, so that a difference says nothing about a graph. Neighbours in
    the batch move int8 a little, so the remaining examples are tried again until all agree.
    """
    kept = list(examples)
    while kept:
        found = {p: dict(differences(predictor, kept, MAX_DRIFT[p])) for p, predictor in predictors.items()}
        for precision, answers in found.items():
            for number, difference in answers.items():
                print(f"no example ({precision} {difference}): {msgspec.json.encode(kept[number]).decode()}")
        if not any(found.values()):
            return kept
        kept = [example for i, example in enumerate(kept) if not any(i in answers for answers in found.values())]
    raise ExportError(f"{', '.join(predictors)} agree on no example")


def finish(folder: Path, manifest: Mapping[str, Any], card: str, open_predictor: OpenPredictor) -> None:
    """Call :func:`finish_bundle` for a predictor that has one graph."""

    def open_precision(bundle: Bundle, precision: str) -> Predictor[Any, Any]:
        return open_predictor(bundle, OnnxSession(bundle.graph(precision)))

    finish_bundle(folder, manifest, card, open_precision)


def finish_bundle(folder: Path, manifest: Mapping[str, Any], card: str, open_precision: OpenPrecision) -> None:
    """Write card and manifest, then load the bundle as the service will. Raises BundleError if that fails."""
    (folder / CARD).write_text(card, encoding="utf-8")
    write_manifest(folder, manifest)
    bundle = load_bundle(folder)
    for precision in bundle.manifest.precisions:
        replay(open_precision(bundle, precision), bundle, precision=precision)

"""The meaning of a good request, which no schema can say: Schemathesis' good ones are given it, its bad ones left bad.

Which languages there are and how long a text may be is up to the models that are loaded; one field bounds another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import schemathesis

TARGETS = ("es", "de", "fr")
MAX_LENGTH = 32  # subwords; every translator has at least so many
Body = dict[str, Any]


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Called before every request of every phase."""
    del context, kwargs
    meant = MEANT.get(case.operation.path)
    if meant and case.meta and case.meta.generation.mode.is_positive and isinstance(case.body, dict):
        case.body = meant(case.body)


def not_strict(body: Body) -> Body:
    """A text without a word, or one that is too long for the model, has a result too."""
    return {**body, "strict": False} if "strict" in body else body


def with_a_unit(body: Body) -> Body:
    """Offsets in the unit that the format counts in."""
    counted = {"offset_unit": "codepoint"} if body.get("format") in ("conllu", "spacy") else {}
    return not_strict({**body, **counted})


def with_a_pair(body: Body) -> Body:
    """Languages that a model has, and numbers that go together."""
    beam_size = body.get("beam_size", 4)
    found = {**body, "source": "en"}
    if body["target"] not in TARGETS:
        found["target"] = TARGETS[len(body["target"]) % len(TARGETS)]
    if "num_hypotheses" in body:
        found["num_hypotheses"] = min(body["num_hypotheses"], beam_size)
    if body.get("max_length") is not None:
        found["max_length"] = min(body["max_length"], MAX_LENGTH)
    return not_strict(found)


def with_a_compatible_pair(body: Body) -> Body:
    """Languages that a model has, in the words of LibreTranslate."""
    target = body["target"] if body["target"] in TARGETS else TARGETS[len(body["target"]) % len(TARGETS)]
    return {**body, "source": "en", "target": target}


def with_a_good_length(body: Body) -> Body:
    """A length that every model writes, and no state: one is good for the model that has answered it."""
    found = {name: value for name, value in body.items() if name != "state"}
    return not_strict({**found, "max_tokens": min(body.get("max_tokens") or MAX_LENGTH, MAX_LENGTH)})


def with_a_gap(body: Body) -> Body:
    """Texts with one gap for their choices."""
    if body.get("choices") is None:
        return not_strict(body)
    texts = [body["text"]] if isinstance(body["text"], str) else body["text"]
    return not_strict({**body, "text": [f"{text.replace('_', '')[:100]}___" for text in texts]})


MEANT: Mapping[str, Callable[[Body], Body]] = {
    "/tag": with_a_unit,
    "/classify": not_strict,
    "/translate": with_a_pair,
    "/generate": with_a_good_length,
    "/score": with_a_gap,
    "/compat/libretranslate/translate": with_a_compatible_pair,
}

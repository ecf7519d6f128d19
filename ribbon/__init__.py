"""Ribbon from Python: a client of the service, and its models in this process.

::

    with ribbon.Client("http://127.0.0.1:8000") as client:
        print(client.tag("Kim moved to Hong Kong.").ents)

    with ribbon.load("en-tagger") as tagger:
        print(tagger("Kim moved to Hong Kong.").ents)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ribbon.answers import Classification, Doc, Entity, ModelInfo, Sentence, Token, Translation
    from ribbon.async_client import AsyncClient
    from ribbon.client import Client
    from ribbon.errors import (
        CapacityError,
        DeadlineExceededError,
        InvalidRequestError,
        ModelError,
        RequestError,
        RibbonError,
        ServiceError,
        UnauthorizedError,
        UnknownModelError,
        UnreachableError,
    )
    from ribbon.language_answers import Generation, Score
    from ribbon.loaded import Classifier, LanguageModel, Tagger, Translator, load
    from ribbon.retries import Retries

_MODULES = {
    "ribbon.answers": "Classification Doc Entity ModelInfo Sentence Token Translation",
    "ribbon.async_client": "AsyncClient",
    "ribbon.client": "Client",
    "ribbon.errors": (
        "CapacityError DeadlineExceededError InvalidRequestError ModelError RequestError RibbonError ServiceError "
        "UnauthorizedError UnknownModelError UnreachableError"
    ),
    "ribbon.language_answers": "Generation Score",
    "ribbon.loaded": "Classifier LanguageModel Tagger Translator load",
    "ribbon.retries": "Retries",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "AsyncClient",
    "CapacityError",
    "Classification",
    "Classifier",
    "Client",
    "DeadlineExceededError",
    "Doc",
    "Entity",
    "Generation",
    "InvalidRequestError",
    "LanguageModel",
    "ModelError",
    "ModelInfo",
    "RequestError",
    "Retries",
    "RibbonError",
    "Score",
    "Sentence",
    "ServiceError",
    "Tagger",
    "Token",
    "Translation",
    "Translator",
    "UnauthorizedError",
    "UnknownModelError",
    "UnreachableError",
    "load",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: the command line starts without the client's packages."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'ribbon' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)

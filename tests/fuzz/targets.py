"""What reads bytes and texts of strangers, for a coverage-guided fuzzer, and for a test that replays what it found.

    python -m tests.fuzz.targets CORPUS -max_total_time=600 -max_len=1200 -len_control=0

needs atheris (``pip install atheris``). The first byte of an input chooses the target: the body parser, the manifest
reader, the sentence splitter, the placeholder scanner, the cutting of text, HTML and Markdown, and that of clauses.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from service.api.body import decode
from service.api.language_schemas import GenerateRequest, ScoreRequest
from service.api.schemas import ClassifyRequest, TagRequest, TranslateRequest
from service.bundle.manifest import Manifest
from service.errors import RequestError
from service.text.clauses import cut_clauses
from service.text.markup.documents import cut_format
from service.text.paragraphs import Passage, cut
from service.text.placeholders.items import FORMATS, key, localize, scan
from service.text.placeholders.masking import mask
from service.text.tokenizer import split_sentences

FORMS = (TagRequest, ClassifyRequest, TranslateRequest, GenerateRequest, ScoreRequest)
ALPHABET = frozenset(map(chr, range(32, 127)))
MAX_VALUES = 1000


def read_body(data: bytes) -> None:
    for form in FORMS:
        with suppress(RequestError):
            decode(data, form, MAX_VALUES)


def read_manifest(data: bytes) -> None:
    with suppress(ValidationError):
        Manifest.model_validate_json(data)


def split(text: str) -> None:
    """Every visible character is in one word, and its offsets are right."""
    end = 0
    for sentence in split_sentences(text):
        for word, start, stop in sentence:
            assert text[start:stop] == word
            assert not text[end:start].strip()
            end = stop
    assert not text[end:].strip()


def find_items(text: str) -> None:
    end = 0
    for item in scan(text, ALPHABET):
        assert text[item.start : item.end] == item.text
        assert item.start >= end
        end = item.end
        for language in FORMATS:
            localize(item, language)
        key(item)
    mask(text, ALPHABET)


def cut_and_join(text: str) -> None:
    """What is not translated is kept."""
    passages: Sequence[Passage] = (cut(text), cut_format(text, "html"), cut_format(text, "markdown"))
    for passage in passages:
        same = [passage.restored(place, sentence) for place, sentence in enumerate(passage.sentences)]
        assert "".join(passage.join(same).split()) == "".join(text.split())


def cut_long(text: str) -> None:
    parts = cut_clauses(text, length_of=len, max_tokens=20)
    assert all(part.start < part.end for part in parts)


OF_BYTES: Sequence[Callable[[bytes], None]] = (read_body, read_manifest)
OF_TEXTS: Sequence[Callable[[str], None]] = (split, find_items, cut_and_join, cut_long)


def check(data: bytes) -> None:
    """Give an input to its target. Raises AssertionError, or whatever the target should not."""
    if not data:
        return
    number = data[0] % (len(OF_BYTES) + len(OF_TEXTS))
    if number < len(OF_BYTES):
        OF_BYTES[number](data[1:])
    else:
        OF_TEXTS[number - len(OF_BYTES)](data[1:].decode("utf-8", "ignore"))


def main(arguments: list[str]) -> None:
    """Run the fuzzer on the service's modules, imported anew so that it sees which of their lines an input reaches."""
    atheris: Any = importlib.import_module("atheris")
    for name in [name for name in sys.modules if name.partition(".")[0] == "service"]:
        del sys.modules[name]
    with atheris.instrument_imports(include=["service"]):
        targets = importlib.import_module("tests.fuzz.targets")
    atheris.Setup(arguments, targets.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)

"""Readers of bytes and texts of strangers, for a coverage-guided fuzzer (``python -m bench.fuzz``), and for a test that
replays what it found.

The first byte of an input chooses the target: the body parser, the manifest reader, the sentence splitter, the
placeholder scanner, the cutting of text, HTML and Markdown, that of clauses, forms and gzip files.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from service.api.body import decode
from service.api.compression import compress, content_size, decompress
from service.api.language_schemas import GenerateRequest, ScoreRequest
from service.api.libretranslate import LibreTranslateRequest, decode_form
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
MAX_VALUES, MAX_BYTES = 1000, 100_000


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
    """All that is not translated is kept."""
    passages: Sequence[Passage] = (cut(text), cut_format(text, "html"), cut_format(text, "markdown"))
    for passage in passages:
        same = [passage.restored(place, sentence) for place, sentence in enumerate(passage.sentences)]
        assert "".join(passage.join(same).split()) == "".join(text.split())


def cut_long(text: str) -> None:
    parts = cut_clauses(text, length_of=len, max_tokens=20)
    assert all(part.start < part.end for part in parts)


def read_form(data: bytes) -> None:
    with suppress(RequestError):
        decode_form(data, LibreTranslateRequest)


def read_gzip(data: bytes) -> None:
    """No more is made of a file than it says, and what is made is counted before."""
    with suppress(RequestError):
        assert len(decompress(data, MAX_BYTES)) <= content_size(data, MAX_BYTES) <= MAX_BYTES
    assert decompress(compress(data), len(data)) == data


def of_text(target: Callable[[str], None]) -> Callable[[bytes], None]:
    return lambda data: target(data.decode("utf-8", "ignore"))


# The corpus has their places, so that further targets go to the end.
TARGETS: Mapping[str, Callable[[bytes], None]] = MappingProxyType(
    {
        "body": read_body,
        "manifest": read_manifest,
        "sentences": of_text(split),
        "placeholders": of_text(find_items),
        "passages": of_text(cut_and_join),
        "clauses": of_text(cut_long),
        "form": read_form,
        "gzip": read_gzip,
    }
)
NAMES = tuple(TARGETS)


def corpus() -> list[bytes]:
    """The inputs that earlier runs of the fuzzer found to reach different code."""
    return [b64decode(line) for line in Path(__file__).with_name("corpus.txt").read_text("ascii").split()]


def check(data: bytes) -> None:
    """Give an input to its target. Raises AssertionError, or whatever the target should not."""
    if data:
        TARGETS[NAMES[data[0] % len(NAMES)]](data[1:])

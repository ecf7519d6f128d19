"""English words with a translation each, from dictionaries that Debian packages.

English to Spanish and French: FreeDict, in the format of dictd (an index of words with offset and length in base 64,
and a compressed file of entries). English and German: Ding's list, ``Biene {f} | Bienen {pl} :: bee | bees`` a line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from training.corpora.columns import open_text
from training.corpora.sources import locate

DIGITS = {
    digit: value for value, digit in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}
WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
NUMBER = re.compile(r"\d+\. ")
REMARK = re.compile(r"\s*(?:\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|<[^>]*>|/[^/]*/)")
TRANSLATION = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+){0,3}")


def read_headwords(language: str, words: Collection[str], data_dir: Path | None) -> dict[str, list[str]]:
    """English words that the dictionary of a language (es, fr or de) has, with all their translations, of those asked
    for; verbs are "to" and the word."""
    entries = _ding(data_dir) if language == "de" else _freedict(language, data_dir)
    found: dict[str, list[str]] = {}
    for english, translation in entries:
        if english.removeprefix("to ") in words and TRANSLATION.fullmatch(translation):
            found.setdefault(english, []).append(translation)
    return found


def _freedict(language: str, data_dir: Path | None) -> Iterator[tuple[str, str]]:
    """English and each translation of each entry: the line after the headword's, and lines that begin with a number."""
    code = {"es": "spa", "fr": "fra"}[language]
    content = locate(f"headwords/eng-{code}", data_dir=data_dir).read_bytes()
    with open_text(locate(f"headwords/eng-{code}-index", data_dir=data_dir)) as lines:
        for line in lines:
            headword, offset, length = line.rstrip("\n").split("\t")
            start = _number(offset)
            first, *others = content[start : start + _number(length)].decode("utf-8").splitlines()
            if not WORD.fullmatch(headword):
                continue
            prefix = "to " if "<v>" in first else ""
            for place, other in enumerate(others):
                numbered = NUMBER.match(other)
                if place == 0 or numbered:
                    for translation in REMARK.sub("", other[numbered.end() if numbered else 0 :]).split(","):
                        yield prefix + headword, translation.replace("‐", "-").strip()


def _ding(data_dir: Path | None) -> Iterator[tuple[str, str]]:
    """English and German of each part of each line."""
    with open_text(locate("headwords/deu-eng", data_dir=data_dir)) as lines:
        for line in lines:
            german, separator, english = line.partition(" :: ")
            if separator and german.count("|") == english.count("|"):
                for one, other in zip(english.split("|"), german.split("|"), strict=True):
                    translations = [REMARK.sub("", each).strip() for each in other.split(";")]
                    for word in (REMARK.sub("", each).strip() for each in one.split(";")):
                        if WORD.fullmatch(word.removeprefix("to ")):
                            yield from ((word, translation) for translation in translations)


def _number(text: str) -> int:
    """A number in dictd's base 64."""
    number = 0
    for digit in text:
        number = 64 * number + DIGITS[digit]
    return number

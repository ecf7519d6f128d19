"""Networks whose translations are known, for the sentences of documents with markup."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from random import Random

from service.text.markup.inline import NAME, TAG
from service.text.paragraphs import Passage

_WORD = re.compile(rf"{TAG}|{NAME}|&#?\w+;|(\w+)")
_ATOM = re.compile(rf"{TAG}|{NAME}|&#?\w+;|[^\s<&]+|\s+|.")


def translated(passage: Passage, translations: Sequence[str]) -> str:
    """The document with these translations of its sentences."""
    return passage.join([passage.restored(place, each) for place, each in enumerate(translations)])


def shouted(passage: Passage) -> str:
    """The document in capitals."""
    return translated(passage, [_WORD.sub(_capitals, each) for each in passage.sentences])


def _capitals(found: re.Match[str]) -> str:
    return found[1].upper() if found[1] else found[0]


def permuted(passage: Passage, random: Random) -> str:
    """The document with the words, tags and entities of each sentence in another order."""
    return translated(
        passage, ["".join(random.sample(each, len(each))) for each in map(_ATOM.findall, passage.sentences)]
    )


def shuffled(passage: Passage, random: Random) -> str:
    """The document with the words of each sentence in another order, between the tags and spaces as they are."""
    return translated(passage, [_shuffled(_ATOM.findall(each), random) for each in passage.sentences])


def _shuffled(atoms: list[str], random: Random) -> str:
    is_word = [not each.isspace() and not re.fullmatch(TAG, each) for each in atoms]
    words = [each for each, counts in zip(atoms, is_word, strict=True) if counts]
    remaining = iter(random.sample(words, len(words)))
    return "".join(next(remaining) if counts else each for each, counts in zip(atoms, is_word, strict=True))


def assert_time_is_linear(act: Callable[[str], object], part: str, *, length: int = 40_000) -> None:
    """Four times the text may take at most ten times as long, and no more than some seconds."""
    seconds = []
    for size in (length // 4, length):
        began_at = time.process_time()
        act(part * (size // len(part)))
        seconds.append(time.process_time() - began_at)
    assert seconds[1] < 10 * seconds[0] + 0.5
    assert seconds[1] < 20

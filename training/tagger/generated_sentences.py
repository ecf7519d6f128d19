"""Training sentences from templates for amounts and times in business text, and for numbers that are neither.

The number in a slot says nothing: ``2010`` is a year behind "in" and a room number behind "room", so that the network
must read the words around it. :mod:`training.tagger.forms` has the grammar of templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.text.spans import Span, bioes_tags, tags_of
from service.text.tokenizer import split_sentences
from training.corpora.entities import Allowed, numeric_spans
from training.tagger.forms import SLOT, Forms, Rng, choose, read_forms, read_lines

LABELS_OF_SLOTS: Mapping[str, str] = {
    **dict.fromkeys(("DAY", "WHEN", "YEAR", "MONTH", "PERIOD", "DURATION", "WEEKDAY"), "DATE"),
    **dict.fromkeys(("CLOCK", "PARTDAY", "HOURS"), "TIME"),
    **dict.fromkeys(("PER", "FIRST", "LAST"), "PER"),
    **dict.fromkeys(("ORG", "TEAM"), "ORG"),
    **dict.fromkeys(("MISC", "EVENT", "LAW", "NATION"), "MISC"),
    **dict(LOC="LOC", MONEY="MONEY", PERCENT="PERCENT"),
}
DOUBTFUL = {"address": "LOC", "model": "MISC"}  # slots whose tags may be those of an entity or none
NUMBER_SHARE = 0.4  # of the sentences that come from numbers.txt
UNFINISHED_SHARE = 0.25  # of the sentences without a full stop
_ARTICLE_BEFORE = re.compile(r"(?:^|\s)(?:the|a|an)\s$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedSentence:
    """A sentence of words with the entity tags allowed for each."""

    words: Sequence[str]
    allowed: Allowed


def generate(count: int, names: Mapping[str, Sequence[str]], seed: int) -> list[GeneratedSentence]:
    """Generate so many sentences. ``names`` by slot, harvested from corpora, are added to those of ``names.txt``."""
    rng = np.random.default_rng(seed)
    forms = forms_with(names)
    business, numbers = read_lines("business.txt"), read_lines("numbers.txt")
    sentences = []
    for _ in range(count):
        templates = numbers if rng.random() < NUMBER_SHARE else business
        sentences.append(fill(templates[int(rng.integers(len(templates)))], forms, rng))
    return sentences


def forms_with(names: Mapping[str, Sequence[str]]) -> Forms:
    """The forms of the templates together with names from corpora."""
    ours = read_forms("forms.txt", "names.txt")
    ours.setdefault("HARVESTED", ours["COMPANY"] if not names.get("HARVESTED") else [])
    return Forms({slot: [*ours.get(slot, ()), *names.get(slot, ())] for slot in {*ours, *names}})


def fill(template: str, forms: Forms, rng: Rng) -> GeneratedSentence:
    """A random sentence of a template. Raises UnknownSlotError on a slot without a list."""
    text, marked, at = "", [], 0
    chosen = re.sub(r" +", " ", choose(template, rng)).strip()
    for match in SLOT.finditer(chosen):
        text += chosen[at : match.start()]
        slot, at = match.group(1), match.end()
        filled = forms(slot, rng)
        article = "the " if LABELS_OF_SLOTS.get(slot) in ("ORG", "LOC") and filled.startswith("the ") else ""
        if _ARTICLE_BEFORE.search(text):
            filled, article = filled.removeprefix(article), ""
        marked.append((slot, len(text) + len(article), len(text) + len(filled)))
        text += filled
    text += chosen[at:]
    text = text[:1].upper() + text[1:]
    return _tagged(text.rstrip(".") if rng.random() < UNFINISHED_SHARE else text, marked)


def _tagged(text: str, marked: Sequence[tuple[str, int, int]]) -> GeneratedSentence:
    """The words of a text, and its slots, given in characters, as tags by word."""
    sentences = split_sentences(text)
    words = [word for sentence in sentences for word in sentence.words]
    bounds = [bound for sentence in sentences for bound in zip(sentence.starts, sentence.ends, strict=True)]
    spans: list[Span] = []
    slots: dict[int, str] = {}
    for slot, begin, stop in marked:
        places = [i for i, (start, end) in enumerate(bounds) if start < stop and end > begin]
        slots.update(dict.fromkeys(places, slot))
        if slot in LABELS_OF_SLOTS:
            spans.append(Span(LABELS_OF_SLOTS[slot], places[0], places[-1] + 1))
    plain = [span for span in numeric_spans(words, frozenset(slots)) if not _has_digit(words[span.start : span.end])]
    tags = tags_of([*spans, *plain], len(words))
    allowed = (
        frozenset(("O", *bioes_tags((DOUBTFUL[slots[i]],)))) if slots.get(i) in DOUBTFUL else frozenset((tag,))
        for i, tag in enumerate(tags)
    )
    return GeneratedSentence(words=words, allowed=tuple(allowed))


def _has_digit(words: Sequence[str]) -> bool:
    return any(character.isdigit() for word in words for character in word)

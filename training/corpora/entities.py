"""One entity scheme from many: PER, ORG, LOC, DATE, MONEY, MISC out of corpora that each annotate something else.

What a corpus does not annotate is unknown, not absent: there the *allowed* tags of a word are several, and
the loss is the probability of all of them together (partial labels; Täckström et al. 2013, section 3).

==========  ==========================================================================================
gmb         per (leading titles off: ``President Bush`` -> ``Bush``; a mere title is O), geo, org; tim -> DATE;
            art, eve, nat -> MISC; gpe -> LOC if a proper noun (``Nepal``), MISC if an adjective or a people
            (``Iraqi``, ``Americans``). A tim span without any word of time (``two``, ``recent``) is
            unknown. An O is an O.
wikigold    PER, ORG, LOC, MISC; an O may be a DATE
wnut17      person, location; corporation, group -> ORG; product, creative-work -> MISC; an O may be
            DATE or MISC
btc         PER, ORG, LOC; an O may be DATE or MISC
(all)       MONEY, percentages in it, by rule on words that are O (weak supervision): see ``money_spans``
EWT         nothing is annotated, but its parts of speech tell: a weekday or month that is a proper noun is a
            DATE; a pronoun, verb, adverb, common noun and so on is O, DATE or MISC (or MONEY, by rule);
            proper nouns and the words that names may hold (``of``, ``the``, ``-``) are unknown
==========  ==========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from service.text.spans import Span, bioes_tags, spans_of, tags_of
from training.corpora.examples import TaggedSentence

LABELS = ("PER", "ORG", "LOC", "DATE", "MONEY", "MISC")
TAGS = tuple(bioes_tags(LABELS))
Allowed = tuple[frozenset[str], ...]  # the tags a word may have; empty: nothing is known
UNKNOWN: frozenset[str] = frozenset()

MAPPINGS: Mapping[str, Mapping[str, str]] = {
    "gmb": dict(per="PER", geo="LOC", org="ORG", tim="DATE", art="MISC", eve="MISC", nat="MISC", gpe="LOC"),
    "wikigold": dict(PER="PER", ORG="ORG", LOC="LOC", MISC="MISC"),
    "btc": dict(PER="PER", ORG="ORG", LOC="LOC"),
    "wnut17": {
        "person": "PER",
        "location": "LOC",
        "corporation": "ORG",
        "group": "ORG",
        "product": "MISC",
        "creative-work": "MISC",
    },
}
UNANNOTATED: Mapping[str, tuple[str, ...]] = {
    "gmb": (),
    "wikigold": ("DATE",),
    "wnut17": ("DATE", "MISC"),
    "btc": ("DATE", "MISC"),
}
TITLES = frozenset(
    "Mr. Mr Ms. Ms Mrs. Mrs Dr. Dr President Prime Minister General Gen. Secretary Senator Sen. King Queen Vice Pope "
    "Chancellor Mullah Foreign Prince Princess Sheikh Ayatollah Governor Gov. Judge Justice Captain Colonel "
    "Lieutenant Admiral Ambassador Defense Interior Finance Premier Vice-President Lt. Col. Maj. Sgt. Rep. "
    "Congressman Congresswoman Chairman Chief Director Deputy Attorney Cardinal Archbishop Bishop Imam".lower().split()
)
_TIME = re.compile(
    r"\d|(mon|tues|wednes|thurs|fri|satur|sun)day|^(january|february|march|april|may|june|july|august|september"
    r"|october|november|december|today|tomorrow|yesterday|tonight|century|ramadan|christmas|easter|spring|summer"
    r"|autumn|winter)$|^(years?|months?|weeks?|days?|hours?|decades?|quarter|morning|afternoon|evening|night)$",
    re.IGNORECASE,
)
_CALENDAR = re.compile(
    r"(mon|tues|wednes|thurs|fri|satur|sun)day$|(january|february|march|april|june|july|august|september|october"
    r"|november|december)$",
    re.IGNORECASE,
)
PEOPLES = frozenset(("JJ", "NN", "NNS", "NNPS"))  # Penn tags of ``Iraqi`` and ``Americans``, not of ``Nepal``
NAMELESS = frozenset("ADJ ADV AUX INTJ NOUN PRON SCONJ VERB".split())
DATES = frozenset(bioes_tags(("DATE",))) - {"O"}
NO_NAME = frozenset(bioes_tags(("DATE", "MISC")))
_AMOUNT = re.compile(r"(\d[\d,.]*\d|\d)([kmb]|bn)?", re.IGNORECASE)
_SCALES = frozenset(("hundred", "thousand", "million", "billion", "trillion", "k", "m", "bn"))
_SIGNS = frozenset(("$", "£", "€", "¥", "us$", "a$", "c$"))
_UNITS = frozenset("dollar dollars euro euros pound pounds yen cents rupees usd eur gbp % percent".split())


def money_spans(words: Sequence[str]) -> list[Span]:
    """Sums of money and percentages: a sign before a number, or a unit behind one, with its scale words."""
    lowered = [word.lower() for word in words]
    spans, i = [], 0
    while i < len(words):
        start = i
        signed = lowered[i] in _SIGNS
        i += signed
        end = i
        while end < len(words) and (_AMOUNT.fullmatch(lowered[end]) or (end > i and lowered[end] in _SCALES)):
            end += 1
        unit = end > i and end < len(words) and lowered[end] in _UNITS
        if end > i and (signed or unit):
            spans.append(Span("MONEY", start, end + unit))
        i = max(end + unit, start + 1)
    return spans


def strip_titles(words: Sequence[str], span: Span) -> Span:
    """The name without the titles before it; of titles alone nothing is left (``start == end``)."""
    start = span.start
    while start < span.end and words[start].lower() in TITLES:
        start += 1
    return span._replace(start=start)


def merged_spans(sentence: TaggedSentence, corpus: str) -> tuple[list[Span], list[Span]]:
    """The spans of a sentence in the merged scheme, and those whose words are unknown."""
    known, unknown = [], []
    for span in spans_of(sentence.tags["ner"]):
        mapped = span._replace(label=MAPPINGS[corpus][span.label])
        if corpus == "gmb" and span.label == "per":
            mapped = strip_titles(sentence.words, mapped)
        if corpus == "gmb" and span.label == "gpe" and sentence.tags["xpos"][span.start] in PEOPLES:
            mapped = mapped._replace(label="MISC")
        dateless = mapped.label == "DATE" and not any(map(_TIME.search, sentence.words[span.start : span.end]))
        if mapped.start < mapped.end:
            (unknown if dateless else known).append(mapped)
    return known, unknown


def merged_tags(sentence: TaggedSentence, corpus: str) -> list[str]:
    """BIOES tags in the merged scheme, unknown words as O: what a prediction is scored against."""
    return tags_of(merged_spans(sentence, corpus)[0], len(sentence.words))


def allowed_tags(sentence: TaggedSentence, corpus: str) -> Allowed:
    """The tags each word may have, by the table above."""
    if "ner" not in sentence.tags:
        return tuple(hints_of_pos(sentence))
    known, unknown = merged_spans(sentence, corpus)
    taken = {i for span in (*known, *unknown) for i in range(span.start, span.end)}
    money = [s for s in money_spans(sentence.words) if taken.isdisjoint(range(s.start, s.end))]
    outside = frozenset(("O", *bioes_tags(UNANNOTATED[corpus])))
    allowed = [frozenset((t,)) if t != "O" else outside for t in tags_of([*known, *money], len(sentence.words))]
    for span in unknown:
        allowed[span.start : span.end] = [UNKNOWN] * (span.end - span.start)
    unclear = sentence.tags.get("unclear", ())
    return tuple(UNKNOWN if i < len(unclear) and unclear[i] == "yes" else tags for i, tags in enumerate(allowed))


def hints_of_pos(sentence: TaggedSentence) -> Iterator[frozenset[str]]:
    """What parts of speech alone say of entities."""
    money = tags_of(money_spans(sentence.words), len(sentence.words))
    for word, upos, xpos, tag in zip(sentence.words, sentence.tags["upos"], sentence.tags["xpos"], money, strict=True):
        if tag != "O":
            yield frozenset((tag,))
        elif xpos.startswith("NNP"):
            yield DATES if _CALENDAR.match(word) else UNKNOWN
        else:
            yield NO_NAME if upos in NAMELESS else UNKNOWN

"""One entity scheme (PER, ORG, LOC, DATE, TIME, MONEY, PERCENT, MISC) merged from corpora with schemes of their own.

An entity that a corpus does not annotate is unknown, not absent: the *allowed* tags of such a word are several, and
the loss is the probability of all of them together (partial labels; Täckström et al. 2013, section 3).

===========  =========================================================================================
gmb          per (leading titles off: ``President Bush`` -> ``Bush``; a mere title is O), geo, org; art, eve,
             nat -> MISC; gpe -> LOC if a proper noun (``Nepal``), MISC if an adjective or a people
             (``Iraqi``, ``Americans``); tim -> DATE or TIME, widened by the words that narrow it (``next``,
             ``ago``: gmb leaves them out). A tim without any word of time (``recent``) is unknown
redocred     its own labels; a LOC that names a people is MISC; NUM is O
crossner     PER, ORG, LOC; of MISC what is capitalised, for the rest are common nouns (``regression``)
sec-filings  PER, ORG, LOC, MISC; the parties' roles (``Borrower``, ``Bank``) are unknown
re3d         only spans of capitalised words, articles and titles off; the rest are descriptions (``the rebels``)
wikigold     PER, ORG, LOC, MISC
wnut17       person, location; corporation, group -> ORG; product, creative-work -> MISC; an O may be MISC
btc          PER, ORG, LOC; an O may be MISC
slots        DATE, TIME, MONEY, and PER and LOC where capitalised; an O says nothing, for only what was
             asked for is marked
silver       OntoNotes' labels by a tagger: PERSON, ORG, GPE and LOC, NORP -> MISC, articles off; what is no
             name (ordinals, quantities) is O, the other labels are unknown
EWT          nothing is annotated, but its parts of speech tell: a weekday or month that is a proper noun is a
             DATE; a pronoun, verb, adverb, common noun and so on is O or MISC; proper nouns and the
             words that names may hold (``of``, ``the``, ``-``) are unknown
(all)        DATE, TIME, MONEY and PERCENT on words that no name holds, by rule (weak supervision):
             training/corpora/time_expressions.py, training/corpora/amounts.py. Where a corpus annotates dates
             and a rule knows a longer one around them, the longer one. Elsewhere a word that could be of a
             date (a year, a number below 100) but matches no rule may be DATE or TIME
===========  =========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from service.text.spans import Span, bioes_tags, spans_of, tags_of
from training.corpora.amounts import amount_spans
from training.corpora.examples import TaggedSentence
from training.corpora.peoples import names_a_people
from training.corpora.time_expressions import kinds_of, time_spans, widen

LABELS = ("PER", "ORG", "LOC", "DATE", "TIME", "MONEY", "PERCENT", "MISC")
TAGS = tuple(bioes_tags(LABELS))
NUMERIC = frozenset(("DATE", "TIME", "MONEY", "PERCENT"))  # the labels that rules find
Allowed = tuple[frozenset[str], ...]  # the tags allowed for a word; empty: nothing is known
UNKNOWN: frozenset[str] = frozenset()

_SAME = {label: label for label in LABELS}
MAPPINGS: Mapping[str, Mapping[str, str]] = {
    "gmb": dict(per="PER", geo="LOC", org="ORG", tim="DATE", art="MISC", eve="MISC", nat="MISC", gpe="LOC"),
    "wikigold": _SAME,
    "btc": _SAME,
    "wnut17": {
        "person": "PER",
        "location": "LOC",
        "corporation": "ORG",
        "group": "ORG",
        "product": "MISC",
        "creative-work": "MISC",
    },
    "redocred": {**_SAME, "NUM": "O"},
    "crossner": _SAME,
    "sec-filings": _SAME,
    "re3d": {**_SAME, "NORP": "MISC", "QUANTITY": "O"},
    "slots": {**_SAME, "ORG": ""},
    "silver": {
        **dict(PERSON="PER", ORG="ORG", GPE="LOC", LOC="LOC", NORP="MISC"),
        **dict(DATE="DATE", TIME="TIME", MONEY="MONEY", PERCENT="PERCENT"),
        **dict.fromkeys(("CARDINAL", "ORDINAL", "QUANTITY"), "O"),
        **dict.fromkeys(("FAC", "PRODUCT", "EVENT", "WORK_OF_ART", "LAW", "LANGUAGE"), ""),
    },
}
UNANNOTATED: Mapping[str, tuple[str, ...]] = {  # labels that an O may hide
    "gmb": (),
    "redocred": (),
    "silver": (),
    "re3d": ("DATE", "TIME", "PER", "ORG", "LOC", "MISC"),
    "crossner": ("DATE", "TIME"),
    "sec-filings": ("DATE", "TIME", "ORG", "MISC"),
    "wikigold": ("DATE", "TIME"),
    "wnut17": ("DATE", "TIME", "MISC"),
    "btc": ("DATE", "TIME", "MISC"),
    "slots": LABELS,
}
TITLES = frozenset(
    "Mr. Mr Ms. Ms Mrs. Mrs Dr. Dr President Prime Minister General Gen. Secretary Senator Sen. King Queen Vice Pope "
    "Chancellor Mullah Foreign Prince Princess Sheikh Ayatollah Governor Gov. Judge Justice Captain Colonel "
    "Lieutenant Admiral Ambassador Defense Interior Finance Premier Vice-President Lt. Col. Maj. Sgt. Rep. "
    "Congressman Congresswoman Chairman Chief Director Deputy Attorney Cardinal Archbishop Bishop Imam".lower().split()
)
ROLES = frozenset("borrower lender bank lenders borrowers guarantor agent company parent".split())
PEOPLES = frozenset(("JJ", "NN", "NNS", "NNPS"))  # Penn tags of ``Iraqi`` and ``Americans``, not of ``Nepal``
NAMELESS = frozenset("ADJ ADV AUX INTJ NOUN PRON SCONJ VERB".split())
_PRONOUNS = frozenset("i me my we us our you your he him his she her they them their it its".split())
_ARTICLES = frozenset(("the", "a", "an"))
_TIME_KINDS = frozenset("DMmUHPXRTYEdCASJkFKO")  # kinds of words that make a span an expression of time
_TIMELIKE = _TIME_KINDS | frozenset("NWwce")  # kinds of words that may be part of one
_NAMES = frozenset(("PER", "ORG", "LOC", "MISC"))
_NUMERIC_TAGS = frozenset(bioes_tags(NUMERIC)) - {"O"}
_DATES = frozenset(bioes_tags(("DATE",))) - {"O"}


def numeric_spans(words: Sequence[str], taken: frozenset[int] = frozenset()) -> list[Span]:
    """Spans of DATE, TIME, MONEY and PERCENT found by rule, none of which covers a word in ``taken`` or of another."""
    found: list[Span] = []
    for span in chain(amount_spans(words), time_spans(words)):
        places = range(span.start, span.end)
        if taken.isdisjoint(places):
            found.append(span)
            taken = taken.union(places)
    return sorted(found, key=lambda span: span.start)


def strip_titles(words: Sequence[str], span: Span) -> Span:
    """The name without the titles before it; nothing (``start == end``) is left of titles alone."""
    return _strip(words, span, TITLES)


def merged_spans(sentence: TaggedSentence, corpus: str) -> tuple[list[Span], list[Span]]:
    """The spans of a sentence in the merged scheme, and the spans whose words are unknown."""
    words = sentence.words
    known: list[Span] = []
    unknown: list[Span] = []
    numeric: list[Span] = []
    for span in spans_of(sentence.tags["ner"]):
        label = MAPPINGS[corpus][span.label]
        mapped = _as_name(sentence, span._replace(label=label), corpus)
        if label in NUMERIC:
            numeric.append(mapped)
        elif label == "" or not _is_trusted(words, mapped, corpus):
            unknown.append(span)
        elif label != "O" and mapped.start < mapped.end:
            known.append(mapped)
    names = frozenset(i for span in (*known, *unknown) for i in range(span.start, span.end))
    ruled = numeric_spans(words, names)
    rule_places = {i: span for span in ruled for i in range(span.start, span.end)}
    taken = names.union(rule_places)
    for span in numeric:
        if any(i in rule_places for i in range(span.start, span.end)) or not names.isdisjoint(
            range(span.start, span.end)
        ):
            unknown += _outside_rules(span, taken)
        elif span.label in ("DATE", "TIME") and _TIME_KINDS.intersection(kinds_of(words[span.start : span.end])):
            known.append(_widened(words, span, taken, [*known, *numeric]))
            taken = taken.union(range(known[-1].start, known[-1].end))
        else:
            unknown.append(span)
    return sorted([*known, *ruled], key=lambda span: span.start), unknown


def _as_name(sentence: TaggedSentence, span: Span, corpus: str) -> Span:
    """A corpus' own span of a name in the merged scheme."""
    words = sentence.words
    if corpus == "gmb" and sentence.tags["ner"][span.start].endswith("per"):
        return strip_titles(words, span)
    if corpus == "gmb" and sentence.tags["ner"][span.start].endswith("gpe"):
        is_people = sentence.tags["xpos"][span.start] in PEOPLES
        return span._replace(label="MISC") if is_people else span
    if corpus in ("silver", "re3d") and span.label not in NUMERIC:
        span = _strip(words, span, _ARTICLES)
        if words[span.end - 1] in ("'s", "’s") and span.end - 1 > span.start:
            span = span._replace(end=span.end - 1)
        span = strip_titles(words, span) if span.label == "PER" else span
    if corpus in ("redocred", "silver", "re3d") and span.label == "LOC":
        is_people = names_a_people(words[span.start : span.end])
        return span._replace(label="MISC") if is_people else span
    return span


def _is_trusted(words: Sequence[str], span: Span, corpus: str) -> bool:
    """Whether the form of a corpus' span agrees with its label."""
    held = words[span.start : span.end]
    if corpus == "sec-filings":
        return not ROLES.issuperset(word.lower() for word in held)
    if corpus == "crossner" and span.label == "MISC":
        return held[0][:1].isupper() or held[0][:1].isdigit()
    if corpus in ("re3d", "slots"):
        if len(held) == 1 and held[0].lower() in _PRONOUNS:
            return False
        return bool(held) and all(word[:1].isupper() or not word.isalpha() or word in ("of", "the") for word in held)
    return True


def _outside_rules(span: Span, taken: frozenset[int]) -> Iterator[Span]:
    """The words of an annotated expression outside of a rule's. Which of the two is right is unknown."""
    for i in range(span.start, span.end):
        if i not in taken:
            yield Span(span.label, i, i + 1)


def _widened(words: Sequence[str], span: Span, taken: frozenset[int], others: Sequence[Span]) -> Span:
    blocked = taken.union(i for other in others if other != span for i in range(other.start, other.end))
    return widen(span, words, taken=blocked)


def _strip(words: Sequence[str], span: Span, leading: frozenset[str]) -> Span:
    start = span.start
    while start < span.end and words[start].lower() in leading:
        start += 1
    return span._replace(start=start)


def merged_tags(sentence: TaggedSentence, corpus: str) -> list[str]:
    """BIOES tags in the merged scheme, unknown words as O: the gold standard of predictions."""
    return tags_of(merged_spans(sentence, corpus)[0], len(sentence.words))


def allowed_tags(sentence: TaggedSentence, corpus: str) -> Allowed:
    """The tags allowed for each word, by the table above."""
    words = sentence.words
    if "ner" not in sentence.tags:
        return tuple(hints_of_pos(sentence))
    known, unknown = merged_spans(sentence, corpus)
    everywhere = frozenset(("O", *bioes_tags(label for label in UNANNOTATED[corpus] if label not in NUMERIC)))
    timelike = everywhere.union(bioes_tags(label for label in UNANNOTATED[corpus] if label in NUMERIC))
    if corpus == "slots":
        everywhere = timelike = UNKNOWN
    outside = [timelike if kind in _TIMELIKE else everywhere for kind in kinds_of(words)]
    tags = tags_of(known, len(words))
    allowed = [frozenset((tag,)) if tag != "O" else outside[i] for i, tag in enumerate(tags)]
    for span in unknown:
        for i in range(span.start, span.end):
            if tags[i] == "O":
                allowed[i] = UNKNOWN
    unclear = sentence.tags.get("unclear", ())
    return tuple(UNKNOWN if i < len(unclear) and unclear[i] == "yes" else tags for i, tags in enumerate(allowed))


def either(allowed: Allowed, other: Sequence[str]) -> Allowed:
    """Tags of names and of no entity, widened by those of a second annotator: where two disagree both may be right."""
    second = ("O" if tag.partition("-")[2] not in _NAMES else tag for tag in other)
    return tuple(
        tags | {tag} if len(tags) == 1 and not _NUMERIC_TAGS.intersection(tags) else tags
        for tags, tag in zip(allowed, second, strict=True)
    )


def hints_of_pos(sentence: TaggedSentence) -> Iterator[frozenset[str]]:
    """The tags of entities that parts of speech alone allow."""
    ruled = tags_of(numeric_spans(sentence.words), len(sentence.words))
    no_name, no_name_or_date = frozenset(bioes_tags(("MISC",))), frozenset(bioes_tags(("MISC", "DATE", "TIME")))
    columns = (sentence.words, sentence.tags["upos"], sentence.tags["xpos"], ruled, kinds_of(sentence.words))
    for _, upos, xpos, tag, kind in zip(*columns, strict=True):
        if tag != "O":
            yield frozenset((tag,))
        elif xpos.startswith("NNP"):
            yield _DATES if kind in "DM" else UNKNOWN
        elif upos in NAMELESS:
            yield no_name_or_date if kind in _TIMELIKE else no_name
        else:
            yield UNKNOWN

"""Copies of training sentences with other names of people, companies and places, so that the network must use context.

Known names are replaced by names from ``names.txt``, from the corpora's own training parts, or invented ones
(:mod:`training.tagger.forms`). The rest of the sentence, tags included, stays. This is mention replacement (Dai and
Adel 2020) with names that the corpora do not hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from service.text.spans import Span, spans_of, tags_of
from service.text.tokenizer import words_of
from training.corpora.entities import merged_spans
from training.corpora.examples import TaggedSentence
from training.tagger.batches import TaggedExample
from training.tagger.forms import Forms, Rng
from training.tagger.generated_sentences import GeneratedSentence, forms_with

HARVESTED_FROM = ("redocred", "wikigold", "crossner", "wnut17", "gmb")
RENAMED = ("gmb", "redocred", "wikigold", "crossner", "btc", "wnut17")
SHARE = 0.7  # of the names in a sentence
MOST_WORDS = 60
ARTICLES = frozenset(("the", "a", "an"))


def harvest(corpora: Mapping[str, Sequence[TaggedSentence]]) -> dict[str, list[str]]:
    """Names in the training parts of corpora, by slot: first and last names, places, organisations (HARVESTED)."""
    names: dict[str, set[str]] = {"FIRST": set(), "LAST": set(), "LOC": set(), "HARVESTED": set()}
    for corpus in HARVESTED_FROM:
        for sentence in corpora.get(corpus, ()):
            for span in merged_spans(sentence, corpus)[0]:
                words = sentence.words[span.start : span.end]
                if not all(word[:1].isupper() and word.replace("-", "").isalpha() for word in words):
                    continue
                if span.label == "PER" and len(words) == 2:
                    names["FIRST"].add(words[0])
                    names["LAST"].add(words[1])
                elif span.label == "LOC" and len(words) <= 2:
                    names["LOC"].add(" ".join(words))
                elif span.label == "ORG" and len(words) <= 4 and len(words[0]) > 1:
                    names["HARVESTED"].add(" ".join(words))
    return {slot: sorted(found) for slot, found in names.items() if found}


def rename(
    examples: Mapping[str, Sequence[TaggedExample]],
    tags: Sequence[str],
    names: Mapping[str, Sequence[str]],
    *,
    count: int,
    seed: int,
) -> list[GeneratedSentence]:
    """At most so many copies of sentences that hold a name; ``tags`` are those of the head ``entity``."""
    rng = np.random.default_rng(seed)
    forms = forms_with(names)
    single = {1 << i: tag for i, tag in enumerate(tags)}
    renamed: list[GeneratedSentence] = []
    candidates = [example for corpus in RENAMED for example in examples.get(corpus, ())]
    for i in rng.permutation(len(candidates)):
        if len(renamed) == count:
            break
        example = candidates[i]
        known = [single.get(int(bits), "O") for bits in example.allowed["entity"]]
        if len(known) <= MOST_WORDS and any(tag.endswith(("-PER", "-ORG", "-LOC")) for tag in known):
            renamed.append(_renamed(example, known, tags, forms, rng))
    return renamed


def _renamed(
    example: TaggedExample,
    known: Sequence[str],
    tags: Sequence[str],
    forms: Forms,
    rng: Rng,
) -> GeneratedSentence:
    words: list[str] = []
    allowed: list[frozenset[str]] = []
    sets = [frozenset(tag for i, tag in enumerate(tags) if int(bits) >> i & 1) for bits in example.allowed["entity"]]
    at = 0
    for span in spans_of(known):
        words += example.words[at : span.start]
        allowed += sets[at : span.start]
        name = _other_name(span, example.words, forms, rng)
        new = words_of(name) if name else list(example.words[span.start : span.end])
        words += new
        allowed += [frozenset((tag,)) for tag in tags_of([Span(span.label, 0, len(new))], len(new))]
        at = span.end
    return GeneratedSentence(words=[*words, *example.words[at:]], allowed=(*allowed, *sets[at:]))


def _other_name(span: Span, words: Sequence[str], forms: Forms, rng: Rng) -> str:
    """A name to replace another; empty if the other one is to stay."""
    behind_article = span.start > 0 and words[span.start - 1].lower() in ARTICLES
    if span.label not in ("PER", "ORG", "LOC") or behind_article or rng.random() > SHARE:
        return ""
    if span.label == "PER" and span.end - span.start == 1:
        return forms("LAST" if rng.random() < 0.7 else "FIRST", rng)
    return forms(span.label, rng).removeprefix("the ")

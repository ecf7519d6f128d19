"""Words of a run's own sentences as pairs, and short lists of them: practice for words that its sentences seldom have.

The words and their translations come from dictionaries (:mod:`training.corpora.headwords`). Of several translations the
one is taken that the sentences with the word have most often, so that a word is taught in the sense that is meant here.
Words are left out that everybody's texts have all the time, and those that hardly any has (wordfreq: Speer 2022).
Rare words that the dictionaries lack have the translation that goes with them in the sentences (Dice's coefficient, as
Melamed 2000 compares it with others).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from wordfreq import zipf_frequency

from training.corpora.headwords import read_headwords
from training.corpora.parallel import Pair

LEAST_FREQUENT, MOST_FREQUENT = 3.0, 4.7  # log10 of occurrences in 1e9 words (Zipf scale): 1 and 50 in a million
SHORTEST = 3  # words of a sentence; shorter ones are headings and entries of dictionaries
MOST_SENTENCES = 200  # of a word, the first ones
FEW_SENTENCES = 5  # fewer say nothing against a translation that they do not have
STEM_VALUE = 0.5  # of a sentence with another form of a translation
LEAST_ASSOCIATION = 0.6  # Dice's coefficient of a rare word and its translation
LISTS_OF_A_WORD = 2
LENGTHS = (3, 4, 5, 6)  # of a list, in words
WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
ACCENTS = str.maketrans("áéíóú", "aeiou")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """The words of sentence pairs in lower case: for each English one its target sides, and for each of the target
    language how often it occurs in each spelling."""

    targets: Mapping[str, Sequence[str]]
    target_words: Mapping[str, Counter[str]]

    def spelling(self, word: str) -> str:
        """Return a word of the target language in its most frequent spelling."""
        return self.target_words[word].most_common(1)[0][0]

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> Sentences:
        """Collect the words of pairs."""
        targets: dict[str, list[str]] = {}
        target_words: dict[str, Counter[str]] = {}
        for pair in pairs:
            target = " ".join(lower_words(pair.target))
            for word in WORD.findall(pair.target):
                target_words.setdefault(word.lower(), Counter())[word] += 1
            for word in dict.fromkeys(lower_words(pair.source)):
                found = targets.setdefault(word, [])
                if len(found) < MOST_SENTENCES:
                    found.append(f" {target} ")
        return cls(targets=targets, target_words=target_words)


def lower_words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return WORD.findall(text.lower())


def lexicon_pairs(pairs: Sequence[Pair], language: str, data_dir: Path | None, rng: np.random.Generator) -> list[Pair]:
    """Return words of the pairs' English sides with one translation each, and lists of such words."""
    sentences = Sentences.of([pair for pair in pairs if len(pair.source.split()) >= SHORTEST])
    lexicon = dict(chosen(read_headwords(language, sentences.targets, data_dir), sentences))
    if language in PLURALS:
        lexicon = {**dict(plurals(lexicon, language, sentences)), **lexicon}
    lexicon |= associated(sentences, without=lexicon)
    lexicon = {english: word for english, word in lexicon.items() if is_practised(english)}
    return [
        Pair(source=source, references=(target,), target_language=language)
        for source, target in [*lexicon.items(), *lists_of(lexicon, rng)]
    ]


def is_practised(english: str) -> bool:
    """Return whether a word is rare enough to need practice and frequent enough to be worth it."""
    return LEAST_FREQUENT <= zipf_frequency(english.removeprefix("to "), "en") <= MOST_FREQUENT


def chosen(entries: Mapping[str, Sequence[str]], sentences: Sentences) -> Iterator[tuple[str, str]]:
    """Yield each entry with the translation that its sentences have most often. Where they have none, and are few, the
    first one that any sentence has is taken; other entries are left out."""
    for english, translations in entries.items():
        targets = sentences.targets[english.removeprefix("to ")]
        values = {each: value_of(each, targets) for each in dict.fromkeys(translations)}
        best = max(values, key=values.__getitem__)
        if values[best]:
            yield english, best
        elif len(targets) < FEW_SENTENCES:
            yield from [(english, each) for each in translations if each.lower() in sentences.target_words][:1]


def value_of(translation: str, targets: Sequence[str]) -> float:
    """Return in how many target sides a translation occurs; one in another form, which only begins like it, counts
    less."""
    exact = f" {translation.lower()} "
    stem = exact[: max(4, len(exact) - 4)]
    return sum(1.0 if exact in target else STEM_VALUE * (stem in target) for target in targets)


def plurals(lexicon: Mapping[str, str], language: str, sentences: Sentences) -> Iterator[tuple[str, str]]:
    """Yield the plurals of entries that sentences have on both sides."""
    for english, translation in lexicon.items():
        plural = PLURALS[language](translation)
        for word in english_plurals(english):
            targets = sentences.targets.get(word, ())
            is_known = len(targets) < FEW_SENTENCES or any(f" {plural.lower()} " in target for target in targets)
            if targets and is_known and plural.lower() in sentences.target_words:
                yield word, plural


def associated(sentences: Sentences, *, without: Collection[str]) -> dict[str, str]:
    """Return rare words with the target word that occurs where they do, and seldom elsewhere."""
    found = {}
    for english, targets in sentences.targets.items():
        if english in without or f"to {english}" in without or not FEW_SENTENCES <= len(targets) < MOST_SENTENCES:
            continue
        counts = Counter(word for target in targets for word in set(target.split()))
        association = {
            word: 2 * count / (len(targets) + sentences.target_words[word].total()) for word, count in counts.items()
        }
        best = max(association, key=association.__getitem__)
        if association[best] >= LEAST_ASSOCIATION and best != english:
            found[english] = sentences.spelling(best)
    return found


def english_plurals(noun: str) -> list[str]:
    """Return the forms that the plural of a noun may have."""
    if noun.endswith("fe"):
        return [f"{noun[:-2]}ves", f"{noun}s"]
    if noun.endswith("f"):
        return [f"{noun[:-1]}ves", f"{noun}s"]
    if re.search(r"[^aeiou]y$", noun):
        return [f"{noun[:-1]}ies"]
    return [f"{noun}es"] if re.search(r"(?:s|x|z|ch|sh)$", noun) else [f"{noun}s", f"{noun}es"]


def spanish_plural(noun: str) -> str:
    """Return the regular plural of a Spanish noun."""
    if noun[-1:] in "aeiouáéó":
        return f"{noun}s"
    if noun.endswith("z"):
        return f"{noun[:-1]}ces"
    if re.search(r"[áéíóú][ns]$", noun):
        return f"{noun[:-2]}{noun[-2:].translate(ACCENTS)}es"
    return noun if noun.endswith(("s", "x")) else f"{noun}es"


def french_plural(noun: str) -> str:
    """Return the regular plural of a French noun."""
    if noun.endswith(("s", "x", "z")):
        return noun
    if noun.endswith(("eau", "eu")):
        return f"{noun}x"
    return f"{noun[:-2]}aux" if noun.endswith("al") else f"{noun}s"


PLURALS = {"es": spanish_plural, "fr": french_plural}  # Ding has German plurals


def lists_of(lexicon: Mapping[str, str], rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Yield lists of random entries other than verbs, ``pears, soap, a`` with ``peras, jabón, un``."""
    entries = [each for each in lexicon.items() if not each[0].startswith("to ")]
    for _ in range(LISTS_OF_A_WORD):
        order, start = rng.permutation(len(entries)), 0
        while start < len(entries):
            length = int(rng.choice(LENGTHS))
            listed = [entries[place] for place in order[start : start + length]]
            yield ", ".join(english for english, _ in listed), ", ".join(target for _, target in listed)
            start += length

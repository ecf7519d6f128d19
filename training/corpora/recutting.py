"""Sentences of a corpus with words cut as the service cuts them."""

from __future__ import annotations

from service.text.words import split_words
from training.corpora.examples import TaggedSentence

NO_TAG = "_"  # in no tag set, so that a head treats it as unknown


def parts_of(word: str) -> list[str]:
    """The parts of a corpus' word as the service would cut it: ``al-Sadr`` has three, ``New~York`` (gmb) two.

    Clitics (``'s``), entities of HTML and words that begin with a hyphen are cut already.
    """
    if word[:1] in "'’&-":  # an empty word too
        return [word]
    return [part for piece in word.split("~") if piece for part in split_words(piece)] or [word]


def recut(sentence: TaggedSentence) -> TaggedSentence:
    """The sentence in the service's words, so that training and serving see the same. Its spans stay.

    A word of several parts has no tag except for entities. The annotators of a compound adjective (``U.S.-led``) judged
    the whole: whether a part of it is a name is unknown, and marked in the layer ``unclear``.
    """
    words: list[str] = []
    layers: dict[str, list[str]] = {name: [] for name in (*sentence.tags, "unclear")}
    for i, word in enumerate(sentence.words):
        parts = parts_of(word)
        more = len(parts) - 1
        words += parts
        for name, tags in sentence.tags.items():
            tag = tags[i]
            if name == "ner":
                layers[name] += [tag, *[tag.replace("B-", "I-")] * more]
            else:
                layers[name] += [tag if not more else NO_TAG] * len(parts)
        adjective = more and sentence.tags.get("xpos", [""] * (i + 1))[i] == "JJ"
        layers["unclear"] += ["yes" if adjective else "no"] * len(parts)
    return TaggedSentence(words=words, tags=layers)

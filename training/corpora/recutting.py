"""Sentences of a corpus cut into words anew, as the service cuts them."""

from __future__ import annotations

from service.text.words import split_words
from training.corpora.examples import TaggedSentence

NO_TAG = "_"  # in no tag set, and so unknown to a head


def parts_of(word: str) -> list[str]:
    """A corpus' word cut as the service would cut it: ``al-Sadr`` is three words there, ``New~York`` (gmb) two.
    Clitics (``'s``), entities of HTML and what begins with a hyphen were cut already."""
    if word[:1] in "'’&-":  # an empty word too
        return [word]
    return [part for piece in word.split("~") if piece for part in split_words(piece)] or [word]


def recut(sentence: TaggedSentence) -> TaggedSentence:
    """The sentence in the service's words, so that training and serving see the same: its spans stay as they are.

    A word of several parts has no tag but for entities. Where it is a compound adjective (``U.S.-led``) its
    annotators judged the whole: whether a part of it is a name is unknown, which layer ``unclear`` says.
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

"""The corpora of the tagger, read and turned into examples for its heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from service.text.spans import bioes_tags, spans_of, tags_of
from service.text.words import split_words
from training.batches import TaggedExample, bits_of
from training.corpora.columns import open_text, read_columns
from training.corpora.conllu import read_conllu
from training.corpora.entities import TAGS, allowed_tags
from training.corpora.examples import TaggedSentence
from training.corpora.sources import locate

GMB_LABELS = ("geo", "gpe", "org", "per", "tim", "art", "eve", "nat")
WNUT17_LABELS = ("person", "location", "corporation", "group", "product", "creative-work")
NO_TAG = "_"  # in no tag set, and so unknown to a head
OWN_SCHEMES: Mapping[str, Sequence[str]] = {
    "gmb": bioes_tags(GMB_LABELS),
    "wnut17": bioes_tags(WNUT17_LABELS),
}


Heads = Mapping[str, Sequence[str]]  # the tags of each head, in the order of its logits


def tag_sets(ewt: Sequence[TaggedSentence], gmb: Sequence[TaggedSentence]) -> Heads:
    """``entity`` is the merged scheme; ``gmb`` and ``wnut17`` are those corpora's own, trained beside it so that
    figures can be compared; ``gmb_xpos`` is there for what the encoder learns from it."""
    return {
        "upos": _seen(ewt, "upos"),
        "xpos": _seen(ewt, "xpos"),
        "entity": TAGS,
        "gmb_xpos": _seen(gmb, "xpos"),
        **OWN_SCHEMES,
    }


def read_tag_sets(data_dir: Path | None) -> Heads:
    """Those of the training corpora."""
    return tag_sets(read_ewt("train", data_dir), read_gmb("train", data_dir))


def _seen(sentences: Sequence[TaggedSentence], layer: str) -> tuple[str, ...]:
    return tuple(sorted({tag for sentence in sentences for tag in sentence.tags[layer]} - {NO_TAG}))


def read_ewt(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    return read_conllu(locate(f"ud-english-ewt/{split}", data_dir=data_dir))


def read_ewt_lines(split: str, data_dir: Path | None) -> list[str]:
    """The CoNLL-U file itself: raw text, sentence breaks and multiword tokens are in it too."""
    with open_text(locate(f"ud-english-ewt/{split}", data_dir=data_dir)) as file:
        return file.read().splitlines()


def read_uner(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    path = locate(f"uner-english-ewt/{split}", data_dir=data_dir)
    return read_columns(path, {"word": 1, "ner": 2}, comment="# ")


def read_gmb(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    path = locate(f"gmb/{split}", data_dir=data_dir)
    return list(map(recut, read_columns(path, {"word": 0, "xpos": 1, "ner": 2})))


def read_wnut17(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    return list(map(recut, read_columns(locate(f"wnut17/{split}", data_dir=data_dir), {"word": 0, "ner": 1})))


def read_btc(data_dir: Path | None) -> list[TaggedSentence]:
    paths = [locate(f"btc/{section}", data_dir=data_dir) for section in "abefg"]
    return [recut(sentence) for path in paths for sentence in read_columns(path, {"word": 0, "ner": 1})]


def read_wikigold(data_dir: Path | None) -> list[TaggedSentence]:
    path = locate("wikigold/wikigold", data_dir=data_dir)
    sentences = read_columns(path, {"word": 0, "ner": 1}, separator=" ", comment="-DOCSTART-")
    return list(map(recut, sentences))


def read_labelled(path: Path) -> list[TaggedSentence]:
    """What training/label_text.py wrote: tags of an ensemble, not of people."""
    return read_columns(path, {"word": 0, "upos": 1, "xpos": 2, "ner": 3})


def read_training(data_dir: Path | None) -> dict[str, list[TaggedSentence]]:
    """What people annotated, by corpus."""
    return {
        "ewt": read_ewt("train", data_dir),
        "gmb": read_gmb("train", data_dir),
        "wnut17": read_wnut17("train", data_dir),
        "btc": read_btc(data_dir),
        "wikigold": read_wikigold(data_dir),
    }


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


def own_tags(sentence: TaggedSentence) -> list[str]:
    """A corpus' entities as it wrote them, in BIOES."""
    return tags_of(spans_of(sentence.tags["ner"]), len(sentence.words))


def examples_of(sentences: Sequence[TaggedSentence], corpus: str, heads: Heads) -> list[TaggedExample]:
    """Targets of a corpus for every head that it says something about."""
    layers: dict[str, Callable[[TaggedSentence], Sequence[frozenset[str] | str]]] = {
        "entity": lambda sentence: allowed_tags(sentence, corpus)
    }
    if corpus == "labelled":
        layers["entity"] = lambda sentence: sentence.tags["ner"]
    if corpus in ("ewt", "labelled"):
        layers |= {"upos": lambda s: s.tags["upos"], "xpos": lambda s: s.tags["xpos"]}
    if corpus == "gmb":
        layers["gmb_xpos"] = lambda s: s.tags["xpos"]
    if corpus in OWN_SCHEMES:
        layers[corpus] = own_tags
    return [
        TaggedExample(words=s.words, allowed={name: bits_of(tags(s), heads[name]) for name, tags in layers.items()})
        for s in sentences
    ]

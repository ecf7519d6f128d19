"""The corpora of the tagger, read and turned into examples for its heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from service.text.spans import bioes_tags, spans_of, tags_of
from training.batches import TaggedExample, bits_of
from training.corpora.columns import read_columns
from training.corpora.conllu import read_conllu
from training.corpora.entities import TAGS, allowed_tags
from training.corpora.examples import TaggedSentence
from training.corpora.sources import locate

GMB_LABELS = ("geo", "gpe", "org", "per", "tim", "art", "eve", "nat")
WNUT17_LABELS = ("person", "location", "corporation", "group", "product", "creative-work")
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


def _seen(sentences: Sequence[TaggedSentence], layer: str) -> tuple[str, ...]:
    return tuple(sorted({tag for sentence in sentences for tag in sentence.tags[layer]}))


def read_ewt(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    return read_conllu(locate(f"ud-english-ewt/{split}", data_dir=data_dir))


def read_uner(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    path = locate(f"uner-english-ewt/{split}", data_dir=data_dir)
    return read_columns(path, {"word": 1, "ner": 2}, comment="# ")


def read_gmb(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    path = locate(f"gmb/{split}", data_dir=data_dir)
    return [split_tildes(s) for s in read_columns(path, {"word": 0, "xpos": 1, "ner": 2})]


def read_wnut17(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    return read_columns(locate(f"wnut17/{split}", data_dir=data_dir), {"word": 0, "ner": 1})


def read_btc(data_dir: Path | None) -> list[TaggedSentence]:
    paths = [locate(f"btc/{section}", data_dir=data_dir) for section in "abefg"]
    return [sentence for path in paths for sentence in read_columns(path, {"word": 0, "ner": 1})]


def read_wikigold(data_dir: Path | None) -> list[TaggedSentence]:
    path = locate("wikigold/wikigold", data_dir=data_dir)
    return read_columns(path, {"word": 0, "ner": 1}, separator=" ")


def split_tildes(sentence: TaggedSentence) -> TaggedSentence:
    """gmb writes some names as one word, ``New~York``: two words again, under the tags that say the same."""
    words, xpos, ner = [], [], []
    for word, penn, tag in zip(sentence.words, sentence.tags["xpos"], sentence.tags["ner"], strict=True):
        parts = [part for part in word.split("~") if part] or [word]
        words += parts
        xpos += [penn] * len(parts)
        ner += [tag, *[tag.replace("B-", "I-")] * (len(parts) - 1)]
    return TaggedSentence(words=words, tags={"xpos": xpos, "ner": ner})


def own_tags(sentence: TaggedSentence) -> list[str]:
    """A corpus' entities as it wrote them, in BIOES."""
    return tags_of(spans_of(sentence.tags["ner"]), len(sentence.words))


def examples_of(sentences: Sequence[TaggedSentence], corpus: str, heads: Heads) -> list[TaggedExample]:
    """Targets of a corpus for every head that it says something about."""
    layers: dict[str, Callable[[TaggedSentence], Sequence[frozenset[str] | str]]] = {
        "entity": lambda sentence: allowed_tags(sentence, corpus)
    }
    if corpus == "ewt":
        layers |= {"upos": lambda s: s.tags["upos"], "xpos": lambda s: s.tags["xpos"]}
    if corpus == "gmb":
        layers["gmb_xpos"] = lambda s: s.tags["xpos"]
    if corpus in OWN_SCHEMES:
        layers[corpus] = own_tags
    return [
        TaggedExample(words=s.words, allowed={name: bits_of(tags(s), heads[name]) for name, tags in layers.items()})
        for s in sentences
    ]

"""The corpora of the tagger, read and turned into examples for its heads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from service.text.spans import bioes_tags, spans_of, tags_of
from training.corpora import open_entities
from training.corpora.columns import open_text, read_columns
from training.corpora.conllu import read_conllu
from training.corpora.entities import TAGS, Allowed, allowed_tags, either
from training.corpora.examples import TaggedSentence
from training.corpora.recutting import NO_TAG, recut
from training.corpora.sources import locate
from training.tagger.batches import TaggedExample, bits_of

GMB_LABELS = ("geo", "gpe", "org", "per", "tim", "art", "eve", "nat")
WNUT17_LABELS = ("person", "location", "corporation", "group", "product", "creative-work")
OWN_SCHEMES: Mapping[str, Sequence[str]] = {
    "gmb": bioes_tags(GMB_LABELS),
    "wnut17": bioes_tags(WNUT17_LABELS),
}


Heads = Mapping[str, Sequence[str]]  # the tags of each head, in the order of its logits


def tag_sets(ewt: Sequence[TaggedSentence], gmb: Sequence[TaggedSentence]) -> Heads:
    """The tags of each head of the tagger.

    ``entity`` is the merged scheme; ``gmb`` and ``wnut17`` are those corpora's own, trained beside it so that figures
    can be compared; ``gmb_xpos`` only helps to train the encoder.
    """
    return {
        "upos": _seen(ewt, "upos"),
        "xpos": _seen(ewt, "xpos"),
        "entity": TAGS,
        "gmb_xpos": _seen(gmb, "xpos"),
        **OWN_SCHEMES,
    }


def read_tag_sets(data_dir: Path | None) -> Heads:
    """The tags of each head, from the training corpora."""
    return tag_sets(read_ewt("train", data_dir), read_gmb("train", data_dir))


def _seen(sentences: Sequence[TaggedSentence], layer: str) -> tuple[str, ...]:
    return tuple(sorted({tag for sentence in sentences for tag in sentence.tags[layer]} - {NO_TAG}))


def read_ewt(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    return read_conllu(locate(f"ud-english-ewt/{split}", data_dir=data_dir))


def read_ewt_lines(split: str, data_dir: Path | None) -> list[str]:
    """The lines of the CoNLL-U file, which has raw text, sentence breaks and multiword tokens too."""
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
    """Sentences with the tags of an ensemble, not of people, from a file of training/tagger/distil.py."""
    return read_columns(path, {"word": 0, "upos": 1, "xpos": 2, "ner": 3})


CORPORA: Mapping[
    str, Callable[[Path | None], list[TaggedSentence]]
] = {  # the corpora that can be learned from, by name
    "ewt": lambda data_dir: read_ewt("train", data_dir),
    "gmb": lambda data_dir: read_gmb("train", data_dir),
    "wnut17": lambda data_dir: read_wnut17("train", data_dir),
    "btc": read_btc,
    "wikigold": read_wikigold,
    "redocred": lambda data_dir: open_entities.read_redocred("train", data_dir),
    "crossner": lambda data_dir: open_entities.read_crossner("train", data_dir),
    "sec-filings": lambda data_dir: open_entities.read_sec_filings("train", data_dir),
    "re3d": open_entities.read_re3d,
    "slots": open_entities.read_slots,
    "silver": open_entities.read_silver,
}
FIRST_CORPORA = ("ewt", "gmb", "wnut17", "btc", "wikigold")


def read_training(data_dir: Path | None, names: Iterable[str] = FIRST_CORPORA) -> dict[str, list[TaggedSentence]]:
    """The training parts of corpora by name. Raises KeyError on a name that is not in CORPORA."""
    return {name: CORPORA[name](data_dir) for name in names}


def own_tags(sentence: TaggedSentence) -> list[str]:
    """The entities of a corpus in its own scheme, as BIOES tags."""
    return tags_of(spans_of(sentence.tags["ner"]), len(sentence.words))


def with_second_opinion(
    sentences: Sequence[TaggedSentence], labelled: Sequence[TaggedSentence]
) -> list[TaggedSentence]:
    """Sentences with the layer ``other``: the entities that a second tagger finds in them.

    ``labelled`` must begin with the same sentences; raises ValueError if it does not.
    """
    pairs = zip(sentences, labelled[: len(sentences)], strict=True)
    joined = []
    for sentence, second in pairs:
        if list(sentence.words) != list(second.words):
            raise ValueError(f"labels of another sentence: {sentence.words} and {second.words}")
        joined.append(TaggedSentence(words=sentence.words, tags={**sentence.tags, "other": second.tags["ner"]}))
    return joined


def _entities(sentence: TaggedSentence, corpus: str) -> Allowed:
    allowed = allowed_tags(sentence, corpus)
    return either(allowed, sentence.tags["other"]) if "other" in sentence.tags else allowed


def examples_of(
    sentences: Sequence[TaggedSentence], corpus: str, heads: Heads, *, labelled_entities: bool = True
) -> list[TaggedExample]:
    """Examples of a corpus with targets for every head that it annotates.

    Entities of the corpus ``labelled``, which taggers annotated, are learned only with ``labelled_entities``.
    """
    layers: dict[str, Callable[[TaggedSentence], Sequence[frozenset[str] | str]]] = {}
    if corpus != "labelled":
        layers["entity"] = lambda sentence: _entities(sentence, corpus)
    elif labelled_entities:
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

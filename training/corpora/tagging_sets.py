"""The official dev and test sets of taggers, and the labels of each that are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpora import open_entities, tagging
from training.corpora.entities import LABELS, merged_tags
from training.corpora.examples import TaggedSentence

Tags = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldSet:
    """Sentences with gold tags by head. Only spans of ``labels`` are scored, because only those were annotated."""

    name: str
    corpus: str
    sentences: Sequence[Sequence[str]]
    gold: Mapping[str, Tags]
    labels: Sequence[str] = ()


def read_pos_set(split: str, data_dir: Path | None) -> GoldSet:
    ewt = tagging.read_ewt(split, data_dir)
    gold = {layer: [s.tags[layer] for s in ewt] for layer in ("upos", "xpos")}
    return GoldSet(name="ewt", corpus=f"UD English EWT {split}", sentences=_words(ewt), gold=gold)


def read_entity_sets(split: str, data_dir: Path | None) -> list[GoldSet]:
    """The sets of UNER (which has no split of EWT but dev), gmb and wnut17, in the merged scheme and in their own."""
    uner = tagging.read_uner("dev", data_dir)
    gmb, wnut17 = tagging.read_gmb(split, data_dir), tagging.read_wnut17(split, data_dir)
    return [
        GoldSet(
            name="uner",
            corpus="UNER English EWT dev",
            sentences=_words(uner),
            gold={"entity": list(map(tagging.own_tags, uner))},
            labels=("PER", "ORG", "LOC"),
        ),
        GoldSet(
            name="gmb",
            corpus=f"GMB {split}",
            sentences=_words(gmb),
            gold={"entity": [merged_tags(s, "gmb") for s in gmb], "gmb": list(map(tagging.own_tags, gmb))},
            labels=("PER", "ORG", "LOC", "DATE", "TIME", "MISC", *tagging.GMB_LABELS),
        ),
        GoldSet(
            name="wnut17",
            corpus=f"WNUT17 {split}",
            sentences=_words(wnut17),
            gold={
                "entity": [merged_tags(s, "wnut17") for s in wnut17],
                "wnut17": list(map(tagging.own_tags, wnut17)),
            },
            labels=("PER", "ORG", "LOC", "MISC", *tagging.WNUT17_LABELS),
        ),
        *read_open_sets(split, data_dir),
    ]


def read_open_sets(split: str, data_dir: Path | None) -> list[GoldSet]:
    """The held-out parts of Re-DocRED, CrossNER and the loan agreements, in the merged scheme.

    CrossNER's MISC is the rest of 39 classes, most of them no names; the parties' roles in contracts do not count.
    """
    parts = (
        ("redocred", "Re-DocRED", open_entities.read_redocred(split, data_dir), LABELS),
        ("crossner", "CrossNER", open_entities.read_crossner(split, data_dir), ("PER", "ORG", "LOC")),
        ("sec-filings", "SEC loan agreements", open_entities.read_sec_filings(split, data_dir), ("PER", "ORG", "LOC")),
    )
    return [
        GoldSet(
            name=name.replace("-", "_"),
            corpus=f"{title} {split}",
            sentences=_words(sentences),
            gold={"entity": [merged_tags(s, name) for s in sentences]},
            labels=labels,
        )
        for name, title, sentences, labels in parts
    ]


def read_sets(split: str, data_dir: Path | None) -> list[GoldSet]:
    """All sets of a split."""
    return [read_pos_set(split, data_dir), *read_entity_sets(split, data_dir)]


def _words(sentences: Sequence[TaggedSentence]) -> list[Sequence[str]]:
    return [sentence.words for sentence in sentences]

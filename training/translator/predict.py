"""Translations by a network in training, and their BLEU and chrF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sacrebleu
import torch

from service.text.placeholders.masking import Masked, mask
from training.corpora.parallel import Pair, PairSet
from training.networks.translator import TranslatorNetwork
from training.translator.beam_search import Found, beam_search, pad_rows
from training.translator.subwords import SubwordPairEncoder

BATCH_SENTENCES = 100


def translate(
    networks: Sequence[TranslatorNetwork], encoder: SubwordPairEncoder, pairs: Sequence[Pair], *, beam_size: int
) -> list[str]:
    """The best translation of each source, copied items put back in their order."""
    masked = [mask(pair.source, encoder.subwords.alphabet) for pair in pairs]
    rows = [
        encoder.encode_source(source.text, pair.target_language) for source, pair in zip(masked, pairs, strict=True)
    ]
    texts = [encoder.subwords.decode(found[0].ids) for found in search_rows(networks, rows, beam_size=beam_size)]
    return [with_items(text, source) for text, source in zip(texts, masked, strict=True)]


def with_items(translation: str, source: Masked) -> str:
    """The translation with each symbol replaced by its item; markup is left out."""
    return translation.translate(str.maketrans({each.symbol: each.item.text for each in source.contents}))


def search_rows(
    networks: Sequence[TranslatorNetwork], rows: Sequence[Sequence[int]], *, beam_size: int
) -> list[list[Found]]:
    """The hypotheses of each row, searched in batches of like lengths."""
    device = next(networks[0].parameters()).device
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found: dict[int, list[Found]] = {}
    for start in range(0, len(order), BATCH_SENTENCES):
        places = order[start : start + BATCH_SENTENCES]
        ids, lengths = pad_rows([rows[i] for i in places])
        hypotheses = beam_search(networks, ids.to(device), lengths.to(device), beam_size=beam_size)
        found |= dict(zip(places, hypotheses, strict=True))
    return [found[i] for i in range(len(rows))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The figures of one test set by sacreBLEU (Post 2018)."""

    bleu: float  # first reference, cased, detokenised
    chrf: float  # first reference
    bleu_all: float  # every reference
    signature: str  # of bleu


def judge(translations: Sequence[str], pairs: Sequence[Pair]) -> Quality:
    first = [[pair.target for pair in pairs]]
    most = max(len(pair.references) for pair in pairs)
    every = [[(*pair.references, *[None] * most)[i] for pair in pairs] for i in range(most)]
    metric = sacrebleu.BLEU()
    bleu = metric.corpus_score(list(translations), first)
    return Quality(
        bleu=bleu.score,
        chrf=sacrebleu.CHRF().corpus_score(list(translations), first).score,
        bleu_all=sacrebleu.BLEU().corpus_score(list(translations), every).score,
        signature=str(metric.get_signature()),
    )


def score_sets(
    network: TranslatorNetwork, encoder: SubwordPairEncoder, sets: Sequence[PairSet], *, beam_size: int
) -> Mapping[str, float]:
    """The chrF and BLEU of each dev set, and the mean chrF as ``score``."""
    with torch.inference_mode():
        found = [
            (each.name, judge(translate([network], encoder, each.pairs, beam_size=beam_size), each.pairs))
            for each in sets
        ]
    figures = {f"{name} chrF": quality.chrf for name, quality in found}
    figures |= {f"{name} BLEU": quality.bleu for name, quality in found}
    return {**figures, "score": sum(quality.chrf for _, quality in found) / len(found)}

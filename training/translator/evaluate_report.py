"""What a translator did on test sets, as its report tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.predictors.translation import LanguagePair as Pair
from service.predictors.translation import TranslateOptions as Wish
from service.predictors.translator import Translator
from training.translator.bundle_report import AttentionPicture, SetSection, TranslatorReport, bleu_by_length
from training.translator.evaluate import SOURCE_LANGUAGE, TranslatedSet

NUM_PICTURES = 10
PICTURED_SPACES = range(5, 14)  # in a source

Measured = Mapping[str, Sequence[TranslatedSet]]  # by precision, the default one first


def make_report(
    title: str, test: Measured, history: Sequence[Mapping[str, float]], attentions: Sequence[AttentionPicture]
) -> TranslatorReport:
    """BLEU by length is that of the first precision."""
    default = next(iter(test.values()))
    sections = [
        SetSection(name=part.source.name, figures={name: test[name][place].measures() for name in test})
        for place, part in enumerate(default)
    ]
    by_language: dict[str, list[TranslatedSet]] = {}
    for part in default:
        by_language.setdefault(part.source.pairs[0].target_language, []).append(part)
    lengths = {
        f"{SOURCE_LANGUAGE}-{language}": bleu_by_length(
            [text for part in parts for text in part.translations],
            [pair for part in parts for pair in part.source.pairs],
        )
        for language, parts in by_language.items()
    }
    return TranslatorReport(
        title=title,
        signature=default[0].quality.signature,
        sections=sections,
        lengths=lengths,
        history=history,
        attentions=attentions,
    )


def attentions_of(translator: Translator, test: Sequence[TranslatedSet]) -> list[AttentionPicture]:
    """Of some sentences, from all over the test sets, that are neither very short nor wider than a page."""
    found = []
    for number in range(NUM_PICTURES):
        part = test[number % len(test)].source
        fit = [pair for pair in part.pairs if pair.source.count(" ") in PICTURED_SPACES]
        if not fit:
            continue
        pair = fit[number * len(fit) // NUM_PICTURES]
        wish = Wish(pair=Pair(SOURCE_LANGUAGE, pair.target_language), attention=True)
        attention = translator.translate([pair.source], wish)[0][0].attention
        assert attention is not None  # it was asked for
        found.append(
            AttentionPicture(
                source_tokens=attention.source_tokens,
                target_tokens=attention.target_tokens,
                weights=attention.weights,
            )
        )
    return found

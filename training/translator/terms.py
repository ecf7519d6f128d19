"""The corpora that a translator learned from, with their terms, and those of the model."""

from __future__ import annotations

from training.card import Terms
from training.corpora.licences import TRANSLATOR_CORPORA
from training.corpora.open_parallel import sources_of
from training.translator.config import TranslatorRun


def terms_of(config: TranslatorRun) -> Terms:
    """The corpora of a run and the terms of its model."""
    return Terms(corpora=corpora_of(config), licence=licence_of(config), commercial_use=allows_commercial_use(config))


def corpora_of(config: TranslatorRun) -> list[dict[str, str]]:
    """Every corpus and source that a run learned from, with its terms."""
    sources = [
        {"name": each.name, "use": f"sentence pairs: {each.domain}", "licence": each.licence, "source": each.origin}
        for each in sources_of(config.tiers)
    ]
    return [*(dict(TRANSLATOR_CORPORA[name]) for name in config.corpora), *sources]


def licence_of(config: TranslatorRun) -> str:
    """The licence of a model of a run: the most demanding of its sources, those of software aside."""
    if "multi30k" in config.corpora:
        return "CC BY-NC-SA 4.0"
    return "CC BY-SA 4.0" if "copyleft" in config.tiers else "CC BY 4.0"


def allows_commercial_use(config: TranslatorRun) -> bool:
    """Whether the terms of every corpus, as their publishers state them, allow commercial use of a model."""
    return "multi30k" not in config.corpora and "restricted" not in config.tiers

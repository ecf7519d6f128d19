"""The CARD.md of a translator's bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.card import corpora_table, default_text, join_sections, table
from training.networks.translator import Translator
from training.translator.bundle_report import MEASURES
from training.translator.calibrate import Reliability, report
from training.translator.config import TranslatorRun
from training.translator.shortlist import NUM_EACH, NUM_FREQUENT, Shortlist

LANGUAGES = {"de": "German", "en": "English", "es": "Spanish", "fr": "French"}
ATTENTION = {
    "multiplicative": "multiplicative attention (Luong et al. 2015)",
    "additive": "additive attention (Bahdanau et al. 2015)",
    "none": "no attention: the decoder sees the mean of the source at every step",
}
NETWORK = """
{layers} of {encoder_size} a direction read the source; a conditional GRU of {decoder_size} (Sennrich et al. 2017) with
{attention} writes the target. {vocabulary} subwords of {embedding_size} numbers (sentencepiece, unigram, bytes for what
they do not spell) for all languages, in one table for the source, the target and the output layer. {weights:.1f} M
weights. Numbers, addresses, placeholders, code, emoji and words in other scripts are hidden behind numbered symbols
that the network puts in their place; markup is taken out and put back by attention.
"""
SHORTLIST = """
A sentence is translated with {size} of the subwords, its list: each subword of the source itself and its {each} most
probable translations, learned from the training pairs by IBM model 1 (Brown et al. 1993), the {frequent} most frequent
subwords of the language, and further frequent ones up to that number.
"""
NON_COMMERCIAL = """
**For non-commercial use only.** Multi30k, from which this model learned, is CC BY-NC-SA 4.0: the model is passed on
under the same licence. Use it for nothing commercial, name the corpora, and pass on what you make of it on the same
terms.
"""
ATTRIBUTION = """
Tatoeba's sentences are the work of its contributors, <https://tatoeba.org>, CC BY 2.0 FR; whoever passes the model on
should say so. No sentence of it is part of the bundle, but for the subwords.
"""
COMMERCIAL = """
**May be used commercially.** Every source is in the public domain, under a licence that asks for attribution, or under
one that asks for the same licence for what is derived (CC BY-SA, GPL and the like). Whether a model that learned from
such text is derived from it is unsettled; the table names them all, so that you can decide. No research-only text was
used.
"""
RECIPE = """
{recipe}Seed {seed}; every seed is in the configuration. The checkpoint was chosen on dev sets, FLORES not among them.
The test sets decided nothing and were read once, for this card.

```
python -m training.translator.train training/configs/{name}.toml --bundle models/{name}
python -m training.translator.evaluate models/{name} --split test
```
"""
MEASURED = """
Beam of {beam_size}, measured on the graphs that ship, by the code that serves; on broad text 200 sentences of each dev
set. BLEU and chrF by sacreBLEU, cased and
detokenised, on the first reference (`{signature}`); with all references; and, to compare with the literature, BLEU of
lower-cased Moses tokens with punctuation normalised.
"""
CONFIDENCE = """
Each sentence has a `confidence`: the probability {what}. It is a logistic regression on the search's mean
log-probability, coverage, repetition, rare pieces and lengths, fitted on one half of some dev sentences of each domain
and measured on the other, with references as sources of the wrong language among them. The threshold is
{threshold:.2f}: {good:.0%} of the measured sentences at or above it were so, and {above:.0%} of all are at or above it.
"""
LEARNED_NARROWLY = """- It learned from short, everyday sentences and descriptions of pictures. News, law, medicine,
  poetry and slang are beyond it, and it does not say so: fluent and wrong is its commonest failure."""
LEARNED_OWN = """- It knows what its pairs show. Other text is beyond it, and it does not say so: fluent and
  wrong is its commonest failure."""
LEARNED_BROADLY = """- It learned from documentation, software, parliament, help, essays, fiction and everyday
  sentences. News with many names, medicine, law, poetry and slang are weaker: see the figures by domain. Forms of
  address are mixed (tú and usted, du and Sie, tu and vous), as they are in what it learned from."""
LIMITS = """
- Sentences of at most {max_tokens} pieces, of which one asks for the language and one is the end; translations of at
  most {max_target_tokens}. Longer text is cut into sentences by the service.
{learned}
- Each sentence is translated without the ones around it: what *it* or *you* means is guessed, gender and politeness
  with it. It repeats the habits of its corpora there: do not rely on its choice.
- Names it does not know may be translated or changed.
- Scores are mean log-probabilities. They rank hypotheses of one sentence; confidence is the measure of quality.
- No text whose mistranslation could harm somebody should rest on it.
"""


def translator_card(
    manifest: Mapping[str, Any],
    *,
    config: TranslatorRun,
    network: Translator,
    dev: Mapping[str, Mapping[str, float]],
    recipe: str,
    reliability: Mapping[str, Reliability],
    difference: float,
    sizes: Mapping[str, int],
    signature: str,
    beam_size: int,
    shortlist: Shortlist | None = None,
) -> str:
    """The card as Markdown.

    ``recipe`` says how the model was made; ``dev`` are figures by precision, the shipped one first; ``difference`` is
    that of the fp32 graphs from torch; ``sizes`` by file are in bytes.
    """
    names = next(iter(dev.values()))
    rows = [[figure_text(name), *(f"{figures[name]:.2f}" for figures in dev.values())] for name in names]
    test = [[figure_text(f"test_{name}"), f"{value:.2f}"] for name, value in manifest["metrics"].items()]
    sections = [
        f"# {manifest['name']} {manifest['version']}",
        f"{manifest['description']}. {pairs_text(manifest)}.",
        "## The network",
        network_text(config, network),
        *([SHORTLIST.format(size=shortlist.size, each=NUM_EACH, frequent=NUM_FREQUENT)] if shortlist else []),
        "## Corpora and terms",
        corpora_table(manifest),
        *terms_of(config),
        f"The model as a whole: {manifest['licence']}.",
        "## Recipe",
        recipe,
        "## Figures",
        MEASURED.format(beam_size=beam_size, signature=signature),
        table(["set", *dev], rows),
        table(["set", manifest["default_precision"]], test),
        default_text(manifest, difference, "log-probability"),
        *confidence_sections(manifest, reliability),
        "## Sizes",
        table(["file", "MB"], [[f"`{name}`", f"{size / 1e6:.2f}"] for name, size in sizes.items()]),
        "## Limits",
        LIMITS.format(**manifest["limits"], learned=learned_text(config)),
    ]
    return join_sections(sections)


def learned_text(config: TranslatorRun) -> str:
    """The limits of what a run learned from."""
    if config.tiers:
        return LEARNED_BROADLY
    return LEARNED_NARROWLY if config.corpora else LEARNED_OWN


def confidence_sections(manifest: Mapping[str, Any], reliability: Mapping[str, Reliability]) -> list[str]:
    """The meaning of a confidence and its reliability; empty if the model is not calibrated."""
    if not reliability:
        return []
    every = reliability["all"]
    text = CONFIDENCE.format(**manifest["confidence"], good=every.precision, above=every.above_share)
    return ["## Confidence", text, report(reliability)]


def figure_text(name: str) -> str:
    """A figure in words: ``test_tatoeba_en-es_bleu`` is ``tatoeba en-es test: BLEU``; without a prefix it is of dev."""
    split, rest = ("test", name.removeprefix("test_")) if name.startswith("test_") else ("dev", name)
    measure = next(each for each in sorted(MEASURES, key=len, reverse=True) if rest.endswith(f"_{each}"))
    corpus = rest.removesuffix(f"_{measure}").replace(f"_{split}_", f"_{split} ", 1).replace("_", " ")
    where = corpus if f" {split} " in corpus else f"{corpus} {split}"
    return f"{where}: {MEASURES[measure]}"


def pairs_text(manifest: Mapping[str, Any]) -> str:
    """The pairs of languages in words: ``English to Spanish, English to German``."""
    names = ([LANGUAGES.get(pair[side], pair[side]) for side in ("source", "target")] for pair in manifest["pairs"])
    return ", ".join(" to ".join(each) for each in names)


def network_text(config: TranslatorRun, network: Translator) -> str:
    net = config.network
    layers = "One bidirectional GRU layer" if net.num_layers == 1 else f"{net.num_layers} bidirectional GRU layers"
    return NETWORK.format(
        layers=layers,
        encoder_size=net.encoder_size,
        decoder_size=net.decoder_size,
        attention=ATTENTION[net.attention],
        vocabulary=network.embedding.num_embeddings,
        embedding_size=net.embedding_size,
        weights=sum(weight.numel() for weight in network.parameters()) / 1e6,
    )


def terms_of(config: TranslatorRun) -> list[str]:
    of_corpora = {"multi30k": NON_COMMERCIAL, "tatoeba": ATTRIBUTION}
    terms = [text for name, text in of_corpora.items() if name in config.corpora]
    return [*terms, COMMERCIAL] if "copyleft" in config.tiers else terms


def card_recipe(config: TranslatorRun) -> str:
    """The section of the card of a run on known corpora."""
    return RECIPE.format(recipe=recipe_text(config), seed=config.fit.seed, name=config.name)


def recipe_text(config: TranslatorRun) -> str:
    """Special features of a run, such as targets written by teachers."""
    if not config.distilled:
        return ""
    share = "learned, beside the references, from" if config.keep_references else "learned from"
    return f"It {share} what an ensemble of earlier runs wrote (`training/translator/distil.py`). "

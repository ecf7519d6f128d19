"""A translator bundle's CARD.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.card import corpora_table, default_text, join_sections, table
from training.networks.translator import Translator
from training.translator_report import MEASURES
from training.translator_run import TranslatorRun

LANGUAGES = {"de": "German", "en": "English", "es": "Spanish", "fr": "French"}
ATTENTION = {
    "multiplicative": "multiplicative attention (Luong et al. 2015)",
    "additive": "additive attention (Bahdanau et al. 2015)",
    "none": "no attention: the decoder sees the mean of the source at every step",
}
NETWORK = """
{layers} of {encoder_size} a direction read the source; a conditional GRU of {decoder_size} (Sennrich et al. 2017) with
{attention} writes the target. {vocabulary} subwords of {embedding_size} numbers (sentencepiece, unigram) for all
languages, in one table for the source, the target and the output layer. {weights:.1f} M weights. What cannot be
translated (addresses, numbers, emoji, words in other scripts) is hidden behind a placeholder that the network copies,
and put back by attention.
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
RECIPE = """
{recipe}Seed {seed}; every seed is in the configuration. The checkpoint was chosen by greedy BLEU on the dev sets. The
test sets decided nothing and were read once, for this card.

```
python -m training.train_translator training/configs/{name}.toml --bundle models/{name}
python -m training.evaluate_translator models/{name} --split test
```
"""
MEASURED = """
Beam of {beam_size}, measured on the graphs that ship, by the code that serves. BLEU and chrF by sacreBLEU, cased and
detokenised, on the first reference (`{signature}`); with all references; and, to compare with the literature, BLEU of
lower-cased Moses tokens with punctuation normalised.
"""
LIMITS = """
- Sentences of at most {max_tokens} pieces, of which one asks for the language and one is the end; translations of at
  most {max_target_tokens}. Longer text is cut into sentences by the service.
- It learned from short, everyday sentences{pictures}. News, law, medicine, poetry and slang are beyond it, and it does
  not say so: fluent and wrong is its commonest failure.
- Each sentence is translated without the ones around it: what *it* or *you* means is guessed, gender and politeness
  with it. It repeats the habits of its corpora there: do not rely on its choice.
- Names it does not know may be translated, changed or lost. Figures of fewer than three digits are left to it too.
- Scores are mean log-probabilities. They rank hypotheses of one sentence; they are no measure of quality.
- No text whose mistranslation could harm somebody should rest on it.
"""


def translator_card(
    manifest: Mapping[str, Any],
    *,
    config: TranslatorRun,
    network: Translator,
    difference: float,
    sizes: Mapping[str, int],
    signature: str,
    beam_size: int,
) -> str:
    """The card as Markdown. ``difference`` is that of the fp32 graphs from torch, ``sizes`` by file in bytes."""
    precisions = {name: precision["metrics"] for name, precision in manifest["precisions"].items()}
    names = list(dict.fromkeys(name for metrics in precisions.values() for name in metrics))
    rows = [[figure_text(n), *(f"{m[n]:.2f}" if n in m else "" for m in precisions.values())] for n in names]
    sections = [
        f"# {manifest['name']} {manifest['version']}",
        f"{manifest['description']}. {pairs_text(manifest)}.",
        "## The network",
        network_text(config, network),
        "## Corpora and terms",
        corpora_table(manifest),
        *terms_of(config.corpora),
        f"The model as a whole: {manifest['licence']}.",
        "## Recipe",
        RECIPE.format(recipe=recipe_text(config), seed=config.fit.seed, name=config.name),
        "## Figures",
        MEASURED.format(beam_size=beam_size, signature=signature),
        table(["set", *precisions], rows),
        default_text(manifest, difference, "log-probability"),
        "## Sizes",
        table(["file", "MB"], [[f"`{name}`", f"{size / 1e6:.2f}"] for name, size in sizes.items()]),
        "## Limits",
        LIMITS.format(
            **manifest["limits"], pictures=" and descriptions of pictures" if "multi30k" in config.corpora else ""
        ),
    ]
    return join_sections(sections)


def figure_text(name: str) -> str:
    """``test_tatoeba_en-es_bleu`` -> ``tatoeba en-es test: BLEU``; what has no prefix is of dev."""
    split, rest = ("test", name.removeprefix("test_")) if name.startswith("test_") else ("dev", name)
    measure = next(each for each in sorted(MEASURES, key=len, reverse=True) if rest.endswith(f"_{each}"))
    corpus = rest.removesuffix(f"_{measure}").replace(f"_{split}_", f"_{split} ", 1).replace("_", " ")
    where = corpus if f" {split} " in corpus else f"{corpus} {split}"
    return f"{where}: {MEASURES[measure]}"


def pairs_text(manifest: Mapping[str, Any]) -> str:
    """``English to Spanish, English to German``"""
    return ", ".join(f"{LANGUAGES[pair['source']]} to {LANGUAGES[pair['target']]}" for pair in manifest["pairs"])


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


def terms_of(corpora: tuple[str, ...]) -> list[str]:
    terms = {"multi30k": NON_COMMERCIAL, "tatoeba": ATTRIBUTION}
    return [text for name, text in terms.items() if name in corpora]


def recipe_text(config: TranslatorRun) -> str:
    """What is not plain in a run: targets by teachers."""
    if not config.distilled:
        return ""
    share = "learned, beside the references, from" if config.keep_references else "learned from"
    return f"It {share} what an ensemble of earlier runs wrote (`training/distil_translator.py`). "

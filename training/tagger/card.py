"""The CARD.md of a tagger's bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from training.card import corpora_table, default_text, join_sections, layers_text, table
from training.networks.tagger import TaggerConfig
from training.tagger.config import TaggerRun

FIGURES = {
    "ewt_upos_gold_tokens": "EWT, gold tokens: UPOS accuracy",
    "ewt_xpos_gold_tokens": "EWT, gold tokens: XPOS accuracy",
    "ewt_upos_raw_text": "EWT, raw text: UPOS F1 (CoNLL 2018)",
    "ewt_xpos_raw_text": "EWT, raw text: XPOS F1 (CoNLL 2018)",
    "ewt_words_f1": "EWT, raw text: words F1",
    "ewt_sentences_f1": "EWT, raw text: sentences F1",
    "uner_entity_f1": "UNER EWT **dev** (it has no test): PER, ORG, LOC F1",
    "redocred_entity_f1": "Re-DocRED, a tenth held out, merged scheme: span F1",
    "crossner_entity_f1": "CrossNER, PER, ORG, LOC: span F1",
    "sec_filings_entity_f1": "SEC loan agreements, a tenth held out, PER, ORG, LOC: span F1",
    "business_entity_f1": "120 business and news sentences, all eight labels: span F1",
    "numbers_with_false_date": "100 sentences with codes and quantities: how many have a false DATE",
    "gmb_entity_f1": "GMB, merged scheme: span F1",
    "wnut17_entity_f1": "WNUT17, merged scheme (PER, ORG, LOC, MISC): span F1",
    "gmb_own_scheme_f1": "GMB, its own eight labels (a head that is not exported): span F1",
    "wnut17_own_scheme_f1": "WNUT17, its own six labels (a head that is not exported): span F1",
}
RECIPE = """
{start}All heads learn together; entity corpora that annotate different things are merged with partial labels
(`training/corpora/entities.py`). {made}{shifts}Seed {seed}; every seed is in the configurations. The
checkpoint was chosen on the dev sets, UNER's among them; the test sets were used once, for this card.

```
make train-tagger CONFIG=training/configs/{name}.toml BUNDLE=models/{name}
```
"""
PRETRAINED = "Features and encoder began by guessing hidden words of plain text (`training/tagger/pretrain.py`).\n"
LABELLED = (
    "It goes on from one of two teachers and learns, too, from text that both labelled together "
    "(`training/tagger/distil.py`).\n"
)
FROM_BUNDLE = (
    "Training goes on from the bundle before (`training/tagger/bundle_start.py`), which began by guessing hidden words "
    "of plain text and learned from an ensemble. The parts of speech that it gives to open text are learned, too, so "
    "that they stay.\n"
)
NARROWED = (
    "Units were taken from its layers and the ranks of their input weights reduced by least squares "
    "(`training/tagger/narrow.py`); what was left learned from that bundle's answers, beside the labels.\n"
)
MADE = (
    "Sentences of templates (`training/tagger/generated_sentences.py`) teach amounts and times and what is none; in "
    "copies of sentences other names stand (`training/tagger/renamed_sentences.py`). "
)
SHIFTED = "Entity logits are shifted ({shifts}), by the dev sets (`training/tagger/tune_entities.py`). "
PRINTED_BY = """
`python -m training.tagger.evaluate models/en-tagger --split test` prints them; those of an own scheme, of heads that
are not exported, are printed by training.
"""
LIMITS = """
- English. Most of what it read is older than 2020: younger names and slang are unknown words to it.
- Organisations are the hardest: annotators themselves agree on them at an F1 of .53 in UNER.
- DATE and TIME follow OntoNotes, by rules that widen and part what GMB and others annotate unevenly
  (`training/corpora/time_expressions.py`); MONEY and PERCENT come from rules and templates more than from people.
- MISC mixes nationalities, languages, events, laws, works and products as its sources do; common products of companies
  are often taken for the company.
- Entity scores are mean probabilities of a span's tags. They are not calibrated.
- No judgement of persons should rest on its output: names of some origins are recognised better than others.
"""


def tagger_card(manifest: Mapping[str, Any], *, config: TaggerRun, network: nn.Module, difference: float) -> str:
    """The card as Markdown."""
    dev = {name: precision["metrics"] for name, precision in manifest["precisions"].items()}
    start = (PRETRAINED if config.pretrained else "") + (LABELLED if config.labelled_text else "")
    start = start if config.labelled_entities else FROM_BUNDLE
    start += NARROWED if config.teacher else ""
    made = MADE if config.generated_sentences or config.renamed_sentences else ""
    listed = ", ".join(f"{label} {shift:+g}" for label, shift in config.entity_shifts.items())
    shifts = SHIFTED.format(shifts=listed) if listed else ""
    sections = [
        f"# {manifest['name']} {manifest['version']}",
        manifest["description"],
        "## The network",
        network_text(config.network, network),
        "## Corpora and terms",
        corpora_table(manifest),
        f"The model as a whole: {manifest['licence']}.",
        "## Recipe",
        RECIPE.format(start=start, made=made, shifts=shifts, seed=config.fit.seed, name=config.name),
        "## Figures on test sets (fp32)",
        table(["measure", "%"], [[FIGURES[n], f"{v:.2f}"] for n, v in manifest["metrics"].items()]),
        PRINTED_BY,
        "## Precisions, on dev",
        table(
            ["measure", *dev],
            [[FIGURES[n], *(f"{dev[p][n]:.2f}" for p in dev)] for n in next(iter(dev.values()))],
        ),
        default_text(manifest, difference, "logit"),
        "## Limits",
        f"- Sentences of at most {manifest['limits']['max_tokens']} tokens." + LIMITS,
    ]
    return join_sections(sections)


def network_text(config: TaggerConfig, network: nn.Module) -> str:
    """The layers and sizes of the network, in words."""
    shipped = {name: v for name, v in network.state_dict().items() if "gmb" not in name and "wnut17" not in name}
    num_weights = sum(value.numel() for value in shipped.values())
    projected = f", their inputs projected to {config.projection_size}," if config.projection_size else ""
    return (
        f"Word ({config.word_size}), suffix ({config.suffix_size}) and character features (convolutions of widths "
        f"{', '.join(map(str, config.filter_widths))}, {config.num_filters} filters each), {layers_text(config)}"
        f"{projected} shared by three heads: UPOS, XPOS, entities (BIOES, decoded by Viterbi over legal sequences). "
        f"{num_weights / 1e6:.1f} M weights, rounded to float16 for storage; computed in float32."
    )

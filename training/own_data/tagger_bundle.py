"""The bundle, card and report of a tagger of one's own, and its comparison with baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.text.pipeline import Vocabulary
from service.text.spans import spans_of, tags_of
from training.card import corpora_table, default_text, join_sections, table
from training.corpora.examples import TaggedSentence
from training.corpora.tagging import Heads
from training.networks.tagger import Tagger
from training.own_data.recipe import Origin, chosen_text
from training.own_data.tagged import NO_TAG, TaggedData
from training.own_data.verdict import Verdict, compare, compare_spans
from training.own_data.workspace import Workspace
from training.tagger.baselines import LinearTagger, MostFrequentTag
from training.tagger.card import network_text
from training.tagger.config import TaggerRun
from training.tagger.evaluate import span_section, tag_section, tag_words
from training.tagger.publish import manifest_of, write_bundle
from training.tagger.report import RunReport, SpanSection, TagSection, write_report

Tags = list[list[str]]
Sections = Sequence[TagSection | SpanSection]
MODEL, LINEAR, FREQUENT = "model", "linear model", "most frequent tag"
LIMITS = """
- Sentences of at most {max_tokens} tokens.
- It knows what its data show: on text of another kind it is worse, and does not say so.
- Entity scores are mean probabilities of a span's tags, calibrated on the words of dev.
{borrowed}"""
BORROWED = "- {layers}: learned from the answers of {start}, not from the data.\n"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedTagger:
    """A trained network and what belongs to it."""

    network: Tagger
    vocabularies: Mapping[str, Vocabulary]
    heads: Heads
    config: TaggerRun
    temperature: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaggerBaselines:
    """A linear model and the most frequent tag of each word, for each layer of the data."""

    linear: Mapping[str, LinearTagger]
    frequent: Mapping[str, MostFrequentTag]

    @classmethod
    def fit(cls, data: TaggedData) -> TaggerBaselines:
        words = [sentence.words for sentence in data.train]
        tags = {layer: gold_of(data.train, layer) for layer in data.layers}
        usual = {"upos": "NOUN", "xpos": "NN", "ner": "O"}
        return cls(
            linear={layer: LinearTagger().fit(words, rows) for layer, rows in tags.items()},
            frequent={layer: MostFrequentTag(unknown=usual[layer]).fit(words, rows) for layer, rows in tags.items()},
        )

    def tags(self, sentences: Sequence[TaggedSentence], layer: str) -> dict[str, Tags]:
        """The tags of sentences by both systems."""
        words = [sentence.words for sentence in sentences]
        frequent = [self.frequent[layer].tag(row) for row in words]
        return {LINEAR: self.linear[layer].tag_all(words), FREQUENT: frequent}


def gold_of(sentences: Sequence[TaggedSentence], layer: str) -> Tags:
    """The tags of a layer, those of entities in BIOES."""
    rows = [list(sentence.tags.get(layer, [NO_TAG] * len(sentence.words))) for sentence in sentences]
    return [tags_of(spans_of(row), len(row)) for row in rows] if layer == "ner" else rows


def write_own_tagger(
    trained: TrainedTagger, data: TaggedData, baselines: TaggerBaselines, origin: Origin, made: Workspace
) -> list[Verdict]:
    """Write the bundle, its report and its card; returns a verdict for each layer of the data."""
    verdicts: list[Verdict] = []

    def measure(tagger: Any, split: str) -> dict[str, float]:
        sentences = data.dev if split == "dev" else data.test
        answers = own_answers(tagger, sentences, data)
        if split == "dev":
            return figures_of(sections_of(sentences, {layer: {MODEL: tags} for layer, tags in answers.items()}, data))
        systems = {layer: {MODEL: tags, **baselines.tags(sentences, layer)} for layer, tags in answers.items()}
        verdicts.extend(judge(sentences, layer, found) for layer, found in systems.items())
        sections = sections_of(sentences, systems, data)
        write_test_report(sections, trained, origin, made)
        return figures_of(sections)

    num_characters = trained.config.vocabulary.num_characters
    kinds = {"upos": "parts of speech", "xpos": "finer tags", "ner": f"entities ({', '.join(data.labels)})"}
    write_bundle(
        trained.network,
        trained.vocabularies,
        num_characters=num_characters,
        describe=lambda dev, test: manifest_of(
            name=origin.options.name,
            version="1.0.0",
            description=f"Tags as in {origin.data}: {', '.join(kinds[layer] for layer in data.layers)}.",
            languages=(origin.options.language,),
            terms=origin.terms,
            num_characters=num_characters,
            heads=trained.heads,
            dev=dev,
            test=test,
        ),
        measure=measure,
        card=lambda manifest, difference: own_tagger_card(manifest, difference, trained, data, origin, verdicts),
        folder=made.bundle,
    )
    return verdicts


def own_answers(tagger: Any, sentences: Sequence[TaggedSentence], data: TaggedData) -> dict[str, Tags]:
    """The tags that a tagger gives the sentences, for each layer of the data."""
    rows = tag_words(tagger, [sentence.words for sentence in sentences])
    answers = {
        "upos": [list(row.upos) for row in rows],
        "xpos": [list(row.xpos) for row in rows],
        "ner": [list(row.entity) for row in rows],
    }
    return {layer: answers[layer] for layer in data.layers}


def write_test_report(sections: Sections, trained: TrainedTagger, origin: Origin, made: Workspace) -> None:
    """Write the report of the figures on test."""
    figures = {f"test {name}": value for name, value in figures_of(sections).items()}
    write_report(
        RunReport(
            title=f"{origin.options.name} 1.0.0, test",
            tags=[each for each in sections if isinstance(each, TagSection)],
            spans=[each for each in sections if isinstance(each, SpanSection)],
            facts={"temperature of entities": round(trained.temperature, 4), **figures},
        ),
        made.report,
    )


def own_tagger_card(
    manifest: Mapping[str, Any],
    difference: float,
    trained: TrainedTagger,
    data: TaggedData,
    origin: Origin,
    verdicts: Sequence[Verdict],
) -> str:
    """The card as Markdown; ``difference`` is the largest between the graph's logits and torch's."""
    lacking = [name for name in ("upos", "xpos", "ner") if name not in data.layers]
    start = origin.start
    borrowed = BORROWED.format(layers=", ".join(lacking), start=start.name) if start and lacking else ""
    dev = {name: precision["metrics"] for name, precision in manifest["precisions"].items()}
    figures = [
        [name, *(f"{dev[p][name]:.2f}" for p in dev), f"{value:.2f}"] for name, value in manifest["metrics"].items()
    ]
    chosen = chosen_text(origin.num_dev, [f"the temperature of entities ({trained.temperature:.3f})"])
    return join_sections(
        [
            f"# {manifest['name']} {manifest['version']}",
            manifest["description"],
            "## The network",
            network_text(trained.config.network, trained.network),
            "## Corpora and terms",
            corpora_table(manifest),
            f"The model as a whole: {manifest['licence']}.",
            "## Recipe",
            origin.recipe(chosen=chosen, verdict=" ".join(verdict.text for verdict in verdicts)),
            "## Figures in percent",
            table(["measure", *(f"dev, {name}" for name in dev), "test, fp32"], figures),
            default_text(manifest, difference, "logit"),
            "## Limits",
            LIMITS.format(max_tokens=manifest["limits"]["max_tokens"], borrowed=borrowed),
        ]
    )


def sections_of(
    sentences: Sequence[TaggedSentence], systems: Mapping[str, Mapping[str, Tags]], data: TaggedData
) -> list[TagSection | SpanSection]:
    """A section of figures for each layer. Words without a gold tag do not count."""
    known = {word for sentence in data.train for word in sentence.words}
    found: list[TagSection | SpanSection] = []
    for layer, answers in systems.items():
        gold = gold_of(sentences, layer)
        if layer == "ner":
            found.append(span_section("entity", "own data", gold, answers, data.labels))
            continue
        words = without_unknown([list(sentence.words) for sentence in sentences], gold)
        kept = {name: without_unknown(tags, gold) for name, tags in answers.items()}
        found.append(tag_section(layer, "own data", words, without_unknown(gold, gold), kept, known_words=known))
    return found


def without_unknown(rows: Tags, gold: Tags) -> Tags:
    """The entries of rows at which the gold tag is known."""
    return [
        [x for x, tag in zip(row, tags, strict=True) if tag != NO_TAG] for row, tags in zip(rows, gold, strict=True)
    ]


def figures_of(sections: Sections) -> dict[str, float]:
    """The model's figures in percent by name."""
    figures = {}
    for each in sections:
        if isinstance(each, TagSection):
            figures[f"{each.name}_accuracy"] = round(100 * each.systems[MODEL].overall.value, 2)
        else:
            figures[f"{each.name}_f1"] = round(100 * each.systems[MODEL].micro.f1, 2)
    return figures


def judge(sentences: Sequence[TaggedSentence], layer: str, systems: Mapping[str, Tags]) -> Verdict:
    """Compare the model with the linear one: F1 of entities, accuracy of tags."""
    gold = gold_of(sentences, layer)
    ours, theirs = systems[MODEL], systems[LINEAR]
    if layer == "ner":
        spans = ([set(spans_of(row)) for row in rows] for rows in (gold, ours, theirs))
        return compare_spans(*spans, name="linear model")
    right = [
        [g == p for tags, row in zip(gold, rows, strict=True) for g, p in zip(tags, row, strict=True) if g != NO_TAG]
        for rows in (ours, theirs)
    ]
    return compare(*right, name=f"linear model ({layer})")

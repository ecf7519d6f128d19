"""Measure a tagger's bundle on the official sets, with the code of the service.

python -m training.tagger.evaluate --help
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from service.bundle import load_bundle
from service.predictors.tagger import TaggedRow, Tagger
from service.runtime.session import OnnxSession
from service.text.tokenizer import Sentence, join_words, split_sentences
from training.command_line import evaluation_parser
from training.corpora import tagging
from training.corpora.tagging_sets import Tags, read_entity_sets, read_pos_set
from training.evaluation import Labelled, TagReport, confuse_entities, evaluate_tags
from training.predict import answer_rows
from training.tagger.baselines import LinearTagger, MostFrequentTag
from training.tagger.predict import score_spans
from training.tagger.report import RunReport, SpanSection, TagSection, write_report
from training.tokenizer import conll18


def tag_all(tagger: Tagger, sentences: Sequence[Sentence]) -> list[TaggedRow]:
    """The answer of every sentence, in order."""
    return answer_rows(tagger, [tagger.encode(sentence).ids for sentence in sentences])


def tag_words(tagger: Tagger, sentences: Sequence[Sequence[str]]) -> list[TaggedRow]:
    return tag_all(tagger, [join_words(words)[1] for words in sentences])


def spans_of_texts(tagger: Tagger, texts: Sequence[str]) -> list[list[Labelled]]:
    """The entities of raw texts: label, start and end in characters, by text."""
    found: list[list[Labelled]] = []
    for text in texts:
        sentences = split_sentences(text)
        rows = zip(sentences, tag_all(tagger, sentences), strict=True)
        found.append([(x.label, s.starts[x.start], s.ends[x.end - 1]) for s, row in rows for x in row.spans])
    return found


def evaluate_pos(tagger: Tagger, split: str, data_dir: Path | None, *, baselines: bool) -> list[TagSection]:
    """Measure parts of speech on the gold tokens of EWT; the baselines too if asked for, which takes two minutes."""
    train, test = tagging.read_ewt("train", data_dir), read_pos_set(split, data_dir)
    known = {word for sentence in train for word in sentence.words}
    words = test.sentences
    rows = tag_words(tagger, words)
    sections = []
    for layer, unknown, answers in (
        ("upos", "NOUN", [row.upos for row in rows]),
        ("xpos", "NN", [row.xpos for row in rows]),
    ):
        predicted: dict[str, Tags] = {"model": answers}
        if baselines:
            texts, tags = [s.words for s in train], [s.tags[layer] for s in train]
            frequent = MostFrequentTag(unknown=unknown).fit(texts, tags)
            predicted["most frequent tag"] = [frequent.tag(row) for row in words]
            predicted["linear model"] = LinearTagger().fit(texts, tags).tag_all(words)
        corpus = f"{test.corpus}, gold tokens"
        sections.append(tag_section(layer, corpus, words, test.gold[layer], predicted, known_words=known))
    return sections


def tag_section(
    layer: str,
    corpus: str,
    words: Sequence[Sequence[str]],
    gold: Tags,
    predicted: Mapping[str, Tags],
    *,
    known_words: Collection[str],
) -> TagSection:
    """The figures of a layer of tags by several systems."""
    systems: Mapping[str, TagReport] = {
        name: evaluate_tags(words=words, gold=gold, predicted=tags, known_words=known_words)
        for name, tags in predicted.items()
    }
    return TagSection(name=layer, corpus=corpus, systems=systems)


def span_section(
    name: str, corpus: str, gold: Tags, predicted: Mapping[str, Tags], labels: Sequence[str]
) -> SpanSection:
    """The figures of entities by several systems, and the confusion of the first."""
    systems = {system: score_spans(gold, tags, labels) for system, tags in predicted.items()}
    confusion = confuse_entities(gold, next(iter(predicted.values())))
    return SpanSection(name=name, corpus=corpus, systems=systems, confusion=confusion)


def evaluate_entities(tagger: Tagger, split: str, data_dir: Path | None) -> list[SpanSection]:
    return [
        span_section(
            test.name,
            f"{test.corpus}, merged scheme",
            test.gold["entity"],
            {"model": [row.entity for row in tag_words(tagger, test.sentences)]},
            test.labels,
        )
        for test in read_entity_sets(split, data_dir)
    ]


def evaluate_raw(tagger: Tagger, split: str, data_dir: Path | None) -> conll18.Scores:
    """Measure tags from raw text, as the CoNLL 2018 shared task does."""
    lines = tagging.read_ewt_lines(split, data_dir)
    text = conll18.raw_text(lines)
    sentences = split_sentences(text)
    rows = tag_all(tagger, sentences)
    system = conll18.segmentation_of(sentences, upos=[row.upos for row in rows], xpos=[row.xpos for row in rows])
    return conll18.evaluate(conll18.read_gold(lines), system)


def headline(tags: Sequence[TagSection], spans: Sequence[SpanSection], raw: conll18.Scores) -> dict[str, float]:
    """The figures that a manifest carries, in percent."""
    figures = {f"ewt_{s.name}_gold_tokens": s.systems["model"].overall.value for s in tags}
    figures |= {
        "ewt_words_f1": raw.words.f1,
        "ewt_sentences_f1": raw.sentences.f1,
        "ewt_upos_raw_text": raw.upos.f1,
        "ewt_xpos_raw_text": raw.xpos.f1,
    }
    figures |= {f"{s.name}_entity_f1": s.systems["model"].micro.f1 for s in spans}
    return {name: round(100 * value, 2) for name, value in figures.items()}


def open_tagger(folder: Path, precision: str | None = None) -> Tagger:
    bundle = load_bundle(folder)
    return Tagger(bundle, OnnxSession(bundle.graph(precision)))


def measure(
    tagger: Tagger, split: str, data_dir: Path | None, *, title: str, report: Path | None = None
) -> dict[str, float]:
    """All figures of one split; with ``report`` a folder of tables and pictures, baselines included."""
    tags = evaluate_pos(tagger, split, data_dir, baselines=report is not None)
    spans = evaluate_entities(tagger, split, data_dir)
    figures = headline(tags, spans, evaluate_raw(tagger, split, data_dir))
    if report:
        write_report(RunReport(title=title, tags=tags, spans=spans, facts=figures), report)
    return figures


def main() -> None:
    parser = evaluation_parser(__doc__)
    parser.add_argument("--report", type=Path, default=None, help="write tables, pictures and baselines here")
    arguments = parser.parse_args()
    tagger = open_tagger(arguments.bundle, arguments.precision)
    title = f"{arguments.bundle.name} {arguments.precision or ''} on {arguments.split}"
    figures = measure(tagger, arguments.split, arguments.data_dir, title=title, report=arguments.report)
    for name, value in figures.items():
        print(f"{name:24} {value:6.2f}")


if __name__ == "__main__":
    main()

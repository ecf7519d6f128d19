"""Tagged sentences of one's own: CoNLL-U, columns with BIO tags, or JSON Lines with spans by offsets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from service.text.spans import spans_of, tags_of
from training.corpora.examples import TaggedSentence
from training.corpora.recutting import recut
from training.own_data.errors import DataError, count_text
from training.own_data.labelled import FEWEST_EXAMPLES
from training.own_data.span_file import read_spans
from training.own_data.split import split
from training.own_data.tagged_columns import TaggedOptions, read_column_lines, read_conllu_lines
from training.own_data.text_file import read_lines

FEWEST_SENTENCES = 20
MAX_TOKENS = 1024  # of a sentence
MOST_LABELS = 15  # of entities: a training target holds 62 tags, four a label
NO_TAG = "_"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedData:
    """Sentences to learn from, to choose by and to measure by, with the layers that they have: upos, xpos, ner."""

    train: Sequence[TaggedSentence]
    dev: Sequence[TaggedSentence]
    test: Sequence[TaggedSentence]
    layers: tuple[str, ...]
    labels: tuple[str, ...]  # of entities
    notes: list[str] = field(default_factory=list)


def read_tagged_splits(
    path: Path, dev: Path | None, test: Path | None, options: TaggedOptions, seed: int
) -> TaggedData:
    """Read a file and those of dev and test, or split the first one where they are not given. Raises DataError."""
    sentences, notes = read_tagged(path, options)
    layers = layers_of(sentences)
    held_out: dict[str, list[TaggedSentence]] = {}
    for name, file in (("dev", dev), ("test", test)):
        if file is not None:
            held_out[name], more = read_tagged(file, options)
            notes += [note for note in more if note not in notes]
            if missing := set(layers) - set(layers_of(held_out[name])):
                raise DataError(f"{file} lacks the tags {', '.join(sorted(missing))} that {path} has.")
    keys = {key_of(sentence) for part in held_out.values() for sentence in part}
    shared = sum(key_of(sentence) in keys for sentence in sentences)
    if shared:
        sentences = [sentence for sentence in sentences if key_of(sentence) not in keys]
        notes.append(
            f"{path.name}: {count_text(shared, 'sentence')} also in the dev or test file, left out of what is learned."
        )
    if len(sentences) < FEWEST_SENTENCES:
        raise DataError(f"{path} has {count_text(len(sentences), 'sentence')}; {FEWEST_SENTENCES} are the fewest.")
    sentences, labels = _checked_labels(path, sentences, drop_rare=options.drop_rare_labels, notes=notes)
    missing = [name for name in ("dev", "test") if name not in held_out]
    if missing:
        strata = ["with" if spans_of(sentence.tags.get("ner", ())) else "without" for sentence in sentences]
        sentences, *parts = split(sentences, list(map(key_of, sentences)), strata, len(missing), seed)
        held_out |= dict(zip(missing, parts, strict=True))
        sizes = " and ".join(f"{len(part):,} for {name}" for name, part in zip(missing, parts, strict=True))
        notes.append(f"{sizes} of the sentences were set aside with seed {seed}; copies stay together.")
    return TaggedData(
        train=sentences, dev=held_out["dev"], test=held_out["test"], layers=layers, labels=labels, notes=notes
    )


def read_tagged(path: Path, options: TaggedOptions) -> tuple[list[TaggedSentence], list[str]]:
    """The sentences of a file in the service's words, and notes about how it was read. Raises DataError."""
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    lines = read_lines(path, options.encoding)
    if suffix == ".conllu":
        sentences, notes = read_conllu_lines(path, lines), []
    elif suffix in (".jsonl", ".ndjson"):
        sentences, notes = read_spans(path, lines)
    elif suffix in (".conll", ".iob", ".iob2", ".bio", ".tsv", ".txt"):
        sentences, notes = read_column_lines(path, lines, options)
    else:
        raise DataError(f"{path}: what form is this? Known are .conllu, .iob2, .conll, .tsv and .jsonl.")
    if not sentences:
        raise DataError(f"{path} has no sentence.")
    cut = [recut(sentence) for sentence in sentences]
    kept = [sentence for sentence in cut if len(sentence.words) <= MAX_TOKENS]
    if len(kept) < len(cut):
        notes.append(f"{path.name}: {count_text(len(cut) - len(kept), 'sentence')} over {MAX_TOKENS} tokens left out.")
    return [_without_unclear(sentence) for sentence in kept], notes


def key_of(sentence: TaggedSentence) -> str:
    """The key by which sentences count as the same."""
    return " ".join(sentence.words).casefold()


def layers_of(sentences: Sequence[TaggedSentence]) -> tuple[str, ...]:
    """The layers of which any tag is given."""
    layers = ("upos", "xpos", "ner")
    return tuple(each for each in layers if any(set(s.tags.get(each, ())) - {NO_TAG} for s in sentences))


def _without_unclear(sentence: TaggedSentence) -> TaggedSentence:
    return replace(sentence, tags={name: tags for name, tags in sentence.tags.items() if name != "unclear"})


def _checked_labels(
    path: Path, sentences: list[TaggedSentence], *, drop_rare: bool, notes: list[str]
) -> tuple[list[TaggedSentence], tuple[str, ...]]:
    """The sentences, and the labels of entities that have enough examples."""
    counts: Counter[str] = Counter(span.label for s in sentences for span in spans_of(s.tags.get("ner", ())))
    rare = sorted(label for label, count in counts.items() if count < FEWEST_EXAMPLES)
    if rare and not drop_rare:
        told = ", ".join(f"{label!r} has {counts[label]}" for label in rare[:5])
        raise DataError(
            f"{path}: a label needs {FEWEST_EXAMPLES} entities at least, but {told}. Add examples, or learn these "
            "words as no entity with --drop-rare-labels."
        )
    labels = tuple(sorted(counts.keys() - set(rare)))
    if len(labels) > MOST_LABELS:
        raise DataError(f"{path}: {len(labels)} labels of entities; a tagger learns {MOST_LABELS} at most.")
    if rare:
        notes.append(f"Learned as no entity, because rare: {', '.join(map(repr, rare))}.")
        sentences = [_with_labels(sentence, labels) for sentence in sentences]
    return sentences, labels


def _with_labels(sentence: TaggedSentence, labels: Sequence[str]) -> TaggedSentence:
    """The sentence with the entities of these labels alone."""
    if "ner" not in sentence.tags:
        return sentence
    kept = [span for span in spans_of(sentence.tags["ner"]) if span.label in labels]
    tags: Mapping[str, Sequence[str]] = {**sentence.tags, "ner": tags_of(kept, len(sentence.words))}
    return replace(sentence, tags=tags)

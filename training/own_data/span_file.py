"""Reader of texts with spans by offsets of characters, in JSON Lines as Doccano and Prodigy write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from service.text.spans import Span, tags_of
from service.text.tokenizer import Sentence, split_sentences
from training.corpora.examples import TaggedSentence
from training.own_data.errors import DataError, count_text, lines_text

SPAN_KEYS = ("spans", "entities", "ents", "labels", "label", "annotations")


def read_spans(path: Path, lines: Sequence[str]) -> tuple[list[TaggedSentence], list[str]]:
    """Sentences of texts with spans by offsets of characters, in JSON Lines as Doccano and Prodigy write them."""
    sentences: list[TaggedSentence] = []
    moved, empty = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        text, spans = _record(path, number, line)
        cut = split_sentences(text)
        if not cut:
            empty.append(number)
        found = [_of_tokens(span, cut) for span in spans]
        for place, sentence in enumerate(cut):
            own = [span for where, span, _ in found if where == place]
            try:
                tags = tags_of(own, len(sentence.words))
            except ValueError as error:
                raise DataError(f"{path}, line {number}: two entities overlap.") from error
            sentences.append(TaggedSentence(words=list(sentence.words), tags={"ner": tags}))
        if any(is_moved for _, _, is_moved in found):
            moved.append(number)
    notes = []
    if empty:
        notes.append(f"{path.name}, {lines_text(empty)}: {count_text(len(empty), 'empty text')} left out.")
    if moved:
        notes.append(
            f"{path.name}, {lines_text(moved)}: an entity begins or ends within a word; the whole word counts."
        )
    return sentences, notes


def _record(path: Path, number: int, line: str) -> tuple[str, list[Span]]:
    """The text of a line and its spans in characters."""
    where = f"{path}, line {number}"
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: no JSON object ({error}).") from error
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise DataError(f'{where}: no "text". A line is {{"text": ..., "spans": [[start, end, "LABEL"], ...]}}.')
    key = next((key for key in SPAN_KEYS if isinstance(record.get(key), list)), None)
    if key is None:
        raise DataError(f'{where}: no "spans", a list of [start, end, "LABEL"]; an empty list where there is none.')
    text: str = record["text"]
    spans = []
    for each in record[key]:
        parts = [each.get("start"), each.get("end"), each.get("label")] if isinstance(each, dict) else each
        try:
            start, end, label = parts
            span = Span(str(label), int(start), int(end))
        except (TypeError, ValueError) as error:
            raise DataError(f"{where}: {json.dumps(each)} is no [start, end, label].") from error
        if not 0 <= span.start < span.end <= len(text) or not text[span.start : span.end].strip():
            raise DataError(f"{where}: {json.dumps(each)} is not within the text, which has {len(text)} characters.")
        spans.append(span)
    return text, spans


def _of_tokens(span: Span, sentences: Sequence[Sentence]) -> tuple[int, Span, bool]:
    """The place of the sentence that a span is in, the span in its tokens, and whether it had to grow to whole ones."""
    for place, sentence in enumerate(sentences):
        tokens = [
            i for i in range(len(sentence.words)) if sentence.starts[i] < span.end and sentence.ends[i] > span.start
        ]
        if tokens:
            first, last = tokens[0], tokens[-1]
            moved = sentence.starts[first] < span.start or sentence.ends[last] > span.end
            return place, Span(span.label, first, last + 1), moved
    return -1, span, False

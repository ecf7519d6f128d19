"""Labelled texts, one a line: ``label TAB text`` or ``label TAB source TAB text``.

``text_sources.toml`` lists the corpora of this form that the published classifiers learn from, with their terms.
Files of your own in the same form need no entry there.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from training.corpora.columns import open_text
from training.corpora.sources import CorpusUnavailableError, folder_of_corpora
from training.corpora.text_key import key_of

Target = tuple[float, ...]  # (label,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCorpus:
    """A corpus of labelled texts: its name, its terms, and whether its lines name a source."""

    name: str
    title: str
    licence: str
    commercial_use: bool
    source: str
    has_sources: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledText:
    """A text and its labels.

    ``target`` holds a probability for each label of a task with one label a text, and 0 or 1 for each label of a
    multi-label task. ``source`` is the part of the corpus that the text comes from.
    """

    text: str
    target: Target
    source: str

    @property
    def label(self) -> int:
        """The index of the likeliest label."""
        return max(range(len(self.target)), key=self.target.__getitem__)


@cache
def text_corpora() -> dict[str, TextCorpus]:
    """Every corpus of ``text_sources.toml`` by name."""
    listing = tomllib.loads(Path(__file__).with_name("text_sources.toml").read_text(encoding="utf-8"))
    return {name: TextCorpus(name=name, **table) for name, table in listing.items()}


def read_lines(corpus: str, part: str, data_dir: Path | None) -> list[tuple[str, str, str]]:
    """The (label, source, text) of each line of a part such as ``train``; without a source column the corpus' name.

    Raises CorpusUnavailableError if the file is in no data folder, and ValueError on a line of another form.
    """
    folder = folder_of_corpora(data_dir) / corpus
    path = next((p for p in (folder / f"{part}.tsv", folder / f"{part}.tsv.gz") if p.is_file()), None)
    if path is None:
        known = text_corpora().get(corpus)
        advice = f": gather it from {known.source}" if known else ""
        raise CorpusUnavailableError(f"{folder}/{part}.tsv is not there, and it has no public download{advice}")
    has_sources = corpus in text_corpora() and text_corpora()[corpus].has_sources
    num_columns = 3 if has_sources else 2
    rows = []
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            cells = line.rstrip("\n").split("\t", num_columns - 1)
            if len(cells) < num_columns or not cells[0]:
                form = "label TAB source TAB text" if has_sources else "label TAB text"
                raise ValueError(f"{path}:{number}: not {form}")
            rows.append((cells[0], cells[1] if has_sources else corpus, cells[-1]))
    return rows


def read_texts(
    corpus: str, part: str, labels: Sequence[str], *, multi_label: bool = False, data_dir: Path | None
) -> list[LabelledText]:
    """The texts of a part of a corpus. Raises ValueError on a label that is not in ``labels``."""
    return labelled(read_lines(corpus, part, data_dir), labels, f"{corpus}/{part}", multi_label=multi_label)


def labelled(
    rows: Iterable[tuple[str, str, str]], labels: Sequence[str], where: str, *, multi_label: bool
) -> list[LabelledText]:
    """The texts of rows (label, source, text); the labels of a multi-label task have commas between them. Raises
    ValueError, which says ``where``, on a label that is not in ``labels``."""
    places = {label: place for place, label in enumerate(labels)}
    texts = []
    for names, source, text in rows:
        target = [0.0] * len(labels)
        for name in names.split(",") if multi_label else (names,):
            if name not in places:
                raise ValueError(f"{where}: unknown label {name!r}; known: {', '.join(labels)}")
            target[places[name]] = 1.0
        texts.append(LabelledText(text=text, target=tuple(target), source=source))
    return texts


def polarity_target(rating: float, *, border: float = 0.5, spread: float = 0.4) -> Target:
    """The probabilities of negative, neutral and positive at a mean rating between -4 and 4: logistic around the two
    borders of the neutral class."""
    positive, negative = (1 / (1 + math.exp(-(side * rating - border) / spread)) for side in (1, -1))
    return (negative, max(0.0, 1 - positive - negative), positive)


def with_ratings(texts: Iterable[LabelledText], ratings: Mapping[str, float]) -> list[LabelledText]:
    """The texts, those with a rating (by :func:`key_of`) with the probabilities of its classes as target."""
    return [
        LabelledText(text=each.text, target=polarity_target(ratings[key_of(each.text)]), source=each.source)
        if key_of(each.text) in ratings
        else each
        for each in texts
    ]


def without(texts: Sequence[LabelledText], held_out: Collection[str]) -> list[LabelledText]:
    """The texts whose key is not among those of ``held_out`` texts. A text of emoji alone has no key and is kept."""
    keys = set(map(key_of, held_out)) - {""}
    return [text for text in texts if key_of(text.text) not in keys]

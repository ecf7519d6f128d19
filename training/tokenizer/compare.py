"""Compare our tokenizer with well-maintained libraries on the raw text of UD English EWT's dev section.

    python -m training.tokenizer.compare --data-dir DIR

Words and sentences F1 are those of the CoNLL 2018 evaluation; the speed is that of a second pass, in processor time.
Libraries that are not installed are skipped. None of them is a dependency: install them beside the project.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from service.text.tokenizer import Sentence, split_sentences
from training.corpora.tagging import read_ewt_lines
from training.tokenizer.conll18 import Scores, evaluate, raw_text, read_gold, segmentation_of

Splitter = Callable[[str], list[Sentence]]
# A library may rewrite a word (`n't` to `not`); further away than this it would be another word of that form.
LONGEST_REWRITTEN = 12  # letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A tokenizer to compare. ``build`` is given the training text and may raise ImportError."""

    name: str
    build: Callable[[str], Splitter]


def place_words(text: str, sentences: Iterable[Iterable[str]]) -> list[Sentence]:
    """Find the offsets of words given without them. If a library rewrote a word, the text's own letters are taken."""
    placed = []
    position = 0
    for words in sentences:
        sentence = Sentence([], [], [])
        for word in words:
            start = text.find(word, position)
            if start < 0 or len(text[position:start].strip()) > LONGEST_REWRITTEN:
                continue  # added below
            position = start + len(word)
            _append(sentence, text, start, position)
        if len(sentence):
            placed.append(sentence)
    return list(_with_what_was_missed(text, placed))


def _append(sentence: Sentence, text: str, start: int, end: int) -> None:
    sentence.words.append(text[start:end])
    sentence.starts.append(start)
    sentence.ends.append(end)


def _with_what_was_missed(text: str, sentences: Iterable[Sentence]) -> Iterator[Sentence]:
    """The words, with the visible text between them added as words of the sentence that follows."""
    position = 0
    for sentence in [*sentences, Sentence([], [len(text)], [])]:
        whole = Sentence([], [], [])
        for start, end in zip(sentence.starts, sentence.ends or [len(text)], strict=True):
            for missed in text[position:start].split():
                first = text.index(missed, position)
                position = first + len(missed)
                _append(whole, text, first, position)
            if start < end:
                _append(whole, text, start, end)
            position = end
        if len(whole):
            yield whole


def paragraphs_of(text: str) -> list[str]:
    """The paragraphs of a text. Libraries do not split at blank lines by themselves, so each gets one paragraph at a
    time."""
    return text.split("\n\n")


def build_spacy(_: str) -> Splitter:
    spacy = importlib.import_module("spacy")
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")

    def split(text: str) -> list[Sentence]:
        documents = pipeline.pipe(paragraphs_of(text))
        return place_words(text, ([t.text for t in s if not t.is_space] for d in documents for s in d.sents))

    return split


def build_nltk(training_text: str) -> Splitter:
    punkt = importlib.import_module("nltk.tokenize.punkt")
    treebank = importlib.import_module("nltk.tokenize.treebank").TreebankWordTokenizer()
    tokenizer = punkt.PunktSentenceTokenizer(training_text)

    def split(text: str) -> list[Sentence]:
        sentences = (s for paragraph in paragraphs_of(text) for s in tokenizer.tokenize(paragraph))
        return place_words(text, ([s[a:b] for a, b in treebank.span_tokenize(s)] for s in sentences))

    return split


def build_pysbd(_: str) -> Splitter:
    segmenter = importlib.import_module("pysbd").Segmenter(language="en", clean=False)
    treebank = importlib.import_module("nltk.tokenize.treebank").TreebankWordTokenizer()

    def split(text: str) -> list[Sentence]:
        sentences = (s for paragraph in paragraphs_of(text) for s in segmenter.segment(paragraph))
        return place_words(text, ([s[a:b] for a, b in treebank.span_tokenize(s)] for s in sentences))

    return split


def build_syntok(_: str) -> Splitter:
    segmenter = importlib.import_module("syntok.segmenter")

    def split(text: str) -> list[Sentence]:
        return place_words(text, ([t.value for t in s] for p in segmenter.process(text) for s in p))

    return split


def build_blingfire(_: str) -> Splitter:
    blingfire = importlib.import_module("blingfire")

    def split(text: str) -> list[Sentence]:
        sentences = (s for p in paragraphs_of(text) for s in blingfire.text_to_sentences(p).split("\n"))
        return place_words(text, (blingfire.text_to_words(sentence).split() for sentence in sentences))

    return split


def build_sacremoses(training_text: str) -> Splitter:
    moses = importlib.import_module("sacremoses").MosesTokenizer(lang="en")
    punkt = importlib.import_module("nltk.tokenize.punkt").PunktSentenceTokenizer(training_text)

    def split(text: str) -> list[Sentence]:
        sentences = (s for paragraph in paragraphs_of(text) for s in punkt.tokenize(paragraph))
        return place_words(text, (moses.tokenize(s, escape=False) for s in sentences))

    return split


CANDIDATES = [
    Candidate(name="ours", build=lambda _: split_sentences),
    Candidate(name="spaCy blank + sentencizer", build=build_spacy),
    Candidate(name="NLTK Treebank + Punkt (EWT train)", build=build_nltk),
    Candidate(name="NLTK Treebank + pySBD", build=build_pysbd),
    Candidate(name="syntok", build=build_syntok),
    Candidate(name="BlingFire", build=build_blingfire),
    Candidate(name="sacremoses + Punkt (EWT train)", build=build_sacremoses),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    scores: Scores
    words_per_second: float


def measure(split: Splitter, gold_lines: list[str]) -> Result:
    text = raw_text(gold_lines)
    sentences = split(text)
    began = time.process_time()
    split(text)
    took = time.process_time() - began
    return Result(
        scores=evaluate(read_gold(gold_lines), segmentation_of(sentences)),
        words_per_second=sum(map(len, sentences)) / took,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="folder with the corpora; else they are downloaded")
    data_dir = parser.parse_args().data_dir
    training_text, dev = raw_text(read_ewt_lines("train", data_dir)), read_ewt_lines("dev", data_dir)
    print(f"| {'candidate':34} | words F1 | sentences F1 | words/s |")
    print("|---|---|---|---|")
    for candidate in CANDIDATES:
        try:
            split = candidate.build(training_text)
        except ImportError as error:
            print(f"skipped {candidate.name}: {error.name} is not installed")
            continue
        result = measure(split, dev)
        f1 = f"{100 * result.scores.words.f1:8.2f} | {100 * result.scores.sentences.f1:12.2f}"
        print(f"| {candidate.name:34} | {f1} | {result.words_per_second:7,.0f} |", flush=True)


if __name__ == "__main__":
    main()

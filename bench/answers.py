"""Measure the cost of an answer of /tag after the model: ``python -m bench.answers``.

Rows are made beforehand. The measured work is that of the service: results built, then written as JSON. Beside it the
same answer is made through pydantic models, as many services do. The figures are CPU time, so that other processes on
the machine do not count: the best of many rounds, and their median.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from pydantic import BaseModel

from bench.machine import this_machine
from bench.process import ROOT
from bench.report import print_machine
from service.api.answers import TaggedItem, tag_results
from service.api.schemas import TagRequest, TagResponse
from service.models.registry import ModelName
from service.predictors.tagger import ScoredSpan, TaggedRow
from service.text.pipeline import Encoding
from service.text.tokenizer import split_sentences

SENTENCES = ROOT / "bench" / "sentences.txt"
SIZES_KB = (1, 10, 60, 300)
WORD_OUT_OF = 12  # one token in so many is an entity
UPOS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split()
XPOS = "NN NNS NNP JJ RB VB VBD VBZ IN DT PRP CC CD TO MD . ,".split()
REQUEST = TagRequest()
_encoder = msgspec.json.Encoder()


class PydanticToken(BaseModel):
    text: str
    start: int
    end: int
    upos: str
    xpos: str
    entity: str


class PydanticSentence(BaseModel):
    start: int
    end: int
    tokens: list[PydanticToken]


class PydanticEntity(BaseModel):
    text: str
    label: str
    start: int
    end: int
    score: float


class PydanticResult(BaseModel):
    sentences: list[PydanticSentence]
    entities: list[PydanticEntity]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """A text and what a model said of it."""

    item: TaggedItem
    rows: list[TaggedRow]

    @property
    def num_tokens(self) -> int:
        return self.item.num_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU milliseconds of one step."""

    best: float
    median: float


def compose(texts: Sequence[str], kilobytes: int, draw: random.Random) -> Work:
    """Text enough for an answer of about this size."""
    parts: list[str] = []
    work = label(" ".join(parts), draw)
    while len(_encoder.encode(build(work))) < 1000 * kilobytes:
        parts += draw.choices(texts, k=1 + len(parts) // 10)
        work = label(" ".join(parts), draw)
    return work


def label(text: str, draw: random.Random) -> Work:
    sentences = split_sentences(text)
    encodings = [Encoding(sentence, np.zeros((len(sentence), 1), np.int32)) for sentence in sentences]
    return Work(item=TaggedItem.of(text, encodings), rows=[row_of(len(each), draw) for each in sentences])


def row_of(num_tokens: int, draw: random.Random) -> TaggedRow:
    places = [place for place in range(num_tokens) if draw.randrange(WORD_OUT_OF) == 0]
    return TaggedRow(
        upos=draw.choices(UPOS, k=num_tokens),
        xpos=draw.choices(XPOS, k=num_tokens),
        entity=["S-PER" if place in places else "O" for place in range(num_tokens)],
        spans=[ScoredSpan("PER", place, place + 1, 0.98765) for place in places],
    )


def build(work: Work) -> TagResponse:
    """The answer as the service builds it."""
    return TagResponse(ModelName("en-tagger", "1.0.0"), tag_results([work.item], work.rows, REQUEST))


def with_pydantic(work: Work) -> bytes:
    """The same answer, an object of a model for each token."""
    sentences, entities = [], []
    for encoding, row in zip(work.item.encodings, work.rows, strict=True):
        sentence = encoding.sentence
        columns = zip(sentence.words, sentence.starts, sentence.ends, row.upos, row.xpos, row.entity, strict=True)
        tokens = [
            PydanticToken(text=text, start=start, end=end, upos=upos, xpos=xpos, entity=entity)
            for text, start, end, upos, xpos, entity in columns
        ]
        sentences.append(PydanticSentence(start=sentence.start, end=sentence.end, tokens=tokens))
        entities += [
            PydanticEntity(
                text=sentence.words[span.start],
                label=span.label,
                start=sentence.starts[span.start],
                end=sentence.ends[span.end - 1],
                score=round(span.score, 4),
            )
            for span in row.spans
        ]
    return PydanticResult(sentences=sentences, entities=entities).model_dump_json().encode()


def cost_of(step: Callable[[], object], rounds: int) -> Cost:
    """Milliseconds of CPU time."""
    step()
    spent = []
    for _ in range(rounds):
        started = time.thread_time_ns()
        step()
        spent.append((time.thread_time_ns() - started) / 1e6)
    return Cost(best=min(spent), median=statistics.median(spent))


def line(work: Work, rounds: int) -> str:
    response = build(work)
    size = len(_encoder.encode(response))
    building = cost_of(lambda: build(work), rounds)
    encoding = cost_of(lambda: _encoder.encode(response), rounds)
    total = cost_of(lambda: _encoder.encode(build(work)), rounds)
    other = cost_of(lambda: with_pydantic(work), max(3, rounds // 10))
    cells = [f"{size / 1000:.0f} KB", str(work.num_tokens)]
    cells += [f"{cost.best:.3f} / {cost.median:.3f}" for cost in (building, encoding, total, other)]
    return " | ".join([*cells, f"{other.best / total.best:.1f}x"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    rounds = parser.parse_args().rounds
    print_machine(this_machine())
    print("CPU milliseconds, best / median\n")
    print("answer | tokens | built | written | both | with pydantic | ratio")
    texts = SENTENCES.read_text(encoding="utf-8").splitlines()
    for kilobytes in SIZES_KB:
        print(line(compose(texts, kilobytes, random.Random(kilobytes)), rounds), flush=True)


if __name__ == "__main__":
    main()

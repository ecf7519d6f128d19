"""The texts of the users: sentences, pages, reviews and letters of natural lengths; the same for one seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, islice
from pathlib import Path

from bench.reviews import draw_review_length

SENTENCES = Path(__file__).parents[1] / "sentences.txt"
PAGE_SENTENCES = 32
LETTER_SENTENCES = (2, 12)
TARGETS = ("es", "de", "fr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One request's body, and what is counted of it."""

    path: str
    kind: str
    body: Mapping[str, object]
    num_items: int = 1
    num_words: int = field(default=0)  # between spaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Makes messages of sentences, drawn at random."""

    sentences: Sequence[str]
    draw: random.Random

    @classmethod
    def of(cls, path: Path, *, seed: int) -> Texts:
        """One sentence a line. Raises ValueError if there are fewer than a page of them."""
        sentences = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
        if len(sentences) < PAGE_SENTENCES:
            raise ValueError(f"{path}: fewer than {PAGE_SENTENCES} sentences")
        return cls(sentences=sentences, draw=random.Random(seed))

    def sentence(self, path: str, **wishes: object) -> Message:
        return _message(path, "1 sentence", self.draw.choice(self.sentences), wishes)

    def page(self, path: str) -> Message:
        """Sentences as items of one request."""
        chosen = self.draw.sample(self.sentences, PAGE_SENTENCES)
        words = sum(len(each.split()) for each in chosen)
        return Message(
            path=path,
            kind=f"{PAGE_SENTENCES} sentences",
            body={"text": chosen},
            num_items=PAGE_SENTENCES,
            num_words=words,
        )

    def review(self, path: str) -> Message:
        """Sentence after sentence, cut at a review's length."""
        words = chain.from_iterable(self.draw.choice(self.sentences).split() for _ in count())
        return _message(path, "1 review", " ".join(islice(words, draw_review_length(self.draw))), {})

    def letter(self, path: str, **wishes: object) -> Message:
        """A sentence a paragraph."""
        chosen = self.draw.sample(self.sentences, self.draw.randint(*LETTER_SENTENCES))
        return _message(path, "1 letter", "\n\n".join(chosen), wishes)

    def opening(self, path: str, **wishes: object) -> Message:
        """The beginning of a sentence, as a prompt."""
        words = self.draw.choice(self.sentences).split()
        text = " ".join(words[: self.draw.randint(1, max(1, len(words) // 2))])
        return Message(path=path, kind="1 opening", body={"prompt": text, **wishes}, num_words=len(text.split()))

    def target(self) -> str:
        return self.draw.choice(TARGETS)


def _message(path: str, kind: str, text: str, wishes: Mapping[str, object]) -> Message:
    return Message(path=path, kind=kind, body={"text": text, **wishes}, num_words=len(text.split()))

from __future__ import annotations

import pytest

from service.text.tokenizer import Sentence
from training.tokenizer.conll18 import evaluate, raw_text, read_gold, segmentation_of

GOLD = """\
# newdoc id = one
# newpar id = one-1
1	Hi	hi	INTJ	UH	_	_	_	_	SpaceAfter=No
2	!	!	PUNCT	.	_	_	_	_	_

1-2	Don't	_	_	_	_	_	_	_	_
1	Do	do	AUX	VB	_	_	_	_	_
2	n't	not	PART	RB	_	_	_	_	_
2.1	really	_	_	_	_	_	_	_	_
3	go	go	VERB	VB	_	_	_	_	SpaceAfter=No
4	.	.	PUNCT	.	_	_	_	_	_

# newpar id = one-2
1	Bye	bye	INTJ	UH	_	_	_	_	_

""".splitlines()


def sentence(words: str) -> Sentence:
    return Sentence(words.split(), [], [])


def counts(*sentences: str) -> dict[str, int]:
    scores = evaluate(read_gold(GOLD), segmentation_of(map(sentence, sentences)))
    return {name: getattr(scores, name).correct for name in ("tokens", "sentences", "words")}


def test_raw_text_has_the_spaces_and_the_paragraphs() -> None:
    assert raw_text(GOLD) == "Hi! Don't go.\n\nBye\n"
    assert raw_text(GOLD, width=9) == "Hi! Don't\ngo.\n\nBye\n"


def test_gold_against_itself_is_perfect() -> None:
    scores = evaluate(read_gold(GOLD), read_gold(GOLD))
    assert {score.f1 for score in (scores.tokens, scores.sentences, scores.words, scores.upos, scores.xpos)} == {1.0}


@pytest.mark.parametrize(
    ("system", "tokens", "sentences", "words"),
    [
        (("Hi !", "Do n't go .", "Bye"), 5, 3, 7),  # plain words align inside the gold multiword token
        (("Hi !", "Don't go .", "Bye"), 6, 3, 5),  # uncut, the token is right and both its words are missed
        (("Hi !", "Don 't go .", "Bye"), 5, 3, 5),  # cut elsewhere: neither form is right
        (("Hi ! Do n't go .", "Bye"), 5, 1, 7),
        (("Hi!", "Do n't go.", "Bye"), 1, 3, 3),
        (("Hi ! D o n't go . Bye",), 5, 0, 6),
        (("Hi !Do n't go .", "Bye"), 4, 1, 5),  # a word across the token's edge takes its first word away
    ],
)
def test_correct_counts(system: tuple[str, ...], tokens: int, sentences: int, words: int) -> None:
    assert counts(*system) == {"tokens": tokens, "sentences": sentences, "words": words}


def test_tags_count_for_aligned_words_only() -> None:
    system = segmentation_of(
        map(sentence, ("Hi !", "Do n't go.", "Bye")),
        upos=[["INTJ", "PUNCT"], ["VERB", "PART", "VERB"], ["INTJ"]],
        xpos=[["UH", "."], ["VB", "RB", "VB"], ["UH"]],
    )
    scores = evaluate(read_gold(GOLD), system)
    assert (scores.words.correct, scores.upos.correct, scores.xpos.correct) == (5, 4, 5)
    assert (scores.upos.gold, scores.upos.system) == (7, 6)
    assert scores.words.f1 == pytest.approx(10 / 13)


def test_other_characters_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"visible character 1: gold .i!Don"):
        counts("Ho !", "Do n't go .", "Bye")

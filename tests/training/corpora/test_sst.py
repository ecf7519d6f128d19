from __future__ import annotations

import pytest

from tests.training.corpora.made_up_texts import write_corpora
from training.corpora import sst
from training.corpora.sst import Phrase, join_treebank, phrases_of


def test_a_tree_is_its_phrases_the_sentence_first():
    phrases = list(phrases_of("(3 (2 It) (4 (2 's) (4 great)))"))
    assert phrases[0] == Phrase(text="It's great", grade=3)
    assert {(p.text, p.grade) for p in phrases[1:]} == {("It", 2), ("'s great", 4), ("'s", 2), ("great", 4)}


@pytest.mark.parametrize("tree", ["(3 (2 It)", "(3 It))", "", "no tree", "(2 a) (3 b)"])
def test_what_is_no_tree_is_refused(tree):
    with pytest.raises(ValueError, match="not a tree"):
        list(phrases_of(tree))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("It does n't work .", "It doesn't work."),
        ("You can not miss it , I 'm gon na see it", "You cannot miss it, I'm gonna see it"),
        ("-LRB- the 2002 remake -RRB-", "(the 2002 remake)"),
        ("the film 's `` big '' scene", 'the film\'s "big" scene'),
        ("`` Wow ! ''", '"Wow!"'),
        ("a ` real ' gem", "a 'real' gem"),
        ("actor\\/director", "actor/director"),
        ("\\*\\*\\*", "***"),
        ("It costs $ 20 million ; 3 % of it ...", "It costs $20 million; 3% of it..."),
        ("ca n't stop -- wo n't stop", "can't stop -- won't stop"),
        ("... and more", "... and more"),
        ("Mr. Allen , '70s star & co-writer", "Mr. Allen, '70s star & co-writer"),
        ("parents ' home", "parents' home"),
    ],
)
def test_words_are_joined_to_what_was_typed(words, text):
    assert join_treebank(words.split()) == text


def test_sentences_are_read_in_the_order_of_the_file(tmp_path):
    write_corpora(tmp_path)
    assert sst.read_sentences("dev", tmp_path) == [
        Phrase(text="Dull.", grade=1),
        Phrase(text="a delight", grade=4),
        Phrase(text="So what", grade=2),
    ]

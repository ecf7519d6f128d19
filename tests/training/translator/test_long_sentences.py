"""Signs of omission and repetition."""

from __future__ import annotations

import pytest

pytest.importorskip("sacrebleu")

from tests.training.translator.dictionary_translator import LANGUAGES, system
from training.translator.long_sentences import as_markdown, measure, to_judge, to_read
from training.translator.long_verdicts import read_verdicts, write_verdicts
from training.translator.omissions import LongSentence, read_long_sentences, repeated_runs, signs_of

SENTENCE = LongSentence(
    kind="report",
    text="The dog slept in the house of Anna Keller, the cat sat on the roof, and the bird sang 12 songs in the tree.",
    keep=["12", "Anna Keller"],
    parts={"es": [["perr"], ["gat"], ["pájaro", "ave"]]},
)
WHOLE = (
    "El perro dormía en la casa de Anna Keller, el gato estaba en el tejado y el pájaro cantaba 12 canciones "
    "en el árbol."
)

JUDGED = ("clause\twords", "no\tno", "\t", "words\tno")  # missing, repeated


def test_there_are_fifty_sentences_of_thirty_to_sixty_words():
    sentences = read_long_sentences()
    assert len(sentences) == 50
    assert all(30 <= len(sentence.text.split()) <= 60 for sentence in sentences)
    assert all(set(sentence.parts) == set(LANGUAGES) for sentence in sentences)
    assert all(item in sentence.text for sentence in sentences for item in sentence.keep)
    assert all(len(parts) >= 5 and all(all(words) for words in parts) for s in sentences for parts in s.parts.values())


def test_a_whole_translation_shows_nothing():
    signs = signs_of(SENTENCE, WHOLE, "es", complete=True)
    assert not signs.omission
    assert not signs.repetition


@pytest.mark.parametrize(
    "translation",
    [
        WHOLE.replace("12 ", ""),
        WHOLE.replace("Anna Keller", "Ana"),
        WHOLE.replace("el gato estaba en el tejado y el pájaro cantaba", "y las demás cosas que ya conocemos cantaban"),
        WHOLE[:60] + " 12",
    ],
)
def test_what_is_missing_is_noticed(translation):
    assert signs_of(SENTENCE, translation, "es", complete=True).omission


def test_one_part_in_other_words_is_no_omission():
    signs = signs_of(SENTENCE, WHOLE.replace("gato", "felino"), "es", complete=True)
    assert list(signs.missing_parts) == ["gat"]
    assert not signs.omission


def test_an_answer_that_says_it_is_incomplete_is():
    assert signs_of(SENTENCE, WHOLE, "es", complete=False).omission
    assert not signs_of(SENTENCE, WHOLE, "es", complete=None).omission


def test_short_stems_stand_at_the_beginning_of_a_word():
    sentence = LongSentence(kind="", text="salt " * 30, keep=[], parts={"es": [["sal"], ["sodio"]]})
    assert signs_of(sentence, "dorsal, cloruro de potasiosodio", "es", complete=None).missing_parts == ["sal"]


def test_loops_and_stammering_are_repetitions():
    assert repeated_runs("que debe volver a casa y que debe volver a casa", "He should go home.")
    assert repeated_runs("una mesa mesa grande", "a big table") == ["mesa"]
    assert repeated_runs("que debe comer, que debe dormir", "that he eat, that he sleep") == []


def test_a_source_that_repeats_may_be_repeated():
    source = "he said that it was good and he said that it was bad"
    assert repeated_runs("dijo que eso era bueno y dijo que eso era malo", source) == []


def test_a_repeated_part_makes_a_translation_too_long():
    assert signs_of(SENTENCE, f"{WHOLE} {WHOLE}", "es", complete=True).repetition


def test_suspects_are_counted_and_all_translations_are_there_to_read():
    sentences = read_long_sentences()
    figures = measure(system(lambda text, _: text[:40], confidence=0.3, complete=True), ("de",), sentences, {})
    (german,) = figures.languages
    assert (german.omissions, german.repetitions, german.either, german.untold) == (50, 0, 50, 50)
    told = measure(system(lambda text, _: text[:40], complete=False), ("de",), sentences, {}).languages[0]
    assert told.untold == 0
    lines = to_read(figures)
    assert sum("**omission**" in line for line in lines) == 50
    assert "confidence 0.30" in "\n".join(lines)
    assert as_markdown(figures)[2].startswith("| German | 50 | 50 | 0 |")


def test_a_readers_verdicts_stand_beside_the_signs_while_the_translation_stays(tmp_path):
    path = tmp_path / "long_sentences.tsv"
    write_verdicts(to_judge(shortened_to(40, {})), path)
    assert read_verdicts(path) == {}
    lines = path.read_text(encoding="utf-8").splitlines()
    filled = [line.replace("\t\t\t", f"\t{each}\t") for line, each in zip(lines, JUDGED, strict=True)]
    path.write_text("\n".join(filled), encoding="utf-8")
    verdicts = read_verdicts(path)
    figures = shortened_to(40, verdicts)
    (german,) = figures.languages
    assert (german.read, german.clauses, german.words, german.agreed) == (3, 1, 1, 1)
    assert "read: missing clause, repeated words" in "\n".join(to_read(figures))
    write_verdicts(to_judge(figures), path)
    assert read_verdicts(path) == verdicts
    assert shortened_to(41, verdicts).languages[0].read == 0


def shortened_to(length, verdicts):
    """The figures of translations that are the beginnings of four sources."""
    return measure(system(lambda text, _: text[:length]), ("de",), read_long_sentences()[:4], verdicts)


def test_a_verdict_is_one_of_three_words(tmp_path):
    path = tmp_path / "long_sentences.tsv"
    path.write_text("de\t1\tmuch\tno\tOne.\tEins.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1: 'much'"):
        read_verdicts(path)

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from service.text.spans import spans_of
from training.corpora.entities import TAGS
from training.corpora.examples import TaggedSentence
from training.tagger.batches import TaggedExample, bits_of
from training.tagger.forms import Forms, UnknownSlotError, choose, read_forms, read_lines
from training.tagger.generated_sentences import LABELS_OF_SLOTS, fill, forms_with, generate
from training.tagger.outside_text import FOLDER, read_annotated
from training.tagger.renamed_sentences import harvest, rename


def rng(seed=0):
    return np.random.default_rng(seed)


def certain(sentence):
    """Its words by label, those that are surely an entity."""
    tags = [next(iter(tags)) if len(tags) == 1 else "O" for tags in sentence.allowed]
    return [(" ".join(sentence.words[s.start : s.end]), s.label) for s in spans_of(tags)]


@pytest.mark.parametrize(
    ("slot", "shape"),
    [
        ("3-28", r"\d{1,2}"),
        ("03-28", r"\d\d"),
        ("~1-9", r"\d\.\d{1,2}"),
        ("#4", r"\d{4}"),
        ("#2-3", r"\d{2,3}"),
        ("^5", r"\d[\d,]*"),
        ("@", "[A-Z]"),
        ("ordinal", r"\d{1,2}(st|nd|rd|th)"),
    ],
)
def test_numbers_need_no_list(slot, shape):
    import re

    forms = Forms({})
    assert all(re.fullmatch(shape, forms(slot, rng(seed))) for seed in range(50))


def test_forms_hold_slots_and_choices_again():
    forms = Forms({"a": ["<x|x>{b}"], "b": ["y"]})
    assert forms("a", rng()) == "xy"
    with pytest.raises(UnknownSlotError, match="nobody"):
        forms("nobody", rng())
    assert choose("<a|a> <b {c}|b {c}>", rng()) == "a b {c}"


def test_every_template_and_every_form_can_be_filled():
    forms = forms_with({})
    for slot in read_forms("forms.txt", "names.txt"):
        assert forms(slot, rng())
    for name in ("business.txt", "numbers.txt"):
        for template in read_lines(name):
            for seed in range(5):
                sentence = fill(template, forms, rng(seed))
                assert len(sentence.words) == len(sentence.allowed) > 0


def test_slots_in_capitals_are_entities_and_the_others_are_none():
    forms = Forms({"ORG": ["the Acme Band"], "MONEY": ["A$20"], "code": ["2010"], "YEAR": ["2010"]})
    sentence = fill("The {ORG} paid {MONEY} for {code} in {YEAR}.", forms, rng(1))
    assert certain(sentence) == [("Acme Band", "ORG"), ("A $ 20", "MONEY"), ("2010", "DATE")]
    assert sentence.words[:3] == ["The", "Acme", "Band"]


def test_an_address_may_be_a_place_but_no_date():
    sentence = fill("We live at {address}", Forms({"address": ["1999 Oak Road"]}), rng(1))
    assert sentence.allowed[3] == {"O", "B-LOC", "I-LOC", "E-LOC", "S-LOC"}


def test_generation_hangs_on_its_seed_and_has_every_label():
    first, again, other = (generate(400, {}, seed) for seed in (1, 1, 2))
    assert [s.words for s in first] == [s.words for s in again] != [s.words for s in other]
    assert {label for sentence in first for _, label in certain(sentence)} == set(LABELS_OF_SLOTS.values())
    assert len({" ".join(s.words) for s in first}) > 350


def test_no_sentence_of_the_evaluation_is_generated():
    held_out = {
        text.rstrip(".")
        for name in ("business_and_news.txt", "numbers.txt")
        for text, _ in read_annotated(FOLDER / name)
    }
    made = {" ".join(sentence.words).removesuffix(" .") for sentence in generate(4000, {}, 3)}
    assert held_out.isdisjoint(made)


def test_names_are_harvested_from_training_parts():
    tags = {"ner": ["B-PER", "I-PER", "O", "B-ORG", "O", "B-LOC", "O", "S-PER"]}
    sentence = TaggedSentence(words="Ann Lee left Acme in Rome with x9".split(), tags=tags)
    assert harvest({"wikigold": [sentence]}) == {
        "FIRST": ["Ann"],
        "LAST": ["Lee"],
        "LOC": ["Rome"],
        "HARVESTED": ["Acme"],
    }


def test_other_names_stand_where_the_old_ones_stood():
    words = "Ann Lee met the Acme Band on Friday".split()
    tags = ["B-PER", "E-PER", "O", "O", "B-ORG", "E-ORG", "O", "S-DATE"]
    example = TaggedExample(words=words, allowed={"entity": bits_of(tags, TAGS)})
    renamed = [rename({"gmb": [example]}, TAGS, {}, count=1, seed=seed)[0] for seed in range(30)]
    assert len({" ".join(sentence.words) for sentence in renamed}) > 10
    for sentence in renamed:
        assert sentence.words[-6:] == ["met", "the", "Acme", "Band", "on", "Friday"]  # behind an article it stays
        assert [label for _, label in certain(sentence)] == ["PER", "ORG", "DATE"]

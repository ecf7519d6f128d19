from __future__ import annotations

import pytest

pytest.importorskip("torch")

from tests.training.corpora.made_up_tagging import write_corpora
from training.corpora import tagging
from training.corpora.entities import TAGS
from training.corpora.examples import TaggedSentence
from training.corpora.recutting import NO_TAG, recut
from training.corpora.tagging_sets import read_entity_sets, read_pos_set


@pytest.fixture
def data_dir(tmp_path):
    write_corpora(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("row", "words", "ner"),
    [
        ("New~York/NNP/B-geo", ["New", "York"], ["B-geo", "I-geo"]),
        ("al-Sadr/NNP/I-per", ["al", "-", "Sadr"], ["I-per", "I-per", "I-per"]),
        ("'s/POS/O", ["'s"], ["O"]),
        ("~/NNP/O", ["~"], ["O"]),
        ("plain/JJ/O", ["plain"], ["O"]),
    ],
)
def test_a_corpus_is_recut_in_the_words_of_the_service(row, words, ner):
    word, xpos, tag = row.split("/")
    cut = recut(TaggedSentence(words=[word], tags={"xpos": [xpos], "ner": [tag]}))
    assert cut.words == words
    assert cut.tags["ner"] == ner
    assert cut.tags["xpos"] == ([xpos] if len(words) == 1 else [NO_TAG] * len(words))
    assert set(cut.tags["unclear"]) == {"no"}


def test_a_compound_adjective_that_is_recut_is_unclear():
    cut = recut(TaggedSentence(words=["U.S.-led", "talks"], tags={"xpos": ["JJ", "NNS"], "ner": ["O", "O"]}))
    assert cut.words[-2:] == ["led", "talks"]
    assert cut.tags["unclear"] == ["yes"] * (len(cut.words) - 1) + ["no"]


def test_every_corpus_is_read_in_its_own_form(data_dir):
    assert tagging.read_ewt("train", data_dir)[0].words == ["She", "plays", "well", "."]
    assert tagging.read_uner("dev", data_dir)[0].tags["ner"] == ["O", "O", "B-LOC", "I-LOC"]
    assert tagging.read_gmb("train", data_dir)[0].words[-2:] == ["New", "York"]
    assert tagging.read_wnut17("train", data_dir)[0].tags["ner"][0] == "B-person"
    assert tagging.read_wikigold(data_dir)[0].tags["ner"] == ["I-ORG", "I-ORG", "O"]
    sections = len({tuple(sentence.words) for sentence in tagging.read_btc(data_dir)})
    assert sections == 5


def test_heads_hold_the_tags_that_were_seen_and_every_scheme(data_dir):
    heads = tagging.tag_sets(tagging.read_ewt("train", data_dir), tagging.read_gmb("train", data_dir))
    assert list(heads) == ["upos", "xpos", "entity", "gmb_xpos", "gmb", "wnut17"]
    assert heads["upos"] == tuple(sorted(heads["upos"]))
    assert NO_TAG not in heads["gmb_xpos"]
    assert all(len(tags) <= 62 for tags in heads.values())


def test_a_corpus_has_targets_for_what_it_annotates_alone(data_dir):
    ewt, gmb = tagging.read_ewt("train", data_dir), tagging.read_gmb("train", data_dir)
    heads = tagging.tag_sets(ewt, gmb)

    def known(rows, name):
        example = tagging.examples_of(rows[:1], name, heads)[0]
        assert all(len(bits) == len(example.words) for bits in example.allowed.values())
        return set(example.allowed)

    assert known(ewt, "ewt") == {"upos", "xpos", "entity"}
    assert known(gmb, "gmb") == {"entity", "gmb", "gmb_xpos"}
    assert known(tagging.read_wnut17("train", data_dir), "wnut17") == {"entity", "wnut17"}
    assert known(tagging.read_btc(data_dir), "btc") == {"entity"}


def test_labelled_text_is_taken_as_it_stands(tmp_path):
    (tmp_path / "labelled.tsv").write_text("Ann\tPROPN\tNNP\tS-PER\nsings\tVERB\tVBZ\tO\n", encoding="utf-8")
    (sentence,) = tagging.read_labelled(tmp_path / "labelled.tsv")
    heads = {"upos": ("PROPN", "VERB"), "xpos": ("NNP", "VBZ"), "entity": ("O", "S-PER")}
    (example,) = tagging.examples_of([sentence], "labelled", heads)
    assert {name: bits.tolist() for name, bits in example.allowed.items()} == {
        "upos": [0b01, 0b10],
        "xpos": [0b01, 0b10],
        "entity": [0b10, 0b01],
    }


def test_what_is_scored_is_the_split_in_the_merged_and_in_its_own_scheme(data_dir):
    pos = read_pos_set("dev", data_dir)
    assert set(pos.gold) == {"upos", "xpos"}
    uner, gmb, wnut17, *opened = read_entity_sets("test", data_dir)
    assert (uner.name, gmb.name, wnut17.name) == ("uner", "gmb", "wnut17")
    assert [each.name for each in opened] == ["redocred", "crossner", "sec_filings"]
    assert set(uner.gold) == {"entity"}
    assert set(gmb.gold) == {"entity", "gmb"}
    assert "DATE" not in wnut17.labels
    for test in (pos, uner, gmb, wnut17, *opened):
        for tags in test.gold.values():
            assert list(map(len, tags)) == list(map(len, test.sentences))


def test_where_two_taggers_disagree_on_a_name_both_may_be_right(tmp_path):
    heads = {"entity": TAGS}
    silver = TaggedSentence(words=["Acme", "met", "5", "%"], tags={"ner": ["B-ORG", "O", "B-PERCENT", "I-PERCENT"]})
    second = TaggedSentence(words=silver.words, tags={"ner": ["S-PER", "O", "O", "S-MONEY"]})
    (joined,) = tagging.with_second_opinion([silver], [second, second])
    (example,) = tagging.examples_of([joined], "silver", heads)
    allowed = [{tag for i, tag in enumerate(TAGS) if bits >> i & 1} for bits in example.allowed["entity"].tolist()]
    assert allowed == [{"S-ORG", "S-PER"}, {"O"}, {"B-PERCENT"}, {"E-PERCENT"}]
    with pytest.raises(ValueError, match="another sentence"):
        tagging.with_second_opinion([silver], [TaggedSentence(words=["x"], tags={"ner": ["O"]})])


def test_labels_of_taggers_may_count_for_parts_of_speech_alone():
    sentence = TaggedSentence(words=["Ann"], tags={"upos": ["PROPN"], "xpos": ["NNP"], "ner": ["S-PER"]})
    heads = {"upos": ("PROPN",), "xpos": ("NNP",), "entity": TAGS}
    (example,) = tagging.examples_of([sentence], "labelled", heads, labelled_entities=False)
    assert set(example.allowed) == {"upos", "xpos"}
